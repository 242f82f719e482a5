//! Walks over the configuration.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::{ffi::c_char, ptr};

use super::{
    guarded,
    pointer::{Borrowed, Owned, give_owned},
    string,
};
use crate::{
    configuration::{ConfigIterator, Kind},
    context::KmodContext,
};

/// The functions that begin a walk over the lines of one directive.
macro_rules! walks {
    ($($name:ident $kind:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(context: Borrowed<KmodContext>) -> *mut ConfigIterator {
            guarded(ptr::null_mut(), || {
                context.get().map_or(ptr::null_mut(), |context| give_owned(context.walk(Kind::$kind)))
            })
        }
    )*};
}

walks!(
    kmod_config_get_blacklists Blacklists
    kmod_config_get_install_commands InstallCommands
    kmod_config_get_remove_commands RemoveCommands
    kmod_config_get_aliases Aliases
    kmod_config_get_options Options
    kmod_config_get_softdeps Softdeps
    kmod_config_get_weakdeps Weakdeps
);

#[unsafe(no_mangle)]
extern "C" fn kmod_config_iter_get_key(walk: Borrowed<ConfigIterator>) -> *const c_char {
    string(|| walk.get()?.key())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_config_iter_get_value(walk: Borrowed<ConfigIterator>) -> *const c_char {
    string(|| walk.get()?.value())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_config_iter_next(walk: Borrowed<ConfigIterator>) -> bool {
    guarded(false, || walk.get().is_some_and(ConfigIterator::advance))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_config_iter_free_iter(walk: Owned<ConfigIterator>) {
    guarded((), || walk.free());
}
