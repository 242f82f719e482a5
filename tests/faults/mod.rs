//! The behaviour of a tool when one of its system calls fails, transfers less than asked, or ends the process.
//!
//! A [`FaultSubject`] is a root with a tool to run in it. [`sweep`] runs the tool once for each of its system calls and
//! each fault, restores the root before each run, and lets the subject judge the state afterwards. A [`Trial`] records
//! one run; its [`Defect`]s must not happen with any fault. [`table`] sums trials up.

pub mod depmod;
pub mod exchange;
pub mod load;
pub mod memory;
pub mod rewrites;
pub mod table;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use testkit::{Errno, Fault, FaultEffect, Outcome, Signal, Start, TargetCall, TracedRun};

/// The faults of every sweep, with their names in the table.
pub const FAULTS: [(&str, FaultEffect); 7] = [
    ("ENOSPC", FaultEffect::Fails(Errno::ENOSPC)),
    ("EIO", FaultEffect::Fails(Errno::EIO)),
    ("EACCES", FaultEffect::Fails(Errno::EACCES)),
    ("EINTR", FaultEffect::Fails(Errno::EINTR)),
    ("short", FaultEffect::Short),
    ("SIGTERM", FaultEffect::Signal(Signal::SIGTERM)),
    ("SIGKILL", FaultEffect::Signal(Signal::SIGKILL)),
];

/// A root, and a tool to run in it.
pub trait FaultSubject {
    /// Restores the state before the first run.
    fn restore(&self);
    /// The command that starts the tool.
    fn start(&self) -> Start;
    /// Runs the tool, with a fault if there is one.
    fn trace(&self, start: &Start, fault: Option<Fault>) -> TracedRun;
    /// Judges the state after a run, before anything else is run. `undisturbed` is the outcome of a run without a fault.
    fn judge(&self, run: &Outcome, undisturbed: &Outcome) -> (StateAfter, Vec<Defect>);
}

/// The state after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateAfter {
    /// The old state.
    Old,
    /// The new state, which the run should produce.
    New,
    /// Partly the old state and partly the new one; every file is whole.
    Mixed,
    /// Something else.
    Other,
}

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// A file with only the beginning of the old or the new one.
    Torn(String),
    /// A file that is whole, but neither the old one nor the new one.
    Lacking(String),
    /// A file that no longer exists.
    Gone(String),
    /// A temporary file, though the tool was not killed.
    Leftover(String),
    /// Exit code 0, but the work is not done.
    Silent,
    /// Another exit code, but something has changed.
    Changed,
    /// Another exit code, but no message names the cause.
    Unexplained,
    /// The next run does not make the new files.
    Unrepaired,
    /// A temporary file that still exists after the next run.
    Stays(String),
    /// It did not end.
    Hung,
}

impl Defect {
    /// The kind, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Defect::Torn(_) => "files cut short",
            Defect::Lacking(_) => "files that lack something",
            Defect::Gone(_) => "files gone",
            Defect::Leftover(_) => "temporaries left",
            Defect::Silent => "silent exit 0",
            Defect::Changed => "failed, but changed files",
            Defect::Unexplained => "no cause reported",
            Defect::Unrepaired => "not repaired by the next run",
            Defect::Stays(_) => "temporaries that stay after the next run",
            Defect::Hung => "hung",
        }
    }
}

/// A run with a fault.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The call that got the fault.
    pub call: &'static str,
    /// Which of the calls of that name.
    pub nth: usize,
    /// The path it was about, if any.
    pub path: String,
    /// The fault, as in [`FAULTS`].
    pub fault: &'static str,
    /// How the run ended.
    pub status: ExitStatus,
    /// Its standard error.
    pub stderr: String,
    /// The state afterwards.
    pub left: StateAfter,
    /// What went wrong.
    pub defects: Vec<Defect>,
}

impl Trial {
    /// Whether the process ended by a signal.
    pub fn died(&self) -> bool {
        self.status.signal().is_some()
    }
}

/// How many calls of each name get the faults.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// All of them.
    Whole,
    /// At most so many, spread over the run: the first and the last are among them.
    Spread(usize),
}

/// Calls that cannot fail, or not with these errors. Threads that wait for each other with futex(2) would wait for ever
/// if waking failed.
const NEVER_FAIL: [&str; 4] = ["exit", "exit_group", "futex", "rt_sigreturn"];

