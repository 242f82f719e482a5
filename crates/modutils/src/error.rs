//! What went wrong, on which path, in which section or at which line.
//!
//! Parsers of bytes return [`Malformed`], which knows the place but no path; whoever opened the file
//! adds it with [`Malformed::at`].

use std::{
    borrow::Cow,
    fmt, io,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use crate::error_text;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What stopped an operation of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something asked of a path.
    #[error("could not {action} {}: {}", path.display(), error_text(source))]
    Io {
        /// What was asked, as a verb: "open", "read", "rename".
        action: &'static str,
        /// The path it was asked of.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The bytes of a file do not have the form they should.
    #[error("{}: {fault}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place in it, and what is wrong there.
        #[source]
        fault: Malformed,
    },
}

impl Error {
    /// An [`Error::Io`], for use with `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }

    /// Whether this says that a file is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The error number nearest to it.
    pub fn errno(&self) -> Errno {
        match self {
            Self::Io { source, .. } => source.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
            Self::Malformed { fault, .. } => fault.errno,
        }
    }
}

/// A fault in bytes from outside: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{what}")]
pub struct Malformed {
    /// The place of the fault.
    pub place: Place,
    /// What is wrong there.
    pub what: Cow<'static, str>,
    /// The error number that a C interface returns for it, and whose text kmod's tools print:
    /// `EINVAL` unless said otherwise.
    pub errno: Errno,
}

impl Malformed {
    /// A fault of a file as a whole.
    pub fn file(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Place::File, what.into())
    }

    /// A fault at a byte offset of a file.
    pub fn offset(offset: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Place::Offset(offset), what.into())
    }

    /// A fault in a section of an ELF file.
    pub fn section(name: &[u8], what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Place::Section(String::from_utf8_lossy(name).into_owned()), what.into())
    }

    /// A fault on a line of a text file; lines count from one.
    pub fn line(line: u32, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Place::Line(line), what.into())
    }

    /// The same fault with another error number.
    #[must_use]
    pub fn with_errno(self, errno: Errno) -> Self {
        Self { errno, ..self }
    }

    fn new(place: Place, what: Cow<'static, str>) -> Self {
        Self { place, what, errno: Errno::EINVAL }
    }

    /// Names the file that the fault is in.
    pub fn at(self, path: &Path) -> Error {
        Error::Malformed { path: path.to_owned(), fault: self }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A byte offset.
    Offset(u64),
    /// A section of an ELF file.
    Section(String),
    /// A line, counted from one.
    Line(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Offset(offset) => write!(f, "offset {offset:#x}: "),
            Self::Section(name) => write!(f, "section {name}: "),
            Self::Line(line) => write!(f, "line {line}: "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_file_place_and_cause() {
        let error = Malformed::section(b".modinfo", "runs past the end of the file").at(Path::new("/m/a.ko"));
        assert_eq!(error.to_string(), "/m/a.ko: section .modinfo: runs past the end of the file");
        let error = Error::io("open", "/m/b.ko")(io::Error::from_raw_os_error(2));
        assert_eq!(error.to_string(), "could not open /m/b.ko: No such file or directory");
        assert!(error.is_not_found());
    }
}
