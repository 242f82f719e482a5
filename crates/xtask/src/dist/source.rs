//! The source archive: the files of the checkout, the crates that are needed to build what is shipped, and Debian's
//! recipe at its place. It builds without a network; the same commit gives the same bytes.
//!
//! cargo wants to see each crate of `Cargo.lock`. Of those that only tests, the task runner and other systems need, the
//! archive has the manifest and an empty library, which is what resolving takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::checksum;
use crate::packages::{self, XZ};
use crate::{cargo, process, workspace};

/// The packages that are shipped.
pub(super) const SHIPPED: [&str; 2] = ["kmod", "libkmod"];
/// Appended to cargo's configuration.
const VENDORED: &str = "\n# The crates are in this archive.\n\
    [source.crates-io]\nreplace-with = \"vendored-sources\"\n\n\
    [source.vendored-sources]\ndirectory = \"vendor\"\n";

/// Makes the archive and returns its path.
///
/// # Errors
/// When this is no checkout, or a crate cannot be fetched.
pub(super) fn archive() -> Result<PathBuf> {
    packages::need(&[XZ])?;
    let name = format!("modutils-{}", env!("CARGO_PKG_VERSION"));
    let stage = tempfile::tempdir()?;
    let root = stage.path().join(&name);
    let workspace = workspace::root();
    for file in git(&["ls-files", "-z"])?.split_terminator('\0') {
        let to = root.join(file);
        fs::create_dir_all(to.parent().context("a file in a directory")?)?;
        copy(&workspace.join(file), &to).with_context(|| file.to_owned())?;
    }
    let vendor = root.join("vendor");
    let mut vendoring = cargo::command();
    vendoring.args(["vendor", "--quiet", "--locked", "--versioned-dirs"]).arg(&vendor);
    process::output(&mut vendoring)?;
    let needed = needed()?;
    prune(&vendor, &needed)?;
    let configuration = root.join(".cargo/config.toml");
    let text = fs::read_to_string(&configuration).context(".cargo/config.toml")?;
    fs::write(&configuration, text + VENDORED)?;
    copy_all(&workspace.join("integration/packages/debian"), &root.join("debian"))?;

    let archive = super::directory()?.join(format!("{name}.tar.xz"));
    let time = git(&["log", "-1", "--format=%ct"])?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go=rX"])
        .arg(format!("--mtime=@{}", time.trim()))
        .args(["--use-compress-program", "xz -6 --threads=1", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(stage.path())
        .arg(&name);
    process::run(&mut tar)?;
    let size = fs::metadata(&archive)?.len() / 1024;
    println!("source   {size:>6} KiB  {}  ({} crates)", archive.display(), needed.len());
    println!("sha256   {}", checksum(&archive)?);
    Ok(archive)
}

fn git(words: &[&str]) -> Result<String> {
    process::output(Command::new("git").arg("-C").arg(workspace::root()).args(words))
        .context("a source archive is made of a git checkout")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
    } else {
        fs::copy(from, to)?;
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    process::run(Command::new("cp").arg("--recursive").arg(from).arg(to))
}

/// The crates that building what is shipped needs on any Linux, each as `NAME-VERSION`.
fn needed() -> Result<BTreeSet<String>> {
    let targets = process::output(Command::new("rustc").args(["--print", "target-list"]))?;
    let mut tree = cargo::command();
    tree.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    for package in SHIPPED {
        tree.args(["--package", package]);
    }
    for target in targets.lines().filter(|target| target.contains("-linux-")) {
        tree.args(["--target", target]);
    }
    let mut needed = BTreeSet::new();
    for line in process::output(&mut tree)?.lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            // A crate of the workspace has its path behind it.
            if !line.contains(" (/") {
                needed.insert(format!("{name}-{}", version.trim_start_matches('v')));
            }
        }
    }
    Ok(needed)
}

/// Reduces the crates that are not needed to what resolving takes.
fn prune(vendor: &Path, needed: &BTreeSet<String>) -> Result<()> {
    let mut missing = needed.clone();
    for entry in fs::read_dir(vendor)? {
        let entry = entry?;
        if missing.remove(&*entry.file_name().to_string_lossy()) {
            continue;
        }
        let directory = entry.path();
        let sums: serde_json::Value =
            serde_json::from_slice(&fs::read(directory.join(".cargo-checksum.json"))?)?;
        let manifest = fs::read(directory.join("Cargo.toml"))?;
        fs::remove_dir_all(&directory)?;
        fs::create_dir_all(directory.join("src"))?;
        // A manifest that names no target has this one.
        fs::write(directory.join("src/lib.rs"), "")?;
        fs::write(directory.join("Cargo.toml"), manifest)?;
        let sums = serde_json::json!({ "files": {}, "package": sums["package"] });
        fs::write(directory.join(".cargo-checksum.json"), sums.to_string())?;
    }
    if !missing.is_empty() {
        bail!("cargo did not bring {missing:?}");
    }
    Ok(())
}
