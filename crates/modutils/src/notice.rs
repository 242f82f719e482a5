//! What is worth telling but stops nothing.

use std::io;

use crate::Errno;
use bstr::BString;

use crate::Error;

/// How much a [`Notice`] matters. The order is that of syslog: the lower, the graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The tool cannot go on.
    Fatal,
    /// Something asked for was not done.
    Error,
    /// Something is odd, the work goes on.
    Warning,
    /// What is being done.
    Notice,
    /// Why it is being done.
    Info,
    /// For the authors.
    Debug,
}

/// A message for the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// One line, or several, without a final newline. Bytes, because paths and names are.
    pub message: BString,
    /// Whether something that is there could not be read: what is made without it lacks something,
    /// and another run may find it.
    pub incomplete: bool,
}

impl Notice {
    /// A notice of the given level.
    pub fn new(level: Level, message: impl Into<BString>) -> Self {
        Self { level, message: message.into(), incomplete: false }
    }

    /// A notice of an error that does not stop the work.
    pub fn of(level: Level, error: &Error) -> Self {
        let notice = Self::new(level, error.to_string());
        match error {
            Error::Io { source, .. } => notice.because_of(source),
            Error::Malformed { .. } => notice,
        }
    }

    /// The same, come of this error: the work is incomplete unless the error says that a file is not
    /// there, or is not what it should be.
    #[must_use]
    pub fn because_of(self, error: &io::Error) -> Self {
        let errno = error.raw_os_error().map(Errno::from_raw);
        let absent = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP, Errno::EISDIR, Errno::ENAMETOOLONG];
        Self { incomplete: errno.is_some_and(|errno| !absent.contains(&errno)), ..self }
    }

    /// A notice of [`Level::Error`].
    pub fn error(message: impl Into<BString>) -> Self {
        Self::new(Level::Error, message)
    }

    /// A notice of [`Level::Warning`].
    pub fn warning(message: impl Into<BString>) -> Self {
        Self::new(Level::Warning, message)
    }
}

/// Takes the notices as they arise; the tools print them, tests collect them.
pub type Sink<'a> = dyn FnMut(Notice) + 'a;
