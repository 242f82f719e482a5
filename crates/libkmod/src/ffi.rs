//! The functions of the interface: what C passes becomes values, panics and errors become numbers.
//!
//! The contract is that of `include/libkmod.h`: a pointer is NULL, or one that this library returned and
//! whose object is still there, or a string or array of the caller's. Arguments have types of [`pointer`]
//! for that, so that the functions themselves need no unsafe code.

mod config;
mod context;
mod facts;
mod lists;
mod log;
mod module;
mod modules;
mod pointer;
mod probe;
mod running;

use std::{
    ffi::{CStr, c_char, c_int},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Once,
};

use modutils::Errno;

pub(crate) use log::call as log_call;

/// Runs what a function does. A panic, which would be a defect of ours, ends here: it must not end the
/// process of the host.
fn guarded<T>(after_panic: T, run: impl FnOnce() -> T) -> T {
    // A fuzz target is to see it.
    if cfg!(fuzzing) {
        return run();
    }
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(after_panic)
}

/// The same for a function that returns a number, or an error as a negative one.
fn number(run: impl FnOnce() -> Result<c_int, Errno>) -> c_int {
    guarded(Err(Errno::from_raw(nix::errno::Errno::EIO as i32)), run).unwrap_or_else(failed)
}

/// The same for one that returns a string, or NULL.
fn string<'a>(run: impl FnOnce() -> Option<&'a CStr>) -> *const c_char {
    guarded(None, run).map_or(ptr::null(), CStr::as_ptr)
}

/// The negative number of an error, which is in `errno` as well.
fn failed(error: Errno) -> c_int {
    nix::errno::Errno::set_raw(error.raw());
    error.raw().saturating_neg()
}

/// Keeps the message of a panic off standard error, which is the host's. The hook is the one of this library
/// only: a shared object has its own copy of the standard library.
fn silence_panics() {
    static ONCE: Once = Once::new();
    if !cfg!(any(test, fuzzing)) {
        ONCE.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    }
}

/// `-ENOENT`: the answer to NULL.
const NO_OBJECT: Errno = Errno::ENOENT;
