//! `cargo xtask dist`: all that a release has: an archive for each target with the static binary, pages and completions,
//! and a bill of materials; for amd64 the C library as well, the Debian packages, and the source archive; and the
//! checksums of all.

mod sbom;
mod smoke;
mod source;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::binary::{self, Target};
use crate::install::{self, Places};
use crate::{cargo, deb, libkmod, process};

/// The options of `cargo xtask dist`.
#[derive(Args)]
pub(crate) struct Options {
    /// Build for this machine; can be given several times (default: this one)
    #[arg(long = "machine", value_name = "MACHINE", value_enum)]
    machines: Vec<Target>,
    /// Make the source archive only, with the crates that it takes to build
    #[arg(long, conflicts_with = "machines")]
    source: bool,
}

/// Builds the binaries, tests and packs them, and prints the paths.
///
/// # Errors
/// When a build or a check fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.source {
        return write_checksums(&[source::archive()?]);
    }
    let targets = if options.machines.is_empty() { &[Target::Amd64][..] } else { &options.machines };
    let mut files = Vec::new();
    for &target in targets {
        let binary = binary::build_static_for(target)?;
        let version = match target {
            Target::Amd64 => smoke::test(target, &binary, None)?,
            _ => smoke::test(target, &binary, Some(&binary::build_static()?))?,
        };
        show("static", &binary, &version)?;
        let archive = archive(target, &binary)?;
        println!("archive  {:>6} KiB  {}", std::fs::metadata(&archive)?.len() / 1024, archive.display());
        files.push(archive);
        files.push(sbom::write(target)?);
        if target == Target::Amd64 {
            let version = env!("CARGO_PKG_VERSION");
            files.push(deb::build(&binary, &directory()?, version)?);
            files.extend(deb::replacing::build(&binary, &libkmod::build()?, &directory()?, version)?);
        }
    }
    if targets.contains(&Target::Amd64) {
        let dynamic = binary::build_dynamic()?;
        let version = process::output(Command::new(&dynamic).arg("--version"))
            .context("the dynamic binary does not run")?;
        show("dynamic", &dynamic, &version)?;
        files.push(source::archive()?);
    }
    write_checksums(&files)
}

/// Makes the source archive and returns its path.
///
/// # Errors
/// When this is no checkout, or a crate cannot be fetched.
pub(crate) fn source_archive() -> Result<PathBuf> {
    source::archive()
}

/// The directory of what is made, which exists then.
fn directory() -> Result<PathBuf> {
    let directory = cargo::target_directory().join("dist");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// The SHA-256 of a file.
fn checksum(file: &Path) -> Result<String> {
    let line = process::output(Command::new("sha256sum").arg(file))?;
    Ok(line.split_whitespace().next().context("sha256sum prints a sum")?.to_owned())
}

/// Writes the checksums of the files as `sha256sum --check` reads them.
fn write_checksums(files: &[PathBuf]) -> Result<()> {
    let mut lines = String::new();
    for file in files {
        let name = file.file_name().context("a file has a name")?.to_string_lossy();
        lines.push_str(&format!("{}  {name}\n", checksum(file)?));
    }
    let sums = directory()?.join("SHA256SUMS");
    std::fs::write(&sums, lines)?;
    println!("sums of {} files: {}", files.len(), sums.display());
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
    let archive = directory()?.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"])
        .arg("--mode=u=rwX,go=rX")
        .args(["--use-compress-program", "gzip -9n", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(stage.path())
        .arg(&name);
    process::run(&mut tar)?;
    Ok(archive)
}
