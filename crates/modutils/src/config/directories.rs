//! Which configuration files there are, and in which order they count.
//!
//! Five directories are searched. A file hides those of the same name in later directories; the
//! files of all directories are read in one order, that of their names' bytes.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::OsString,
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;

use crate::shown::shown_path;
use crate::{Error, Level, Notice, Root, Sink, files, stamp::Seen};

/// What the files configure: `modprobe.d`, `depmod.d` or `modutils.d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// modprobe.d(5).
    Modprobe,
    /// depmod.d(5).
    Depmod,
    /// modutils.d(5).
    Modutils,
}

/// The directories above a family's own, the ones that count first.
const PARENTS: [&str; 5] = ["etc", "run", "usr/local/lib", "usr/lib", "lib"];

impl Family {
    /// The directories that hold such files, in order of precedence.
    pub fn directories(self, root: &Root) -> Vec<PathBuf> {
        let name = match self {
            Self::Modprobe => "modprobe.d",
            Self::Depmod => "depmod.d",
            Self::Modutils => "modutils.d",
        };
        PARENTS.iter().map(|parent| root.system(Path::new(parent).join(name))).collect()
    }
}

/// The files to read, found so far: one for each name, in the order of names.
#[derive(Debug, Default)]
pub struct Files {
    by_name: BTreeMap<OsString, PathBuf>,
    /// The directories of which nothing was amiss, by device and inode. `/lib` is `/usr/lib` in many
    /// systems: what is there is known then.
    read: Vec<(u64, u64)>,
    /// What was looked at.
    seen: Seen,
    /// Why paths could not be read.
    errors: Vec<Error>,
}

impl Files {
    /// Adds what paths given by the caller or the system name: of a directory its `*.conf` files, any
    /// other file whatever its name is. A path that is not there adds nothing.
    pub fn add(&mut self, paths: &[PathBuf], sink: &mut Sink) {
        for path in paths {
            match files::metadata(path) {
                Ok(metadata) if metadata.is_dir() => {
                    self.seen.note(path, Some(&metadata));
                    let place = (metadata.dev(), metadata.ino());
                    if !self.read.contains(&place) && self.add_directory(path, sink) {
                        self.read.push(place);
                    }
                }
                Ok(metadata) => self.add_file(path, &metadata),
                Err(error) => {
                    self.seen.note(path, None);
                    if !is_missing(&error) {
                        self.report(path, error, sink);
                    }
                }
            }
        }
    }

    /// The files in their order.
    pub fn into_paths(self) -> impl Iterator<Item = PathBuf> {
        self.by_name.into_values()
    }

    /// What was looked at until now.
    pub(super) fn take_seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    /// Adds a file, unless one of its name is there already.
    fn add_file(&mut self, path: &Path, metadata: &Metadata) {
        let name = path.file_name().unwrap_or_default().to_owned();
        if let Entry::Vacant(place) = self.by_name.entry(name) {
            place.insert(path.to_owned());
            self.seen.note(path, Some(metadata));
        }
    }

    /// Why paths that are or name files could not be read, as it was reported.
    pub fn take_errors(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.errors)
    }

    /// Adds a directory's files. Whether there was nothing to report.
    fn add_directory(&mut self, directory: &Path, sink: &mut Sink) -> bool {
        let entries = match files::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.report(directory, error, sink);
                return false;
            }
        };
        let mut is_sound = true;
        for entry in entries {
            match entry {
                Ok(path) => is_sound &= self.add_entry(&path, sink),
                Err(error) => {
                    self.report(directory, error, sink);
                    return false;
                }
            }
        }
        is_sound
    }

    fn add_entry(&mut self, path: &Path, sink: &mut Sink) -> bool {
        if !is_configuration(path) {
            return true;
        }
        match files::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                sink(Notice::error(format!("{}: a directory, not read", shown_path(path))));
                return false;
            }
            Ok(metadata) => self.add_file(path, &metadata),
            Err(error) => {
                self.seen.note(path, None);
                self.report(path, error, sink);
                return false;
            }
        }
        true
    }

    fn report(&mut self, path: &Path, error: io::Error, sink: &mut Sink) {
        let error = Error::io("read", path)(error);
        sink(Notice::of(Level::Error, &error));
        self.errors.push(error);
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether a name in a directory is one of a configuration file.
fn is_configuration(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".conf") && !name.starts_with_str(".")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct System(tempfile::TempDir);

    impl System {
        fn new(files: &[&str]) -> Self {
            let system = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = system.0.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            system
        }

        /// The files found, and how many notices came with them.
        fn found(&self, paths: &[PathBuf]) -> (Vec<String>, usize) {
            let mut files = Files::default();
            let mut notices = 0;
            files.add(paths, &mut |_| notices += 1);
            let short = |path: PathBuf| path.strip_prefix(self.0.path()).unwrap().display().to_string();
            (files.into_paths().map(short).collect(), notices)
        }

        fn found_by_default(&self) -> (Vec<String>, usize) {
            self.found(&Family::Modprobe.directories(&Root::default().with_system(self.0.path())))
        }
    }

    #[test]
    fn files_of_all_directories_share_one_order_and_hide_their_namesakes() {
        let system = System::new(&[
            "lib/modprobe.d/a.conf",
            "etc/modprobe.d/m.conf",
            "usr/lib/modprobe.d/m.conf",
            "run/modprobe.d/Z.conf",
            "usr/local/lib/modprobe.d/b.conf",
            "etc/modprobe.d/.dot.conf",
            "etc/modprobe.d/x.txt",
            "etc/modprobe.conf",
        ]);
        let expected = [
            "run/modprobe.d/Z.conf",
            "lib/modprobe.d/a.conf",
            "usr/local/lib/modprobe.d/b.conf",
            "etc/modprobe.d/m.conf",
        ];
        assert_eq!(system.found_by_default(), (expected.map(String::from).to_vec(), 0));
    }

    #[test]
    fn directories_and_dangling_links_are_told_and_passed_over() {
        let system =
            System::new(&["etc/modprobe.d/d.conf/x.conf", "etc/modprobe.d/a.conf", "lib/modprobe.d/l.conf"]);
        symlink("nothing", system.0.path().join("etc/modprobe.d/l.conf")).unwrap();
        let expected = vec!["etc/modprobe.d/a.conf".to_owned(), "lib/modprobe.d/l.conf".to_owned()];
        assert_eq!(system.found_by_default(), (expected, 2));
    }

    #[test]
    fn a_file_given_by_the_caller_may_have_any_name() {
        let system = System::new(&["d/a.conf", "d/t.txt", "z", "e/a.conf"]);
        let path = |name: &str| system.0.path().join(name);
        let found = system.found(&[path("z"), path("d"), path("e"), path("missing")]);
        assert_eq!(found, (vec!["d/a.conf".to_owned(), "z".to_owned()], 0));
    }
}
