//! Firmware files, found as the kernel finds them.
//!
//! `drivers/base/firmware_loader/main.c`: a name is looked up in each directory of the search path, first as it
//! is, then with `.zst`, then with `.xz`. Some modules name patterns, for files that differ by board.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use bstr::BString;

use crate::{
    ModuleName, Release, files,
    glob::{fnmatch, is_wildcard},
};

/// The extensions that the kernel tries, in its order.
const EXTENSIONS: [&str; 3] = ["", ".zst", ".xz"];

/// A firmware file that modules may load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Firmware {
    /// The name, or pattern, as the modules give it.
    pub name: BString,
    /// The files: several for a pattern, none where it is missing. Paths begin with a directory of the search.
    pub files: Vec<PathBuf>,
    /// The modules that name it.
    pub needed_by: BTreeSet<ModuleName>,
}

/// The directories where firmware is searched, the first one first.
#[derive(Clone, Debug)]
pub struct FirmwareSearch {
    directories: Vec<PathBuf>,
}

impl FirmwareSearch {
    /// The kernel's search path below a firmware directory (`/lib/firmware`, see
    /// [`Root::firmware`](crate::Root::firmware)): `updates/RELEASE`, `updates`, `RELEASE`, and the directory itself.
    pub fn below(directory: impl AsRef<Path>, release: &Release) -> Self {
        let directory = directory.as_ref();
        let updates = directory.join("updates");
        let release = release.as_os_str();
        let directories = vec![updates.join(release), updates, directory.join(release), directory.to_owned()];
        Self { directories }
    }

    /// Searches this directory before the others, as the kernel's parameter `firmware_class.path` does.
    #[must_use]
    pub fn with_first(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directories.insert(0, directory.into());
        self
    }

    /// The file of a name: the one that the kernel would load. Of a pattern, the file of each name that matches.
    /// None for a name that leads out of the directories.
    pub fn find(&self, name: &[u8]) -> Vec<PathBuf> {
        let path = Path::new(OsStr::from_bytes(name));
        let is_plain = |component| matches!(component, Component::Normal(_));
        if name.is_empty() || name.contains(&0) || !path.components().all(is_plain) {
            return Vec::new();
        }
        if !name.iter().copied().any(is_wildcard) {
            return self.find_name(path).into_iter().collect();
        }
        let mut names = BTreeSet::new();
        for directory in &self.directories {
            names.extend(matching(directory, path));
        }
        names.iter().filter_map(|name| self.find_name(name)).collect()
    }

    fn find_name(&self, name: &Path) -> Option<PathBuf> {
        let candidates = EXTENSIONS.iter().flat_map(|extension| {
            let mut file = name.as_os_str().to_owned();
            file.push(extension);
            self.directories.iter().map(move |directory| directory.join(&file))
        });
        let mut existing = candidates.filter(|path| files::is_file(path));
        existing.next()
    }
}

/// The names below a directory that match a pattern, without the extensions of compressed files. As in a shell, no
/// wildcard matches a slash.
fn matching(directory: &Path, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    let parts: Vec<&[u8]> = pattern.iter().map(OsStr::as_bytes).collect();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at.saturating_add(1) == parts.len();
        let mut deeper = Vec::new();
        for parent in &found {
            if !part.iter().copied().any(is_wildcard) && !is_last {
                deeper.push(parent.join(OsStr::from_bytes(part)));
                continue;
            }
            // A directory that cannot be read has no match, as for the kernel.
            let Ok(entries) = files::read_dir(&directory.join(parent)) else { continue };
            for path in entries.flatten() {
                let name = path.file_name().unwrap_or_default().as_bytes();
                let name = if is_last { without_extension(name) } else { name };
                if fnmatch(part, name) {
                    deeper.push(parent.join(OsStr::from_bytes(name)));
                }
            }
        }
        found = deeper;
    }
    found
}

fn without_extension(name: &[u8]) -> &[u8] {
    let compressed = EXTENSIONS.iter().filter(|extension| !extension.is_empty());
    let stripped = compressed.filter_map(|extension| name.strip_suffix(extension.as_bytes())).next();
    stripped.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(files: &[&str]) -> (tempfile::TempDir, FirmwareSearch) {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let search = FirmwareSearch::below(directory.path(), &Release::new("6.1.0"));
        (directory, search)
    }

    fn found(files: &[&str], name: &str) -> Vec<String> {
        let (directory, search) = search(files);
        let relative =
            |path: PathBuf| path.strip_prefix(directory.path()).unwrap().to_str().unwrap().to_owned();
        search.find(name.as_bytes()).into_iter().map(relative).collect()
    }

    #[test]
    fn directories_come_in_the_order_of_the_kernel() {
        let all = ["a.bin", "6.1.0/a.bin", "updates/a.bin", "updates/6.1.0/a.bin"];
        assert_eq!(found(&all, "a.bin"), ["updates/6.1.0/a.bin"]);
        assert_eq!(found(&all[..3], "a.bin"), ["updates/a.bin"]);
        assert_eq!(found(&all[..2], "a.bin"), ["6.1.0/a.bin"]);
        assert_eq!(found(&all[..1], "a.bin"), ["a.bin"]);
        assert!(found(&all, "b.bin").is_empty());
    }

    #[test]
    fn a_plain_file_anywhere_comes_before_a_compressed_one() {
        assert_eq!(found(&["v/a.bin", "updates/v/a.bin.zst", "updates/v/a.bin.xz"], "v/a.bin"), ["v/a.bin"]);
        assert_eq!(found(&["v/a.bin.zst", "updates/v/a.bin.xz"], "v/a.bin"), ["v/a.bin.zst"]);
    }

    #[test]
    fn a_pattern_finds_each_name_once() {
        let all = ["b/x-1.txt.xz", "b/x-2.txt", "updates/b/x-2.txt", "b/y.txt", "c/x-3.txt", "b/x-d/z.txt"];
        assert_eq!(found(&all, "b/x-*.txt"), ["b/x-1.txt.xz", "updates/b/x-2.txt"]);
        assert_eq!(found(&all, "*/x-?.txt"), ["b/x-1.txt.xz", "updates/b/x-2.txt", "c/x-3.txt"]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_searched() {
        let (directory, search) = search(&["in/a.bin"]);
        std::fs::write(directory.path().join("a.bin"), "").unwrap();
        for name in ["../a.bin", "in/../a.bin", "/etc/passwd", "", "a\0.bin", "in/../*"] {
            assert!(search.find(name.as_bytes()).is_empty(), "{name:?}");
        }
    }

    #[test]
    fn a_directory_is_not_firmware() {
        assert!(found(&["a/b"], "a").is_empty());
    }
}
