//! Log functions, and what decides on messages.
#![expect(unsafe_code, reason = "symbols of the C interface, and the call of a function of the host")]

use std::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use super::{
    guarded,
    pointer::{Borrowed, Data},
};
use crate::{
    context::KmodContext,
    log::{Log, LogFunction},
};

// SAFETY: `c/log.c`, which is linked with this crate, defines it with these types.
unsafe extern "C" {
    /// In `c/log.c`.
    fn modutils_call_log_function(
        log: LogFunction,
        data: Data,
        priority: c_int,
        file: *const c_char,
        line: c_int,
        function: *const c_char,
        text: *const c_char,
    );
}

/// Gives a message to a log function of the host.
pub(crate) fn call(log: LogFunction, data: Data, priority: c_int, function: &CStr, text: &CStr) {
    let (file, line) = (c"libkmod".as_ptr(), 0);
    // SAFETY: the host has set the function and its data for such calls; the strings are there during this one.
    unsafe {
        modutils_call_log_function(log, data, priority, file, line, function.as_ptr(), text.as_ptr());
    }
}

/// The log of a new context: `KMOD_LOG` counts unless the process has more rights than who started it.
pub(super) fn new() -> Log {
    // SAFETY: it reads a vector that the kernel has filled.
    let is_secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let variable = if is_secure { None } else { std::env::var_os("KMOD_LOG") };
    Log::new(variable.as_deref().map(std::os::unix::ffi::OsStrExt::as_bytes))
}

/// Whether commands may have the environment of this process.
pub(super) fn environment() -> modutils::kernel::Environment {
    // SAFETY: as above.
    match unsafe { libc::getauxval(libc::AT_SECURE) } {
        0 => modutils::kernel::Environment::without_misleading(std::env::vars_os()),
        _ => modutils::kernel::Environment::default(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn kmod_set_log_priority(context: Borrowed<KmodContext>, priority: c_int) {
    guarded((), || {
        if let Some(context) = context.get() {
            context.log().set_priority(priority);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn kmod_get_log_priority(context: Borrowed<KmodContext>) -> c_int {
    guarded(-1, || context.get().map_or(-1, |context| context.log().priority()))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_set_log_fn(context: Borrowed<KmodContext>, function: Option<LogFunction>, data: Data) {
    guarded((), || {
        if let Some(context) = context.get() {
            context.log().set_function(function, data);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn kmod_set_userdata(context: Borrowed<KmodContext>, data: Data) {
    guarded((), || {
        if let Some(context) = context.get() {
            context.set_user_data(data);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn kmod_get_userdata(context: Borrowed<KmodContext>) -> Data {
    guarded(ptr::null_mut(), || context.get().map_or(ptr::null_mut(), KmodContext::user_data))
}
