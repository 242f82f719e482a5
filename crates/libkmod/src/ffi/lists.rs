//! Walking over lists, and freeing them.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::{
    ffi::{c_char, c_int, c_ulong},
    ptr,
    sync::Arc,
};

use super::{
    guarded,
    pointer::{Borrowed, OwnedList, give},
    string,
};
use crate::{list::Node, module::KmodModule};

#[unsafe(no_mangle)]
extern "C" fn kmod_list_last(list: Borrowed<Node>) -> *const Node {
    guarded(ptr::null(), || list.get().map_or(ptr::null(), |head| list.neighbour(head.place_before())))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_list_next(list: Borrowed<Node>, current: Borrowed<Node>) -> *const Node {
    guarded(ptr::null(), || {
        let (Some(_), Some(node)) = (list.get(), current.get()) else { return ptr::null() };
        let next = current.neighbour(node.place_after());
        // A walk ends where it began, wherever in the list that was.
        if next == list.as_ptr() { ptr::null() } else { next }
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_list_prev(list: Borrowed<Node>, current: Borrowed<Node>) -> *const Node {
    guarded(ptr::null(), || {
        let (Some(_), Some(node)) = (list.get(), current.get()) else { return ptr::null() };
        if list.as_ptr() == current.as_ptr() {
            return ptr::null();
        }
        current.neighbour(node.place_before())
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_unref_list(list: OwnedList) -> c_int {
    guarded(0, || {
        list.free();
        0
    })
}

/// The functions that free typed lists. All lists are freed the same way.
macro_rules! free_functions {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(list: OwnedList) {
            guarded((), || list.free());
        }
    )*};
}

free_functions!(
    kmod_module_section_free_list
    kmod_module_info_free_list
    kmod_module_versions_free_list
    kmod_module_symbols_free_list
    kmod_module_dependency_symbols_free_list
);

#[unsafe(no_mangle)]
extern "C" fn kmod_module_get_module(entry: Borrowed<Node>) -> *const KmodModule {
    guarded(ptr::null(), || {
        entry.get().and_then(Node::module).map_or(ptr::null(), |module| give(module.clone()))
    })
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_info_get_key(entry: Borrowed<Node>) -> *const c_char {
    string(|| Some(entry.get()?.field()?.0.as_c_str()))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_info_get_value(entry: Borrowed<Node>) -> *const c_char {
    string(|| Some(entry.get()?.field()?.1.as_c_str()))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_section_get_name(entry: Borrowed<Node>) -> *const c_char {
    string(|| Some(entry.get()?.section()?.0.as_c_str()))
}

#[unsafe(no_mangle)]
extern "C" fn kmod_module_section_get_address(entry: Borrowed<Node>) -> c_ulong {
    let address = || c_ulong::try_from(entry.get()?.section()?.1).ok();
    guarded(c_ulong::MAX, || address().unwrap_or(c_ulong::MAX))
}

/// The accessors of symbols. Programs use those of one kind of list on another (dracut-install does): each is right for
/// all.
macro_rules! symbol_functions {
    ($($name:ident $crc:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(entry: Borrowed<Node>) -> *const c_char {
            string(|| Some(entry.get()?.symbol()?.name.as_c_str()))
        }

        #[unsafe(no_mangle)]
        extern "C" fn $crc(entry: Borrowed<Node>) -> u64 {
            guarded(0, || entry.get().and_then(Node::symbol).map_or(0, |symbol| symbol.crc))
        }
    )*};
}

symbol_functions!(
    kmod_module_version_get_symbol kmod_module_version_get_crc
    kmod_module_symbol_get_symbol kmod_module_symbol_get_crc
    kmod_module_dependency_symbol_get_symbol kmod_module_dependency_symbol_get_crc
);

#[unsafe(no_mangle)]
extern "C" fn kmod_module_dependency_symbol_get_bind(entry: Borrowed<Node>) -> c_int {
    guarded(0, || entry.get().and_then(Node::symbol).map_or(0, |symbol| symbol.bind.into()))
}

/// The modules of a list from a node on.
pub(super) fn modules_from(list: &Borrowed<Node>) -> Vec<Arc<KmodModule>> {
    let Some(head) = list.get() else { return Vec::new() };
    let places = (head.place()..head.len()).chain(0..head.place());
    places.filter_map(|place| list.at(place)?.module().cloned()).collect()
}
