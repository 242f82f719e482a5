//! `cargo xtask deb`: Debian packages in the place of kmod's, and one that takes over the tools while kmod stays
//! installed.
//!
//! `kmod-modutils`, `libkmod2-modutils` and `libkmod-modutils-dev` provide kmod's packages in the version whose behaviour
//! they have, and conflict with them: see [`replacing`]. Nothing is diverted for them.
//!
//! The other package, `modutils-rs`, is for those who want kmod back at once. Its binary is in a separate
//! directory, the package's scripts replace kmod's programs by links to it, and dpkg-divert(1) records the new paths of
//! kmod's files. Pages and completions of the same paths are diverted too. The scripts are in `deb/`. It is not called
//! `modutils`: Debian had a package of that name for Linux 2.4, and other packages still conflict with it.

pub(crate) mod replacing;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::cargo::reproducible;
use crate::install::{self, Places};
use crate::packages::{self, DPKG_DEB, GZIP};
use crate::{binary, libkmod, process, reference, trees, workspace};

/// The options of `cargo xtask deb`.
#[derive(Args)]
pub(crate) struct Options {
    /// Where the packages are put
    #[arg(long, default_value = "target/dist")]
    output: PathBuf,
    /// The static binary to pack (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The C library to pack (default: built now)
    #[arg(long)]
    libkmod: Option<PathBuf>,
}

/// The package's scripts. `@ASIDE@` in them is the list of diversions: lines of a path and its new path.
const SCRIPTS: [(&str, &str); 4] = [
    ("preinst", include_str!("deb/preinst")),
    ("postinst", include_str!("deb/postinst")),
    ("prerm", include_str!("deb/prerm")),
    ("postrm", include_str!("deb/postrm")),
];

/// Makes the packages and prints their paths.
///
/// # Errors
/// When the binary cannot be built or the package cannot be packed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => binary::build_static()?,
    };
    let package = build(&binary, &options.output, env!("CARGO_PKG_VERSION"))?;
    println!("{}", package.display());
    let library = match &options.libkmod {
        Some(library) => library.clone(),
        None => libkmod::build()?,
    };
    for package in replacing::build(&binary, &library, &options.output, env!("CARGO_PKG_VERSION"))? {
        println!("{}", package.display());
    }
    Ok(())
}

