// SPDX-License-Identifier: GPL-2.0

//! `square`: exports a function to other modules, under the GPL only.

use kernel::prelude::*;

module! {
    type: Square,
    name: "square",
    authors: ["The modutils authors"],
    description: "Exports square()",
    license: "GPL",
}

/// What `square` takes and returns; `export.c` has the same in C.
#[cfg(not(square_of_long))]
type Number = kernel::ffi::c_int;
#[cfg(square_of_long)]
type Number = kernel::ffi::c_long;

/// The square of `number`, wrapping around.
#[no_mangle]
pub extern "C" fn square(number: Number) -> Number {
    number.wrapping_mul(number)
}

/// The module.
struct Square;

impl kernel::Module for Square {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("ready\n");
        Ok(Square)
    }
}
