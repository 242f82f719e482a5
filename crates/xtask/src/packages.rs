//! What the tasks need from the system: installed through apt if possible, otherwise named exactly.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use crate::process;

/// A program we call and the Debian package that has it.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// The program's file name.
    pub(crate) name: &'static str,
    /// The Debian package.
    pub(crate) package: &'static str,
}

/// Makes the nodes that `kmod static-nodes` lists.
pub(crate) const TMPFILES: Program = Program { name: "systemd-tmpfiles", package: "systemd" };
/// Makes roots of Debian releases.
pub(crate) const DEBOOTSTRAP: Program = Program { name: "debootstrap", package: "debootstrap" };
/// Makes file systems.
pub(crate) const MKE2FS: Program = Program { name: "mke2fs", package: "e2fsprogs" };
/// Makes read-only file systems.
pub(crate) const MKSQUASHFS: Program = Program { name: "mksquashfs", package: "squashfs-tools" };
/// Starts programs in new namespaces.
pub(crate) const UNSHARE: Program = Program { name: "unshare", package: "util-linux" };
/// Draws graphs.
pub(crate) const DOT: Program = Program { name: "dot", package: "graphviz" };
/// Builds libFuzzer.
pub(crate) const CXX: Program = Program { name: "c++", package: "g++" };
/// Downloads.
pub(crate) const CURL: Program = Program { name: "curl", package: "curl" };
/// Unpacks Debian packages.
pub(crate) const DPKG_DEB: Program = Program { name: "dpkg-deb", package: "dpkg" };
/// Packs and unpacks `.gz`.
pub(crate) const GZIP: Program = Program { name: "gzip", package: "gzip" };
/// Looks for faults in manual pages.
pub(crate) const MANDOC: Program = Program { name: "mandoc", package: "mandoc" };
/// The shells whose completions are tested.
pub(crate) const FISH: Program = Program { name: "fish", package: "fish" };
/// As [`FISH`].
pub(crate) const ZSH: Program = Program { name: "zsh", package: "zsh" };
/// Validates a JSON document against a schema.
pub(crate) const JSONSCHEMA: Program = Program { name: "jsonschema", package: "python3-jsonschema" };
/// Builds C dependencies for the static binary.
pub(crate) const MUSL_GCC: Program = Program { name: "musl-gcc", package: "musl-tools" };
/// Makes and checks the signatures that tests put on modules.
pub(crate) const OPENSSL: Program = Program { name: "openssl", package: "openssl" };
/// Reads our JSON documents, and plays a terminal to our tools.
pub(crate) const PYTHON: Program = Program { name: "python3", package: "python3" };
/// Boots kernels.
pub(crate) const QEMU: Program = Program { name: "qemu-system-x86_64", package: "qemu-system-x86" };
/// Distinguishes a static binary from a dynamic one, and reads back the modules that the tests write.
pub(crate) const READELF: Program = Program { name: "readelf", package: "binutils" };
/// Lists the functions of a binary with their sizes.
pub(crate) const NM: Program = Program { name: "nm", package: "binutils" };
/// Watches the memory of programs, and counts their instructions.
pub(crate) const VALGRIND: Program = Program { name: "valgrind", package: "valgrind" };
/// Packs and unpacks `.xz`.
pub(crate) const XZ: Program = Program { name: "xz", package: "xz-utils" };
/// Packs and unpacks `.zst`.
pub(crate) const ZSTD: Program = Program { name: "zstd", package: "zstd" };

/// Whether nothing may be downloaded or installed.
static OFFLINE: AtomicBool = AtomicBool::new(false);

/// From here on nothing is downloaded or installed: what is missing is named instead.
pub(crate) fn go_offline() {
    OFFLINE.store(true, Ordering::Relaxed);
}

/// Whether [`go_offline`] was called.
pub(crate) fn is_offline() -> bool {
    OFFLINE.load(Ordering::Relaxed)
}

