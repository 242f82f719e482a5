//! Finds the module files of a tree.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};

use super::omission::{Omission, Omissions, Omitted};
use crate::{
    Error, Level, Notice, Result, Sink,
    config::DepmodConfig,
    files::{self, Walk, WalkEntry, WalkError, named_in_root},
    formats::extension::is_module_file,
    shown::shown_path,
};

/// Names that are skipped at every depth: the links to a kernel's build tree and sources.
const NEVER_ENTERED: [&str; 2] = ["build", "source"];

/// How often a directory is entered, by different ways. A few dozen directories with two links each
/// from one to the next have more ways through them than can be walked.
const MOST_WAYS: u32 = 16;

/// A module file in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// How the indexes name it: relative to the module directory, or absolute when it is external.
    pub listed: BString,
    /// Whether it is in one of depmod.d's `external` directories.
    pub external: bool,
}

/// All module files in the module directory and in the external ones, each directory in the order
/// of its names. Links to directories are followed, but no directory is entered below itself, nor by
/// more than sixteen ways.
///
/// # Errors
/// Where the module directory itself cannot be read; what else cannot is an omission.
pub fn scan(
    directory: &Path,
    config: &DepmodConfig,
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    scan_one(directory, false, config, &mut found, omissions, sink)?;
    for external in &config.externals {
        let external = &files::join(directory, external);
        if let Err(error) = scan_one(external, true, config, &mut found, omissions, sink) {
            omissions.report(unreadable(external, error), sink);
        }
    }
    Ok(found)
}

/// How the indexes name a file: relative to the module directory, absolute elsewhere.
pub(super) fn listed(directory: &Path, path: &Path) -> BString {
    let bytes = path.as_os_str().as_encoded_bytes();
    let below = bytes.strip_prefix(directory.as_os_str().as_encoded_bytes());
    match below.and_then(|rest| rest.strip_prefix(b"/")) {
        // As a walk finds it; Path's own way takes both apart.
        Some(rest) if rest.first().is_some_and(|&first| first != b'/' && first != b'.') => rest.into(),
        _ => match path.strip_prefix(directory) {
            Ok(below) => path_bytes(below),
            Err(_) => path_bytes(&named_in_root(path)),
        },
    }
}

fn scan_one(
    directory: &Path,
    external: bool,
    config: &DepmodConfig,
    found: &mut Vec<Found>,
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> Result<()> {
    // It stays open: the C library, which has memory for one such handle then, maps none for each directory.
    let _open = files::read_dir(directory).map_err(Error::io("open directory", directory))?;
    let mut ways = Ways::default();
    let mut walk = Walk::new(directory);
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) if entry.depth() > 0 && is_excluded(entry.file_name(), config) => {
                if entry.is_dir() {
                    walk.skip_current_dir();
                }
            }
            Ok(entry) if entry.is_dir() => match ways.count(&entry) {
                ..=MOST_WAYS => {}
                count => {
                    walk.skip_current_dir();
                    if count == MOST_WAYS.saturating_add(1) {
                        let path = shown_path(entry.path());
                        let what = format!("{path}: links lead here by more than {MOST_WAYS} ways");
                        sink(Notice::warning(what));
                    }
                }
            },
            Ok(entry) if entry.is_file() && is_module_file(entry.file_name()) => {
                let listed = if external {
                    path_bytes(&named_in_root(entry.path()))
                } else {
                    listed(directory, entry.path())
                };
                found.push(Found { path: entry.into_path(), listed, external });
            }
            Ok(_) => {}
            // A link back to a directory that is being walked: everything in it is found anyway.
            Err(error) if error.is_loop() => {}
            // Kernels are often installed with links to build trees that are not there.
            Err(error) if is_excluded_link(&error, config) => {}
            Err(error) => omissions.report(unreadable_entry(&error), sink),
        }
    }
    Ok(())
}

/// How often each directory was visited.
#[derive(Default)]
struct Ways {
    counts: HashMap<(u64, u64), u32>,
    /// Directories before the first link to one. Without links there is one way to each, and no
    /// directory has to be looked at.
    uncounted: Vec<PathBuf>,
    has_links: bool,
}

impl Ways {
    fn count(&mut self, directory: &WalkEntry) -> u32 {
        if !self.has_links && !directory.path_is_symlink() {
            self.uncounted.push(directory.path().to_owned());
            return 1;
        }
        self.has_links = true;
        for before in std::mem::take(&mut self.uncounted) {
            let _ = self.add(files::metadata(&before));
        }
        // What cannot be looked at cannot be entered either.
        self.add(directory.metadata()).unwrap_or_default()
    }

    fn add(&mut self, metadata: io::Result<Metadata>) -> Option<u32> {
        let metadata = metadata.ok()?;
        let count = self.counts.entry((metadata.dev(), metadata.ino())).or_default();
        *count = count.saturating_add(1);
        Some(*count)
    }
}

/// Whether what could not be looked at would have been skipped anyway.
fn is_excluded_link(error: &WalkError, config: &DepmodConfig) -> bool {
    error.depth() > 0 && error.path().and_then(Path::file_name).is_some_and(|name| is_excluded(name, config))
}

