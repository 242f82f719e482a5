// SPDX-License-Identifier: GPL-2.0

//! `test_square`: imports `square` from the module of that name, and so depends on it.

use kernel::{ffi::c_int, prelude::*};

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
        // SAFETY: The function has this prototype and no precondition.
        pr_info!("the square of 7 is {}\n", unsafe { square(7) });
        Ok(TestSquare)
    }
}
