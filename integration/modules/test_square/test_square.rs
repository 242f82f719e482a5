// SPDX-License-Identifier: GPL-2.0

//! `test_square`: imports `square` from the module of that name, and so depends on it.
//!
//! It imports short names only, so that the table `__versions` has all of them and a copy of the module without the
//! extended tables loads as well. `pr_info!` would import names of the crate `kernel`, which are longer.

use kernel::{bindings, ffi::c_int, prelude::*};

module! {
    type: TestSquare,
    name: "test_square",
    authors: ["The modutils authors"],
    description: "Calls square()",
    license: "GPL",
}

extern "C" {
    /// The square of `number`, from the module `square`.
    fn square(number: c_int) -> c_int;
}

/// The module.
struct TestSquare;

impl kernel::Module for TestSquare {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        // KERN_INFO of include/linux/kern_levels.h, then the text.
        let format = c"\x016test_square: the square of 7 is %d\n";
        // SAFETY: `square` has this prototype and no precondition; the format wants one int.
        unsafe { bindings::_printk(format.as_ptr().cast(), square(7)) };
        Ok(TestSquare)
    }
}
