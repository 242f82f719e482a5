//! What is worth reporting but stops nothing.

use std::fmt;

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

/// A message for the person at the terminal, and nothing else: whoever drops it loses no fact that
/// decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// One line, or several, without a final newline. Bytes, because paths and names are.
    pub message: BString,
}

impl Notice {
    /// A notice of the given level.
    pub fn new(level: Level, message: impl Into<BString>) -> Self {
        Self { level, message: message.into() }
    }

    /// A notice of an error that does not stop the work.
    pub fn of(level: Level, error: &Error) -> Self {
        Self::new(level, error.to_string())
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

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

/// Takes the notices as they arise; the tools print them, tests collect them.
pub type Sink<'a> = dyn FnMut(Notice) + 'a;
