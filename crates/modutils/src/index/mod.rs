//! The `modules.*.bin` indexes: tries from a key to values, written by depmod and read by lookups.
//!
//! [`TrieBuilder`] writes one, [`Trie`] reads one, [`Indexes`] are those of one module directory.
//! The text files beside them (`modules.dep`, `modules.alias`) are for people and for other
//! programs; kmod's library never reads them, and neither does this one.

mod alias_matcher;
mod budget;
mod everything;
mod file;
mod node;
mod set;
mod trie;
#[cfg(any(feature = "depmod", test))]
mod trie_writer;
mod window;

pub use set::{DependencyLine, Index, Indexes};
pub use trie::{Trie, TrieValue};
#[cfg(any(feature = "depmod", test))]
pub use trie_writer::TrieBuilder;
