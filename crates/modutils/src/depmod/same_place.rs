//! The modules that are read are those of one directory.
//!
//! They are found by their paths and opened by the directory's handle, by which the indexes are written. Whoever exchanges
//! the directory, or one above it, for another one and then back does not get the other one's modules indexed here.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::directory::Directory;
use crate::{file::open_at_once, files};

/// A directory from which modules are read.
#[derive(Debug)]
pub struct Place {
    directory: Directory,
    since: Times,
    /// In a confined root, links in the directory lead to what is in the root: paths are opened by the root's handle.
    is_confined: bool,
}

/// Times of a directory, in nanoseconds. That something is made in it or removed changes both; that it is renamed, or
/// exchanged for another one, only that of its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Place {
    /// Opens it, before anything in it is looked at.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::of(Directory::open(path)?)
    }

    /// A directory that is open.
    pub(super) fn of(directory: Directory) -> io::Result<Self> {
        let since = Times::of(&directory)?;
        let is_confined = files::is_confined(directory.path());
        Ok(Self { directory, since, is_confined })
    }

    /// Opens a file by its path: one below the directory by the directory's handle.
    pub(super) fn open_file(place: Option<&Self>, path: &Path) -> io::Result<(File, Metadata)> {
        let place = place.filter(|place| !place.is_confined);
        let below = place.and_then(|place| Some((place, path.strip_prefix(place.directory.path()).ok()?)));
        let Some((place, below)) = below else { return open_at_once(path) };
        let file = place.directory.open_below(below)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    /// Whether it had its path all the time, as far as its times tell: what was found by path may be what another
    /// directory has. Asked again, the time since the last answer counts.
    pub(super) fn was_here(&mut self) -> io::Result<bool> {
        let now = Times::of(&self.directory)?;
        let before = std::mem::replace(&mut self.since, now);
        let was_moved = now.changed != before.changed && now.modified == before.modified;
        Ok(!was_moved && self.is_here()?)
    }

    /// Whether it has its path now.
    pub(super) fn is_here(&self) -> io::Result<bool> {
        self.directory.has_its_path()
    }
}

impl Times {
    fn of(directory: &Directory) -> io::Result<Self> {
        let metadata = directory.metadata()?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Self { changed, modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    /// More than a tick of the kernel's clock.
    fn tick() {
        std::thread::sleep(Duration::from_millis(20));
    }

    #[test]
    fn files_are_those_of_the_directory_that_was_opened() {
        let above = tempfile::tempdir().unwrap();
        let [path, away] = ["modules", "away"].map(|name| above.path().join(name));
        for (directory, text) in [(&path, "own"), (&away, "other")] {
            fs::create_dir_all(directory.join("kernel")).unwrap();
            fs::write(directory.join("kernel/a.ko"), text).unwrap();
        }
        let place = Place::open(&path).unwrap();
        let outside = above.path().join("b.ko");
        fs::write(&outside, "outside").unwrap();
        fs::rename(&path, above.path().join("meanwhile")).unwrap();
        fs::rename(&away, &path).unwrap();
        let read = |place, path: &Path| io::read_to_string(Place::open_file(place, path).unwrap().0).unwrap();
        assert_eq!(read(Some(&place), &path.join("kernel/a.ko")), "own");
        assert_eq!(read(None, &path.join("kernel/a.ko")), "other");
        assert_eq!(read(Some(&place), &outside), "outside");
    }

    #[test]
    fn a_directory_that_was_away_for_a_moment_is_noticed() {
        let above = tempfile::tempdir().unwrap();
        let [path, away] = ["modules", "away"].map(|name| above.path().join(name));
        fs::create_dir(&path).unwrap();
        tick();
        let mut place = Place::open(&path).unwrap();
        assert!(place.was_here().unwrap());
        tick();
        fs::write(path.join("new.ko"), "").unwrap();
        assert!(place.was_here().unwrap());
        tick();
        fs::rename(&path, &away).unwrap();
        fs::rename(&away, &path).unwrap();
        assert!(!place.was_here().unwrap());
        assert!(place.was_here().unwrap());
        fs::rename(&path, &away).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!place.was_here().unwrap());
        assert!(!place.was_here().unwrap());
    }
}
