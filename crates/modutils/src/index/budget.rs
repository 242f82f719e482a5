//! How much a sound index could have: what a walk over one that may be hostile is held to.

use crate::Malformed;

/// An index may hold keys that are this much larger, all together, than its file: what keys share
/// is in the file once. In a hostile file they could be quadratic in its size.
const MAX_EXPANSION: usize = 64;
/// What the keys of a small file may come to all the same.
const MIN_EXPANSION: usize = 1 << 20;
/// The bytes of a value besides its text: its priority and the NUL.
const VALUE: usize = 5;

/// What a walk has not visited yet.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes of nodes.
    nodes: usize,
    /// Bytes of keys, each counted once for each of its values.
    keys: usize,
}

/// What a sound index never has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Excess {
    /// More bytes of nodes than the file has.
    Nodes,
    /// Keys beyond all proportion to the file.
    Keys,
}

impl From<Excess> for Malformed {
    fn from(excess: Excess) -> Self {
        Self::file(match excess {
            Excess::Nodes => "nodes of the index overlap",
            Excess::Keys => "the keys are out of proportion to the file",
        })
    }
}

impl Budget {
    /// That of a file of so many bytes.
    pub(super) fn of(len: usize) -> Self {
        Self { nodes: len, keys: len.saturating_mul(MAX_EXPANSION).max(MIN_EXPANSION) }
    }

    /// Takes so many bytes of a node.
    pub(super) fn node(&mut self, bytes: usize) -> Result<(), Excess> {
        self.nodes = self.nodes.checked_sub(bytes).ok_or(Excess::Nodes)?;
        Ok(())
    }

    /// Takes a value of a key that is so long.
    pub(super) fn value(&mut self, value: &[u8], key: usize) -> Result<(), Excess> {
        self.node(value.len().saturating_add(VALUE))?;
        self.key(key)
    }

    /// Takes a key that is so long, for one of its values.
    pub(super) fn key(&mut self, key: usize) -> Result<(), Excess> {
        self.keys = self.keys.checked_sub(key).ok_or(Excess::Keys)?;
        Ok(())
    }
}
