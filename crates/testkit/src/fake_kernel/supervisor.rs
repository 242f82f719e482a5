//! Answers the calls of one run: decodes them from the caller's memory, applies them to the modules, records them.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::call::Call;
use super::fault::CallTracer;
use super::modules::Modules;
use super::notify::{Answer, CALLS, Handover, Notification};
use super::process::Process;

/// A change that is made while a tool runs.
pub(super) type ScheduledChange = Box<dyn FnOnce(&mut Modules) + Send>;

/// Supervises one run.
pub(super) struct Supervisor {
    pub(super) root: PathBuf,
    pub(super) modules: Arc<Mutex<Modules>>,
    pub(super) handover: Handover,
    /// Readable (hung up) when the run is over.
    pub(super) over: OwnedFd,
    /// The tool, which leads its own process group; 0 until it has started.
    pub(super) tool: Arc<AtomicI32>,
    pub(super) deadline: Duration,
    pub(super) schedule: Vec<(Duration, ScheduledChange)>,
    /// Traces every call, and makes one of them fail.
    pub(super) tracer: Option<CallTracer>,
}

/// What a run did.
pub(super) struct RunRecord {
    /// The module system calls.
    pub(super) calls: Vec<Call>,
    /// What was traced.
    pub(super) tracer: Option<CallTracer>,
}

impl Supervisor {
    /// Answers until the run is over; returns the record. A run that hangs is killed.
    pub(super) fn supervise(mut self) -> io::Result<RunRecord> {
        let start = Instant::now();
        let mut calls = Vec::new();
        let listener = self.handover.receive()?;
        self.schedule.sort_by_key(|(delay, _)| std::cmp::Reverse(*delay));
        loop {
            while self.schedule.last().is_some_and(|(delay, _)| *delay <= start.elapsed()) {
                let (_, change) = self.schedule.pop().expect("just looked at");
                change(&mut self.modules.lock().expect("no panic"));
            }
            if start.elapsed() > self.deadline {
                let tool = self.tool.load(Ordering::Relaxed);
                if tool != 0 {
                    // It may have exited already.
                    let _ = killpg(Pid::from_raw(tool), Signal::SIGKILL);
                }
            }
            let next = self
                .schedule
                .last()
                .map_or(self.deadline, |(delay, _)| *delay)
                .saturating_sub(start.elapsed());
            let timeout = PollTimeout::try_from(next + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut fds = [
                PollFd::new(listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.over.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut fds, timeout)?;
            let called = fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
            let over = fds[1].any() == Some(true);
            if called {
                if let Some(notification) = listener.receive()? {
                    let answer = self.answer(&notification, &mut calls);
                    listener.answer(notification.id, &answer)?;
                }
            } else if over {
                return Ok(RunRecord { calls, tracer: self.tracer });
            }
        }
    }

    fn answer(&mut self, notification: &Notification, calls: &mut Vec<Call>) -> Answer {
        if let Some(answer) = self.tracer.as_mut().and_then(|tracer| tracer.answer(notification)) {
            return answer;
        }
        if !CALLS.contains(&notification.number) {
            return Answer::Continue;
        }
        match self.answer_as_kernel(notification, calls) {
            Ok(()) => Answer::Return(0),
            Err(errno) => Answer::Fail(errno),
        }
    }

    fn answer_as_kernel(&self, notification: &Notification, calls: &mut Vec<Call>) -> Result<(), Errno> {
        let mut modules = self.modules.lock().expect("no panic");
        let process = Process::new(notification.pid)?;
        let [first, second, third, ..] = notification.arguments;
        match notification.number {
            libc::SYS_uname => process.write(first, &uname(&modules.release)),
            libc::SYS_finit_module => {
                let parameters = process.string(second)?;
                let file = process.file(first);
                let path = process.path(first, &self.root);
                let flags = third as u32;
                let result = file.and_then(|file| modules.finit(&file, flags));
                calls.push(Call::Finit { path, parameters, flags, result });
                result
            }
            libc::SYS_init_module => {
                let image = process.read(first, second as usize)?;
                let parameters = process.string(third)?;
                let result = modules.load(&image, 0);
                let module = match super::image::ModuleImage::parse(&image) {
                    Ok(parsed) => parsed.name,
                    Err(errno) => format!("{errno:?}").into(),
                };
                calls.push(Call::Init { module, image, parameters, result });
                result
            }
            libc::SYS_delete_module => {
                let name = process.string(first)?;
                let flags = second as u32;
                let result = modules.delete(&name, flags);
                calls.push(Call::Delete { name, flags, result });
                result
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}

/// `struct new_utsname`: six fields of 65 bytes.
fn uname(release: &str) -> Vec<u8> {
    let fields = ["Linux", "fake", release, "#1 SMP fake", std::env::consts::ARCH, "(none)"];
    let field = |text: &str| {
        let mut bytes = OsStr::new(text).as_bytes().to_vec();
        bytes.resize(65, 0);
        bytes
    };
    fields.into_iter().flat_map(field).collect()
}
