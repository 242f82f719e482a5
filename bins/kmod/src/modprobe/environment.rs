//! `MODPROBE_OPTIONS`: options from the environment, passed on to the modprobes that install and remove
//! commands run.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use modutils::kernel::Environment;

use super::{options::Options, split::split};
use crate::{Invocation, startup};

const VARIABLE: &str = "MODPROBE_OPTIONS";

/// The invocation, with the options of the environment before its own arguments.
pub(super) fn with_options_of_environment(invocation: &Invocation) -> Invocation {
    let words = startup::variable(VARIABLE).map(|text| split(text.as_bytes())).unwrap_or_default();
    let arguments = words.into_iter().map(OsString::from_vec).chain(invocation.arguments.iter().cloned());
    Invocation {
        program: invocation.program.clone(),
        arguments: arguments.collect(),
        is_command: invocation.is_command,
    }
}

/// The environment of commands: ours, unless a caller with fewer privileges set it. Our own options follow
/// the ones that `MODPROBE_OPTIONS` already has.
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
