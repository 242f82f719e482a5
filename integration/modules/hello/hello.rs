// SPDX-License-Identifier: GPL-2.0

//! `hello`: logs hello and goodbye, with parameters of every kind that the tools meet.
//!
//! - `msg`, a string: what it greets;
//! - `io`, an unsigned long that only accepts 0 to 5, whether set at load or later through sysfs;
//! - `ret`, an int: what the module's init function returns.
//!
//! `module!` has numeric parameters only, and none that sysfs shows, so the parameters are `struct kernel_param`
//! built by hand, as `module_param_cb` of `include/linux/moduleparam.h` does in C.

use core::{cell::UnsafeCell, mem, num::NonZeroI32};
use kernel::{
    bindings,
    ffi::{c_char, c_int, c_ulong},
    module_param::KernelParam,
    prelude::*,
    str::CStr,
};

#[macro_use]
#[path = "../modinfo.rs"]
mod modinfo;

module! {
    type: Hello,
    name: "hello",
    authors: ["The modutils authors"],
    description: "Says hello and goodbye",
    license: "GPL",
    alias: ["greeter", "modutils:hello-*"],
}

/// The largest value of `io`.
const IO_MAX: c_ulong = 5;

parameter!(MSG, "msg", "charp", *const c_char, c"world".as_ptr().cast(), bindings::param_ops_charp);
parameter!(IO, "io", "ulong", c_ulong, 0, IO_OPS);
parameter!(RET, "ret", "int", c_int, 0, bindings::param_ops_int);

modinfo!("parm", "msg:What to say hello to");
modinfo!("parm", "io:A number from 0 to 5");
modinfo!("parm", "ret:What init returns");

/// How the kernel sets and shows `io`.
static IO_OPS: bindings::kernel_param_ops = bindings::kernel_param_ops {
    flags: 0,
    set: Some(set_io),
    get: Some(bindings::param_get_ulong),
    free: None,
};

/// The module: nothing to keep, only a message at the end.
struct Hello;

impl kernel::Module for Hello {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        greet("hello");
        match NonZeroI32::new(RET.get()) {
            None => Ok(Hello),
            // SAFETY: `Error` is just a `NonZeroI32`. Its safe constructors refuse positive numbers, which
            // are the point here: `module!` hands the number on to the kernel, and nobody else sees it. The kernel
            // then takes the module for loaded; `Hello` has no fields, so that dropping it touches no memory.
            Some(number) => Err(unsafe { mem::transmute::<NonZeroI32, Error>(number) }),
        }
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        greet("goodbye");
    }
}

/// Writes a line with `msg` and `io` as they are now.
fn greet(greeting: &str) {
    // SAFETY: The module is this one. With the lock, nobody frees the string by writing another one through sysfs; the
    // kernel's charp operations keep it NUL-terminated.
    unsafe {
        bindings::kernel_param_lock(this_module());
        let msg = CStr::from_char_ptr(MSG.get()).to_str().unwrap_or("(not UTF-8)");
        pr_info!("{greeting} {msg}, io {:#x}\n", IO.get());
        bindings::kernel_param_unlock(this_module());
    }
}

/// This module, as the kernel's functions want it.
const fn this_module() -> *mut bindings::module {
    (&raw const bindings::__this_module).cast_mut()
}

/// Sets `io` from `text`, as `kernel_param_ops::set`: 0, or a negated error number.
///
/// # Safety
///
/// The kernel calls it with a NUL-terminated `text` and the parameter `io`, holding the lock on parameters.
unsafe extern "C" fn set_io(text: *const c_char, parameter: *const bindings::kernel_param) -> c_int {
    let mut value: c_ulong = 0;
    // SAFETY: `parameter` is valid, as the kernel promises; the copy leads to a local variable instead of `IO`, so
    // that a number out of range is never seen.
    let error = unsafe {
        let mut local = *parameter;
        local.__bindgen_anon_1.arg = (&raw mut value).cast();
        bindings::param_set_ulong(text, &local)
    };
    match error {
        0 if value > IO_MAX => EINVAL.to_errno(),
        0 => {
            // SAFETY: The kernel holds the lock on parameters.
            unsafe { *IO.0.get() = value };
            0
        }
        _ => error,
    }
}

/// What a parameter holds. The kernel writes it, under its lock on parameters.
#[repr(transparent)]
struct Value<T>(UnsafeCell<T>);

// SAFETY: The values are words: a reader sees the old or the new one.
unsafe impl<T> Sync for Value<T> {}

impl<T: Copy> Value<T> {
    /// The value now.
    fn get(&self) -> T {
        // SAFETY: Always valid for reading; no reference to it exists.
        unsafe { *self.0.get() }
    }
}

/// Declares the parameter `$name` of C type `$type`, readable and writable in sysfs, and the static that holds it.
macro_rules! parameter {
    ($holder:ident, $name:literal, $type:literal, $rust:ty, $default:expr, $ops:path) => {
        static $holder: Value<$rust> = Value(UnsafeCell::new($default));
        modinfo!("parmtype", concat!($name, ":", $type));
        const _: () = {
            #[link_section = "__param"]
            #[used(compiler)]
            static PARAMETER: KernelParam = KernelParam::new(bindings::kernel_param {
                name: concat!($name, "\0").as_ptr().cast(),
                mod_: this_module(),
                ops: &raw const $ops,
                perm: 0o644,
                level: -1,
                flags: 0,
                __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 { arg: $holder.0.get().cast() },
            });
        };
    };
}
use parameter;
