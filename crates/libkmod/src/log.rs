//! Messages: to the host's log function, or to standard error.

use std::{
    ffi::{CStr, c_int, c_void},
    io::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicPtr, Ordering},
    },
};

use modutils::{Errno, Error, Level, Notice};

use crate::{ffi::log_call, text::c_string};

/// A log function of the host. Its true type, with a `va_list`, exists in C only.
pub(crate) type LogFunction = unsafe extern "C" fn();

/// Where messages go, and which of them.
pub(crate) struct Log(Mutex<Settings>);

struct Settings {
    /// The gravest priorities, those up to this one, are logged.
    priority: c_int,
    target: Target,
}

enum Target {
    StandardError,
    Nowhere,
    Function { function: LogFunction, data: AtomicPtr<c_void> },
}

/// `LOG_ERR` of syslog(3).
pub(crate) const ERROR: c_int = 3;
/// `LOG_WARNING`.
pub(crate) const WARNING: c_int = 4;
/// `LOG_INFO`.
pub(crate) const INFO: c_int = 6;

/// The names of syslog(3) for priorities, with those that `KMOD_LOG` had before them.
const NAMES: [(&str, c_int); 11] = [
    ("emerg", 0),
    ("alert", 1),
    ("crit", 2),
    ("error", 3),
    ("err", 3),
    ("warning", 4),
    ("warn", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
    ("panic", 0),
];

impl Log {
    /// Messages go to standard error; `KMOD_LOG` sets which.
    pub(crate) fn new(variable: Option<&[u8]>) -> Self {
        let priority = variable.and_then(priority).unwrap_or(ERROR);
        Self(Mutex::new(Settings { priority, target: Target::StandardError }))
    }

    /// Up to which priority messages are logged.
    pub(crate) fn priority(&self) -> c_int {
        self.with(|settings| settings.priority)
    }

    /// Sets that.
    pub(crate) fn set_priority(&self, priority: c_int) {
        self.with(|settings| settings.priority = priority);
    }

    /// Has a function take the messages; without one they are dropped.
    pub(crate) fn set_function(&self, function: Option<LogFunction>, data: *mut c_void) {
        let target = match function {
            Some(function) => Target::Function { function, data: AtomicPtr::new(data) },
            None => Target::Nowhere,
        };
        self.with(|settings| settings.target = target);
    }

    /// Logs a message of an error, and returns its number.
    pub(crate) fn failed(&self, function: &CStr, error: &Error) -> Errno {
        self.message(ERROR, function, error.to_string().as_bytes());
        error.errno()
    }

    /// Logs an error, for which the number is enough to most callers, and returns that number.
    pub(crate) fn refused(&self, function: &CStr, error: &Error) -> Errno {
        self.message(WARNING, function, error.to_string().as_bytes());
        error.errno()
    }

    /// Logs a notice of the library.
    pub(crate) fn notice(&self, function: &CStr, notice: &Notice) {
        let priority = match notice.level {
            Level::Fatal => 2,
            Level::Error => ERROR,
            Level::Warning => WARNING,
            Level::Notice => 5,
            Level::Info => INFO,
            Level::Debug => 7,
        };
        self.message(priority, function, &notice.message);
    }

    /// Logs a text, which has no line end, as from a function of the interface.
    pub(crate) fn message(&self, priority: c_int, function: &CStr, text: &[u8]) {
        // The host's function may call us again: nothing is locked when it runs.
        let to = self.with(|settings| match &settings.target {
            _ if priority > settings.priority => None,
            Target::Nowhere => None,
            Target::StandardError => Some(None),
            Target::Function { function, data } => Some(Some((*function, data.load(Ordering::Relaxed)))),
        });
        match to {
            None => {}
            Some(None) => print(priority, function, text),
            Some(Some((log, data))) => log_call(log, data, priority, function, &c_string(text)),
        }
    }

    fn with<T>(&self, use_settings: impl FnOnce(&mut Settings) -> T) -> T {
        use_settings(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a value of `KMOD_LOG` means: a number at its beginning, or a name. `None` for any other.
fn priority(value: &[u8]) -> Option<c_int> {
    let value = value.trim_ascii();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(value.get(..digits)?).ok()?.parse().ok();
    let named = || NAMES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name.as_bytes()));
    number.or_else(|| named().map(|(_, priority)| *priority))
}

/// One line, in one write: several processes may share the descriptor. There is nobody to report a failure to.
fn print(priority: c_int, function: &CStr, text: &[u8]) {
    let name = match priority {
        ..=2 => "CRITICAL",
        3 => "ERROR",
        4 => "WARNING",
        5 => "NOTICE",
        6 => "INFO",
        _ => "DEBUG",
    };
    let start = ["libkmod: ", name, ": "].concat();
    let mut line = [start.as_bytes(), function.to_bytes(), b": "].concat();
    for byte in text {
        // A name with an end of line in it would begin another message.
        match byte.is_ascii_control() && *byte != b'\t' {
            true => line.extend(byte.escape_ascii()),
            false => line.push(*byte),
        }
    }
    line.push(b'\n');
    let _ = std::io::stderr().write_all(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_has_a_number_or_a_name() {
        for (value, expected) in [
            ("7", Some(7)),
            ("6x", Some(6)),
            ("err", Some(3)),
            ("WARNING", Some(4)),
            (" debug ", Some(7)),
            ("", None),
            ("loud", None),
            ("-1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(priority(value.as_bytes()), expected, "{value}");
        }
        assert_eq!(Log::new(Some(b"bogus")).priority(), ERROR);
        assert_eq!(Log::new(Some(b"info")).priority(), INFO);
    }
}
