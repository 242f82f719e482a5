//! `MODPROBE_OPTIONS`: options read from the environment, and handed on to the modprobes that install
//! and remove commands call.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use modutils::kernel::Environment;

use super::{options::Options, split::split};
use crate::{Invocation, startup};

const VARIABLE: &str = "MODPROBE_OPTIONS";

/// The call with the options of the environment before its own.
pub(super) fn with_options_of_environment(invocation: &Invocation) -> Invocation {
    let words = startup::variable(VARIABLE).map(|text| split(text.as_bytes())).unwrap_or_default();
    let arguments = words.into_iter().map(OsString::from_vec).chain(invocation.arguments.iter().cloned());
    Invocation { program: invocation.program.clone(), arguments: arguments.collect() }
}

/// What commands are to find: our environment, unless a lesser caller gave it to us, in which the
/// options are followed by those we were called with.
pub(super) fn for_commands(options: &Options) -> Environment {
    let environment = match startup::is_secure() {
        true => Environment::default(),
        false => Environment::without_misleading(std::env::vars_os()),
    };
    if options.inherited.is_empty() {
        return environment;
    }
    let mut words: Vec<Vec<u8>> = startup::variable(VARIABLE).map(OsString::into_vec).into_iter().collect();
    words.retain(|word| !word.is_empty());
    words.extend(options.inherited.iter().cloned());
    environment.with(VARIABLE, OsString::from_vec(words.join(&b' ')))
}
