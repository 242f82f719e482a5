//! A fake kernel: this process answers the module system calls of a tool under test.
//!
//! A tool runs in a separate root (chroot). Its `uname`, `init_module`, `finit_module` and `delete_module` calls, and
//! those of the commands it runs, become seccomp user notifications; a thread answers them as a kernel would, keeps
//! `/sys/module` and `/proc/modules` of that root up to date, and records each call. So loading and removal are tested
//! without a virtual machine, on any binary, and two tools can be compared by their system calls.
//!
//! The fake kernel checks what makes tools differ: the name in `.gnu.linkonce.this_module`, `depends=`,
//! `vermagic=`, `__versions` against [`FakeKernel::crc`]. It needs root and Linux 5.0 or later.
//!
//! [`FakeKernel::trace`] traces every system call of a run, and makes one of them fail, transfer less than asked, or end
//! the process. It uses the same notifications, but the real kernel executes every call that gets no [`Fault`] (since
//! Linux 5.6).

mod call;
mod fault;
mod image;
mod modules;
mod notify;
mod outcome;
mod process;
mod start;
mod supervisor;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub use call::Call;
pub use fault::{Fault, FaultEffect, TargetCall, TracedPath};
pub use nix::errno::Errno;
pub use nix::sys::signal::Signal;
pub use outcome::{Outcome, TracedRun};
pub use start::Start;

use fault::CallTracer;
use modules::{KernelModule, Modules};
use notify::Intercept;
use supervisor::{RunRecord, ScheduledChange, Supervisor};

use crate::Compression;

/// A fake kernel for the tools that run in one root.
///
/// ```no_run
/// use testkit::{Errno, FakeKernel, Start};
///
/// let kernel = FakeKernel::new("/tmp/root".as_ref(), "6.12.0-test");
/// kernel.loaded("loop", &[]).users("loop", 1).refuse_load("sick", Errno::ENODEV);
/// let outcome = kernel.run(&Start::new("/sbin/modprobe").args(["-r", "loop"]));
/// assert!(outcome.calls.is_empty(), "a module in use is not removed");
/// ```
pub struct FakeKernel {
    root: PathBuf,
    modules: Arc<Mutex<Modules>>,
    schedule: Mutex<Vec<(Duration, ScheduledChange)>>,
}

impl FakeKernel {
    /// A kernel of this `release` for the tools that run in `root`, with nothing loaded.
    ///
    /// # Panics
    /// When `root` cannot be written.
    pub fn new(root: &Path, release: &str) -> FakeKernel {
        let root = root.canonicalize().expect("a root is a directory");
        let modules = Arc::new(Mutex::new(Modules::new(&root, release)));
        FakeKernel { root, modules, schedule: Mutex::new(Vec::new()) }
    }

    /// Every attempt to load `module` fails with `errno`.
    pub fn refuse_load(&self, module: impl AsRef<OsStr>, errno: Errno) -> &Self {
        self.lock().load_errors.insert(module.as_ref().to_owned(), errno);
        self
    }

    /// Every attempt to remove `module` fails with `errno`.
    pub fn refuse_removal(&self, module: impl AsRef<OsStr>, errno: Errno) -> &Self {
        self.lock().removal_errors.insert(module.as_ref().to_owned(), errno);
        self
    }

    /// `finit_module` fails with `errno` before it reads anything: ENOSYS is a kernel without it.
    pub fn finit_fails(&self, errno: Errno) -> &Self {
        self.lock().finit_error = Some(errno);
        self
    }

    /// The kernel exports a symbol with this CRC, and refuses a module that expects another CRC.
    pub fn crc(&self, symbol: impl AsRef<[u8]>, crc: u32) -> &Self {
        self.lock().crcs.insert(symbol.as_ref().to_vec(), crc);
        self
    }

    /// The kernel decompresses modules itself, which `/sys/module/compression` shows.
    ///
    /// # Panics
    /// For [`Compression::Plain`].
    pub fn decompresses(&self, compression: Compression) -> &Self {
        let name = match compression {
            Compression::Plain => panic!("plain is not an algorithm"),
            Compression::Gzip => "gzip",
            Compression::Xz => "xz",
            Compression::Zstd => "zstd",
        };
        let mut modules = self.lock();
        modules.decompresses = Some(name.to_owned());
        modules::replace(&modules.sys_module().join("compression"), format!("{name}\n").as_bytes());
        drop(modules);
        self
    }

