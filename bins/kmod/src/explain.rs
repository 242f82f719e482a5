//! Whether the cause follows an error message.
//!
//! Scripts compare whole captured messages, so a program that reads standard error gets what kmod prints and nothing
//! more. A person at a terminal and a reader of the journal get the cause as well.

use std::{ffi::OsStr, io::IsTerminal, os::fd::AsFd};

use modutils::{Root, config::Explain};
use nix::sys::stat::fstat;

use crate::startup;

/// Decides over the file's `explain` line, unless it has another value than that takes.
const VARIABLE: &str = "MODUTILS_EXPLAIN";
/// The device and inode of the socket by which systemd(1) connects a service to the journal, `8:1234`.
const JOURNAL: &str = "JOURNAL_STREAM";

/// What follows a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The cause.
    pub causes: bool,
    /// Lines of the kernel's log.
    pub kernel_log: bool,
}

/// Who reads the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A person at a terminal, or one who reads the journal or syslog, where the kernel's lines are too.
    Person,
    /// Perhaps a program. Standard error is a pipe or a file.
    Program,
    /// Whoever called a command that kmod does not have: no program knows other messages of it.
    OwnCommand,
}

impl Reader {
    /// Who reads standard error.
    pub fn of_stderr() -> Self {
        let stderr = std::io::stderr();
        let journal = startup::variable(JOURNAL);
        let is_person = stderr.is_terminal() || journal.is_some_and(|journal| is_stream(&stderr, &journal));
        if is_person { Self::Person } else { Self::Program }
    }

    /// What follows a message to this reader, by the environment and modutils.d.
    pub fn detail(self, root: &Root) -> Detail {
        let variable = startup::variable(VARIABLE);
        let requested = variable.and_then(|variable| Explain::named(variable.as_encoded_bytes()));
        self.detail_by(requested, || Explain::configured(root))
    }

    fn detail_by(self, variable: Option<Explain>, configured: impl FnOnce() -> Explain) -> Detail {
        let is_person = self == Self::Person;
        let is_wanted = variable == Some(Explain::Always);
        let causes = match variable.unwrap_or_else(configured) {
            Explain::Always => true,
            Explain::Never => false,
            _ => self != Self::Program,
        };
        // The kernel's log is not for everyone: a file of the system does not decide that it is copied.
        Detail { causes, kernel_log: causes && (is_person || is_wanted) }
    }
}

/// Whether a descriptor is the stream that `JOURNAL_STREAM` names.
fn is_stream(descriptor: &impl AsFd, journal: &OsStr) -> bool {
    let Some((device, inode)) = journal.to_str().and_then(|journal| journal.split_once(':')) else {
        return false;
    };
    let named = (device.parse().ok(), inode.parse().ok());
    fstat(descriptor).is_ok_and(|stat| named == (Some(stat.st_dev), Some(stat.st_ino)))
}

#[cfg(test)]
mod tests {
    use std::os::linux::fs::MetadataExt;

    use super::*;

    fn detail(reader: Reader, variable: Option<Explain>, configured: Explain) -> (bool, bool) {
        let Detail { causes, kernel_log } = reader.detail_by(variable, || configured);
        (causes, kernel_log)
    }

    #[test]
    fn a_person_gets_causes_and_a_program_only_on_request() {
        use Explain::{Always, Auto, Never};
        use Reader::{OwnCommand, Person, Program};
        assert_eq!(detail(Person, None, Auto), (true, true));
        assert_eq!(detail(Program, None, Auto), (false, false));
        assert_eq!(detail(OwnCommand, None, Auto), (true, false));
        for reader in [Person, Program, OwnCommand] {
            assert_eq!(detail(reader, Some(Always), Never), (true, true), "{reader:?}");
            assert_eq!(detail(reader, Some(Never), Always), (false, false), "{reader:?}");
            assert_eq!(detail(reader, None, Never), (false, false), "{reader:?}");
            assert_eq!(detail(reader, Some(Auto), Never), detail(reader, None, Auto), "{reader:?}");
        }
    }

    #[test]
    fn the_kernels_log_is_copied_for_the_variable_alone() {
        assert_eq!(detail(Reader::Program, None, Explain::Always), (true, false));
        assert_eq!(detail(Reader::Person, None, Explain::Always), (true, true));
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let file = std::fs::File::open(".").unwrap();
        let metadata = file.metadata().unwrap();
        let (device, inode) = (metadata.st_dev(), metadata.st_ino());
        let named = |text: String| is_stream(&file, OsStr::new(&text));
        assert!(named(format!("{device}:{inode}")));
        for other in
            [format!("{device}:{}", inode + 1), format!("{}:{inode}", device + 1), format!("{inode}")]
        {
            assert!(!named(other.clone()), "{other}");
        }
        assert!(!named(String::new()) && !named("a:b".into()) && !named(format!("{device}:{inode}x")));
    }
}
