//! What went wrong, on which path, in which section or at which line.
//!
//! Parsers of bytes return [`Malformed`], which knows the place but no path; whoever opened the file
//! adds it with [`Malformed::at`].

use std::{
    borrow::Cow,
    fmt, io,
    path::{Path, PathBuf},
};

use crate::{
    Errno, ModuleName, error_text,
    shown::{shown, shown_path},
};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What stopped an operation of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something asked of a path.
    #[error("could not {action} {}: {}", shown_path(path), error_text(source))]
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
    #[error("{}: {fault}", shown_path(path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place in it, and what is wrong there.
        #[source]
        fault: Malformed,
    },
    /// The kernel refused to load a module.
    #[error("the kernel refused to load {}: {errno}", shown_path(path))]
    NotLoaded {
        /// The module's file.
        path: PathBuf,
        /// The kernel's answer, which has special meanings here: `ENOENT` is an unknown symbol.
        errno: Errno,
    },
    /// The kernel refused to remove a module.
    #[error("the kernel refused to remove {}: {errno}", shown(module))]
    NotRemoved {
        /// The module.
        module: ModuleName,
        /// The kernel's answer: `EAGAIN` is a module in use.
        errno: Errno,
    },
}

impl Error {
    /// An [`Error::Io`], for use with `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }

    /// Whether the cause is a file that does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The error number nearest to it.
    pub fn errno(&self) -> Errno {
        match self {
            Self::Io { source, .. } => Errno::in_io(source),
            Self::Malformed { fault, .. } => fault.errno,
            Self::NotLoaded { errno, .. } | Self::NotRemoved { errno, .. } => *errno,
        }
    }

    /// What kind of error it is, for callers that act on it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } => ErrorKind::of_io(source),
            Self::Malformed { fault, .. } => fault.kind,
            Self::NotLoaded { .. } | Self::NotRemoved { .. } => ErrorKind::Refused,
        }
    }

    /// The file or directory that it is about.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } | Self::Malformed { path, .. } | Self::NotLoaded { path, .. } => Some(path),
            Self::NotRemoved { .. } => None,
        }
    }

    /// The place in the file, where the bytes of a file are at fault.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Malformed { fault, .. } => Some(&fault.place),
            Self::Io { .. } | Self::NotLoaded { .. } | Self::NotRemoved { .. } => None,
        }
    }

    /// What is wrong, without the path: the system's text, or place and fault in the file.
    pub fn cause(&self) -> String {
        match self {
            Self::Io { source, .. } => error_text(source),
            Self::Malformed { fault, .. } => fault.to_string(),
            Self::NotLoaded { errno, .. } | Self::NotRemoved { errno, .. } => errno.text().to_owned(),
        }
    }
}

/// What an [`Error`] means to a caller that acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file, directory or module is not there.
    NotFound,
    /// The bytes of a file do not have the form they should.
    Damaged,
    /// A file, or what it holds once decompressed, exceeds a limit.
    TooLarge,
    /// Memory ran out.
    OutOfMemory,
    /// The caller lacks a permission.
    Permission,
    /// Something is in use, or another process holds a lock.
    Busy,
    /// The kernel refused a module, or to remove one.
    Refused,
    /// The file system has no room.
    NoSpace,
    /// An argument or option cannot be used.
    Invalid,
    /// Something the crate was built without, or that the system lacks.
    Unsupported,
    /// Any other error of the operating system.
    Io,
}

impl ErrorKind {
    fn of_io(error: &io::Error) -> Self {
        match Errno::in_io(error) {
            Errno::ENOENT | Errno::ENOTDIR => Self::NotFound,
            Errno::EACCES | Errno::EPERM | Errno::EROFS => Self::Permission,
            Errno::ENOMEM => Self::OutOfMemory,
            Errno::EBUSY | Errno::EAGAIN | Errno::ETXTBSY => Self::Busy,
            Errno::ENOSPC | Errno::EDQUOT => Self::NoSpace,
            Errno::EFBIG | Errno::EOVERFLOW => Self::TooLarge,
            Errno::ENOSYS | Errno::EOPNOTSUPP => Self::Unsupported,
            Errno::EINVAL | Errno::ENAMETOOLONG | Errno::ELOOP | Errno::EISDIR => Self::Invalid,
            _ if error.kind() == io::ErrorKind::OutOfMemory => Self::OutOfMemory,
            _ if error.kind() == io::ErrorKind::NotFound => Self::NotFound,
            _ if error.kind() == io::ErrorKind::FileTooLarge => Self::TooLarge,
            _ => Self::Io,
        }
    }
}

