//! Patterns match what fnmatch(3) of the GNU C library says they match, in configuration and in an index.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use modutils::config::{CommandLine, ModprobeConfig, Origin};
use modutils::index::{Trie, TrieBuilder};
use modutils::{Alias, ModuleName};
use modutils_fuzz::glibc;

/// The C library takes exponential time for many stars.
const LONGEST: usize = 24;

fuzz_target!(|input: &[u8]| {
    // The pattern on a line, then the text.
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (pattern, text) = (&input[..end], &input[end + 1..]);
    if pattern.len() > LONGEST || text.len() > LONGEST {
        return;
    }
    in_configuration(pattern, text);
    in_index(pattern, text);
});

fn in_configuration(pattern: &[u8], text: &[u8]) {
    let (Ok(pattern), name) = (Alias::new(pattern), ModuleName::new(text)) else { return };
    let Some(expected) = glibc::matches(pattern.as_bytes(), name.as_bytes()) else { return };
    let file: Arc<Path> = Path::new("fuzz.conf").into();
    let line = CommandLine { pattern, command: "true".into(), origin: Origin { file, line: 1 } };
    let shown = format!("{line:?} {name:?}");
    let config = ModprobeConfig { installs: vec![line], ..ModprobeConfig::default() };
    assert_eq!(config.install(&name).is_some(), expected, "{shown}");
}

/// An index finds what stands before the first wildcard literally, and matches the rest.
fn in_index(pattern: &[u8], text: &[u8]) {
    let mut builder = TrieBuilder::new();
    if builder.insert(pattern, b"m", 0).is_err() || text.contains(&0) {
        return;
    }
    let literal = pattern.iter().position(|byte| b"*?[".contains(byte)).unwrap_or(pattern.len());
    let (literal, rest) = pattern.split_at(literal);
    let expected = match text.strip_prefix(literal) {
        Some(after) if rest.is_empty() => after.is_empty(),
        Some(after) => glibc::matches(rest, after) == Some(true),
        None => false,
    };
    let bytes = builder.to_bytes().expect("one key");
    let trie = Trie::from_bytes(Path::new("modules.alias.bin"), bytes).expect("an index just written");
    let found = trie.search(text).expect("a sound index");
    assert_eq!(!found.is_empty(), expected, "{} against {}", pattern.escape_ascii(), text.escape_ascii());
}
