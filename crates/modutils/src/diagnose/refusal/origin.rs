//! Where a parameter comes from.

use bstr::ByteSlice;

use crate::{
    Context, ModuleName,
    config::{Origin, lines::words},
};

/// The last line of the configuration that gives a module a parameter with this value.
pub fn of_parameter(
    context: &Context,
    module: &ModuleName,
    alias: Option<&[u8]>,
    name: &[u8],
    value: &[u8],
) -> Option<Origin> {
    let plain = |name: &[u8]| -> Vec<u8> {
        name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect()
    };
    let gives = |word: &[u8]| {
        let (given, text) = word.split_once_str("=").unwrap_or((word, b""));
        plain(given) == plain(name) && text.trim_with(|letter| letter == '"') == value
    };
    let config = context.modprobe_config();
    let by_name = config.options.matching(module.as_bytes());
    let by_alias = alias.into_iter().flat_map(|alias| config.options.matching(alias));
    let lines = by_name.chain(by_alias).filter(|line| words(&line.options).any(gives));
    lines.last().map(|line| line.origin.clone())
}
