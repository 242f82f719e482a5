//! What the running kernel has of a module, and changing that.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::{
    ffi::{CStr, c_char, c_int, c_long, c_uint},
    ptr,
};

use super::{
    NO_OBJECT, failed, guarded,
    module::logged,
    modules::modules,
    number,
    pointer::{Borrowed, Text, give_list},
    string,
};
use crate::{facts, list::Node, module::KmodModule};

/// `KMOD_REMOVE_NOLOG`.
const REMOVE_QUIETLY: c_uint = 1;

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_initstate(module: Borrowed<KmodModule>) -> c_int {
    number(|| {
        let state = module.get().ok_or(NO_OBJECT)?.state(c"kmod_module_get_initstate");
        state.map(|state| state as c_int).ok_or(NO_OBJECT)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_initstate_str(state: c_int) -> *const c_char {
    string(|| {
        let names: [&CStr; 4] = [c"builtin", c"live", c"coming", c"going"];
        names.get(usize::try_from(state).ok()?).copied()
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_size(module: Borrowed<KmodModule>) -> c_long {
    guarded(Err(NO_OBJECT), || module.get().ok_or(NO_OBJECT)?.size(c"kmod_module_get_size"))
        .unwrap_or_else(|error| failed(error).into())
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_refcnt(module: Borrowed<KmodModule>) -> c_int {
    number(|| module.get().and_then(KmodModule::references).ok_or(NO_OBJECT))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_holders(module: Borrowed<KmodModule>) -> *const Node {
    guarded(ptr::null(), || {
        let Some(module) = module.get() else { return ptr::null() };
        modules(logged(module, c"kmod_module_get_holders", module.holders()).into_iter().flatten())
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_sections(module: Borrowed<KmodModule>) -> *const Node {
    guarded(ptr::null(), || {
        let Some(module) = module.get() else { return ptr::null() };
        let sections = logged(module, c"kmod_module_get_sections", facts::sections(module));
        give_list(Node::list(sections.unwrap_or_default()))
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_insert_module(module: Borrowed<KmodModule>, flags: c_uint, options: Text) -> c_int {
    number(|| {
        let module = module.get().ok_or(NO_OBJECT)?;
        let options = options.bytes().unwrap_or_default();
        module.insert(flags, options, c"kmod_module_insert_module")?;
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_remove_module(module: Borrowed<KmodModule>, flags: c_uint) -> c_int {
    number(|| {
        let module = module.get().ok_or(NO_OBJECT)?;
        let force = c_uint::try_from(libc::O_TRUNC).is_ok_and(|force| flags & force != 0);
        module.remove(force, flags & REMOVE_QUIETLY != 0, c"kmod_module_remove_module")?;
        Ok(0)
    })
}
