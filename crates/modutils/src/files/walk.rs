//! The files of a directory tree, links to directories being followed: by `walkdir`, and in a confined root by the
//! functions that stay in it.

use std::{
    ffi::OsStr,
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use super::{metadata, place, read_dir, symlink_metadata};

/// A walk, a directory before what is in it, in the order of paths.
pub(crate) enum Walk {
    Outside(walkdir::IntoIter),
    Inside(ConfinedWalk),
}

/// What a walk visits.
pub(crate) enum WalkEntry {
    Outside(walkdir::DirEntry),
    Inside { path: PathBuf, depth: usize, is_link: bool, metadata: Metadata },
}

/// Why something could not be visited.
pub(crate) enum WalkError {
    Outside(walkdir::Error),
    /// Without an error it is a link back to a directory that is being walked.
    Inside {
        path: PathBuf,
        depth: usize,
        error: Option<io::Error>,
    },
}

/// A walk in a confined root.
pub(crate) struct ConfinedWalk {
    /// The directories that are being walked.
    levels: Vec<Level>,
    /// The directory that was given last, which will be entered.
    next: Option<(PathBuf, (u64, u64))>,
    start: Option<PathBuf>,
}

struct Level {
    identity: (u64, u64),
    /// The paths in it that have not been visited, the first one last.
    waiting: Vec<PathBuf>,
}

impl Walk {
    /// Begins at a directory.
    pub(crate) fn new(directory: &Path) -> Self {
        if place(directory).is_some() {
            return Self::Inside(ConfinedWalk {
                levels: Vec::new(),
                next: None,
                start: Some(directory.to_owned()),
            });
        }
        // Paths in one directory compare as their names do, which would have to be searched for in them.
        let by_name =
            |a: &walkdir::DirEntry, b: &walkdir::DirEntry| a.path().as_os_str().cmp(b.path().as_os_str());
        Self::Outside(WalkDir::new(directory).follow_links(true).sort_by(by_name).into_iter())
    }

    /// Does not enter the directory that was given last.
    pub(crate) fn skip_current_dir(&mut self) {
        match self {
            Self::Outside(walk) => walk.skip_current_dir(),
            Self::Inside(walk) => walk.next = None,
        }
    }
}

impl Iterator for Walk {
    type Item = Result<WalkEntry, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Outside(walk) => {
                walk.next().map(|entry| entry.map(WalkEntry::Outside).map_err(WalkError::Outside))
            }
            Self::Inside(walk) => walk.visit(),
        }
    }
}

impl ConfinedWalk {
    fn visit(&mut self) -> Option<Result<WalkEntry, WalkError>> {
        if let Some((path, identity)) = self.next.take() {
            match read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<PathBuf>>>) {
                Ok(mut waiting) => {
                    waiting.sort_by(|a, b| b.as_os_str().cmp(a.as_os_str()));
                    self.levels.push(Level { identity, waiting });
                }
                Err(error) => {
                    let depth = self.levels.len();
                    return Some(Err(WalkError::Inside { path, depth, error: Some(error) }));
                }
            }
        }
        let path = match self.start.take() {
            Some(start) => start,
            None => loop {
                match self.levels.last_mut()?.waiting.pop() {
                    Some(path) => break path,
                    None => drop(self.levels.pop()),
                }
            },
        };
        Some(self.look_at(path))
    }

    fn look_at(&mut self, path: PathBuf) -> Result<WalkEntry, WalkError> {
        let depth = self.levels.len();
        let looked = symlink_metadata(&path).and_then(|own| match own.file_type().is_symlink() {
            true => metadata(&path).map(|metadata| (true, metadata)),
            false => Ok((false, own)),
        });
        let (is_link, metadata) = match looked {
            Ok(looked) => looked,
            Err(error) => return Err(WalkError::Inside { path, depth, error: Some(error) }),
        };
        if metadata.is_dir() {
            let identity = (metadata.dev(), metadata.ino());
            if is_link && self.levels.iter().any(|level| level.identity == identity) {
                return Err(WalkError::Inside { path, depth, error: None });
            }
            self.next = Some((path.clone(), identity));
        }
        Ok(WalkEntry::Inside { path, depth, is_link, metadata })
    }
}

impl WalkEntry {
    /// How deep it is; the directory where the walk began has 0.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Outside(entry) => entry.depth(),
            Self::Inside { depth, .. } => *depth,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Outside(entry) => entry.path(),
            Self::Inside { path, .. } => path,
        }
    }

    pub(crate) fn into_path(self) -> PathBuf {
        match self {
            Self::Outside(entry) => entry.into_path(),
            Self::Inside { path, .. } => path,
        }
    }

    pub(crate) fn file_name(&self) -> &OsStr {
        match self {
            Self::Outside(entry) => entry.file_name(),
            Self::Inside { path, .. } => path.file_name().unwrap_or(path.as_os_str()),
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        match self {
            Self::Outside(entry) => entry.file_type().is_dir(),
            Self::Inside { metadata, .. } => metadata.is_dir(),
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        match self {
            Self::Outside(entry) => entry.file_type().is_file(),
            Self::Inside { metadata, .. } => metadata.is_file(),
        }
    }

    /// Whether a link led here.
    pub(crate) fn path_is_symlink(&self) -> bool {
        match self {
            Self::Outside(entry) => entry.path_is_symlink(),
            Self::Inside { is_link, .. } => *is_link,
        }
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Outside(entry) => entry.metadata().map_err(io::Error::from),
            Self::Inside { metadata, .. } => Ok(metadata.clone()),
        }
    }
}

impl WalkError {
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Outside(error) => error.depth(),
            Self::Inside { depth, .. } => *depth,
        }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Outside(error) => error.path(),
            Self::Inside { path, .. } => Some(path),
        }
    }

    /// Whether it is a link back to a directory that is being walked.
    pub(crate) fn is_loop(&self) -> bool {
        match self {
            Self::Outside(error) => error.loop_ancestor().is_some(),
            Self::Inside { error, .. } => error.is_none(),
        }
    }

    pub(crate) fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Outside(error) => error.io_error(),
            Self::Inside { error, .. } => error.as_ref(),
        }
    }
}
