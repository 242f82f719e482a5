//! What is known of a module: its strings, and the modules that go with it.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use modutils::{Errno, Result};

use super::{
    NO_OBJECT, failed, guarded,
    modules::modules,
    number,
    pointer::{Borrowed, Place, give},
    string,
};
use crate::{list::Node, module::KmodModule};

#[unsafe(no_mangle)]
extern "C" fn kmod_module_ref(module: Borrowed<KmodModule>) -> *const KmodModule {
    guarded(ptr::null(), || module.share().map_or(ptr::null(), give))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_unref(module: Borrowed<KmodModule>) -> *const KmodModule {
    guarded(ptr::null(), || module.release())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_name(module: Borrowed<KmodModule>) -> *const c_char {
    string(|| module.get().map(KmodModule::name))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_path(module: Borrowed<KmodModule>) -> *const c_char {
    string(|| {
        let module = module.get()?;
        logged(module, c"kmod_module_get_path", module.path())?
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_options(module: Borrowed<KmodModule>) -> *const c_char {
    string(|| module.get()?.options())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_install_commands(module: Borrowed<KmodModule>) -> *const c_char {
    string(|| module.get()?.install_command())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_remove_commands(module: Borrowed<KmodModule>) -> *const c_char {
    string(|| module.get()?.remove_command())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_dependencies(module: Borrowed<KmodModule>) -> *const Node {
    guarded(ptr::null(), || {
        let Some(module) = module.get() else { return ptr::null() };
        let found = logged(module, c"kmod_module_get_dependencies", module.now().dependencies());
        modules(found.iter().flat_map(|found| module.objects(found)))
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_softdeps(
    module: Borrowed<KmodModule>,
    pre: Place<Node>,
    post: Place<Node>,
) -> c_int {
    number(|| {
        let module = module.get().ok_or(NO_OBJECT)?;
        free_places(&[&pre, &post])?;
        let found = module.now().soft_dependencies();
        let found =
            found.map_err(|error| module.context().log().failed(c"kmod_module_get_softdeps", &error))?;
        pre.put(modules(module.objects(&found.pre)));
        post.put(modules(module.objects(&found.post)));
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_weakdeps(module: Borrowed<KmodModule>, weak: Place<Node>) -> c_int {
    number(|| {
        let module = module.get().ok_or(NO_OBJECT)?;
        free_places(&[&weak])?;
        let found = module.now().weak_dependencies();
        let found =
            found.map_err(|error| module.context().log().failed(c"kmod_module_get_weakdeps", &error))?;
        weak.put(modules(module.objects(&found)));
        Ok(0)
    })
}

/// That results can go to these places: all are there, and nothing is in them.
pub(super) fn free_places(places: &[&Place<Node>]) -> Result<(), Errno> {
    if places.iter().any(|place| place.is_null()) {
        return Err(NO_OBJECT);
    }
    if places.iter().any(|place| place.is_occupied()) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// A result, whose error is logged and in `errno`.
pub(super) fn logged<T>(module: &KmodModule, function: &CStr, result: Result<T>) -> Option<T> {
    let note = |error: &_| failed(module.context().log().failed(function, error));
    result.map_err(|error| note(&error)).ok()
}
