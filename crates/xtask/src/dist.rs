//! `cargo xtask dist`: the release binaries, one dynamic and one that needs nothing but the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::{self, MUSL_GCC, READELF};
use crate::{process, workspace};

/// The target of the static binary.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds both binaries, checks them and prints where they lie.
///
/// # Errors
/// When a build or a check fails.
pub(crate) fn run() -> Result<()> {
    let fixed = static_binary()?;
    let dynamic = build(&[])?.join("release/kmod");
    for (kind, binary) in [("static", &fixed), ("dynamic", &dynamic)] {
        let version = process::output(Command::new(binary).arg("--version"))
            .with_context(|| format!("the {kind} binary does not run"))?;
        let size = std::fs::metadata(binary)?.len();
        let first = version.lines().next().unwrap_or_default();
        println!("{kind:8} {:>6} KiB  {}  ({first})", size / 1024, binary.display());
    }
    Ok(())
}

/// Builds the static binary and checks that it is one: no loader, no library.
///
/// # Errors
/// When a part of the toolchain can't be had, the build fails, or the binary is not static.
pub(crate) fn static_binary() -> Result<PathBuf> {
    packages::need(&[MUSL_GCC, READELF])?;
    packages::need_target(TARGET)?;
    let binary = build(&["--target", TARGET])?.join(TARGET).join("release/kmod");
    let headers = process::output(Command::new("readelf").args(["--wide", "-l", "-d"]).arg(&binary))?;
    for trace in ["INTERP", "(NEEDED)"] {
        if headers.contains(trace) {
            bail!("{} is not static: readelf shows {trace}", binary.display());
        }
    }
    Ok(binary)
}

/// Builds the release binary and returns cargo's target directory.
fn build(target: &[&str]) -> Result<PathBuf> {
    let mut cargo = cargo();
    process::run(cargo.args(["build", "--release", "--quiet", "--package", "kmod"]).args(target))?;
    Ok(std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), |dir| absolute(Path::new(&dir))))
}

/// The cargo that runs us, in the checkout.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

fn absolute(dir: &Path) -> PathBuf {
    workspace().join(dir)
}
