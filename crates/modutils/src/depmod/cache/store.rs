//! The directory in which caches are kept, and who may have written there.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg, OFlag},
};

use super::Known;
use crate::{Error, Result, file::TREE_FILE_LIMIT};

/// What the name of a cache ends in; before it stands the module directory's path.
const EXTENSION: &[u8] = b".facts";

/// A directory of caches that is root's alone.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// The directory as it was checked: the files are reached through it, whatever has the path by
    /// then.
    handle: File,
}

impl Store {
    /// Opens the directory, made with mode 0700 if it is missing.
    ///
    /// # Errors
    /// Where it cannot be made or opened, or belongs to another one than root, or others may write
    /// to it.
    pub fn open(path: &Path) -> Result<Self> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(Error::io("create directory", parent))?;
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("create directory", path)(error));
            }
            _ => {}
        }
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let handle = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
        let handle = handle.map_err(Error::io("open directory", path))?;
        let metadata = handle.metadata().map_err(Error::io("open directory", path))?;
        if !is_roots_alone(&metadata) {
            return Err(Error::io("trust directory", path)(Errno::EPERM.into()));
        }
        Ok(Self { path: path.to_owned(), handle })
    }

    /// What is known of a module directory's modules; nothing where there is no cache to be trusted.
    pub fn known(&self, directory: &Path) -> Known {
        let read = file_name(directory).and_then(|name| self.read(&name).ok());
        read.map_or_else(Known::default, |bytes| Known::parse(bytes, directory))
    }

    fn read(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        // Without O_NONBLOCK, a pipe in its place would be waited for.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(self.inside(name))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || !is_roots_alone(&metadata) || metadata.len() > TREE_FILE_LIMIT {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1))?;
        file.take(TREE_FILE_LIMIT).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Puts a cache into the place of the one for that module directory.
    ///
    /// # Errors
    /// Where it cannot be written, or another run is writing here.
    pub(super) fn write(&self, directory: &Path, bytes: &[u8]) -> Result<()> {
        let failed = Error::io("write a cache in", &self.path);
        let written = (|| {
            let name = file_name(directory).ok_or(Errno::ENAMETOOLONG)?;
            let handle = self.handle.try_clone()?;
            let lock = Flock::lock(handle, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
            // With the lock, whatever has the name was left by a run that was killed.
            let temporary = self.inside(&[&name[..], b".tmp"].concat());
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            // Nothing is synced: a cache that lost its bytes in a crash has a wrong checksum.
            let replaced = options
                .open(&temporary)
                .and_then(|mut file| {
                    file.set_permissions(Permissions::from_mode(0o600))?;
                    file.write_all(bytes)
                })
                .and_then(|()| fs::rename(&temporary, self.inside(&name)));
            if replaced.is_err() {
                let _ = fs::remove_file(&temporary);
            }
            drop(lock);
            replaced
        })();
        written.map_err(failed)
    }

    /// Removes the caches of module directories that are not there any more.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub(super) fn remove_strays(&self) -> Result<()> {
        let entries = fs::read_dir(self.inside(b"")).map_err(Error::io("read", &self.path))?;
        for entry in entries.flatten() {
            let Some(directory) = directory_of(entry.file_name().as_bytes()) else { continue };
            if fs::symlink_metadata(&directory).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                // One that stays is of no use, and does no harm.
                let _ = fs::remove_file(self.inside(entry.file_name().as_bytes()));
            }
        }
        Ok(())
    }

    /// The path of a file in the directory that was opened, as `openat(2)` would reach it.
    fn inside(&self, name: &[u8]) -> PathBuf {
        use std::{ffi::OsStr, os::fd::AsRawFd};
        let directory = PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()));
        let directory = if directory.exists() { directory } else { self.path.clone() };
        directory.join(OsStr::from_bytes(name))
    }
}

fn is_roots_alone(metadata: &fs::Metadata) -> bool {
    metadata.uid() == 0 && metadata.mode() & 0o022 == 0
}

/// The name of a directory's cache: its path, with `%2f` for a slash; `None` where that is too long
/// for a name.
fn file_name(directory: &Path) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    for &byte in directory.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' => name.extend_from_slice(b"%2f"),
            b'%' => name.extend_from_slice(b"%25"),
            _ => name.push(byte),
        }
    }
    name.extend_from_slice(EXTENSION);
    // NAME_MAX, with room for the temporary file's `.tmp`.
    (name.len() <= 251).then_some(name)
}

/// The directory whose cache has that name.
fn directory_of(name: &[u8]) -> Option<PathBuf> {
    use bstr::ByteSlice;
    let path = name.strip_suffix(EXTENSION)?.replace("%2f", "/").replace("%25", "%");
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(&path));
    path.is_absolute().then_some(path)
}
