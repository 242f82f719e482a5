//! Whether modules may be loaded and removed at all, and by this process.

use std::io::ErrorKind;

use bstr::ByteSlice;

use crate::{Root, config::read};

pub(crate) use crate::kernel::modules_disabled;

/// CAP_SYS_MODULE of `include/uapi/linux/capability.h`.
const CAP_SYS_MODULE: u32 = 16;

/// Whether this process lives in a user namespace other than the first one, by `/proc/self/uid_map`: that one maps all
/// numbers to themselves. What CAP_SYS_MODULE it has there does not count (user_namespaces(7)). A kernel without such
/// namespaces has no such file. `None` where that cannot be read.
pub fn in_user_namespace(root: &Root) -> Option<bool> {
    let map = match read(&root.system("/proc/self/uid_map")) {
        Ok(map) => map,
        Err(error) => {
            return (error.kind() == ErrorKind::NotFound && status(root).is_some()).then_some(false);
        }
    };
    let mut words = map.fields();
    let first = (words.next(), words.next(), words.next());
    // One that nobody has filled is a new namespace's.
    Some(first != (Some(b"0".as_slice()), Some(b"0"), Some(b"4294967295")))
}

/// Whether a filter of system calls is on this process, by `/proc/self/status` (seccomp(2)), which has no such line in a
/// kernel without them. `None` where that cannot be read.
pub fn is_filtered(root: &Root) -> Option<bool> {
    let status = status(root)?;
    let mode = status.lines().find_map(|line| line.strip_prefix(b"Seccomp:"));
    Some(mode.is_some_and(|mode| mode.trim() != b"0"))
}

/// Whether this process has CAP_SYS_MODULE, by `/proc/self/status`. `None` where that does not show it.
pub fn is_permitted(root: &Root) -> Option<bool> {
    let status = status(root)?;
    let set = status.lines().find_map(|line| line.strip_prefix(b"CapEff:"))?;
    let set = u64::from_str_radix(set.trim().to_str().ok()?, 16).ok()?;
    Some(set & (1 << CAP_SYS_MODULE) != 0)
}

fn status(root: &Root) -> Option<Vec<u8>> {
    read(&root.system("/proc/self/status")).ok()
}
