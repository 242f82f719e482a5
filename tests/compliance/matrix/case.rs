//! A case as data: what the root contains, what is run, and what may differ.

use std::time::Duration;

use testkit::{Compression, Errno};

use super::release::MODULE_DIRECTORY;
use super::rows::Row;

/// Which behaviour of an option a case shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aspect {
    /// The option works.
    Works,
    /// The option fails with a message.
    Fails,
    /// Another option or a condition changes what the option does.
    Combined,
}

impl Aspect {
    pub(crate) const ALL: [Aspect; 3] = [Aspect::Works, Aspect::Fails, Aspect::Combined];
}

/// Errors with which a kernel, a security module or a file system may refuse a module. EEXIST has separate cases.
pub(crate) const REFUSALS: [Errno; 24] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::ESRCH,
    Errno::EINTR,
    Errno::EIO,
    Errno::E2BIG,
    Errno::ENOEXEC,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EFAULT,
    Errno::EBUSY,
    Errno::ENODEV,
    Errno::EINVAL,
    Errno::EFBIG,
    Errno::ETXTBSY,
    Errno::ENOSPC,
    Errno::EBADMSG,
    Errno::EOVERFLOW,
    Errno::EOPNOTSUPP,
    Errno::ETIMEDOUT,
    Errno::ENOKEY,
    Errno::EKEYREJECTED,
    Errno::ENODATA,
];

