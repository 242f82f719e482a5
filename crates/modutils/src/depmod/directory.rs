//! A directory by its handle: what is done here is done in the directory that was opened, and locked, whatever has its
//! path by then.

use std::{
    fs::{File, Metadata, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AtFlags, OFlag, openat, renameat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, linkat, unlinkat},
};

use crate::{Errno, files};

/// The mode of directories that are made, whatever the umask is: every program reads the files.
const DIRECTORY_MODE: u32 = 0o755;

/// An open directory. Names are those of files in it.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    handle: File,
}

impl Directory {
    /// Opens a directory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle = again(|| files::open_with(path, OFlag::O_DIRECTORY))?;
        Ok(Self { path: path.to_owned(), handle })
    }

    /// The path by which it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still what has its path: someone may have renamed it, or put a link in its place.
    pub(super) fn has_its_path(&self) -> io::Result<bool> {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let own = identity(self.metadata()?);
        match again(|| files::metadata(&self.path)) {
            Ok(there) => Ok(identity(there) == own),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the directory itself is.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        again(|| self.handle.metadata())
    }

    /// Opens a file of the directory, never through a link.
    pub(super) fn open_file(&self, name: &str, flags: OFlag, mode: u32) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        again(|| Ok(openat(&self.handle, name, flags, Mode::from_bits_truncate(mode))?.into()))
    }

    /// Makes a new file in the place of what has the name.
    pub(super) fn create(&self, name: &str, mode: u32) -> io::Result<File> {
        let make = || self.open_file(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, mode);
        let file = match make() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.remove(name)?;
                make()
            }
            other => other,
        }?;
        again(|| file.set_permissions(Permissions::from_mode(mode)))?;
        Ok(file)
    }

    /// Opens what a path from here leads to, for reading; a pipe's writer is not waited for.
    pub(super) fn open_below(&self, path: &Path) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        again(|| Ok(openat(&self.handle, path, flags, Mode::empty())?.into()))
    }

    /// What has a name, links being what they are.
    pub(super) fn look_at(&self, name: &str) -> io::Result<Metadata> {
        let file = self.open_file(name, OFlag::O_PATH, 0)?;
        again(|| file.metadata())
    }

    /// Gives a file another name.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        again(|| Ok(renameat(&self.handle, from, &self.handle, to)?))
    }

    /// Gives a file, or a link, a second name.
    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        again(|| Ok(linkat(&self.handle, from, &self.handle, to, AtFlags::empty())?))
    }

    /// Removes a file, if it is there. A disk or network that failed once may not the second time, and a file that
    /// stays is worse than that.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let remove = || Ok(unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)?);
        again(remove).or_else(|error: io::Error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => remove(),
        })
    }

    /// Has the names reach the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.handle)
    }

    /// The same directory by another handle.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { path: self.path.clone(), handle: self.handle.try_clone()? })
    }
}

/// Makes a directory and those above it, each of which reaches the disk with its name.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let make = || again(|| files::create_dir(path, DIRECTORY_MODE));
    let made = match (make(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            make_directory(parent)?;
            make()
        }
        (made, _) => made,
    };
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if again(|| files::metadata(path))?.is_dir() { Ok(()) } else { Err(error) }
        }
        Err(error) => Err(error),
        Ok(()) => {
            let directory = files::open(path)?;
            again(|| directory.set_permissions(Permissions::from_mode(DIRECTORY_MODE)))?;
            match path.parent() {
                Some(parent) if parent != Path::new("") => sync(&files::open(parent)?),
                _ => sync(&File::open(".")?),
            }
        }
    }
}

/// Has a file or directory reach the disk. A file system that knows no such thing has done what it
/// can.
pub(super) fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if error.raw_os_error().is_some_and(|errno| UNKNOWN.contains(&Errno::from_raw(errno))) => {
            Ok(())
        }
        other => other,
    }
}

const UNKNOWN: [Errno; 2] = [Errno::EINVAL, Errno::EOPNOTSUPP];

/// Does a system call until no signal comes between.
pub(super) fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
