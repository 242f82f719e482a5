//! The reference: Debian's packaged kmod, unpacked with its libraries into a root for chroot.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::mirror;
use crate::packages::{self, DPKG_DEB};
use crate::process;

/// A packaged kmod.
struct Reference {
    name: &'static str,
    suite: &'static str,
    /// The prefix of the version of kmod and its library.
    version: &'static str,
    /// Whether tests that need it may be skipped.
    optional: bool,
    /// The packages that differ between the releases, besides [`COMMON`].
    packages: &'static [&'static str],
}

/// Debian 13's kmod 34 is what we compare with, Debian 12's kmod 30 shows whether older readers accept our indexes.
const REFERENCES: [Reference; 2] = [
    Reference {
        name: "kmod34",
        suite: "trixie",
        version: "34",
        optional: false,
        packages: &["libssl3t64", "libsystemd0"],
    },
    Reference { name: "kmod30", suite: "bookworm", version: "30", optional: true, packages: &["libssl3"] },
];

/// The packages whose version matters.
const KMOD: [&str; 2] = ["kmod", "libkmod2"];

/// kmod with its libraries, and a shell with the usual commands for install and remove commands of modprobe.d.
const COMMON: [&str; 14] = [
    "libc6",
    "liblzma5",
    "libzstd1",
    "zlib1g",
    "libgcc-s1",
    "libcrypt1",
    "dash",
    "coreutils",
    "libacl1",
    "libattr1",
    "libselinux1",
    "libpcre2-8-0",
    "libgmp10",
    "libcap2",
];

/// The tools that are links to kmod.
pub(crate) const TOOLS: [&str; 6] = ["depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod"];

/// The references by name.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    REFERENCES.iter().map(|reference| reference.name)
}

/// Whether the tests can do without the reference, and count the tests that need it as skipped.
pub(crate) fn is_optional(name: &str) -> bool {
    REFERENCES.iter().any(|reference| reference.name == name && reference.optional)
}

/// The root directory of the packaged kmod called `name`, from the cache or made now.
///
/// # Errors
/// When the name is unknown, or a package is unavailable or cannot be unpacked.
pub(crate) fn provide(cache: &Cache, name: &str) -> Result<PathBuf> {
    let reference = REFERENCES.iter().find(|one| one.name == name).context("no reference of that name")?;
    cache.provide(&format!("reference/{name}"), |draft| {
        packages::need(&[DPKG_DEB])?;
        skeleton(draft)?;
        for package in KMOD.iter().chain(&COMMON).chain(reference.packages) {
            let version = if KMOD.contains(package) { reference.version } else { "" };
            unpack(&mirror::package(cache, reference.suite, "amd64", package, version)?, draft)?;
        }
        for tool in TOOLS {
            let link = draft.join("usr/sbin").join(tool);
            let _ = fs::remove_file(&link);
            symlink("../bin/kmod", link)?;
        }
        Ok(())
    })
}

/// Unpacks a package over the existing files, following the links that merge /bin, /sbin and /lib into /usr.
///
/// # Errors
/// When dpkg-deb or tar fails.
pub(crate) fn unpack(deb: &Path, root: &Path) -> Result<()> {
    let mut contents =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn()?;
    let stream = contents.stdout.take().context("dpkg-deb has an output")?;
    process::run(
        Command::new("tar")
            .args(["-x", "--keep-directory-symlink", "-C"])
            .arg(root)
            .stdin(Stdio::from(stream)),
    )?;
    if !contents.wait()?.success() {
        bail!("dpkg-deb cannot read {}", deb.display());
    }
    Ok(())
}

/// Makes an empty root with merged directories.
///
/// # Errors
/// When the file system fails.
pub(crate) fn skeleton(root: &Path) -> Result<()> {
    for merged in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(merged))?;
        symlink(format!("usr/{merged}"), root.join(merged))?;
    }
    for mount_point in ["proc", "sys", "tmp", "dev", "etc"] {
        fs::create_dir_all(root.join(mount_point))?;
    }
    Ok(())
}
