// SPDX-License-Identifier: GPL-2.0

//! `test_verbose`: imports the long name that the module `verbose` exports.

use kernel::{ffi::c_int, prelude::*};

module! {
    type: TestVerbose,
    name: "test_verbose",
    authors: ["The modutils authors"],
    description: "Imports a symbol with a long name",
    license: "GPL",
}

extern "C" {
    /// Twice `number`, from the module `verbose`.
    #[link_name = "_RNvNtNtNtNtCsmodutils_7verbose7symbols4that7outgrow8versions5twice"]
    fn twice(number: c_int) -> c_int;
}

/// The module.
struct TestVerbose;

impl kernel::Module for TestVerbose {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        // SAFETY: The function has this prototype and no precondition.
        pr_info!("twice 21 is {}\n", unsafe { twice(21) });
        Ok(TestVerbose)
    }
}
