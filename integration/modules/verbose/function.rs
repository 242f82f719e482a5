// SPDX-License-Identifier: GPL-2.0

//! `verbose`: exports a function whose symbol has a name as long as Rust's mangled names are.
//!
//! A record of the table `__versions` has room for 55 bytes of a name, so only the extended tables
//! (`__version_ext_names`, `__version_ext_crcs`) carry this one, which has 67.

use kernel::{ffi::c_int, prelude::*};

module! {
    type: Verbose,
    name: "verbose",
    authors: ["The modutils authors"],
    description: "Exports a symbol with a long name",
    license: "GPL",
}

/// Twice `number`, wrapping around.
///
/// The symbol is `verbose::symbols::that::outgrow::versions::twice` as Rust mangles paths. It is spelled out here
/// because `export.c` needs to know it.
#[export_name = "_RNvNtNtNtNtCsmodutils_7verbose7symbols4that7outgrow8versions5twice"]
pub extern "C" fn twice(number: c_int) -> c_int {
    number.wrapping_mul(2)
}

/// The module.
struct Verbose;

impl kernel::Module for Verbose {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("ready\n");
        Ok(Verbose)
    }
}