const OUT_OF_MEMORY: &str = "out of memory";

/// A fault in bytes from outside: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}", shown(&**what))]
#[non_exhaustive]
pub struct Malformed {
    /// The place of the fault.
    pub place: Place,
    /// What is wrong there.
    pub what: Cow<'static, str>,
    /// The error number that a C interface returns for it, and whose text kmod's tools print:
    /// `EINVAL` unless set otherwise.
    pub errno: Errno,
    kind: ErrorKind,
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

    /// The same fault, of another kind than [`ErrorKind::Damaged`].
    #[must_use]
    pub(crate) fn of_kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// What a parser returns when the system gives no memory: [`Malformed::at`] makes of it what it is, an
    /// error of the system that does not concern the file.
    pub(crate) fn out_of_memory() -> Self {
        Self::file(OUT_OF_MEMORY).with_errno(Errno::ENOMEM).of_kind(ErrorKind::OutOfMemory)
    }

    fn new(place: Place, what: Cow<'static, str>) -> Self {
        Self { place, what, errno: Errno::EINVAL, kind: ErrorKind::Damaged }
    }

    /// Names the file that the fault is in.
    pub fn at(self, path: &Path) -> Error {
        match self.kind {
            ErrorKind::OutOfMemory => Error::io("read", path)(io::ErrorKind::OutOfMemory.into()),
            _ => Error::Malformed { path: path.to_owned(), fault: self },
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
            Self::Section(name) => write!(f, "section {}: ", shown(name)),
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

    proptest::proptest! {
        #[test]
        fn an_error_is_one_line_whatever_the_names_in_it(name in "[a\n\r\x1b\x0b/.]{0,8}") {
            let (path, errno) = (Path::new(&name), Errno::EBUSY);
            let fault = || Malformed::file(format!("the line of module {name} is malformed"));
            for error in [
                Error::io("open", path)(io::Error::from_raw_os_error(2)),
                Malformed::section(name.as_bytes(), "x").at(path),
                fault().at(path),
                Error::NotLoaded { path: path.to_owned(), errno },
                Error::NotRemoved { module: ModuleName::new(&name), errno },
            ] {
                for text in [error.to_string(), error.cause()] {
                    proptest::prop_assert!(!text.contains(char::is_control), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn an_error_has_a_kind_a_path_and_a_cause_that_callers_can_use() {
        let io = |number| Error::io("open", "/m/b.ko")(io::Error::from_raw_os_error(number));
        let kinds = [(2, ErrorKind::NotFound), (13, ErrorKind::Permission), (12, ErrorKind::OutOfMemory)];
        let more =
            [(16, ErrorKind::Busy), (28, ErrorKind::NoSpace), (27, ErrorKind::TooLarge), (5, ErrorKind::Io)];
        for (number, kind) in kinds.into_iter().chain(more) {
            assert_eq!(io(number).kind(), kind, "{number}");
        }
        let error = Malformed::line(3, "is too long").of_kind(ErrorKind::TooLarge).at(Path::new("/m/c"));
        assert_eq!((error.kind(), error.cause().as_str()), (ErrorKind::TooLarge, "line 3: is too long"));
        assert_eq!((error.path(), error.place()), (Some(Path::new("/m/c")), Some(&Place::Line(3))));
        assert_eq!(Malformed::file("x").at(Path::new("/")).kind(), ErrorKind::Damaged);
        let error = Error::NotRemoved { module: ModuleName::new("a-b"), errno: Errno::EAGAIN };
        assert_eq!(error.to_string(), "the kernel refused to remove a_b: Resource temporarily unavailable");
        assert_eq!((error.kind(), error.errno(), error.path()), (ErrorKind::Refused, Errno::EAGAIN, None));
    }
}
