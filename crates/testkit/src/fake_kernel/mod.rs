//! A kernel that only pretends: the module system calls of a tool under test are answered by this process.
//!
//! A tool runs in a root of its own (chroot). Its `uname`, `init_module`, `finit_module` and `delete_module` calls, and
//! those of the commands it runs, become seccomp user notifications; a thread answers them as a kernel would, keeps
//! `/sys/module` and `/proc/modules` of that root up to date, and records each call. So loading and removal are tested
//! without a virtual machine, on any binary, and two tools can be compared by what they asked of the kernel.
//!
//! What the fake kernel checks is what decides between tools: the name in `.gnu.linkonce.this_module`, `depends=`,
//! `vermagic=`, `__versions` against [`FakeKernel::crc`]. It needs root and a kernel from 5.0 on.
//!
//! [`FakeKernel::watch`] hears every system call of a run, and makes one of them fail, come short, or be the last: the
//! same notifications, but that the real kernel does what is not to meet the [`Fault`] (from Linux 5.6 on).

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
pub use fault::{At, Fault, What};
pub use nix::errno::Errno;
pub use nix::sys::signal::Signal;
pub use outcome::{Outcome, Watched};
pub use start::Start;

use fault::Watch;
use modules::{Loaded, Modules};
use notify::Heard;
use supervisor::{Change, Record, Supervisor};

use crate::Compression;

/// A fake kernel for the tools that run in one root.
///
/// ```no_run
/// use testkit::{Errno, FakeKernel, Start};
///
/// let kernel = FakeKernel::new("/tmp/root".as_ref(), "6.12.0-test");
/// kernel.loaded("loop", &[]).users("loop", 1).refuse("sick", Errno::ENODEV);
/// let outcome = kernel.run(&Start::new("/sbin/modprobe").args(["-r", "loop"]));
/// assert!(outcome.calls.is_empty(), "a module in use is not asked to go");
/// ```
pub struct FakeKernel {
    root: PathBuf,
    modules: Arc<Mutex<Modules>>,
    schedule: Mutex<Vec<(Duration, Change)>>,
}

impl FakeKernel {
    /// A kernel that calls itself `release` for the tools that run in `root`, with nothing loaded.
    ///
    /// # Panics
    /// When `root` cannot be written.
    pub fn new(root: &Path, release: &str) -> FakeKernel {
        let root = root.canonicalize().expect("a root is a directory");
        let modules = Arc::new(Mutex::new(Modules::new(&root, release)));
        FakeKernel { root, modules, schedule: Mutex::new(Vec::new()) }
    }

    /// Every attempt to load `module` fails with `errno`.
    pub fn refuse(&self, module: impl AsRef<OsStr>, errno: Errno) -> &Self {
        self.lock().refused.insert(module.as_ref().to_owned(), errno);
        self
    }

    /// Every attempt to remove `module` fails with `errno`.
    pub fn keep(&self, module: impl AsRef<OsStr>, errno: Errno) -> &Self {
        self.lock().kept.insert(module.as_ref().to_owned(), errno);
        self
    }

    /// `finit_module` fails with `errno` before it looks at anything: ENOSYS is a kernel without it.
    pub fn finit_fails(&self, errno: Errno) -> &Self {
        self.lock().finit_error = Some(errno);
        self
    }

    /// The kernel has a symbol with this CRC, and a module that expects another one is refused.
    pub fn crc(&self, symbol: impl AsRef<[u8]>, crc: u32) -> &Self {
        self.lock().crcs.insert(symbol.as_ref().to_vec(), crc);
        self
    }

    /// The kernel decompresses modules itself, and says so in `/sys/module/compression`.
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

    /// `module` is loaded already and uses the modules of `depends`.
    pub fn loaded(&self, module: impl AsRef<OsStr>, depends: &[&str]) -> &Self {
        let depends = depends.iter().map(OsString::from).collect();
        let name = module.as_ref().to_owned();
        self.lock().insert(Loaded { name, size: 16384, depends, users: 0, state: "live" });
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

    /// In the next run, `delay` after its start, `module` comes to be used `users` times.
    pub fn users_after(&self, delay: Duration, module: impl AsRef<OsStr>, users: u32) -> &Self {
        let name = module.as_ref().to_owned();
        let change: Change = Box::new(move |modules| modules.change(&name, |module| module.users = users));
        self.schedule.lock().expect("no panic").push((delay, change));
        self
    }

    /// The names of the loaded modules, newest first.
    pub fn names(&self) -> Vec<OsString> {
        self.lock().names()
    }

    /// Runs a program to its end in the root, with this kernel.
    ///
    /// # Panics
    /// When it does not start: because it is not there, or because only root may do this.
    pub fn run(&self, start: &Start) -> Outcome {
        self.try_run(start).unwrap_or_else(|error| {
            panic!("{} did not start under the fake kernel (are you root?): {error}", start.program.display())
        })
    }

    /// Runs a program as [`FakeKernel::run`] does, sees each of its system calls, and has one of them meet a fault.
    ///
    /// # Panics
    /// As [`FakeKernel::run`].
    pub fn watch(&self, start: &Start, fault: Option<Fault>) -> Watched {
        let watched = self.supervise(start, Some(Watch::new(fault)));
        let (outcome, watch) = watched.unwrap_or_else(|error| {
            panic!("{} did not start under the fake kernel (are you root?): {error}", start.program.display())
        });
        let Watch { trace, met, .. } = watch.expect("what was given is given back");
        Watched { outcome, trace, met }
    }

    fn try_run(&self, start: &Start) -> io::Result<Outcome> {
        self.supervise(start, None).map(|(outcome, _)| outcome)
    }

    fn supervise(&self, start: &Start, watch: Option<Watch>) -> io::Result<(Outcome, Option<Watch>)> {
        let mut command = self.command(start)?;
        let heard = if watch.is_some() { Heard::All } else { Heard::Answered };
        let handover = notify::supervise(&mut command, heard)?;
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
            watch,
        };
        // Before the tool starts: what it calls on its way may wait for an answer already.
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
        let Record { calls, watch } = record?;
        Ok((Outcome { status, stdout, stderr, calls }, watch))
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
