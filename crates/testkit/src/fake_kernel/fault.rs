//! A fault that one system call of a run meets, and what is seen of the others.

use std::fs;
use std::os::fd::RawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{Pid, read, write};
use syscalls::Sysno;

use super::notify::{self, Answer, Notification};
use super::process::Process;

/// A fault, and the call that meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The call.
    pub target: TargetCall,
    /// What it meets.
    pub effect: FaultEffect,
}

/// A call of a run, counted from 0 and from the program's first on, over all its threads and children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetCall {
    /// The one of that number.
    Nth(usize),
    /// Of those with this name, the one of that number.
    Named(&'static str, usize),
    /// All with this name.
    Every(&'static str),
}

/// A path that a system call was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedPath {
    /// The call.
    pub call: &'static str,
    /// Whether the path is looked up from an open directory and not from the current one.
    pub from_directory: bool,
    /// The path.
    pub path: String,
    /// The flags of open(2), for calls that open.
    pub flags: u64,
    /// The `RESOLVE_` flags, for openat2(2).
    pub resolve: u64,
}

/// What a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultEffect {
    /// It is not done, and fails. A descriptor to be closed is released even so.
    Fails(Errno),
    /// A read or a write moves fewer bytes than asked for: half of them, or one. Other calls are done as they are.
    Short,
    /// The process gets a signal as it enters the call.
    Signal(Signal),
}

/// Hears all calls of one run.
#[derive(Debug)]
pub(super) struct CallTracer {
    fault: Option<Fault>,
    started: bool,
    pub(super) trace: Vec<&'static str>,
    pub(super) paths: Vec<TracedPath>,
    pub(super) faulted_call: Option<(&'static str, String)>,
}

impl CallTracer {
    pub(super) fn new(fault: Option<Fault>) -> CallTracer {
        CallTracer { fault, started: false, trace: Vec::new(), paths: Vec::new(), faulted_call: None }
    }

    /// What becomes of a call, if it is the one that meets the fault.
    pub(super) fn answer(&mut self, notification: &Notification) -> Option<Answer> {
        if !self.started {
            // The hooks between fork and the program's start are ours.
            self.started = notification.number == libc::SYS_execve;
            return None;
        }
        let name = Sysno::new(notification.number as usize).map_or("unknown", |number| number.name());
        let place = self.trace.len();
        let is_first = self.faulted_call.is_none();
        let fault = self.fault.filter(|fault| match fault.target {
            TargetCall::Nth(nth) => is_first && nth == place,
            TargetCall::Named(wanted, nth) => {
                is_first && wanted == name && self.trace.iter().filter(|one| **one == name).count() == nth
            }
            TargetCall::Every(wanted) => wanted == name,
        });
        self.trace.push(name);
        if let Ok(process) = Process::new(notification.pid) {
            self.paths.extend(traced_path(name, notification, &process));
        }
        let fault = fault?;
        let process = Process::new(notification.pid).ok()?;
        self.faulted_call = Some((name, path(name, notification, &process)));
        match fault.effect {
            FaultEffect::Fails(errno) if name == "close" => {
                let descriptor = notification.arguments[0] as u32;
                let is_open = Path::new(&format!("/proc/{}/fd/{descriptor}", notification.pid)).is_symlink();
                Some(if is_open { Answer::FailToClose(descriptor, errno) } else { Answer::Fail(errno) })
            }
            FaultEffect::Fails(errno) => Some(Answer::Fail(errno)),
            FaultEffect::Short => short(name, notification, &process),
            FaultEffect::Signal(signal) => {
                // One that has gone needs none.
                let _ = kill(Pid::from_raw(notification.pid as i32), signal);
                // A process that is killed may still do the call if it is let through at once; it never sees
                // this answer.
                Some(if signal == Signal::SIGKILL { Answer::Fail(Errno::EINTR) } else { Answer::Continue })
            }
        }
    }
}

/// The path that a call is about, as the caller gave it; empty for other calls.
fn path(name: &str, notification: &Notification, process: &Process) -> String {
    let argument = match name {
        "open" | "stat" | "lstat" | "unlink" | "rename" | "mkdir" | "rmdir" | "access" | "readlink"
        | "chmod" => 0,
        "openat" | "newfstatat" | "statx" | "unlinkat" | "renameat" | "renameat2" | "linkat" | "mkdirat"
        | "faccessat" | "faccessat2" | "readlinkat" | "fchmodat" => 1,
        _ => return String::new(),
    };
    let path = process.string(notification.arguments[argument]).unwrap_or_default();
    path.to_string_lossy().into_owned()
}

/// The path of a call that takes one; what a call on a descriptor alone has as a path is empty.
fn traced_path(name: &'static str, notification: &Notification, process: &Process) -> Option<TracedPath> {
    let path = match name {
        "openat2" => process.string(notification.arguments[1]).ok()?.to_string_lossy().into_owned(),
        _ => path(name, notification, process),
    };
    let from_directory = name.contains("at") && name != "stat" && name != "lstat";
    let [first, _, third, ..] = notification.arguments;
    let (flags, resolve) = match name {
        "open" => (notification.arguments[1], 0),
        "openat" => (third, 0),
        // struct open_how: flags, mode and resolve, 64 bits each.
        "openat2" => {
            let how = process.read(third, 24).ok()?;
            let word = |at: usize| how[at..at + 8].try_into().map_or(0, u64::from_ne_bytes);
            (word(0), word(16))
        }
        _ => (0, 0),
    };
    let from_directory = from_directory && first as i32 != libc::AT_FDCWD;
    (!path.is_empty()).then_some(TracedPath { call: name, from_directory, path, flags, resolve })
}

/// Does a part of a read or write in the caller's place. `None` for calls that cannot come short.
fn short(name: &str, notification: &Notification, process: &Process) -> Option<Answer> {
    let [descriptor, address, length, offset, ..] = notification.arguments;
    if length < 2 {
        return None;
    }
    let part = (length / 2) as usize;
    let leader = leader(notification.pid)?;
    let file = notify::descriptor_of(leader, descriptor as RawFd).ok()?;
    let mut bytes = vec![0; part];
    let moved = match name {
        "read" => read(&file, &mut bytes),
        "pread64" => pread(&file, &mut bytes, offset as i64),
        "write" => process.read(address, part).and_then(|bytes| write(&file, &bytes)),
        "pwrite64" => process.read(address, part).and_then(|bytes| pwrite(&file, &bytes, offset as i64)),
        _ => return None,
    };
    let moved = moved.and_then(|moved| {
        if matches!(name, "read" | "pread64") {
            process.write(address, bytes.get(..moved).unwrap_or_default())?;
        }
        Ok(moved)
    });
    Some(moved.map_or_else(Answer::Fail, |moved| Answer::Return(moved as i64)))
}

/// The process of a thread.
fn leader(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}
