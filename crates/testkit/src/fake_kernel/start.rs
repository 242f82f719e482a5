//! How a tool is started: program, arguments, environment and standard streams.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// A program about to run under a [`FakeKernel`](super::FakeKernel). Its environment has only the variables of [`Start::env`].
#[derive(Debug, Clone)]
pub struct Start {
    pub(super) program: PathBuf,
    pub(super) name: Option<OsString>,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) directory: PathBuf,
    pub(super) closed: Vec<i32>,
    pub(super) broken_pipe: bool,
    pub(super) user: Option<u32>,
    pub(super) deadline: Duration,
}

impl Start {
    /// Runs `program`, a path inside the root, in `/`.
    pub fn new(program: impl Into<PathBuf>) -> Start {
        Start {
            program: program.into(),
            name: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: "/".into(),
            closed: Vec::new(),
            broken_pipe: false,
            user: None,
            deadline: Duration::from_secs(60),
        }
    }

    /// Sets `argv[0]`, which is the path otherwise.
    pub fn name(mut self, name: impl AsRef<OsStr>) -> Self {
        self.name = Some(name.as_ref().to_owned());
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Start::arg)
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in another directory of the root.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Starts it with a file descriptor closed: 0, 1 or 2.
    pub fn closed(mut self, descriptor: i32) -> Self {
        self.closed.push(descriptor);
        self
    }

    /// Starts it as another user, and a group of the same number, without other groups or capabilities.
    pub fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Kills it, and what it started, if it runs longer than this; the default is a minute.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Starts it with a pipe without readers as standard output.
    pub fn broken_pipe(mut self) -> Self {
        self.broken_pipe = true;
        self
    }
}