/// Runs the subject's tool with each fault at each call.
pub fn sweep(world: &dyn FaultSubject, faults: &[(&'static str, FaultEffect)], extent: Extent) -> Vec<Trial> {
    sweep_of(world, faults, extent, &|_| true)
}

/// The same only with calls whose names are wanted.
pub fn sweep_of(
    world: &dyn FaultSubject,
    faults: &[(&'static str, FaultEffect)],
    extent: Extent,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Vec<Trial> {
    world.restore();
    let undisturbed = world.trace(&world.start(), None);
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for call in undisturbed.trace.iter().filter(|call| is_wanted(call)) {
        *counts.entry(call).or_default() += 1;
    }
    let mut trials = Vec::new();
    for (call, count) in counts {
        for nth in chosen_calls(count, extent) {
            for (name, what) in faults {
                let killed = matches!(what, FaultEffect::Signal(_));
                if !killed && NEVER_FAIL.contains(&call)
                    || *what == FaultEffect::Short && !can_transfer_less(call)
                {
                    continue;
                }
                let fault = Fault { target: TargetCall::Named(call, nth), effect: *what };
                trials.extend(trial(world, &undisturbed.outcome, name, fault, (call, nth)));
            }
        }
    }
    trials
}

/// One run. `None` if it made no such call: with threads, the number of some calls varies.
fn trial(
    world: &dyn FaultSubject,
    undisturbed: &Outcome,
    name: &'static str,
    fault: Fault,
    (call, nth): (&'static str, usize),
) -> Option<Trial> {
    world.restore();
    let run = world.trace(&world.start(), Some(fault));
    let (_, path) = run.faulted_call?;
    let (left, mut defects) = world.judge(&run.outcome, undisturbed);
    let stderr = String::from_utf8_lossy(&run.outcome.stderr).into_owned();
    let status = run.outcome.status;
    if status.signal() == Some(Signal::SIGKILL as i32) && !matches!(fault.effect, FaultEffect::Signal(_)) {
        defects.push(Defect::Hung);
    }
    if status.code().is_some_and(|code| code != 0) && !names_cause(&stderr, call, fault.effect) {
        defects.push(Defect::Unexplained);
    }
    Some(Trial { call, nth, path, fault: name, status, stderr, left, defects })
}

/// Calls of the C library's or the language's runtime, which prints its own message if it stops the program.
const OF_THE_RUNTIME: [&str; 5] = ["arch_prctl", "brk", "getrandom", "mmap", "mprotect"];

/// Whether a message gives the cause as the system, a C library or the dynamic loader words it.
fn names_cause(stderr: &str, call: &str, what: FaultEffect) -> bool {
    match what {
        // The fault was in the command or its shell: the message only needs to report that it failed.
        _ if stderr.contains("Error running install command") => true,
        // The message of rmmod, as of kmod, if it cannot read the reference count.
        _ if stderr.contains("Module unloading is not supported") => true,
        FaultEffect::Fails(_) if OF_THE_RUNTIME.contains(&call) => !stderr.is_empty(),
        // Errors of module calls have their own texts: "Unknown symbol in module" for ENOENT.
        FaultEffect::Fails(_) if call.ends_with("_module") => stderr.contains("could not"),
        FaultEffect::Fails(errno) => {
            let text = std::io::Error::from(errno).to_string();
            let texts = [text.split(" (os error").next().unwrap_or_default(), errno.desc()];
            texts.iter().any(|text| stderr.contains(text))
                || stderr.contains(&format!("Error {}", errno as i32))
        }
        FaultEffect::Short | FaultEffect::Signal(_) => !stderr.is_empty(),
    }
}

fn chosen_calls(count: usize, extent: Extent) -> Vec<usize> {
    match extent {
        Extent::Spread(most) if most < count => {
            let last = count - 1;
            let mut chosen: Vec<usize> = (0..most).map(|part| part * last / (most - 1).max(1)).collect();
            chosen.dedup();
            chosen
        }
        _ => (0..count).collect(),
    }
}

fn can_transfer_less(call: &str) -> bool {
    matches!(call, "read" | "pread64" | "write" | "pwrite64")
}