/// One preparation of the root, the fake kernel or the start of the tool.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    File(String, Vec<u8>),
    Link(&'static str, String),
    Dir(String),
    Delete(String),
    Loaded(&'static str, Vec<&'static str>),
    Users(&'static str, u32),
    State(&'static str, &'static str),
    Refuse(&'static str, Errno),
    Keep(&'static str, Errno),
    FinitFails(Errno),
    Decompresses(Compression),
    UsersAfter(Duration, &'static str, u32),
    Env(&'static str, Vec<u8>),
    Name(&'static str),
    Directory(&'static str),
    Closed(i32),
    BrokenPipe,
    /// No /dev/log.
    NoLog,
}

/// What must be equal on both sides. Exit code, system calls, files and loaded modules always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Every byte of both streams.
    Exactly,
    /// Standard error, and that help is printed: the text of help is our own.
    HelpOnStdout,
    /// The first line of standard error, which help of our own follows.
    HelpAfterError,
    /// The two lines of `-V` that scripts read; ours adds its own name and version.
    Version,
    /// Standard output as a set of lines, for lines in hash or readdir order.
    Lines,
    /// Nothing: the reference hangs sometimes. Only the claims about ours count.
    OursAlone,
}

/// A claim about one side where the two differ.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Claim {
    Exit(i32),
    /// It succeeds or is killed for hanging.
    DoesNotFail,
    /// Standard error contains this.
    Reports(&'static str),
    /// Standard error is this.
    Is(&'static str),
    /// A message complains about a line of configuration: `FILE line N`.
    Complains(&'static str),
    /// The cause follows a message, indented.
    Explains,
    /// A logged message contains this.
    Logs(&'static str),
    LogsNothing,
    /// Standard error is empty.
    Silent,
    /// Standard output is this; `@` is replaced by the directory of the modules.
    Prints(&'static str),
    /// Standard output contains this.
    PrintsLine(&'static str),
    /// These modules are loaded afterwards, newest first, separated by blanks.
    Loaded(&'static str),
}

/// A deliberate difference.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) row: Row,
    pub(crate) ours: Vec<Claim>,
    pub(crate) theirs: Vec<Claim>,
}

/// One cell's entry.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) tool: &'static str,
    /// As [`super::surface`] calls it.
    pub(crate) option: &'static str,
    pub(crate) aspect: Aspect,
    /// A description of the behaviour.
    pub(crate) what: String,
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) steps: Vec<Step>,
    pub(crate) compare: Compare,
    pub(crate) difference: Option<Difference>,
    /// A failure without a message or an exit code.
    pub(crate) quiet: bool,
}

/// The option does what it is for. `of` is "TOOL OPTION"; `argv` is split at blanks, see [`words`].
pub(crate) fn works(of: &'static str, what: &'static str, argv: &str) -> Case {
    case(of, Aspect::Works, what, argv)
}

/// The option fails.
pub(crate) fn fails(of: &'static str, what: &'static str, argv: &str) -> Case {
    case(of, Aspect::Fails, what, argv)
}

/// The option interacts with something.
pub(crate) fn combined(of: &'static str, what: &'static str, argv: &str) -> Case {
    case(of, Aspect::Combined, what, argv)
}

fn case(of: &'static str, aspect: Aspect, what: &'static str, argv: &str) -> Case {
    let (tool, option) = of.split_once(' ').expect("TOOL OPTION");
    let (what, argv) = (what.to_owned(), words(argv));
    Case {
        tool,
        option,
        aspect,
        what,
        argv,
        steps: Vec::new(),
        compare: Compare::Exactly,
        difference: None,
        quiet: false,
    }
}

impl Case {
    pub(crate) fn step(mut self, step: Step) -> Case {
        self.steps.push(step);
        self
    }

    /// A file; `@` at the start means the directory of the modules. Text is unescaped as [`words`] describes.
    pub(crate) fn file(self, path: &str, text: &str) -> Case {
        let bytes = unescape(&text.replace('@', MODULE_DIRECTORY));
        self.step(Step::File(path.replace('@', MODULE_DIRECTORY), bytes))
    }

    /// `/etc/modprobe.d/NAME` with this text.
    pub(crate) fn conf(self, name: &str, text: &str) -> Case {
        self.file(&format!("etc/modprobe.d/{name}"), text)
    }

    /// The same as `a.conf`.
    pub(crate) fn config(self, text: &str) -> Case {
        self.conf("a.conf", text)
    }

    /// A file with these bytes, not unescaped.
    pub(crate) fn bytes(self, path: &str, bytes: impl Into<Vec<u8>>) -> Case {
        self.step(Step::File(path.to_owned(), bytes.into()))
    }

    /// The kernel command line.
    pub(crate) fn cmdline(self, text: &str) -> Case {
        self.file("proc/cmdline", &format!("{text}\\n"))
    }

    pub(crate) fn link(self, target: &'static str, path: &str) -> Case {
        self.step(Step::Link(target, path.to_owned()))
    }

    pub(crate) fn dir(self, path: &str) -> Case {
        self.step(Step::Dir(path.to_owned()))
    }

    pub(crate) fn delete(self, path: &str) -> Case {
        self.step(Step::Delete(path.replace('@', MODULE_DIRECTORY)))
    }

    pub(crate) fn loaded(self, name: &'static str) -> Case {
        self.step(Step::Loaded(name, vec![]))
    }

    pub(crate) fn loaded_on(self, name: &'static str, depends: &[&'static str]) -> Case {
        self.step(Step::Loaded(name, depends.to_vec()))
    }

    /// `upper`, which needs `middle`, which needs `lower`.
    pub(crate) fn chain(self) -> Case {
        self.loaded("lower").loaded_on("middle", &["lower"]).loaded_on("upper", &["middle"])
    }

    pub(crate) fn users(self, name: &'static str, users: u32) -> Case {
        self.step(Step::Users(name, users))
    }

    pub(crate) fn users_after(self, milliseconds: u64, name: &'static str, users: u32) -> Case {
        self.step(Step::UsersAfter(Duration::from_millis(milliseconds), name, users))
    }

    pub(crate) fn state(self, name: &'static str, state: &'static str) -> Case {
        self.step(Step::State(name, state))
    }

    pub(crate) fn refuse(self, name: &'static str, errno: Errno) -> Case {
        self.step(Step::Refuse(name, errno))
    }

    pub(crate) fn keep(self, name: &'static str, errno: Errno) -> Case {
        self.step(Step::Keep(name, errno))
    }

    pub(crate) fn env(self, name: &'static str, value: &str) -> Case {
        self.step(Step::Env(name, unescape(value)))
    }

    /// Requests the causes, which ours gives to a pipe only then.
    pub(crate) fn explained(self) -> Case {
        self.env("MODUTILS_EXPLAIN", "always")
    }

    /// Ours logs the cause as well, in separate records; both log the message.
    pub(crate) fn log_explains(self, message: &'static str, cause: &'static str) -> Case {
        let logged = [Claim::Logs(message)];
        self.differs(Row::Cause, &[logged[0], Claim::Logs(cause)], &logged)
    }

    /// The reference fails without a message and without an exit code.
    pub(crate) fn quietly(mut self) -> Case {
        self.quiet = true;
        self
    }

    /// Sets another comparison than byte for byte.
    pub(crate) fn compare(mut self, compare: Compare) -> Case {
        self.compare = compare;
        self
    }

    /// The sides differ, and each fulfils its claims.
    pub(crate) fn differs(mut self, row: Row, ours: &[Claim], theirs: &[Claim]) -> Case {
        self.difference = Some(Difference { row, ours: ours.to_vec(), theirs: theirs.to_vec() });
        self
    }

    /// `tool option: what`, which names a case.
    pub(crate) fn name(&self) -> String {
        format!("{} {} ({:?}): {}", self.tool, self.option, self.aspect, self.what)
    }

    /// The command line as text.
    pub(crate) fn line(&self) -> String {
        let argv = self.argv.iter().map(|argument| argument.escape_ascii().to_string());
        std::iter::once(self.tool.to_owned()).chain(argv).collect::<Vec<_>>().join(" ")
    }
}

/// Splits a command line at blanks. `@` is the directory of the modules, `\s` a blank, `\e` nothing (for an empty
/// argument), `\n` a new line and `\xNN` a byte.
pub(crate) fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| unescape(&word.replace('@', MODULE_DIRECTORY)))
        .collect()
}

/// `\n`, `\s`, `\e`, `\xNN` and `\\`.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b's') => bytes.push(b' '),
            Some(b'0') => bytes.push(0),
            Some(b'e') => {}
            Some(b'\\') => bytes.push(b'\\'),
            Some(b'a') => bytes.push(b'@'),
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"));
            }
            other => panic!("unknown escape {other:?} in {text}"),
        }
    }
    bytes
}