/// Packs a binary as a package of a version, into a directory.
///
/// # Errors
/// When something can't be read or written, or dpkg-deb fails.
pub(crate) fn build(binary: &Path, output: &Path, version: &str) -> Result<PathBuf> {
    packages::need(&[DPKG_DEB, GZIP])?;
    let stage = tempfile::tempdir()?;
    let root = stage.path();
    // Only we can read the directory that tempfile made; it becomes the package's root.
    fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
    install::install(root, &Places::default(), binary)?;
    for directory in ["kmods", "diverted/bin", "diverted/sbin", "diverted/usr/bin", "diverted/usr/sbin"] {
        fs::create_dir_all(root.join("usr/lib/modutils-rs").join(directory))?;
    }
    fs::rename(root.join("usr/bin/kmod"), root.join("usr/lib/modutils-rs/kmod"))?;
    // The scripts make the links; the data for pkg-config and all but one directory of configuration are kmod's.
    for not_ours in [
        "usr/bin",
        "usr/sbin",
        "etc/modprobe.d",
        "etc/depmod.d",
        "usr/lib/modprobe.d",
        "usr/lib/depmod.d",
        "usr/share/pkgconfig",
    ] {
        fs::remove_dir_all(root.join(not_ours)).with_context(|| not_ours.to_owned())?;
    }
    compress_pages(&root.join("usr/share/man"))?;
    let documents = root.join("usr/share/doc/modutils-rs");
    fs::rename(root.join("usr/share/doc/modutils"), &documents)?;
    fs::write(documents.join("copyright"), include_str!("../../../integration/packages/debian/copyright"))?;
    fs::write(documents.join("changelog"), include_str!("../../../integration/packages/debian/changelog"))?;
    process::output(Command::new("gzip").args(["-9", "--no-name"]).arg(documents.join("changelog")))?;
    let overrides = root.join("usr/share/lintian/overrides");
    fs::create_dir_all(&overrides)?;
    fs::write(overrides.join("modutils-rs"), include_str!("deb/lintian-overrides"))?;
    add_kernel_hook(root, "modutils-rs")?;
    let control = root.join("DEBIAN");
    fs::create_dir(&control)?;
    list_configuration(root)?;
    fs::write(control.join("control"), control_file(version))?;
    fs::write(control.join("triggers"), include_str!("deb/triggers"))?;
    let aside = diversions(root)?;
    for (name, script) in SCRIPTS {
        let path = control.join(name);
        fs::write(&path, script.replace("@ASIDE@", aside.trim_end()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    fs::create_dir_all(output)?;
    let package = output.join(format!("modutils-rs_{version}_amd64.deb"));
    pack(root, &package)?;
    Ok(package)
}

/// Adds what removes an index that Debian 12's kernels leave behind, under the name of a package.
fn add_kernel_hook(root: &Path, package: &str) -> Result<()> {
    let hooks = root.join("etc/kernel/postrm.d");
    fs::create_dir_all(&hooks)?;
    let script = workspace::root().join("integration/packages/debian/kernel-postrm");
    fs::copy(script, hooks.join(package)).context("the kernels' hook")?;
    fs::set_permissions(hooks.join(package), fs::Permissions::from_mode(0o755)).context("the kernels' hook")
}

/// Lists the files below `/etc` of a root as the administrator's, for dpkg.
fn list_configuration(root: &Path) -> Result<()> {
    let files = trees::files_below(&root.join("etc"), "")?;
    let inside = |file: &PathBuf| Ok(format!("/{}\n", file.strip_prefix(root)?.display()));
    let lines = files.iter().map(inside).collect::<Result<String>>()?;
    fs::write(root.join("DEBIAN/conffiles"), lines).context("conffiles")
}

/// Packs a root with its control files, the same bytes for the same files: their modes do not depend on the caller's umask,
/// nor anything on the time or the number of processors.
fn pack(root: &Path, package: &Path) -> Result<()> {
    process::run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(root))?;
    let time = format!("@{}", reproducible::time()?);
    let mut touch = Command::new("find");
    touch.arg(root).args(["-exec", "touch", "--no-dereference", "--date", &time, "{}", "+"]);
    process::run(&mut touch)?;
    let mut pack = Command::new("dpkg-deb");
    pack.env("SOURCE_DATE_EPOCH", &time[1..]);
    pack.args(["--threads-max=1", "-Zxz", "--root-owner-group", "--build"]).arg(root).arg(package);
    process::output(&mut pack).map(drop)
}

fn control_file(version: &str) -> String {
    format!(
        "Package: modutils-rs\n\
         Version: {version}\n\
         Architecture: amd64\n\
         Maintainer: The modutils developers <modutils@localhost>\n\
         Depends: kmod, dpkg (>= 1.17.14)\n\
         Conflicts: kmod-modutils\n\
         Section: admin\n\
         Priority: optional\n\
         Description: kernel-module tools in Rust, in the place of kmod's\n \
         depmod, insmod, kmod, lsmod, modinfo, modprobe and rmmod in one program that\n \
         needs no library. While this package is installed, its programs have the\n \
         names of kmod's, which stay beside them as NAME.kmod.\n"
    )
}

/// Our files whose paths other packages have too, and the new paths of theirs. zsh loads every file of its directory
/// whose name begins with `_`, so theirs get other names.
fn diversions(root: &Path) -> Result<String> {
    let mut lines = String::new();
    let taken = ["depmod.d.5", "modprobe.d.5", "modules.dep.5"].map(str::to_owned);
    let tools = reference::TOOLS.iter().copied().chain(["kmod"]);
    let pages = taken.into_iter().chain(tools.clone().map(|tool| format!("{tool}.8")));
    for page in pages {
        let section = page.chars().last().context("a page has a section")?;
        let path = format!("/usr/share/man/man{section}/{page}.gz");
        anyhow::ensure!(root.join(&path[1..]).exists(), "no page {path}");
        lines.push_str(&format!("{path} /usr/share/man/man{section}/kmod-{page}.gz\n"));
    }
    for tool in tools.clone() {
        let directory = "/usr/share/bash-completion/completions";
        lines.push_str(&format!("{directory}/{tool} {directory}/{tool}.kmod\n"));
    }
    for tool in tools {
        let directory = "/usr/share/zsh/site-functions";
        lines.push_str(&format!("{directory}/_{tool} {directory}/kmod_{tool}\n"));
    }
    Ok(lines)
}

/// Compresses the pages, as Debian has them.
fn compress_pages(man: &Path) -> Result<()> {
    for section in fs::read_dir(man)? {
        for page in fs::read_dir(section?.path())? {
            process::output(Command::new("gzip").args(["-9", "--no-name"]).arg(page?.path()))?;
        }
    }
    Ok(())
}
