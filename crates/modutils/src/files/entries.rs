//! What is in a directory.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::{
    dir::{Dir, OwningIter},
    fcntl::OFlag,
};

use super::place;

/// The paths of what is in a directory.
pub(crate) enum Entries {
    Outside(fs::ReadDir),
    Inside(PathBuf, OwningIter),
}

/// Opens a directory.
pub(crate) fn read_dir(path: &Path) -> io::Result<Entries> {
    match place(path) {
        Some((root, rest)) => {
            let directory = root.open(&rest, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
            Ok(Entries::Inside(path.to_owned(), Dir::from_fd(directory.into())?.into_iter()))
        }
        None => fs::read_dir(path).map(Entries::Outside),
    }
}

impl Iterator for Entries {
    type Item = io::Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Outside(entries) => entries.next().map(|entry| entry.map(|entry| entry.path())),
            Self::Inside(directory, entries) => loop {
                let entry = match entries.next()? {
                    Ok(entry) => entry,
                    Err(error) => return Some(Err(error.into())),
                };
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    return Some(Ok(directory.join(OsStr::from_bytes(name))));
                }
            },
        }
    }
}
