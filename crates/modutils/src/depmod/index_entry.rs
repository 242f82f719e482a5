//! Adding keys to an index that is being made.

use crate::{Alias, Notice, Sink, index::TrieBuilder};

/// Adds an alias to an index, as lookups will ask for it. One that cannot be asked for, or that the
/// format cannot hold, is reported and skipped.
pub(super) fn insert_alias(
    trie: &mut TrieBuilder,
    alias: &[u8],
    module: &[u8],
    priority: u32,
    sink: &mut Sink,
) {
    match Alias::new(alias) {
        Err(_) => sink(Notice::warning([b"Unmatched bracket in ", alias].concat())),
        Ok(key) => insert(trie, key.as_bytes(), module, priority, sink),
    }
}

/// Adds a key to an index. One that the format cannot hold is reported and skipped.
///
/// Neither does a control character belong there: indexes are printed, and become lines.
pub(super) fn insert(trie: &mut TrieBuilder, key: &[u8], value: &[u8], priority: u32, sink: &mut Sink) {
    if key.iter().chain(value).any(u8::is_ascii_control) {
        let (key, value) = (key.escape_ascii(), value.escape_ascii());
        sink(Notice::warning(format!("control characters, omitted from the index: {key} ({value})")));
        return;
    }
    if trie.insert(key, value, priority).is_err() {
        let message = [b"not ASCII, omitted from the index: ", key, b" (", value, b")"].concat();
        sink(Notice::warning(message));
    }
}
