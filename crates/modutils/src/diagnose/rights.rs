//! Whether modules may be loaded and removed at all, and by this process.

use bstr::ByteSlice;

use crate::{Root, config::read};

/// CAP_SYS_MODULE of `include/uapi/linux/capability.h`.
const CAP_SYS_MODULE: u32 = 16;

/// `kernel.modules_disabled`: once set, nothing is loaded or removed until the next boot. `None` where it
/// cannot be read.
pub fn modules_disabled(root: &Root) -> Option<bool> {
    match read(&root.system("/proc/sys/kernel/modules_disabled")).ok()?.trim() {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

/// Whether this process has CAP_SYS_MODULE, by `/proc/self/status`. `None` where that does not show it.
pub fn is_permitted(root: &Root) -> Option<bool> {
    let status = read(&root.system("/proc/self/status")).ok()?;
    let set = status.lines().find_map(|line| line.strip_prefix(b"CapEff:"))?;
    let set = u64::from_str_radix(set.trim().to_str().ok()?, 16).ok()?;
    Some(set & (1 << CAP_SYS_MODULE) != 0)
}
