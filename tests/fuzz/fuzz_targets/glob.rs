//! Patterns match the same as fnmatch(3) of the GNU C library, in configuration and in an index.
#![no_main]

use std::path::Path;

use bstr::ByteSlice;
use libfuzzer_sys::fuzz_target;
use modutils::internals::config::ModprobeConfig;
use modutils::internals::index::{Trie, TrieBuilder};
use modutils::{Alias, ModuleName, Notice};
use modutils_fuzz::glibc;

/// The C library takes exponential time for many stars.
const LONGEST: usize = 24;

fuzz_target!(|input: &[u8]| {
    // The pattern on a line, then the text.
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (pattern, text) = (&input[..end], &input[end + 1..]);
    if pattern.len() > LONGEST || text.len() > LONGEST || has_odd_names(pattern) {
        return;
    }
    in_configuration(pattern, text);
    in_index(pattern, text);
});

/// Whether a name in a bracket is none of a class, or is the end of a range: the C library reads on where it has
/// found the byte before it comes to such a name, and we do not.
fn has_odd_names(pattern: &[u8]) -> bool {
    let known = [&b"[:alpha:]"[..], b"[:digit:]", b"[:xdigit:]", b"[:space:]", b"[:punct:]", b"[:upper:]"];
    (0..pattern.len()).any(|place| {
        let (before, rest) = pattern.split_at(place);
        let named = matches!(rest, [b'[', b':' | b'.' | b'=', ..]);
        named && (before.ends_with(b"-") || !known.iter().any(|name| rest.starts_with(name)))
    })
}

fn in_configuration(pattern: &[u8], text: &[u8]) {
    // A name with a control character is reported and ignored.
    if pattern.is_empty() || pattern.iter().any(|byte| *byte == b' ' || byte.is_ascii_control()) {
        return;
    }
    let (Ok(alias), name) = (Alias::new(pattern), ModuleName::new(text)) else { return };
    let Some(expected) = glibc::matches(alias.as_bytes(), name.as_bytes()) else { return };
    // In a file two backslashes stand for one.
    let escaped = pattern.replace(b"\\", b"\\\\");
    let line = [b"install ", &escaped[..], b" true\ninstall other true"].concat();
    let mut config = ModprobeConfig::default();
    let reported = &mut |notice: Notice| panic!("{}", notice.message);
    config.add_file(&Path::new("fuzz.conf").into(), &line, reported);
    let found = config.install(&name).is_some();
    assert_eq!(found, expected || name.as_bytes() == b"other", "{alias:?} against {name:?}");
}

/// An index compares the text before the first wildcard literally, and matches the rest. A text that has the same
/// wildcard in that place is followed beyond it, too.
fn in_index(pattern: &[u8], text: &[u8]) {
    let mut builder = TrieBuilder::new();
    if builder.insert(pattern, b"m", 0).is_err() || text.contains(&0) {
        return;
    }
    let wildcards = pattern.iter().enumerate().filter(|(_, byte)| b"*?[".contains(byte));
    let mut matches = wildcards.map(|(place, _)| {
        let (literal, rest) = pattern.split_at(place);
        text.strip_prefix(literal).is_some_and(|after| glibc::matches(rest, after) == Some(true))
    });
    let first = matches.next();
    let any = pattern == text || first == Some(true) || matches.any(|matches| matches);
    let bytes = builder.to_bytes().expect("one key");
    let trie = Trie::from_bytes(Path::new("modules.alias.bin"), bytes).expect("an index just written");
    let found = trie.search(text).expect("a sound index");
    let shown = format!("{} against {}", pattern.escape_ascii(), text.escape_ascii());
    if first.unwrap_or(any) {
        assert!(!found.is_empty(), "{shown} is not found");
    }
    assert!(found.is_empty() || any, "{shown} is found");
}
