//! Running a tool in a root, and the result.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::surroundings;

/// Whose tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The binary under test.
    Ours,
    /// The reference: Debian 13's kmod 34.2.
    Kmod34,
    /// The second one: Debian 12's kmod 30.
    Kmod30,
}

impl Side {
    /// Its directory in a root, and its name.
    pub fn dir(self) -> &'static str {
        match self {
            Side::Ours => "ours",
            Side::Kmod34 => "kmod34",
            Side::Kmod30 => "kmod30",
        }
    }
}

/// Runs a command line in a terminal and exits with its status.
const IN_TERMINAL: &str = "import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// A tool about to run. Its environment has only `PATH`, with the tool's own side first. No signal is ignored or blocked,
/// even if our own caller ignores or blocks some.
#[derive(Debug)]
pub struct Invocation {
    root: PathBuf,
    program: String,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: String,
    stdin: Vec<u8>,
}

impl Invocation {
    pub(crate) fn new(root: &Path, side: Side, tool: &str) -> Invocation {
        let dir = side.dir();
        Invocation::of_program(root, &format!("/{dir}/{tool}"), &format!("/{dir}:/bin"))
    }

    pub(crate) fn of_program(root: &Path, program: &str, path: &str) -> Invocation {
        Invocation {
            root: root.to_owned(),
            program: program.to_owned(),
            args: Vec::new(),
            env: vec![("PATH".into(), path.into())],
            dir: "/".into(),
            stdin: Vec::new(),
        }
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory, which is `/` otherwise.
    pub fn dir(mut self, dir: &str) -> Self {
        self.dir = dir.into();
        self
    }

    /// Sets its standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it to its end, in `chroot` and without the capability to load or remove modules: a test must not be able
    /// to touch the kernel it runs on.
    ///
    /// # Panics
    /// When it cannot be started, most likely because chroot(2) needs root.
    pub fn run(&self) -> Run {
        let run = self.run_as(self.confined());
        assert!(
            run.code != Some(125) && run.code != Some(127),
            "{} did not start. Tests of tools use chroot(2): run them as root. {}",
            run.command,
            run.err(),
        );
        run
    }

    /// Starts it, with nothing to read and its output thrown away. The child is the tool itself, as soon as the programs
    /// that confine it have become it: a signal to it reaches nothing else.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self) -> Child {
        let mut command = self.confined();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program setpriv (package util-linux)")
    }

    /// [`Invocation::run`] in a new terminal, python's pty: the output has what both streams print.
    ///
    /// # Panics
    /// As [`Invocation::run`], and without python.
    pub fn run_in_terminal(&self) -> Run {
        let confined = self.confined();
        let mut command = surroundings::program("python3");
        command.args(["-c", IN_TERMINAL]).arg(confined.get_program()).args(confined.get_args());
        self.run_as(command)
    }

    /// The command line that runs it in the root, unable to load or remove modules.
    fn confined(&self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--bounding-set=-sys_module", "--inh-caps=-sys_module", "env"])
            .args(surroundings::ISOLATED);
        command.args(self.env.iter().map(|(name, value)| {
            let mut assignment = name.clone();
            assignment.push("=");
            assignment.push(value);
            assignment
        }));
        // GNU chroot only enters the new root's directory; a shell changes to another one.
        command.arg("/usr/sbin/chroot").arg(&self.root);
        if self.dir != "/" {
            command.args(["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", &self.dir]);
        }
        command.arg(&self.program).args(&self.args);
        command
    }

    fn run_as(&self, mut command: Command) -> Run {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the programs setpriv (package util-linux) and python3");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = self.stdin.clone();
        let writer = std::thread::spawn(move || {
            // The tool need not read its input.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("the output of a child");
        writer.join().expect("a writer that does not panic");
        Run {
            command: self.command_line(),
            stdout: output.stdout,
            stderr: output.stderr,
            code: output.status.code(),
            signal: output.status.signal(),
        }
    }

    fn command_line(&self) -> String {
        let mut line = self.program.clone();
        for arg in self.args.iter().take(20) {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        if self.args.len() > 20 {
            line.push_str(&format!(" … ({} arguments)", self.args.len()));
        }
        line
    }
}

/// The result of running a tool.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    /// The command line, for messages.
    pub command: String,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Its exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

impl Run {
    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The lines of standard error that the tool itself prints. kmod's library logs its internals in lines that start
    /// with `libkmod:`, name one of its source files, or have an address (`ctx=0x…`): these are not part of the
    /// interface that we replace. getopt's messages start with the path of the tool; its directory, which differs
    /// between the sides, is removed.
    pub fn own_messages(&self) -> String {
        let of_library = |line: &&str| {
            !line.starts_with("libkmod:") && !line.contains("../libkmod/") && !line.contains("ctx=0x")
        };
        self.err().split_inclusive('\n').filter(of_library).map(without_directory).collect()
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<String> {
        self.out().lines().map(str::to_owned).collect()
    }

    /// Returns itself if the exit code is 0.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn succeeds(self) -> Run {
        assert!(self.code == Some(0), "expected exit code 0: {self:?}");
        self
    }

    /// Returns itself if the exit code is this.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        assert!(self.code == Some(code), "expected exit code {code}: {self:?}");
        self
    }

    /// Returns itself if the exit code is 1.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn fails(self) -> Run {
        assert!(self.code == Some(1), "expected exit code 1: {self:?}");
        self
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (exit {:?}, signal {:?})", self.command, self.code, self.signal)?;
        writeln!(f, "--- stdout\n{}", shorten(&self.out()))?;
        write!(f, "--- stderr\n{}", shorten(&self.err()))
    }
}

/// A message without the directory of its side.
fn without_directory(line: &str) -> &str {
    let sides = [Side::Ours, Side::Kmod34, Side::Kmod30].iter();
    let rests = sides.map(|side| line.strip_prefix('/')?.strip_prefix(side.dir())?.strip_prefix('/'));
    rests.flatten().next().unwrap_or(line)
}

/// The first lines of a long text.
fn shorten(text: &str) -> String {
    const LINES: usize = 40;
    let all = text.lines().count();
    let mut shown: String = text.split_inclusive('\n').take(LINES).collect();
    if all > LINES {
        shown.push_str(&format!("… ({all} lines)\n"));
    }
    shown
}
