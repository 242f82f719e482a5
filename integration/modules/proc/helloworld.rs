// SPDX-License-Identifier: GPL-2.0

//! `proc`: a file in /proc that one process at a time may have open, and that keeps the module loaded meanwhile.

use core::ptr;
use kernel::{
    bindings,
    ffi::{c_char, c_int, c_void},
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{Atomic, Full, Release},
};

module! {
    type: Proc,
    name: "proc",
    authors: ["The modutils authors"],
    description: "Has a file in /proc",
    license: "GPL",
}

/// Whether a process has the file open.
static IS_OPEN: Atomic<bool> = Atomic::new(false);

/// What the kernel calls for /proc/helloworld.
static OPERATIONS: ProcOps = ProcOps {
    flags: 0,
    open,
    read: bindings::seq_read,
    read_iter: None,
    write: None,
    lseek: bindings::seq_lseek,
    release,
    others: [ptr::null(); 5],
};

/// The module: the file, until it is dropped.
struct Proc(*mut ProcEntry);

// SAFETY: The pointer only goes back to the kernel, once.
unsafe impl Send for Proc {}
// SAFETY: As above.
unsafe impl Sync for Proc {}

impl kernel::Module for Proc {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        // SAFETY: The name is NUL-terminated and the operations are static; the file goes before they do.
        let entry =
            unsafe { proc_create(c"helloworld".as_ptr().cast(), 0o444, ptr::null_mut(), &OPERATIONS) };
        if entry.is_null() {
            return Err(ENOMEM);
        }
        pr_info!("/proc/helloworld is there\n");
        Ok(Proc(entry))
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        // SAFETY: `init` made it. The kernel waits for calls of our functions that haven't returned yet.
        unsafe { proc_remove(self.0) };
        pr_info!("/proc/helloworld is gone\n");
    }
}

/// Opens the file unless it is open, and holds the module until `release`.
///
/// # Safety
///
/// Called by the kernel, with a valid `file`.
unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    if IS_OPEN.xchg(true, Full) {
        return EBUSY.to_errno();
    }
    // SAFETY: The module is ours. It is being unloaded if this fails.
    let error = if unsafe { bindings::try_module_get(this_module()) } {
        // SAFETY: `file` is valid and `show` fits.
        let error = unsafe { bindings::single_open(file, Some(show), ptr::null_mut()) };
        if error != 0 {
            // SAFETY: Taken above.
            unsafe { bindings::module_put(this_module()) };
        }
        error
    } else {
        ENODEV.to_errno()
    };
    if error != 0 {
        IS_OPEN.store(false, Release);
    }
    error
}

/// Undoes `open`.
///
/// # Safety
///
/// Called by the kernel, with what `open` was called with.
unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `open` called `single_open` on this file and took the module.
    unsafe {
        let error = bindings::single_release(inode, file);
        IS_OPEN.store(false, Release);
        bindings::module_put(this_module());
        error
    }
}

/// Writes the file's text.
///
/// # Safety
///
/// Called by the kernel's `seq_file`, which is valid meanwhile.
unsafe extern "C" fn show(file: *mut bindings::seq_file, _data: *mut c_void) -> c_int {
    // SAFETY: As the kernel promises.
    let file = unsafe { SeqFile::from_raw(file) };
    seq_print!(file, "Hello, world!\n");
    0
}

/// This module, for its reference count.
fn this_module() -> *mut bindings::module {
    (&raw const bindings::__this_module).cast_mut()
}

/// The kernel's `struct proc_dir_entry`, of which nobody outside procfs knows more.
#[repr(C)]
struct ProcEntry {
    _private: [u8; 0],
}

/// A function of `struct proc_ops` for opening and closing.
type OnFile = unsafe extern "C" fn(*mut bindings::inode, *mut bindings::file) -> c_int;

/// `struct proc_ops` of `include/linux/proc_fs.h`, which the kernel's Rust bindings omit.
#[repr(C)]
struct ProcOps {
    flags: u32,
    open: OnFile,
    read: unsafe extern "C" fn(*mut bindings::file, *mut c_char, usize, *mut bindings::loff_t) -> isize,
    read_iter: Option<unsafe extern "C" fn()>,
    write: Option<unsafe extern "C" fn()>,
    lseek: unsafe extern "C" fn(*mut bindings::file, bindings::loff_t, c_int) -> bindings::loff_t,
    release: OnFile,
    /// poll, ioctl, compat_ioctl (in some configurations), mmap, get_unmapped_area: all absent.
    others: [*const c_void; 5],
}

// SAFETY: The pointers are null.
unsafe impl Sync for ProcOps {}

extern "C" {
    fn proc_create(
        name: *const c_char,
        mode: bindings::umode_t,
        parent: *mut ProcEntry,
        operations: *const ProcOps,
    ) -> *mut ProcEntry;
    fn proc_remove(entry: *mut ProcEntry);
}
