// SPDX-License-Identifier: GPL-2.0

//! `permanent`: a module without an exit function, which the kernel unloads only by force.
//!
//! `module!` always writes an exit function, so this module does by hand what remains without it.

use kernel::{ffi::c_int, prelude::*};

#[macro_use]
#[path = "../modinfo.rs"]
mod modinfo;

modinfo!("description", "Has no exit function");
modinfo!("author", "The modutils authors");
modinfo!("license", "GPL");

/// Begins this module's lines in the kernel's log, for `pr_info!`.
const __LOG_PREFIX: &[u8] = b"permanent\0";

/// What the kernel calls at load.
#[no_mangle]
#[link_section = ".init.text"]
pub extern "C" fn init_module() -> c_int {
    pr_info!("here to stay\n");
    0
}

/// Lets objtool know that `init_module` is the function meant, and not a function that happens to have this name.
#[used(compiler)]
#[link_section = ".init.data"]
#[allow(non_upper_case_globals, reason = "objtool looks for this name")]
static __UNIQUE_ID___addressable_init_module: extern "C" fn() -> c_int = init_module;
