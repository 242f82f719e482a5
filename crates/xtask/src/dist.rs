//! `cargo xtask dist`: the release binaries, and an archive for each machine with the one that needs nothing but the
//! kernel, its pages and completions.

mod machine;
mod smoke;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::install::{self, Places};
use crate::packages::{self, READELF};
use crate::{cargo, process};

pub(crate) use machine::Machine;

/// The options of `cargo xtask dist`.
#[derive(Args)]
pub(crate) struct Options {
    /// Build for this machine; can be given several times (default: this one)
    #[arg(long, value_enum)]
    machine: Vec<Machine>,
}

/// Builds the binaries, tries and packs them, and prints where they lie.
///
/// # Errors
/// When a build or a check fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let machines = if options.machine.is_empty() { &[Machine::Amd64][..] } else { &options.machine };
    for &machine in machines {
        let binary = binary_for(machine)?;
        let version = match machine {
            Machine::Amd64 => smoke::test(machine, &binary, None)?,
            _ => smoke::test(machine, &binary, Some(&static_binary()?))?,
        };
        show("static", &binary, &version)?;
        let archive = archive(machine, &binary)?;
        println!("archive  {:>6} KiB  {}", std::fs::metadata(&archive)?.len() / 1024, archive.display());
    }
    if machines.contains(&Machine::Amd64) {
        let dynamic = dynamic_binary()?;
        let version = process::output(Command::new(&dynamic).arg("--version"))
            .context("the dynamic binary does not run")?;
        show("dynamic", &dynamic, &version)?;
    }
    Ok(())
}

fn show(kind: &str, binary: &Path, version: &str) -> Result<()> {
    let size = std::fs::metadata(binary)?.len();
    let first = version.lines().next().unwrap_or_default();
    println!("{kind:8} {:>6} KiB  {}  ({first})", size / 1024, binary.display());
    Ok(())
}

/// Builds the static binary of this machine and checks that it is one.
///
/// # Errors
/// When a part of the toolchain can't be had, the build fails, or the binary is not static.
pub(crate) fn static_binary() -> Result<PathBuf> {
    binary_for(Machine::Amd64)
}

/// Builds the binary that uses the C library.
///
/// # Errors
/// When the build fails.
pub(crate) fn dynamic_binary() -> Result<PathBuf> {
    let mut build = cargo::command();
    cargo::check("the dynamic binary", build.args(["build", "--release", "--package", "kmod"]))?;
    Ok(cargo::target_directory().join("release/kmod"))
}

/// Builds a machine's static binary and checks that it is one: no loader, no library.
fn binary_for(machine: Machine) -> Result<PathBuf> {
    packages::need(&[READELF])?;
    let target = machine.target();
    packages::need(&machine.programs())?;
    packages::need_target(target)?;
    let mut build = cargo::command();
    build.args(["build", "--release", "--package", "kmod", "--target", target]);
    machine.prepare(&mut build);
    cargo::check("the static binary", &mut build)?;
    let binary = cargo::target_directory().join(target).join("release/kmod");
    let headers = process::output(Command::new("readelf").args(["--wide", "-l", "-d"]).arg(&binary))?;
    for trace in ["INTERP", "(NEEDED)"] {
        if headers.contains(trace) {
            bail!("{} is not static: readelf shows {trace}", binary.display());
        }
    }
    Ok(binary)
}

/// Packs an installation as an archive that holds one directory, the same bytes for the same input.
fn archive(machine: Machine, binary: &Path) -> Result<PathBuf> {
    let name = format!("modutils-{}-{}", env!("CARGO_PKG_VERSION"), machine.name());
    let stage = tempfile::tempdir()?;
    install::install(&stage.path().join(&name), &Places::default(), binary)?;
    let directory = cargo::target_directory().join("dist");
    std::fs::create_dir_all(&directory)?;
    let archive = directory.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"])
        .args(["--use-compress-program", "gzip -9n", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(stage.path())
        .arg(&name);
    process::run(&mut tar)?;
    Ok(archive)
}
