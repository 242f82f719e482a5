//! Finding modules.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::{
    ffi::{CStr, c_int, c_uint},
    ptr,
    sync::Arc,
};

use modutils::{Alias, Errno, Error};

use super::{
    NO_OBJECT, number,
    pointer::{Borrowed, Place, Text, give, give_list},
};
use crate::{
    context::KmodContext,
    list::{Node, Value},
    log::ERROR,
    module::KmodModule,
};

/// `KMOD_FILTER_BLACKLIST`.
const FILTER_BLACKLIST: c_uint = 1;
/// `KMOD_FILTER_BUILTIN`.
const FILTER_BUILTIN: c_uint = 2;

/// A list of modules for C.
pub(super) fn modules(modules: impl IntoIterator<Item = Arc<KmodModule>>) -> *const Node {
    give_list(Node::list(modules.into_iter().map(Value::Module).collect()))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_new_from_lookup(
    context: Borrowed<KmodContext>,
    alias: Text,
    list: Place<Node>,
) -> c_int {
    const FUNCTION: &CStr = c"kmod_module_new_from_lookup";
    number(|| {
        let (Some(context), Some(alias)) = (context.share(), alias.bytes()) else { return Err(NO_OBJECT) };
        if list.is_null() || list.is_occupied() {
            context.log().message(ERROR, FUNCTION, b"an empty list is needed to create lookup");
            return Err(Errno::from_raw(nix::errno::Errno::ENOSYS as i32));
        }
        if Alias::new(alias).is_err() {
            return Err(Errno::EINVAL);
        }
        let found = context.indexes().lookup(alias);
        let found = found.map_err(|error| context.log().failed(FUNCTION, &error))?;
        list.put(modules(found.iter().map(|module| context.module(module))));
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_new_from_name_lookup(
    context: Borrowed<KmodContext>,
    name: Text,
    module: Place<KmodModule>,
) -> c_int {
    number(|| {
        let (Some(context), Some(name)) = (context.share(), name.bytes()) else { return Err(NO_OBJECT) };
        if module.is_null() {
            return Err(NO_OBJECT);
        }
        let found = context.indexes().lookup_name(name);
        let failed = |error| context.log().failed(c"kmod_module_new_from_name_lookup", &error);
        if let Some(found) = found.map_err(failed)?.first() {
            module.put(give(context.module(found)));
        }
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_new_from_name(
    context: Borrowed<KmodContext>,
    name: Text,
    module: Place<KmodModule>,
) -> c_int {
    number(|| {
        let (Some(context), Some(name)) = (context.share(), name.bytes()) else { return Err(NO_OBJECT) };
        if module.is_null() {
            return Err(NO_OBJECT);
        }
        module.put(give(context.module_named(name)));
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_new_from_path(
    context: Borrowed<KmodContext>,
    path: Text,
    module: Place<KmodModule>,
) -> c_int {
    number(|| {
        let (Some(context), Some(path)) = (context.share(), path.bytes()) else { return Err(NO_OBJECT) };
        if module.is_null() {
            return Err(NO_OBJECT);
        }
        let found = context.module_at(path, c"kmod_module_new_from_path")?;
        module.put(give(found));
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_new_from_loaded(context: Borrowed<KmodContext>, list: Place<Node>) -> c_int {
    number(|| {
        let context = context.share().ok_or(NO_OBJECT)?;
        if list.is_null() {
            return Err(NO_OBJECT);
        }
        let failed = |error: Error| context.log().failed(c"kmod_module_new_from_loaded", &error);
        let loaded = context.base().loaded().map_err(failed)?;
        list.put(modules(loaded.iter().map(|module| context.module(module))));
        Ok(0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_apply_filter(
    context: Borrowed<KmodContext>,
    filter: c_uint,
    input: Borrowed<Node>,
    output: Place<Node>,
) -> c_int {
    number(|| apply(&context, filter, &input, &output))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_filtered_blacklist(
    context: Borrowed<KmodContext>,
    input: Borrowed<Node>,
    output: Place<Node>,
) -> c_int {
    number(|| apply(&context, FILTER_BLACKLIST, &input, &output))
}

fn apply(
    context: &Borrowed<KmodContext>,
    filter: c_uint,
    input: &Borrowed<Node>,
    output: &Place<Node>,
) -> Result<c_int, Errno> {
    let context = context.get().ok_or(NO_OBJECT)?;
    if output.is_null() {
        return Err(NO_OBJECT);
    }
    output.put(ptr::null());
    let mut kept = Vec::new();
    for module in super::lists::modules_from(input) {
        let is_builtin = || {
            let failed = |error| context.log().failed(c"kmod_module_apply_filter", &error);
            module.is_builtin().map_err(failed)
        };
        let is_dropped = filter & FILTER_BLACKLIST != 0 && module.is_blacklisted()
            || filter & FILTER_BUILTIN != 0 && is_builtin()?;
        if !is_dropped {
            kept.push(module);
        }
    }
    output.put(modules(kept));
    Ok(0)
}
