//! Checks that the static binary has the settings it is to be built with, also where a packager sets CFLAGS or RUSTFLAGS.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Target;
use crate::{cargo, process};

/// The most bytes of the binary for amd64 with everything in it: 4.2 MiB. `cargo xtask size` shows where they are.
pub(crate) const MOST_BYTES: u64 = 42 * (1 << 20) / 10;
/// KiB of addresses that a call may take: a good deal more than it needs, and far from the gibibyte that mimalloc
/// reserves by itself.
const ADDRESSES: u64 = 256 << 10;
/// Lines of a configuration: more than fits into the allocator's piece for the start, or into a pipe.
const LINES: usize = 50_000;
/// Variables that make mimalloc print on standard error, where it honours the environment.
const ORDERS: [&str; 3] = ["MIMALLOC_VERBOSE", "MIMALLOC_SHOW_STATS", "MIMALLOC_SHOW_ERRORS"];
/// The sets of variables a packager may build with. The target's CFLAGS hide the others.
const VARIABLES: [(&str, &[(&str, &str)]); 2] = [
    ("CFLAGS and RUSTFLAGS", &[("CFLAGS", C_FLAGS), ("RUSTFLAGS", RUST_FLAGS)]),
    (
        "the target's CFLAGS and RUSTFLAGS",
        &[("CFLAGS_x86_64_unknown_linux_musl", C_FLAGS), ("RUSTFLAGS", RUST_FLAGS)],
    ),
];
/// Like those of distributions.
const C_FLAGS: &str = "-g -O2 -fstack-protector-strong -fstack-clash-protection -Wformat";
const RUST_FLAGS: &str = "-Cforce-frame-pointers=yes";

/// Checks that a binary is static and, for amd64, that it is position-independent, has a stack that is not executable
/// and RELRO, and that its allocator has the settings of `bins/kmod/build.rs`.
///
/// # Errors
/// What it lacks.
pub(super) fn check(target: Target, binary: &Path) -> Result<()> {
    let headers = process::output(Command::new("readelf").args(["--wide", "-h", "-l", "-d"]).arg(binary))?;
    for trace in ["INTERP", "(NEEDED)"] {
        if headers.contains(trace) {
            bail!("{} is not static: readelf shows {trace}", binary.display());
        }
    }
    if target == Target::Amd64 {
        let stack = headers.lines().find(|line| line.contains("GNU_STACK")).unwrap_or_default();
        if !stack.contains(" RW ") || !headers.contains("GNU_RELRO") || !headers.contains("DYN (") {
            bail!("{} lacks a protection: readelf shows\n{headers}", binary.display());
        }
        allocator(binary)?;
        match std::fs::metadata(binary)?.len() {
            0..=MOST_BYTES => {}
            size => bail!("{} has {size} bytes, more than {MOST_BYTES}", binary.display()),
        }
    }
    Ok(())
}

/// A call that needs more memory than the piece must not reserve more addresses than it needs, and must not honour the environment.
fn allocator(binary: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("long.conf");
    let lines: String = (0..LINES).map(|number| format!("alias name{number} kmod\n")).collect();
    std::fs::write(&file, lines)?;
    let mut command = Command::new(binary);
    command.arg0("modprobe").args(["-S", "1.0", "-d"]).arg(directory.path()).args(["-c", "-C"]).arg(&file);
    command.envs(ORDERS.map(|name| (name, "1"))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {}", binary.display()))?;
    // Once it prints, it has read all, and cannot end before its pipe is emptied.
    let begun = child.stdout.as_mut().context("a pipe")?.read_exact(&mut [0]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if begun.is_err() || !output.status.success() {
        bail!("{}: {}: {errors}", process::shown(&command), output.status);
    }
    if !errors.is_empty() {
        bail!("the allocator honours the environment: {errors}");
    }
    let status = status?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmPeak:")?.split_whitespace().next()?.parse().ok());
    match peak {
        Some(0..=ADDRESSES) => Ok(()),
        peak => bail!("the allocator takes more than {ADDRESSES} KiB of addresses: {peak:?}"),
    }
}

/// Builds the static binary with a packager's variables, and checks that it passes `check`, and has the same functions
/// for memory and about the same size as without them.
///
/// # Errors
/// When a build fails, or its binary lacks something.
pub(crate) fn with_variables() -> Result<()> {
    let plain = build("no variables", &[])?;
    for (what, variables) in VARIABLES {
        let built = build(what, variables).with_context(|| format!("with {what}"))?;
        if built.functions != plain.functions {
            bail!("with {what} the binary has other functions for memory: {:?}", built.functions);
        }
        if built.size.abs_diff(plain.size) > plain.size / 10 {
            bail!("with {what} the binary has {} bytes, without {}", built.size, plain.size);
        }
    }
    Ok(())
}

struct Built {
    size: u64,
    functions: Vec<String>,
}

/// Builds in a separate directory, so that the other stages need not compile again.
fn build(what: &str, variables: &[(&str, &str)]) -> Result<Built> {
    let target = Target::Amd64.triple();
    let directory: PathBuf = cargo::target_directory().join("variables");
    let mut build = cargo::command();
    build
        .args(["build", "--release", "--package", "kmod", "--target", target, "--target-dir"])
        .arg(&directory);
    // The table of symbols is compared.
    build.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    for name in ["CFLAGS", "CFLAGS_x86_64_unknown_linux_musl", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        build.env_remove(name);
    }
    build.envs(variables.iter().copied());
    cargo::check(&format!("the static binary with {what}"), &mut build)?;
    let binary = directory.join(target).join("release/kmod");
    check(Target::Amd64, &binary)?;
    let symbols = process::output(Command::new("readelf").args(["--wide", "--symbols"]).arg(&binary))?;
    let is_one = |name: &&str| {
        name.starts_with("mi_") && !name.contains('.')
            || ["memcpy", "memmove", "memcmp", "bcmp"].contains(name)
    };
    let global = symbols.lines().filter(|line| line.contains(" FUNC ") && line.contains(" GLOBAL "));
    let mut functions: Vec<String> =
        global.filter_map(|line| line.split_whitespace().last()).filter(is_one).map(str::to_owned).collect();
    functions.sort();
    if functions.is_empty() {
        bail!("{} has no allocator", binary.display());
    }
    Ok(Built { size: std::fs::metadata(&binary)?.len(), functions })
}
