//! What must happen before, or at the very start of, `main`.
#![expect(
    unsafe_code,
    reason = "a look at descriptor 2 before the runtime starts, AT_SECURE, and what signals do"
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

/// Whether the process was started with standard error closed: messages then go to syslog.
pub fn stderr_was_closed() -> bool {
    STDERR_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Whether our caller has fewer rights than we: the program is set-user-ID or has capabilities.
pub fn is_secure() -> bool {
    // SAFETY: getauxval takes an integer and reads what the kernel gave the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// A variable of the environment, unless [`is_secure`]: a lesser caller's words change nothing. All
/// of our variables are read here.
pub fn variable(name: &str) -> Option<OsString> {
    if is_secure() { None } else { std::env::var_os(name) }
}

/// While this lives, an interrupt or quit from the keyboard is meant for the command that we wait
/// for, as with system(3). The command gets it: what a program starts with knows no handlers.
pub struct KeyboardIgnored(Vec<(Signal, SigAction)>);

impl KeyboardIgnored {
    /// Begins it.
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

/// Lets the programs we start find standard error closed where we did, so that a modprobe that an
/// install command calls logs, too.
pub fn keep_stderr_closed() {
    if stderr_was_closed() {
        let _ = fcntl(std::io::stderr(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

/// Lets a write to a closed pipe end the process quietly, as it does every C program: Rust's runtime
/// ignores the signal.
pub fn restore_sigpipe() {
    set_sigpipe(SigHandler::SigDfl);
}

/// Lets a write to a closed pipe fail only, for a tool that has more to do than to print. The
/// programs we start are not concerned: [`std::process::Command`] gives them the default.
pub fn ignore_sigpipe() {
    set_sigpipe(SigHandler::SigIgn);
}

/// Ends the process as a write to a closed pipe does.
pub fn die_of_sigpipe() {
    restore_sigpipe();
    // Comes back only where the signal is blocked.
    let _ = raise(Signal::SIGPIPE);
}

/// The signals by which people, sessions and limits end a program.
const TERMINATING: [Signal; 5] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGXCPU];

/// The one of them that came while they were held; 0 for none.
static PENDING: AtomicI32 = AtomicI32::new(0);

/// While this lives, signals that would end the process wait, in all its threads; a write beyond the
/// limit of file sizes fails instead of ending it. A signal that was ignored stays ignored.
pub struct HeldSignals(Vec<(Signal, SigAction)>);

impl HeldSignals {
    /// Begins to hold them.
    pub fn hold() -> Self {
        PENDING.store(0, Ordering::Relaxed);
        let note = SigHandler::Handler(note_signal);
        let mut held: Vec<_> =
            TERMINATING.iter().filter_map(|&signal| replace_handler(signal, note)).collect();
        held.extend(replace_handler(Signal::SIGXFSZ, SigHandler::SigIgn));
        Self(held)
    }

    /// Whether one has come.
    pub fn is_pending(&self) -> bool {
        PENDING.load(Ordering::Relaxed) != 0
    }

    /// Ends it: one that has come now does what it does.
    pub fn release(self) {
        restore_handlers(&self.0);
        if let Ok(signal) = Signal::try_from(PENDING.load(Ordering::Relaxed)) {
            // Comes back only where the signal is blocked.
            let _ = raise(signal);
        }
    }
}

/// Sets what a signal does, unless it is ignored; returns what it did before.
fn replace_handler(signal: Signal, handler: SigHandler) -> Option<(Signal, SigAction)> {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers that are given to this function store an integer atomically or do
    // nothing: that is allowed in signal context, in any thread.
    let before = unsafe { sigaction(signal, &action) }.ok()?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        // SAFETY: no handler is set.
        let _ = unsafe { sigaction(signal, &before) };
        return None;
    }
    Some((signal, before))
}

/// Sets again what [`replace_handler`] returned.
fn restore_handlers(before: &[(Signal, SigAction)]) {
    for (signal, action) in before {
        // SAFETY: this is what was set when no handler of ours was.
        let _ = unsafe { sigaction(*signal, action) };
    }
}

extern "C" fn note_signal(signal: libc::c_int) {
    PENDING.store(signal, Ordering::Relaxed);
}

fn set_sigpipe(handler: SigHandler) {
    // SAFETY: both dispositions that are set here install no handler of ours, so nothing of ours can
    // run in signal context.
    let _ = unsafe { signal(Signal::SIGPIPE, handler) };
}

/// Rust's runtime opens /dev/null in the place of a closed descriptor 2 before `main`, so that it
/// cannot be told later. The C library calls the functions listed in `.init_array` earlier.
// SAFETY: `.init_array` holds pointers to functions of this type, called once, by glibc with
// arguments that the function does not look at, by musl with none.
#[used]
#[unsafe(link_section = ".init_array")]
static CHECK_STDERR: extern "C" fn() = check_stderr;

extern "C" fn check_stderr() {
    // SAFETY: fcntl with F_GETFD takes no pointer and changes nothing, whatever the descriptor is.
    let flags = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_GETFD) };
    STDERR_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}
