//! Error numbers by which the kernel refuses a module (`kernel/module/main.c`), and for which causes.

use super::cause::{Cause, SignatureFault, SymbolFault};
use crate::Errno;

/// The numbers that `load_module` returns before the module runs.
pub const LOADERS: [Errno; 21] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::ENOEXEC,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EFAULT,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::EINVAL,
    Errno::ERANGE,
    Errno::ENOSPC,
    Errno::EFBIG,
    Errno::EBADMSG,
    Errno::ENODATA,
    Errno::ENOKEY,
    Errno::ENOPKG,
    Errno::EKEYREJECTED,
    Errno::EKEYEXPIRED,
    Errno::EKEYREVOKED,
    Errno::EINTR,
];

/// `ENOTSUPP` of the kernel's `include/linux/errno.h`, which programs have no name for: a header of BTF of another version.
pub const ENOTSUPP: Errno = Errno::from_raw(524);
/// Any such number, as the system call's wrapper returns it.
pub const UNNAMED: Errno = Errno::from_raw(0);

/// The numbers by which the kernel refuses a module for a cause.
pub fn errors_of(cause: &Cause) -> &'static [Errno] {
    match cause {
        Cause::Damaged(_) => &[Errno::ENOEXEC, Errno::EINVAL, Errno::EBADMSG],
        Cause::NotRelocatable
        | Cause::Machine { .. }
        | Cause::Stripped
        | Cause::NotForced
        | Cause::NoVersions
        | Cause::NoVermagic
        | Cause::Vermagic { .. }
        | Cause::StructSize { .. }
        | Cause::Duplicate { .. } => &[Errno::ENOEXEC],
        Cause::Symbol { name, .. } if *name == "module_layout" => &[Errno::ENOEXEC],
        Cause::Symbol { fault, .. } => match fault {
            SymbolFault::Missing { .. }
            | SymbolFault::NotLoaded(_)
            | SymbolFault::Proprietary(_)
            | SymbolFault::GplOnly { .. } => &[Errno::ENOENT],
            SymbolFault::NotReady(_) => &[Errno::EBUSY],
            _ => &[Errno::EINVAL],
        },
        Cause::Value { .. } => &[Errno::EINVAL, Errno::ERANGE, Errno::ENOSPC],
        Cause::Signature(SignatureFault::Malformed) => {
            &[Errno::EBADMSG, Errno::ENOPKG, Errno::EKEYREJECTED, Errno::EINVAL, Errno::EPERM]
        }
        Cause::Btf => &[Errno::EINVAL, ENOTSUPP, UNNAMED],
        Cause::OpenForWriting { .. } => &[Errno::ETXTBSY],
        Cause::Appraisal => &[Errno::EACCES, Errno::EPERM],
        Cause::Filtered => &[Errno::EPERM, Errno::ENOSYS],
        Cause::Signature(_) => &[Errno::EKEYREJECTED, Errno::EPERM, Errno::ENOKEY, Errno::ENODATA],
        Cause::ModulesDisabled | Cause::NotPermitted { .. } | Cause::Blacklisted => &[Errno::EPERM],
        Cause::Present(_) => &[Errno::EEXIST, Errno::EBUSY],
        Cause::BuiltIn => &[Errno::EEXIST],
        Cause::NoMemory | Cause::NoPerCpuMemory => &[Errno::ENOMEM],
        Cause::Decompression
        | Cause::Dependency { .. }
        | Cause::Command { .. }
        | Cause::Denied { .. }
        | Cause::Gone(_) => &[],
    }
}
