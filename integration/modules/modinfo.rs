// SPDX-License-Identifier: GPL-2.0

//! Entries of the section `.modinfo` that `module!` does not write.

/// Adds the entry `tag=value` to the module's `.modinfo`, as `MODULE_INFO` of `include/linux/module.h` does in C.
///
/// One of the entries of a block, so that each has a scope of its own:
///
/// ```
/// modinfo!("softdep", "pre: square");
/// ```
macro_rules! modinfo {
    ($tag:literal, $value:expr) => {
        const _: () = {
            const ENTRY: &str = concat!($tag, "=", $value, "\0");
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static BYTES: [u8; ENTRY.len()] = {
                let mut bytes = [0; ENTRY.len()];
                bytes.copy_from_slice(ENTRY.as_bytes());
                bytes
            };
        };
    };
}
