//! Contexts: making them, their resources, indexes as text.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::{
    ffi::{c_char, c_int},
    fs::File,
    io::{BufWriter, Write},
    mem::ManuallyDrop,
    os::fd::FromRawFd,
    ptr,
};

use modutils::{Errno, Index};

use super::{
    NO_OBJECT, failed, guarded, log, number,
    pointer::{Borrowed, Text, Texts, give},
    silence_panics, string,
};
use crate::{
    context::{KmodContext, Validity},
    log::INFO,
};

#[unsafe(no_mangle)]
extern "C" fn kmod_new(directory: Text, paths: Texts) -> *const KmodContext {
    silence_panics();
    guarded(ptr::null(), || {
        let context = KmodContext::new(directory.bytes(), paths.paths(), log::new());
        context.map_or_else(
            |error| {
                failed(error.errno());
                ptr::null()
            },
            give,
        )
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_ref(context: Borrowed<KmodContext>) -> *const KmodContext {
    guarded(ptr::null(), || context.share().map_or(ptr::null(), give))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_unref(context: Borrowed<KmodContext>) -> *const KmodContext {
    guarded(ptr::null(), || context.release())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_get_dirname(context: Borrowed<KmodContext>) -> *const c_char {
    string(|| context.get().map(KmodContext::directory))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_load_resources(context: Borrowed<KmodContext>) -> c_int {
    number(|| {
        let context = context.get().ok_or(NO_OBJECT)?;
        context.load().map_err(|error| {
            // A system without modules is no fault to log: the number reports it.
            let text = error.to_string();
            context.log().message(INFO, c"kmod_load_resources", text.as_bytes());
            error.errno()
        })?;
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_unload_resources(context: Borrowed<KmodContext>) {
    guarded((), || {
        if let Some(context) = context.get() {
            context.unload();
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn kmod_validate_resources(context: Borrowed<KmodContext>) -> c_int {
    guarded(Validity::Recreate as c_int, || {
        context.get().map_or(Validity::Recreate, KmodContext::validity) as c_int
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_dump_index(context: Borrowed<KmodContext>, kind: c_int, descriptor: c_int) -> c_int {
    const FUNCTION: &std::ffi::CStr = c"kmod_dump_index";
    let no_such_call = Errno::from_raw(nix::errno::Errno::ENOSYS as i32);
    number(|| {
        let context = context.get().ok_or(no_such_call)?;
        let index = match kind {
            0 => Index::Dependencies,
            1 => Index::Aliases,
            2 => Index::Symbols,
            3 => Index::BuiltinAliases,
            4 => Index::Builtin,
            _ => return Err(Errno::ENOENT),
        };
        if descriptor < 0 {
            return Err(Errno::from_raw(libc::EBADF));
        }
        let indexes = context.indexes();
        let failed = |error| context.log().failed(FUNCTION, &error);
        if !indexes.has_index(index).map_err(failed)? {
            return Err(no_such_call);
        }
        let prefix: &[u8] = if matches!(index, Index::Aliases | Index::Symbols) { b"alias " } else { b"" };
        let mut writer = BufWriter::with_capacity(1 << 16, Descriptor::new(descriptor));
        let mut written = Ok(());
        let line = |key: &[u8], value: &[u8]| {
            if written.is_ok() {
                written = [key, b" ", value, b"\n"].iter().try_for_each(|part| writer.write_all(part));
            }
        };
        indexes.dump_behind(prefix, index, line).map_err(failed)?;
        written.and_then(|()| writer.flush()).map_err(|error| {
            Errno::from_raw(error.raw_os_error().unwrap_or(nix::errno::Errno::EIO as i32))
        })?;
        Ok(0)
    })
}

/// A descriptor of the host, which stays open.
struct Descriptor(ManuallyDrop<File>);

impl Descriptor {
    fn new(descriptor: c_int) -> Self {
        // SAFETY: the host has named a descriptor to write to; if it is not open, writing fails. It is not closed here.
        Self(ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) }))
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
