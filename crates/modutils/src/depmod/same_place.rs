//! Whether the modules that are read are all those of one directory.
//!
//! Modules are read by their paths, as the directories and links on the way to them are followed, and the indexes are
//! written by the directory's handle. Whoever exchanges the directory for another one, and then back, must not get the
//! other one's modules indexed here.

use std::{io, os::unix::fs::MetadataExt, path::Path};

use super::directory::Directory;

/// A directory from which modules are read.
#[derive(Debug)]
pub(super) struct Place {
    directory: Directory,
    since: Times,
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
        let directory = Directory::open(path)?;
        let since = Times::of(&directory)?;
        Ok(Self { directory, since })
    }

    /// Whether it had its path all the time, as far as its times tell: that of its change stays while something else
    /// changes in the same tick of the kernel's clock, on Linux before 6.13 some milliseconds. Asked again, the time
    /// since the last answer counts.
    pub(super) fn was_here(&mut self) -> io::Result<bool> {
        let now = Times::of(&self.directory)?;
        let before = std::mem::replace(&mut self.since, now);
        let was_moved = now.changed != before.changed && now.modified == before.modified;
        Ok(!was_moved && self.directory.has_its_path()?)
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
