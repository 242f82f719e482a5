//! What must happen before, or at the very start of, `main`.
#![expect(
    unsafe_code,
    reason = "a look at descriptor 2 before the runtime starts, and a signal's disposition"
)]

use std::sync::atomic::{AtomicBool, Ordering};

static STDERR_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether the process was started with standard error closed: messages then go to syslog.
pub fn stderr_was_closed() -> bool {
    STDERR_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Lets a write to a closed pipe end the process quietly, as it does every C program: Rust's runtime
/// ignores the signal.
pub fn restore_sigpipe() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: the default disposition installs no handler of ours, so nothing of ours can run in
    // signal context; the process has a single thread at this point.
    let restored = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    debug_assert!(restored.is_ok(), "SIGPIPE is a valid signal");
}

/// Rust's runtime opens /dev/null in the place of a closed descriptor 2 before `main`, so that it
/// cannot be told later. The C library calls the functions listed in `.init_array` earlier.
// SAFETY: `.init_array` holds pointers to functions of this type, called once, by glibc with
// arguments that the function does not look at, by musl with none.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK_AT_STDERR: extern "C" fn() = look_at_stderr;

extern "C" fn look_at_stderr() {
    // SAFETY: fcntl with F_GETFD takes no pointer and changes nothing, whatever the descriptor is.
    let flags = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_GETFD) };
    STDERR_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}
