//! `cargo xtask dist`: the release binaries, and an archive for each target with the static binary, pages and
//! completions; that for amd64 has the C library as well.

mod smoke;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::binary::{self, Target};
use crate::install::{self, Places};
use crate::{cargo, libkmod, process};

/// The options of `cargo xtask dist`.
#[derive(Args)]
pub(crate) struct Options {
    /// Build for this machine; can be given several times (default: this one)
    #[arg(long = "machine", value_name = "MACHINE", value_enum)]
    machines: Vec<Target>,
}

/// Builds the binaries, tests and packs them, and prints their paths.
///
/// # Errors
/// When a build or a check fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = if options.machines.is_empty() { &[Target::Amd64][..] } else { &options.machines };
    for &target in targets {
        let binary = binary::build_static_for(target)?;
        let version = match target {
            Target::Amd64 => smoke::test(target, &binary, None)?,
            _ => smoke::test(target, &binary, Some(&binary::build_static()?))?,
        };
        show("static", &binary, &version)?;
        let archive = archive(target, &binary)?;
        println!("archive  {:>6} KiB  {}", std::fs::metadata(&archive)?.len() / 1024, archive.display());
    }
    if targets.contains(&Target::Amd64) {
        let dynamic = binary::build_dynamic()?;
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

/// Packs an installation as an archive that holds one directory, the same bytes for the same input.
fn archive(target: Target, binary: &Path) -> Result<PathBuf> {
    let name = format!("modutils-{}-{}", env!("CARGO_PKG_VERSION"), target.name());
    let stage = tempfile::tempdir()?;
    let root = stage.path().join(&name);
    install::install(&root, &Places::default(), binary)?;
    if target == Target::Amd64 {
        let library = libkmod::build()?;
        println!("library  {:>6} KiB  {}", std::fs::metadata(&library)?.len() / 1024, library.display());
        install::install_library(&root, &Places::default(), &library)?;
    }
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
