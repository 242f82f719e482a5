//! What must happen before or at the start of `main`, and what signals do.
#![expect(
    unsafe_code,
    reason = "checking descriptor 2 before the runtime starts, AT_SECURE, and signal handlers"
)]

use std::{
    ffi::OsString,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction, signal},
};

static STDERR_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether our caller ignores SIGPIPE, as scripts do with `trap '' PIPE`.
static SIGPIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

/// Whether the process was started with standard error closed. Messages then go to syslog.
pub fn stderr_was_closed() -> bool {
    STDERR_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Whether we have more privileges than our caller: the program is set-user-ID or has file capabilities.
pub fn is_secure() -> bool {
    // SAFETY: getauxval takes an integer and reads what the kernel gave the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// An environment variable; `None` if [`is_secure`], because a caller with fewer privileges must not change
/// anything. All of our variables are read here.
pub fn variable(name: &str) -> Option<OsString> {
    if is_secure() { None } else { std::env::var_os(name) }
}

/// While this lives, a keyboard interrupt or quit does not affect us but only the command that we wait for, as
/// with system(3). The command receives it because handlers are reset by execve(2), unlike ignored signals.
pub struct KeyboardIgnored(Vec<(Signal, SigAction)>);

impl KeyboardIgnored {
    /// Starts to ignore them.
    pub fn begin() -> Self {
        let ignore = SigHandler::Handler(do_nothing);
        Self(
            [Signal::SIGINT, Signal::SIGQUIT]
                .iter()
                .filter_map(|&signal| replace_handler(signal, ignore))
                .collect(),
        )
    }
}

impl Drop for KeyboardIgnored {
    fn drop(&mut self) {
        restore_handlers(&self.0);
    }
}

extern "C" fn do_nothing(_: libc::c_int) {}

/// Starts programs with standard error closed if ours was, so that a modprobe that an install command runs uses
/// syslog, too.
pub fn keep_stderr_closed() {
    if stderr_was_closed() {
        let _ = fcntl(std::io::stderr(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

/// Lets a write to a closed pipe end the process silently, as in every C program, unless the caller ignores the signal:
/// then it is an error. Rust's runtime ignores SIGPIPE.
pub fn restore_sigpipe() {
    if !SIGPIPE_WAS_IGNORED.load(Ordering::Relaxed) {
        set_sigpipe(SigHandler::SigDfl);
    }
}

/// Makes a write to a closed pipe an error, for a tool that has more to do than to print. The programs we start are
/// not affected: [`std::process::Command`] resets SIGPIPE for them, even where our caller ignores it.
pub fn ignore_sigpipe() {
    set_sigpipe(SigHandler::SigIgn);
}

/// Ends the process by SIGPIPE. Returns if the caller ignores or blocks the signal.
pub fn die_of_sigpipe() {
    restore_sigpipe();
    let _ = raise(Signal::SIGPIPE);
}

/// The signals by which users, sessions and limits end a program, and a message that nobody reads.
const TERMINATING: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGXCPU, Signal::SIGPIPE];

/// The signal that arrived while they were held back; 0 for none.
static PENDING: AtomicI32 = AtomicI32::new(0);

/// While this lives, signals that would end the process are held back in all its threads, and a write beyond the
/// file-size limit is an error instead of ending it. Signals that were ignored stay ignored.
pub struct HeldSignals(Vec<(Signal, SigAction)>);

impl HeldSignals {
    /// Starts to hold signals back.
    pub fn hold() -> Self {
        PENDING.store(0, Ordering::Relaxed);
        let note = SigHandler::Handler(note_signal);
        let mut held: Vec<_> =
            TERMINATING.iter().filter_map(|&signal| replace_handler(signal, note)).collect();
        held.extend(replace_handler(Signal::SIGXFSZ, SigHandler::SigIgn));
        Self(held)
    }

    /// Whether a signal has arrived.
    pub fn is_pending(&self) -> bool {
        PENDING.load(Ordering::Relaxed) != 0
    }

    /// Restores the handlers, and raises the signal that has arrived.
    pub fn release(self) {
        restore_handlers(&self.0);
        if let Ok(signal) = Signal::try_from(PENDING.load(Ordering::Relaxed)) {
            // Returns only if the signal is blocked.
            let _ = raise(signal);
        }
    }
}

/// Sets a signal's handler, unless the signal is ignored. Returns the previous action.
fn replace_handler(signal: Signal, handler: SigHandler) -> Option<(Signal, SigAction)> {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers that are passed to this function store an integer atomically or do
    // nothing, which is allowed in signal context, in any thread.
    let before = unsafe { sigaction(signal, &action) }.ok()?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        // SAFETY: no handler is set.
        let _ = unsafe { sigaction(signal, &before) };
        return None;
    }
    Some((signal, before))
}

/// Restores the actions that [`replace_handler`] returned.
fn restore_handlers(before: &[(Signal, SigAction)]) {
    for (signal, action) in before {
        // SAFETY: this is the action from before our handler was set.
        let _ = unsafe { sigaction(*signal, action) };
    }
}

extern "C" fn note_signal(signal: libc::c_int) {
    PENDING.store(signal, Ordering::Relaxed);
}

fn set_sigpipe(handler: SigHandler) {
    // SAFETY: neither disposition that is set here installs a handler, so none of our code can run in
    // signal context.
    let _ = unsafe { signal(Signal::SIGPIPE, handler) };
}

/// Rust's runtime opens /dev/null as a closed descriptor 2 before `main`, which hides that it was closed, and ignores
/// SIGPIPE, which hides what our caller did. The C library calls the functions listed in `.init_array` earlier.
// SAFETY: `.init_array` contains pointers to functions of this type. Each is called once, by glibc with
// arguments that the function ignores, by musl with none.
#[used]
#[unsafe(link_section = ".init_array")]
static SEE_WHAT_IS_INHERITED: extern "C" fn() = see_what_is_inherited;

extern "C" fn see_what_is_inherited() {
    // SAFETY: fcntl with F_GETFD takes no pointer and changes nothing, whatever the descriptor is.
    let flags = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_GETFD) };
    STDERR_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action sigaction changes nothing, and writes the present one where we have room for it.
    let failed = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr()) } != 0;
    // SAFETY: all of its fields may be zero, and sigaction filled them in if it did not fail.
    let action = unsafe { action.assume_init() };
    SIGPIPE_WAS_IGNORED.store(!failed && action.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
}
