//! The directory in which caches are kept, and who may have written there.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use bstr::ByteSlice;
use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{OFlag, openat, renameat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, unlinkat},
};

use crate::{Error, Result, depmod::lock::lock_now, file::TREE_FILE_LIMIT};

/// What the name of a cache ends in; the module directory's path comes before it.
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

    /// The bytes of a module directory's cache; none where there is no cache to be trusted.
    pub fn bytes(&self, directory: &Path) -> Vec<u8> {
        file_name(directory).and_then(|name| self.read(&name).ok()).unwrap_or_default()
    }

    fn read(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        // Without O_NONBLOCK, a pipe in its place would be waited for.
        let file = self.open_file(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
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
        self.replace(directory, bytes).map_err(Error::io("write a cache in", &self.path))
    }

    fn replace(&self, directory: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = file_name(directory).ok_or(Errno::ENAMETOOLONG)?;
        let temporary = [&name[..], b".tmp"].concat();
        // Opened again, so that closing it is enough to unlock.
        let lock = self.open_file(b".", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        lock_now(&lock)?;
        // With the lock, whatever has the name was left by a run that was killed.
        self.remove(&temporary);
        let mut file = self.open_file(&temporary, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?;
        // Nothing is synced: a cache that lost bytes in a crash has a wrong checksum.
        let replaced = file.write_all(bytes).and_then(|()| {
            let (from, to) = (OsStr::from_bytes(&temporary), OsStr::from_bytes(&name));
            Ok(renameat(&self.handle, from, &self.handle, to)?)
        });
        if replaced.is_err() {
            self.remove(&temporary);
        }
        replaced
    }

    /// Removes the caches of module directories that are not there any more.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub(super) fn remove_strays(&self) -> Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let entries = Dir::openat(&self.handle, ".", flags, Mode::empty())
            .map_err(|errno| Error::io("read", &self.path)(errno.into()))?;
        for entry in entries.into_iter().flatten() {
            let name = entry.file_name().to_bytes();
            let Some(directory) = directory_of(name) else { continue };
            if crate::files::symlink_metadata(&directory)
                .is_err_and(|error| error.kind() == ErrorKind::NotFound)
            {
                self.remove(name);
            }
        }
        Ok(())
    }

    /// Opens a file of the directory, never through a link.
    fn open_file(&self, name: &[u8], flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        Ok(openat(&self.handle, OsStr::from_bytes(name), flags, mode)?.into())
    }

    /// Removes a file that is of no use; one that stays does no harm.
    fn remove(&self, name: &[u8]) {
        let _ = unlinkat(&self.handle, OsStr::from_bytes(name), UnlinkatFlags::NoRemoveDir);
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
    let path = name.strip_suffix(EXTENSION)?.replace("%2f", "/").replace("%25", "%");
    let path = PathBuf::from(OsStr::from_bytes(&path));
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_name_tells_its_directory() {
        for path in ["/lib/modules/6.1", "/a%b/%2f", "/"] {
            let name = file_name(Path::new(path)).unwrap();
            assert!(!name.contains(&b'/'));
            assert_eq!(directory_of(&name).unwrap(), Path::new(path));
        }
        assert_eq!(directory_of(b"other"), None);
        assert_eq!(file_name(&Path::new("/").join("n".repeat(250))), None);
    }

    /// Needs root, as all that keeps a cache.
    #[test]
    fn only_what_is_roots_alone_is_read() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("made/cache")).unwrap();
        let (mode, directory) = (|path: &Path| fs::metadata(path).unwrap().mode() & 0o777, Path::new("/m"));
        assert_eq!(mode(&store.path), 0o700);
        store.write(directory, b"bytes").unwrap();
        store.write(directory, b"others").unwrap();
        let name = file_name(directory).unwrap();
        let path = store.path.join(OsStr::from_bytes(&name));
        assert_eq!(store.read(&name).unwrap(), b"others");
        assert_eq!((mode(&path), fs::read_dir(&store.path).unwrap().count()), (0o600, 1));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(store.read(&name).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(1), None).unwrap();
        assert!(store.read(&name).is_err());
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        fs::rename(&path, store.path.join("elsewhere")).unwrap();
        symlink("elsewhere", &path).unwrap();
        assert!(store.read(&name).is_err());
        store.write(directory, b"again").unwrap();
        assert_eq!(store.read(&name).unwrap(), b"again");
        assert_eq!(fs::read(store.path.join("elsewhere")).unwrap(), b"others");

        store.remove_strays().unwrap();
        assert!(store.read(&name).is_err(), "/m is not there");
        store.write(place.path(), b"of one that is").unwrap();
        store.remove_strays().unwrap();
        assert!(store.read(&file_name(place.path()).unwrap()).is_ok());

        fs::set_permissions(&store.path, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(Store::open(&store.path).is_err());
        let link = place.path().join("link");
        symlink(&store.path, &link).unwrap();
        assert!(Store::open(&link).is_err());
    }
}
