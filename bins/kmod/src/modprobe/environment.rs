//! `MODPROBE_OPTIONS`: options read from the environment, and handed on to the modprobes that install
//! and remove commands call.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use super::{options::Options, split::split};
use crate::Invocation;

const VARIABLE: &str = "MODPROBE_OPTIONS";

/// The call with the options of the environment before its own.
pub(super) fn with_options_of_environment(invocation: &Invocation) -> Invocation {
    let words = std::env::var_os(VARIABLE).map(|text| split(text.as_bytes())).unwrap_or_default();
    let arguments = words.into_iter().map(OsString::from_vec).chain(invocation.arguments.iter().cloned());
    Invocation { program: invocation.program.clone(), arguments: arguments.collect() }
}

/// What commands are to find: the options of our environment, then those we were called with.
pub(super) fn for_commands(options: &Options) -> Vec<(OsString, OsString)> {
    if options.inherited.is_empty() {
        return Vec::new();
    }
    let mut words: Vec<Vec<u8>> = std::env::var_os(VARIABLE).map(OsString::into_vec).into_iter().collect();
    words.retain(|word| !word.is_empty());
    words.extend(options.inherited.iter().cloned());
    vec![(VARIABLE.into(), OsString::from_vec(words.join(&b' ')))]
}