    /// `module` is already loaded and uses the modules of `depends`.
    pub fn loaded(&self, module: impl AsRef<OsStr>, depends: &[&str]) -> &Self {
        let depends = depends.iter().map(OsString::from).collect();
        let name = module.as_ref().to_owned();
        self.lock().insert(KernelModule { name, size: 16384, depends, users: 0, state: "live" });
        self
    }

    /// `module`, which is loaded, is used `users` times by something that is not a module.
    pub fn users(&self, module: impl AsRef<OsStr>, users: u32) -> &Self {
        self.lock().change(module.as_ref(), |module| module.users = users);
        self
    }

    /// `module`, which is loaded, is in another state: `coming` or `going`.
    pub fn state(&self, module: impl AsRef<OsStr>, state: &'static str) -> &Self {
        self.lock().change(module.as_ref(), |module| module.state = state);
        self
    }

    /// In the next run, `delay` after its start, `module` gets `users` users.
    pub fn users_after(&self, delay: Duration, module: impl AsRef<OsStr>, users: u32) -> &Self {
        let name = module.as_ref().to_owned();
        let change: ScheduledChange =
            Box::new(move |modules| modules.change(&name, |module| module.users = users));
        self.schedule.lock().expect("no panic").push((delay, change));
        self
    }

    /// The names of the loaded modules, newest first.
    pub fn loaded_names(&self) -> Vec<OsString> {
        self.lock().names()
    }

    /// Runs a program to its end in the root, with this kernel.
    ///
    /// # Panics
    /// When it does not start: it does not exist, or the caller is not root.
    pub fn run(&self, start: &Start) -> Outcome {
        self.try_run(start).unwrap_or_else(|error| {
            panic!("{} did not start under the fake kernel (are you root?): {error}", start.program.display())
        })
    }

    /// Runs a program as [`FakeKernel::run`] does, traces its system calls, and injects a fault into one of them.
    ///
    /// # Panics
    /// As [`FakeKernel::run`].
    pub fn trace(&self, start: &Start, fault: Option<Fault>) -> TracedRun {
        let traced = self.supervise(start, Some(CallTracer::new(fault)));
        let (outcome, tracer) = traced.unwrap_or_else(|error| {
            panic!("{} did not start under the fake kernel (are you root?): {error}", start.program.display())
        });
        let CallTracer { trace, paths, faulted_call, .. } = tracer.expect("what was given is given back");
        TracedRun { outcome, trace, paths, faulted_call }
    }

    fn try_run(&self, start: &Start) -> io::Result<Outcome> {
        self.supervise(start, None).map(|(outcome, _)| outcome)
    }

    fn supervise(
        &self,
        start: &Start,
        tracer: Option<CallTracer>,
    ) -> io::Result<(Outcome, Option<CallTracer>)> {
        let mut command = self.command(start)?;
        let intercept = if tracer.is_some() { Intercept::AllCalls } else { Intercept::ModuleCalls };
        let handover = notify::supervise(&mut command, intercept)?;
        if let Some(user) = start.user {
            notify::change_user(&mut command, user);
        }
        let (over, running) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let tool = Arc::new(AtomicI32::new(0));
        let supervisor = Supervisor {
            root: self.root.clone(),
            modules: self.modules.clone(),
            handover,
            over,
            tool: tool.clone(),
            deadline: start.deadline,
            schedule: std::mem::take(&mut *self.schedule.lock().expect("no panic")),
            tracer,
        };
        // Before the tool starts: calls between fork and exec may already wait for an answer.
        let supervisor = thread::spawn(move || supervisor.supervise());
        let child = command.spawn();
        // The command holds the child's ends of the pipes.
        drop(command);
        let output = child.and_then(|child| {
            tool.store(child.id() as i32, Ordering::Relaxed);
            child.wait_with_output()
        });
        drop(running);
        let record = supervisor.join().expect("the supervisor does not panic");
        let Output { status, stdout, stderr } = output?;
        let RunRecord { calls, tracer } = record?;
        Ok((Outcome { status, stdout, stderr, calls }, tracer))
    }

    fn command(&self, start: &Start) -> io::Result<Command> {
        let mut command = Command::new(&start.program);
        command
            .args(&start.arguments)
            .env_clear()
            .envs(start.environment.iter().map(|(name, value)| (name, value)));
        if let Some(name) = &start.name {
            command.arg0(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if start.broken_pipe {
            let (_, writer) = io::pipe()?;
            command.stdout(writer);
        }
        notify::enter(&mut command, self.root.clone(), start.directory.clone(), start.closed.clone());
        Ok(command)
    }

    fn lock(&self) -> MutexGuard<'_, Modules> {
        self.modules.lock().expect("no panic")
    }
}

#[cfg(test)]
mod tests;
