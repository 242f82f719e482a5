//! `MODPROBE_OPTIONS`: options read from the environment, and handed on to the modprobes that install
//! and remove commands call.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use modutils::kernel::commands::{self, Caller};

use super::options::Options;
use crate::{Invocation, startup};

const VARIABLE: &str = "MODPROBE_OPTIONS";

/// The call with the options of the environment before its own.
pub(super) fn with_options_of_environment(invocation: &Invocation) -> Invocation {
    let words = startup::variable(VARIABLE).map(|text| split(text.as_bytes())).unwrap_or_default();
    let arguments = words.into_iter().map(OsString::from_vec).chain(invocation.arguments.iter().cloned());
    Invocation { program: invocation.program.clone(), arguments: arguments.collect() }
}

/// What commands are to find: our environment, as far as it is to be trusted, in which the options
/// are followed by those we were called with.
pub(super) fn for_commands(options: &Options) -> Vec<(OsString, OsString)> {
    let caller = if startup::is_secure() { Caller::Lesser } else { Caller::Equal };
    commands::environment(std::env::vars_os(), caller, options_for_commands(options))
}

fn options_for_commands(options: &Options) -> Option<(OsString, OsString)> {
    if options.inherited.is_empty() {
        return None;
    }
    let mut words: Vec<Vec<u8>> = startup::variable(VARIABLE).map(OsString::into_vec).into_iter().collect();
    words.retain(|word| !word.is_empty());
    words.extend(options.inherited.iter().cloned());
    Some((VARIABLE.into(), OsString::from_vec(words.join(&b' '))))
}

/// Splits at blanks, except between quotes of either kind, which disappear.
fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for &byte in text {
        match (byte, quote) {
            (b' ', None) => words.extend(word.take()),
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(open)) if open == byte => quote = None,
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text.as_bytes()).into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn quotes_of_either_kind_keep_blanks() {
        assert_eq!(words("-q  -C '/a b' -D\"v\" ''"), ["-q", "-C", "/a b", "-Dv", ""]);
        assert_eq!(words("-C '/a b"), ["-C", "/a b"]);
        assert_eq!(words("-a\t-D \"it's\""), ["-a\t-D", "it's"]);
        assert!(words("").is_empty());
    }
}
