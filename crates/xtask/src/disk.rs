//! A disk for a virtual machine: a file system with a shell and an init script.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use crate::packages::{self, MKE2FS, MKSQUASHFS};
use crate::process;

/// The file system of a disk.
#[derive(Clone, Copy)]
pub(crate) enum FileSystem {
    /// Built into many kernels.
    Ext4,
    /// A module in all kernels that we boot.
    Squashfs,
}

/// Makes the image of a disk that has a busybox and an `/init`, and mount points.
///
/// # Errors
/// When a file can't be read or the program that makes the file system fails.
pub(crate) fn image(kind: FileSystem, busybox: &Path, init: &Path) -> Result<NamedTempFile> {
    let stage = tempfile::tempdir()?;
    for directory in ["bin", "sbin", "dev", "proc", "sys", "run", "tmp"] {
        fs::create_dir(stage.path().join(directory))?;
    }
    fs::copy(busybox, stage.path().join("bin/busybox")).context("busybox")?;
    fs::copy(init, stage.path().join("init")).with_context(|| init.display().to_string())?;
    let executable = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(stage.path().join("init"), executable)?;
    let image = NamedTempFile::new()?;
    match kind {
        FileSystem::Ext4 => {
            packages::need(&[MKE2FS])?;
            image.as_file().set_len(16 << 20)?;
            let mut mke2fs = Command::new(MKE2FS.name);
            mke2fs.args(["-q", "-F", "-t", "ext4", "-d"]).arg(stage.path()).arg(image.path());
            process::output(&mut mke2fs)?;
        }
        FileSystem::Squashfs => {
            packages::need(&[MKSQUASHFS])?;
            let mut mksquashfs = Command::new(MKSQUASHFS.name);
            mksquashfs.arg(stage.path()).arg(image.path()).args(["-noappend", "-quiet", "-no-progress"]);
            process::output(&mut mksquashfs)?;
        }
    }
    Ok(image)
}

/// The file of a directory whose name begins with `prefix`, the last one by name.
///
/// # Errors
/// When there is none.
pub(crate) fn newest(directory: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let begins =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    paths.filter(begins).max().with_context(|| format!("no {prefix}* in {}", directory.display()))
}
