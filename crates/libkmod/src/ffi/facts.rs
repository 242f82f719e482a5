//! What is in a module's file, as lists.
#![expect(unsafe_code, reason = "symbols of the C interface")]

use std::ffi::{CStr, c_int};

use super::{
    NO_OBJECT,
    module::free_places,
    number,
    pointer::{Borrowed, Place, give_list},
};
use crate::{
    facts::{self, Facts, NoFacts},
    list::Node,
    module::KmodModule,
};

/// The functions that make such a list, and return how long it is.
macro_rules! fact_functions {
    ($($name:ident $find:ident $text:literal)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(module: Borrowed<KmodModule>, list: Place<Node>) -> c_int {
            make(&module, &list, $text, facts::$find)
        }
    )*};
}

fact_functions!(
    kmod_module_get_info info c"kmod_module_get_info"
    kmod_module_get_versions versions c"kmod_module_get_versions"
    kmod_module_get_symbols exports c"kmod_module_get_symbols"
    kmod_module_get_dependency_symbols needs c"kmod_module_get_dependency_symbols"
);

fn make(
    module: &Borrowed<KmodModule>,
    list: &Place<Node>,
    function: &CStr,
    find: fn(&KmodModule) -> Facts,
) -> c_int {
    number(|| {
        let module = module.get().ok_or(NO_OBJECT)?;
        free_places(&[list])?;
        let values = find(module).map_err(|none| match none {
            NoFacts::Failed(error) => module.context().log().refused(function, &error),
            NoFacts::Nothing(number) => number,
        })?;
        let count = c_int::try_from(values.len()).unwrap_or(c_int::MAX);
        list.put(give_list(Node::list(values)));
        Ok(count)
    })
}
