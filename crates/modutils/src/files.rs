//! Files by path: as the operating system resolves it or, below the directory of a confined root
//! ([`Root::inside`](crate::Root::inside)), as it will be resolved once that directory is the root.
//!
//! Whoever reads or writes what may be part of such a root does it through these functions. The paths that the library
//! gives its callers are ordinary ones, and they give them back to any of its doors; so it is the path itself that
//! decides, and the open roots are kept in a list ([`open_roots`]), the library's only state of its own.

mod entries;
mod in_root;
mod open_roots;
#[cfg(feature = "depmod")]
mod walk;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::fcntl::OFlag;

pub(crate) use entries::read_dir;
pub(crate) use in_root::InRoot;
#[cfg(feature = "depmod")]
pub(crate) use in_root::{MAX_LINKS, parts};
pub(crate) use open_roots::add as add_root;
#[cfg(feature = "depmod")]
pub(crate) use walk::{Walk, WalkEntry, WalkError};

/// The confined root that a path is below, and the rest of the path.
fn place(path: &Path) -> Option<(Arc<InRoot>, PathBuf)> {
    open_roots::of(path)
}

/// Whether a path is below a confined root.
#[cfg(feature = "depmod")]
pub(crate) fn is_confined(path: &Path) -> bool {
    place(path).is_some()
}

/// Opens a file for reading, with more flags of open(2).
pub(crate) fn open_with(path: &Path, flags: OFlag) -> io::Result<File> {
    match place(path) {
        Some((root, rest)) => root.open(&rest, OFlag::O_RDONLY | flags, 0),
        None => OpenOptions::new().read(true).custom_flags(flags.bits()).open(path),
    }
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlag::empty())
}

/// Opens a file for writing: a new one, or one whose content is dropped.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    match place(path) {
        Some((root, rest)) => root.open(&rest, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC, 0o666),
        None => File::create(path),
    }
}

/// Makes a directory.
pub(crate) fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    match place(path) {
        Some((root, rest)) => root.create_dir(&rest, mode),
        None => fs::DirBuilder::new().mode(mode).create(path),
    }
}

/// Makes a directory and those above it, where they are missing.
pub(crate) fn create_all_dirs(path: &Path) -> io::Result<()> {
    if place(path).is_none() {
        return fs::create_dir_all(path);
    }
    let made = match (create_dir(path, 0o777), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            create_all_dirs(parent)?;
            create_dir(path, 0o777)
        }
        (made, _) => made,
    };
    match made {
        Err(error) if metadata(path).is_ok_and(|found| found.is_dir()) => drop(error),
        made => made?,
    }
    Ok(())
}

/// What a path leads to.
pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    match place(path) {
        Some((root, rest)) => root.open(&rest, OFlag::O_PATH, 0)?.metadata(),
        None => fs::metadata(path),
    }
}

/// What has a path, a link being what it is.
#[cfg(feature = "depmod")]
pub(crate) fn symlink_metadata(path: &Path) -> io::Result<Metadata> {
    match place(path) {
        Some((root, rest)) => root.open(&rest, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0)?.metadata(),
        None => fs::symlink_metadata(path),
    }
}

/// The target of a link, as it is written.
pub(crate) fn read_link(path: &Path) -> io::Result<PathBuf> {
    match place(path) {
        Some((root, rest)) => root.read_link(&rest),
        None => fs::read_link(path),
    }
}

/// A path without links.
#[cfg(any(feature = "diagnose", feature = "depmod"))]
pub(crate) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    match place(path) {
        Some((root, rest)) => root.canonicalize(&rest),
        None => fs::canonicalize(path),
    }
}

/// Whether there is something at a path.
#[cfg(feature = "depmod")]
pub(crate) fn exists(path: &Path) -> bool {
    metadata(path).is_ok()
}

/// Whether a path leads to a regular file.
pub(crate) fn is_file(path: &Path) -> bool {
    metadata(path).is_ok_and(|found| found.is_file())
}

/// Whether a path leads to a directory.
#[cfg(feature = "diagnose")]
pub(crate) fn is_dir(path: &Path) -> bool {
    metadata(path).is_ok_and(|found| found.is_dir())
}

/// A path that a file of `directory` names: relative to that directory, or absolute, as an absolute one counts in the
/// root that the directory belongs to.
pub(crate) fn join(directory: &Path, path: &Path) -> PathBuf {
    let root = if path.is_absolute() { place(directory) } else { None };
    match root {
        Some((root, _)) => root.host_path(path),
        None => directory.join(path),
    }
}

/// An absolute path as files of its root name it.
#[cfg(feature = "depmod")]
pub(crate) fn named_in_root(path: &Path) -> std::borrow::Cow<'_, Path> {
    match place(path) {
        Some((_, rest)) => std::borrow::Cow::Owned(Path::new("/").join(rest)),
        None => std::borrow::Cow::Borrowed(path),
    }
}

/// The directory that relative paths in the configuration of a module directory are below: the current one, and in a
/// confined root that root.
#[cfg(feature = "depmod")]
pub(crate) fn start_of_relative_paths(directory: &Path) -> Option<PathBuf> {
    match place(directory) {
        Some((root, _)) => Some(root.host_path(Path::new("/"))),
        None => std::env::current_dir().ok(),
    }
}

#[cfg(test)]
mod tests;
