// SPDX-License-Identifier: GPL-2.0

//! `gadget`: named by a device and naming other modules in turn.
//!
//! Its alias looks like that of a driver's device table: it matches the bridge between PCI and ISA of the machine
//! that QEMU emulates, so coldplugging loads it. Its soft dependencies have no symbols behind them.

use kernel::prelude::*;

#[macro_use]
#[path = "../modinfo.rs"]
mod modinfo;

module! {
    type: Gadget,
    name: "gadget",
    authors: ["The modutils authors", "A Second Author"],
    description: "Matches a device and has soft dependencies",
    license: "GPL",
    alias: [
        "pci:v00008086d00007000sv*sd*bc*sc*i*",
        "of:N*T*Cmodutils,gadgetC*",
        "of:N*T*Cmodutils,gadget",
    ],
}

modinfo!("softdep", "pre: square post: verbose");

/// The module.
struct Gadget;

impl kernel::Module for Gadget {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("ready\n");
        Ok(Gadget)
    }
}
