//! A directory as the root of all paths below it.
//!
//! `openat2(2)` resolves so with `RESOLVE_IN_ROOT` since Linux 5.6. Where the kernel has no such call, or a filter of
//! system calls refuses it, the components are opened one by one, never through a link, and links are followed by hand.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat},
    sys::stat::{Mode, mkdirat},
};

/// As many links as the kernel follows in one path, `MAXSYMLINKS`.
pub(crate) const MAX_LINKS: usize = 40;

/// The kernel's `PATH_MAX`.
const LONGEST_PATH: usize = 4096;

/// How often the kernel is asked again where something was renamed while it resolved `..`.
const ATTEMPTS: usize = 8;

/// A directory that is opened as a root.
#[derive(Debug)]
pub(crate) struct InRoot {
    path: PathBuf,
    directory: OwnedFd,
    /// The kernel has no `openat2(2)`.
    lacks_openat2: AtomicBool,
}

impl InRoot {
    /// Opens a directory by an absolute path, which is what paths below it begin with.
    pub(crate) fn open_root(path: PathBuf) -> io::Result<Self> {
        // Without the right to read it, too: all that follows are paths below it.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let directory = File::options().read(true).custom_flags(flags.bits()).open(&path)?;
        Ok(Self { path, directory: directory.into(), lacks_openat2: AtomicBool::new(false) })
    }

    /// Whether this is the root of the running system.
    pub(crate) fn is_systems(&self) -> io::Result<bool> {
        let own = File::from(self.directory.try_clone()?).metadata()?;
        let root = std::fs::metadata("/")?;
        Ok((own.dev(), own.ino()) == (root.dev(), root.ino()))
    }

    /// Whether to go by hand.
    #[cfg(test)]
    pub(super) fn lack_openat2(&self, lacks: bool) {
        self.lacks_openat2.store(lacks, Ordering::Relaxed);
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in this root as a path of the system.
    pub(crate) fn host_path(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix("/").unwrap_or(path);
        if below.as_os_str().is_empty() { self.path.clone() } else { self.path.join(below) }
    }

    /// Opens what a path in this root leads to.
    pub(super) fn open(&self, path: &Path, flags: OFlag, mode: u32) -> io::Result<File> {
        let flags = flags | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(mode);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        if self.lacks_openat2.load(Ordering::Relaxed) {
            return Ok(by_hand(self.directory.as_fd(), path, flags, mode)?.into());
        }
        let how = OpenHow::new()
            .flags(flags)
            .mode(mode)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        for _ in 0..ATTEMPTS {
            match openat2(&self.directory, path, how) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(Errno::ENOSYS) => {
                    self.lacks_openat2.store(true, Ordering::Relaxed);
                    break;
                }
                // Filters of system calls answer so; from the file system it comes by hand as well.
                Err(Errno::EPERM) => break,
                opened => return Ok(opened?.into()),
            }
        }
        Ok(by_hand(self.directory.as_fd(), path, flags, mode)?.into())
    }

    /// Makes a directory.
    pub(super) fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let Some(name) = path.file_name() else { return Err(Errno::EEXIST.into()) };
        let parent =
            self.open(path.parent().unwrap_or(Path::new("")), OFlag::O_PATH | OFlag::O_DIRECTORY, 0)?;
        Ok(mkdirat(&parent, name, Mode::from_bits_truncate(mode))?)
    }

    /// The target of a link, as it is written.
    pub(super) fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let Some(name) = path.file_name() else { return Err(Errno::EINVAL.into()) };
        let parent =
            self.open(path.parent().unwrap_or(Path::new("")), OFlag::O_PATH | OFlag::O_DIRECTORY, 0)?;
        Ok(readlinkat(&parent, name)?.into())
    }

    /// The path of the system, without links, of what a path in this root leads to.
    #[cfg(any(feature = "diagnose", feature = "depmod"))]
    pub(super) fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let mut walk = Walk::new(self.directory.as_fd(), path)?;
        let last = walk.reach_last(true)?;
        if let Some(name) = last {
            openat(
                walk.directory(),
                name.as_os_str(),
                OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?;
            walk.names.push(name);
        }
        Ok(walk.names.iter().fold(self.path.clone(), |path, name| path.join(name)))
    }
}

/// Opens what a path leads to, with a directory as the root, component by component.
fn by_hand(root: BorrowedFd<'_>, path: &Path, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    let mut walk = Walk::new(root, path)?;
    // Like the kernel, a link at the end is not followed where that was asked for or must be a new file.
    let follows = !flags.contains(OFlag::O_NOFOLLOW) && !flags.contains(OFlag::O_CREAT | OFlag::O_EXCL);
    match walk.reach_last(follows)? {
        Some(name) => {
            openat(walk.directory(), name.as_os_str(), flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, mode)
        }
        None => openat(walk.directory(), ".", flags | OFlag::O_CLOEXEC, mode),
    }
}

/// The target of a link in a directory; `None` where the name is not that of a link.
fn link_target(directory: BorrowedFd<'_>, name: &OsStr) -> nix::Result<Option<OsString>> {
    match readlinkat(directory, name) {
        Ok(target) => Ok(Some(target)),
        Err(Errno::EINVAL | Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The way from a root to what a path leads to.
struct Walk<'a> {
    root: BorrowedFd<'a>,
    /// The directories below the root, and their names.
    directories: Vec<OwnedFd>,
    names: Vec<OsString>,
    waiting: VecDeque<OsString>,
    links: usize,
}

impl<'a> Walk<'a> {
    fn new(root: BorrowedFd<'a>, path: &Path) -> nix::Result<Self> {
        let waiting = parts(path)?.collect();
        Ok(Self { root, directories: Vec::new(), names: Vec::new(), waiting, links: 0 })
    }

    fn directory(&self) -> BorrowedFd<'_> {
        self.directories.last().map_or(self.root, AsFd::as_fd)
    }

    /// Opens all directories on the way. Returns the name of the last component, which need not exist; none where the
    /// path leads to the directory that was reached.
    fn reach_last(&mut self, follows: bool) -> nix::Result<Option<OsString>> {
        while let Some(part) = self.waiting.pop_front() {
            if part == ".." {
                self.directories.pop();
                self.names.pop();
                continue;
            }
            let is_last = self.waiting.is_empty();
            if is_last && !follows {
                return Ok(Some(part));
            }
            match link_target(self.directory(), &part)? {
                Some(target) => self.follow(&target)?,
                None if is_last => return Ok(Some(part)),
                None => {
                    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    let next = openat(self.directory(), part.as_os_str(), flags, Mode::empty())?;
                    self.directories.push(next);
                    self.names.push(part);
                }
            }
        }
        Ok(None)
    }

    fn follow(&mut self, target: &OsStr) -> nix::Result<()> {
        self.links = self.links.saturating_add(1);
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        let target = Path::new(target);
        if target.is_absolute() {
            self.directories.clear();
            self.names.clear();
        }
        parts(target)?.rev().for_each(|part| self.waiting.push_front(part));
        Ok(())
    }
}

/// The components of a path that lead anywhere.
pub(crate) fn parts(path: &Path) -> nix::Result<impl DoubleEndedIterator<Item = OsString>> {
    if path.as_os_str().len() >= LONGEST_PATH {
        return Err(Errno::ENAMETOOLONG);
    }
    Ok(path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    }))
}
