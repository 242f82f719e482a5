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
pub extern "C" fn init_module() -> c_int {
    pr_info!("here to stay\n");
    0
}