/// Makes sure that the programs are there, installing the missing ones.
///
/// # Errors
/// When some are missing and we can't install them: without apt, or not as root.
pub(crate) fn need(programs: &[Program]) -> Result<()> {
    let missing = |programs: &[Program]| -> Vec<&'static str> {
        programs.iter().filter(|one| process::which(one.name).is_none()).map(|one| one.package).collect()
    };
    let packages = missing(programs);
    if packages.is_empty() {
        return Ok(());
    }
    install(&packages)?;
    let still = missing(programs);
    if !still.is_empty() {
        bail!("still missing after installing: {}", still.join(" "));
    }
    Ok(())
}

/// Adds a target to the Rust toolchain if it isn't there.
///
/// # Errors
/// When rustup is missing or fails.
pub(crate) fn need_target(target: &str) -> Result<()> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let libraries = std::path::Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib");
    if libraries.is_dir() {
        return Ok(());
    }
    if is_offline() || process::which("rustup").is_none() {
        bail!(
            "the Rust target {target} is missing: install it (`rustup target add {target}`, or your distribution's package)"
        );
    }
    eprintln!("rustup: adding the target {target}");
    rustup(&["target", "add", target])
}

/// Adds components to the Rust toolchain if they aren't there, as after an installation with the minimal profile.
///
/// # Errors
/// When rustup is missing or fails.
pub(crate) fn need_components(components: &[&str]) -> Result<()> {
    let missing: Vec<&str> = components.iter().copied().filter(|name| !has_component(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if is_offline() || process::which("rustup").is_none() {
        bail!("missing parts of the Rust toolchain: install {}", missing.join(" "));
    }
    eprintln!("rustup: adding {}", missing.join(" "));
    rustup(&[&["component", "add"], missing.as_slice()].concat())
}

/// Calls rustup to download something, again where it failed: its exit code does not show whether the network failed.
///
/// # Errors
/// When it fails each time.
pub(crate) fn rustup(words: &[&str]) -> Result<()> {
    const PAUSES: [u64; 2] = [5, 20];
    if is_offline() {
        bail!("--offline: not run: rustup {}", words.join(" "));
    }
    for pause in PAUSES {
        match process::output(Command::new("rustup").args(words)) {
            Ok(_) => return Ok(()),
            Err(error) => eprintln!("{error:#}\nrustup: again in {pause} s"),
        }
        std::thread::sleep(std::time::Duration::from_secs(pause));
    }
    process::run(Command::new("rustup").args(words))
}

/// Whether the Rust toolchain has a component that is a program.
pub(crate) fn has_component(name: &str) -> bool {
    // A component's program runs; rustup's proxy of a missing one fails.
    let program = if name == "clippy" { "cargo-clippy" } else { name };
    process::output(Command::new(program).arg("--version")).is_ok()
}

/// Refreshes apt's package lists, as a fresh container needs.
///
/// # Errors
/// When we can't or it fails.
pub(crate) fn apt_update() -> Result<()> {
    if !can_install() {
        bail!("run `apt-get update` as root");
    }
    eprintln!("apt: refreshing the package lists");
    process::output(apt().arg("update")).map(drop)
}

/// Installs Debian packages.
fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !can_install() {
        bail!(
            "missing programs: install the packages {list} (as root: apt-get install --no-install-recommends {list})"
        );
    }
    eprintln!("apt: installing {list}");
    let install = |packages: &[&str]| {
        process::output(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages)).map(drop)
    };
    // The first attempt fails where the package lists are missing or old.
    let Err(error) = install(packages).or_else(|_| apt_update().and_then(|()| install(packages))) else {
        return Ok(());
    };
    if packages.len() == 1 {
        return Err(error);
    }
    // A package that the mirror lacks must not prevent installing the others.
    let failures: Vec<String> = packages
        .iter()
        .filter_map(|package| install(&[package]).err().map(|error| format!("{package}: {error:#}")))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// Whether apt exists and we may install packages.
fn can_install() -> bool {
    !is_offline()
        && process::which("apt-get").is_some()
        && process::output(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// `apt-get` without questions.
fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["--quiet", "--option=Acquire::Retries=3", "--option=DPkg::Lock::Timeout=300"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    apt
}
