//! What the indexes lack, and why: a value that goes with the modules from stage to stage, so that no
//! index passes for a whole one because nobody read a message.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{Errno, Error, ErrorKind, Notice, Sink};

/// Something that was not read, or not wholly, and why.
#[derive(Debug)]
pub struct Omission {
    what: Omitted,
    path: PathBuf,
    error: Error,
    notice: Notice,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// What an [`Omission`] is about, and what follows for the indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Omitted {
    /// A file or directory of depmod.d: its lines do not count.
    Configuration,
    /// A file or directory in the module directory or an external one: modules in it are not listed.
    Entry,
    /// A file with the extension of a module whose path or name no line of the files can hold, or with no name before
    /// the extension: it is not listed.
    Name,
    /// A module as a whole: it is listed without dependencies, aliases and symbols.
    Module,
    /// The symbols of a module: it is listed without those after the fault, and without dependencies
    /// that only they would show.
    SymbolRows,
    /// The `.modinfo` of a module: it is listed without aliases, soft and weak dependencies.
    Modinfo,
    /// Values of a module that no line of the files can hold, such as an alias with a newline in it, or that are too many
    /// for the indexes: those are not listed.
    Value,
    /// A list of the kernel's build, such as `modules.order`: what it would contribute is missing.
    BuildList,
}

/// The error numbers for something that does not exist or is of another type. Every other error number is about
/// something that is there; `ENAMETOOLONG` too, whose path a walk has found.
const ABSENT: [Errno; 4] = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::EISDIR];

impl Omission {
    /// An omission, and the message by which it is reported.
    pub fn new(what: Omitted, path: impl Into<PathBuf>, error: Error, notice: Notice) -> Self {
        Self { what, path: path.into(), error, notice }
    }

    /// What it is about.
    pub fn what(&self) -> Omitted {
        self.what
    }

    /// The file or directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it was not read.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The message by which it was reported.
    pub fn notice(&self) -> &Notice {
        &self.notice
    }

    /// Whether it is there and could not be read: another run may find what this one did not, and
    /// indexes without it are not published. What is absent or damaged is so for every run.
    pub fn is_unread(&self) -> bool {
        // Nobody but who may write the indexes makes a list that is too large to be read.
        if self.what == Omitted::BuildList && self.error.kind() == ErrorKind::TooLarge {
            return true;
        }
        match &self.error {
            Error::Io { source, .. } => match source.raw_os_error() {
                Some(number) => !ABSENT.contains(&Errno::from_raw(number)),
                None => source.kind() == std::io::ErrorKind::OutOfMemory,
            },
            Error::Malformed { .. } => self.error.kind() == ErrorKind::OutOfMemory,
            _ => true,
        }
    }
}

/// The omissions of some stages, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Omissions(Vec<Omission>);

impl Omissions {
    /// Adds an omission, and reports it.
    pub fn report(&mut self, omission: Omission, sink: &mut Sink) {
        sink(omission.notice.clone());
        self.0.push(omission);
    }

    /// Adds omissions that have been reported.
    pub fn append(&mut self, others: impl IntoIterator<Item = Omission>) {
        self.0.extend(others);
    }

    /// Whether something that is there could not be read.
    pub fn has_unread(&self) -> bool {
        self.0.iter().any(Omission::is_unread)
    }

    /// The omissions.
    pub fn as_slice(&self) -> &[Omission] {
        &self.0
    }
}

impl IntoIterator for Omissions {
    type Item = Omission;
    type IntoIter = std::vec::IntoIter<Omission>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::Malformed;

    #[test]
    fn what_is_absent_or_damaged_is_no_reason_to_publish_nothing() {
        let of = |error: Error| Omission::new(Omitted::Entry, "/m/a", error, Notice::error("a"));
        let io = |error: io::Error| of(Error::io("read", "/m/a")(error));
        for number in [1, 5, 6, 12, 13, 24, 36] {
            assert!(io(io::Error::from_raw_os_error(number)).is_unread(), "{number}");
        }
        for number in [2, 20, 21, 40] {
            assert!(!io(io::Error::from_raw_os_error(number)).is_unread(), "{number}");
        }
        assert!(!io(io::Error::other("not a regular file")).is_unread());
        assert!(!of(Malformed::file("the file is empty").at(Path::new("/m/a"))).is_unread());
        let short = Malformed::out_of_memory().at(Path::new("/m/a"));
        assert_eq!(short.to_string(), "could not read /m/a: out of memory");
        assert!(of(short).is_unread());
        assert!(io(io::ErrorKind::OutOfMemory.into()).is_unread());
    }
}
