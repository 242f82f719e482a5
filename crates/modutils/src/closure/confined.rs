//! Directories of another root, in which every link leads to a place inside of that root.
//!
//! As in [`crate::files`], but what is missing on the way is made, and what was made can be undone.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlinkat, renameat},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, unlinkat},
};

use crate::files::{MAX_LINKS, parts};

/// Another root.
pub(super) struct ConfinedRoot {
    root: OwnedFd,
    /// The directories made, with the directory each is in, for undoing.
    made: Vec<(OwnedFd, OsString)>,
    /// The files moved here, likewise.
    moved: Vec<(OwnedFd, OsString)>,
}

impl ConfinedRoot {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let root = OwnedFd::from(File::open(path)?);
        Ok(Self { root, made: Vec::new(), moved: Vec::new() })
    }

    /// A directory below the root, made if it is missing.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<OwnedFd> {
        let mut stack = vec![self.root.try_clone()?];
        let mut waiting: VecDeque<OsString> = parts(path)?.collect();
        let mut links = 0_usize;
        while let Some(part) = waiting.pop_front() {
            if part == ".." {
                if stack.len() > 1 {
                    stack.pop();
                }
                continue;
            }
            let Some(current) = stack.last() else { return Err(Errno::ENOTDIR.into()) };
            let next = match open_directory(current.as_fd(), &part) {
                Err(Errno::ENOENT) => {
                    mkdirat(current, part.as_os_str(), Mode::from_bits_truncate(0o755))?;
                    self.made.push((current.try_clone()?, part.clone()));
                    open_directory(current.as_fd(), &part)?
                }
                Err(Errno::ELOOP | Errno::ENOTDIR) => {
                    let target = readlinkat(current, part.as_os_str())
                        .map_err(|error| if error == Errno::EINVAL { Errno::ENOTDIR } else { error })?;
                    links = links.saturating_add(1);
                    if links > MAX_LINKS {
                        return Err(Errno::ELOOP.into());
                    }
                    let target = Path::new(&target);
                    if target.is_absolute() {
                        stack.truncate(1);
                    }
                    parts(target)?.rev().for_each(|part| waiting.push_front(part));
                    continue;
                }
                opened => opened?,
            };
            stack.push(next);
        }
        stack.pop().ok_or_else(|| Errno::ENOTDIR.into())
    }

    /// Moves a file or directory from outside of the root to a name in one of its directories.
    pub(super) fn take(&mut self, from: &Path, directory: OwnedFd, name: &OsStr) -> io::Result<()> {
        renameat(nix::fcntl::AT_FDCWD, from, &directory, name)?;
        self.moved.push((directory, name.to_owned()));
        Ok(())
    }

    /// Removes the files that were moved here and the directories that were made; what was there before stays.
    pub(super) fn undo(self) {
        for (directory, name) in self.moved.iter().rev() {
            remove_all(directory.as_fd(), name);
        }
        for (directory, name) in self.made.iter().rev() {
            // One that is no longer empty has something of others.
            let _ = unlinkat(directory, name.as_os_str(), UnlinkatFlags::RemoveDir);
        }
    }
}

/// Whether something of this name is in a directory.
pub(super) fn exists(directory: &OwnedFd, name: &OsStr) -> bool {
    nix::sys::stat::fstatat(directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

/// A file of a directory, which must not be a link.
pub(super) fn open_file(directory: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    Ok(File::from(openat(directory, name, flags, Mode::empty())?))
}

fn open_directory(directory: BorrowedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Removes a file, or a directory with what is in it. What cannot be removed stays.
fn remove_all(directory: BorrowedFd, name: &OsStr) {
    if unlinkat(directory, name, UnlinkatFlags::NoRemoveDir).is_ok() {
        return;
    }
    // The directory was made a moment ago with files that are ours; its path is not used, only its descriptor.
    if let Ok(inner) = open_directory(directory, name) {
        let path =
            std::path::PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&inner)));
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            remove_all(inner.as_fd(), &entry.file_name());
        }
    }
    let _ = unlinkat(directory, name, UnlinkatFlags::RemoveDir);
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_lead_to_places_inside_of_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let outside = directory.path().join("outside");
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink(&outside, root.join("absolute")).unwrap();
        symlink("../../../../outside", root.join("upward")).unwrap();
        let mut confined = ConfinedRoot::open(&root).unwrap();
        for path in ["lib/modules/v", "absolute/a", "upward/b", "../../outside/c"] {
            confined.directory(Path::new(path)).unwrap();
        }
        assert!(root.join("usr/lib/modules/v").is_dir());
        assert!(root.join("outside/b").is_dir() && root.join("outside/c").is_dir());
        assert!(root.join(outside.strip_prefix("/").unwrap()).join("a").is_dir());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn circles_of_links_and_files_on_the_way_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let mut confined = ConfinedRoot::open(directory.path()).unwrap();
        let failed = |result: io::Result<OwnedFd>| result.unwrap_err().raw_os_error().map(Errno::from_raw);
        assert_eq!(failed(confined.directory(Path::new("a/x"))), Some(Errno::ELOOP));
        assert_eq!(failed(confined.directory(Path::new("file/x"))), Some(Errno::ENOTDIR));
    }

    #[test]
    fn undoing_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("kept")).unwrap();
        fs::create_dir_all(directory.path().join("tree/deep")).unwrap();
        fs::write(directory.path().join("tree/deep/file"), "").unwrap();
        let mut confined = ConfinedRoot::open(&root).unwrap();
        let target = confined.directory(Path::new("kept/new/newer")).unwrap();
        confined.take(&directory.path().join("tree"), target, OsStr::new("tree")).unwrap();
        assert!(root.join("kept/new/newer/tree/deep/file").exists());
        confined.undo();
        assert_eq!(fs::read_dir(root.join("kept")).unwrap().count(), 0);
    }
}
