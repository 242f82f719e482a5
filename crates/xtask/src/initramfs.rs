//! Writes the archive that a kernel unpacks as its first root: cpio's "newc" format.
//!
//! The format is in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. It stays uncompressed,
//! because an emulated processor takes longer to decompress than to copy. Since no
//! program writes it, device nodes need no root and permissions do not depend on the checkout's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive being written. Paths in it are relative to the root and begin with no slash.
#[derive(Default)]
pub(crate) struct Initramfs {
    bytes: Vec<u8>,
    entries: BTreeSet<String>,
}

impl Initramfs {
    /// Adds a directory with those above it.
    pub(crate) fn directory(&mut self, path: &str) {
        if path.is_empty() || self.entries.contains(path) {
            return;
        }
        self.entry(path, DIRECTORY | 0o755, (0, 0), b"");
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, contents: &[u8]) {
        self.entry(path, REGULAR | permissions, (0, 0), contents);
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a character device.
    pub(crate) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER_DEVICE | 0o600, (major, minor), b"");
    }

    /// Adds a file of this machine, with its permissions.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn copy(&mut self, from: &Path, to: &str) -> Result<()> {
        let contents = fs::read(from).with_context(|| from.display().to_string())?;
        self.file(to, fs::metadata(from)?.permissions().mode() & 0o777, &contents);
        Ok(())
    }

    /// Adds the contents of a directory of this machine: directories and files. Links are followed.
    ///
    /// # Errors
    /// When something can't be read.
    pub(crate) fn copy_tree(&mut self, from: &Path, to: &str) -> Result<()> {
        self.directory(to);
        for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
            let entry = entry?;
            let to = format!("{to}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                self.copy_tree(&entry.path(), &to)?;
            } else {
                self.copy(&entry.path(), &to)?;
            }
        }
        Ok(())
    }

    /// The finished archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.header("TRAILER!!!", 0, (0, 0), 0);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
        self.entries.insert(path.to_owned());
        self.header(path, mode, device, contents.len());
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn header(&mut self, path: &str, mode: u32, (major, minor): (u32, u32), size: usize) {
        let inode = self.entries.len();
        let name_size = path.len() + 1;
        // magic, inode, mode, uid, gid, links, mtime, size, device of the file, device it is, name's size, checksum
        let header = format!(
            "070701{inode:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{size:08x}{:08x}{:08x}{major:08x}{minor:08x}{name_size:08x}{:08x}",
            0, 0, 1, 0, 0, 0, 0,
        );
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_parents_once_and_aligned_entries() {
        let mut archive = Initramfs::default();
        archive.file("a/b/file", 0o644, b"five!");
        archive.link("a/b/link", "file");
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(text.matches("070701").count(), 5, "a, a/b, file, link, trailer");
        let file = text.find("a/b/file\0").unwrap();
        assert_eq!(&text[file - 110 + 54..file - 110 + 62], "00000005");
    }
}