fn is_excluded(name: &OsStr, config: &DepmodConfig) -> bool {
    let name = name.as_encoded_bytes();
    NEVER_ENTERED.iter().any(|never| never.as_bytes() == name)
        || config.excludes.iter().any(|other| other == name)
}

fn unreadable_entry(error: &WalkError) -> Omission {
    let path = error.path().unwrap_or_else(|| Path::new("a directory"));
    let cause = error.io_error().and_then(io::Error::raw_os_error);
    let cause = cause.map_or_else(|| io::ErrorKind::Other.into(), io::Error::from_raw_os_error);
    unreadable(path, Error::io("read", path)(cause))
}

fn unreadable(path: &Path, error: Error) -> Omission {
    let notice = Notice::of(Level::Error, &error);
    Omission::new(Omitted::Entry, path, error, notice)
}

fn path_bytes(path: &Path) -> BString {
    path.as_os_str().as_encoded_bytes().as_bstr().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        tree
    }

    fn listed_in(tree: &Path, config: &DepmodConfig) -> (Vec<String>, usize) {
        let mut notices = 0;
        let found = scan(tree, config, &mut Omissions::default(), &mut |_| notices += 1).unwrap();
        (found.into_iter().map(|found| found.listed.to_string()).collect(), notices)
    }

    #[test]
    fn only_module_files_are_found_in_the_order_of_their_names() {
        let tree =
            tree(&["k/b.ko", "k/a.ko.xz", "k/a/z.ko.zst", "k/c.ko.gz", "k/d.ko.bz2", "k/.ko", "k/e.KO"]);
        let expected = ["k/a/z.ko.zst", "k/a.ko.xz", "k/b.ko", "k/c.ko.gz"];
        assert_eq!(
            listed_in(tree.path(), &DepmodConfig::default()),
            (expected.map(String::from).to_vec(), 0)
        );
    }

    #[test]
    fn build_source_and_excluded_names_are_passed_over_at_every_depth() {
        let tree = tree(&["build/a.ko", "k/source/b.ko", "k/c.ko", "k/skip/d.ko", "k/e.ko"]);
        let config = DepmodConfig { excludes: vec!["skip".into(), "e.ko".into()], ..DepmodConfig::default() };
        symlink("/nowhere", tree.path().join("k/build")).unwrap();
        symlink("/nowhere", tree.path().join("source")).unwrap();
        assert_eq!(listed_in(tree.path(), &config), (vec!["k/c.ko".to_owned()], 0));
    }

    #[test]
    fn links_are_followed_but_never_in_circles() {
        let tree = tree(&["k/a.ko"]);
        symlink("..", tree.path().join("k/loop")).unwrap();
        symlink("k", tree.path().join("l")).unwrap();
        symlink("/nowhere", tree.path().join("k/dangling.ko")).unwrap();
        let (found, notices) = listed_in(tree.path(), &DepmodConfig::default());
        assert!(found.contains(&"k/a.ko".to_owned()) && found.contains(&"l/a.ko".to_owned()), "{found:?}");
        assert!(found.len() < 6, "{found:?}");
        assert!(notices >= 1);
    }

    #[test]
    fn external_modules_are_listed_by_their_whole_path() {
        let (tree, outside) = (tree(&["a.ko"]), tree(&["b.ko"]));
        let externals = vec![outside.path().to_owned(), "/nowhere".into()];
        let config = DepmodConfig { externals, ..DepmodConfig::default() };
        let b = outside.path().join("b.ko").display().to_string();
        assert_eq!(listed_in(tree.path(), &config), (vec!["a.ko".to_owned(), b], 1));
    }

    #[test]
    fn a_file_is_listed_by_its_path_below_the_module_directory() {
        for (directory, path, expected) in [
            ("/m", "/m/a/b.ko", "a/b.ko"),
            ("/m/", "/m/a.ko", "a.ko"),
            ("/m", "/m//a//b.ko", "a//b.ko"),
            ("/m", "/m/./a.ko", "a.ko"),
            ("/m", "/m/.a/b.ko", ".a/b.ko"),
            ("/m", "/mm/a.ko", "/mm/a.ko"),
            ("m", "/m/a.ko", "/m/a.ko"),
        ] {
            assert_eq!(listed(directory.as_ref(), path.as_ref()), expected, "{directory} {path}");
        }
    }

    #[test]
    fn a_directory_is_entered_by_sixteen_ways_also_those_before_the_first_link() {
        let tree = tree(&["k/a.ko"]);
        for number in 0..20 {
            symlink("k", tree.path().join(format!("l{number:02}"))).unwrap();
        }
        let (found, notices) = listed_in(tree.path(), &DepmodConfig::default());
        assert_eq!((found.len(), found[0].as_str(), notices), (16, "k/a.ko", 1));
    }

    #[test]
    fn a_missing_module_directory_is_an_error() {
        let config = DepmodConfig::default();
        let error = scan(Path::new("/nowhere"), &config, &mut Omissions::default(), &mut |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "could not open directory /nowhere: No such file or directory");
    }
}
