//! Writes a `modules.*.bin` index, byte for byte as kmod 34 does.
//!
//! The format is described in `node.rs`. kmod 34 writes nodes in pre-order, without gaps.
//!
//! Sorted, the keys *are* the trie: keys that share a prefix are neighbours. So no tree is built; a
//! node is a run of sorted entries and the number of bytes that lead to it.

use std::ops::Range;

use super::node::{HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, MAGIC, OFFSET_MASK, VERSION};
use crate::{ErrorKind, Malformed};

/// Collects keys with their values, then writes the trie.
#[derive(Debug, Default)]
pub struct TrieBuilder {
    /// Keys and values, one after the other.
    text: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: usize,
    value: usize,
    end: usize,
    priority: u32,
}

/// A key that the format cannot hold: it has a byte that is not 7-bit ASCII, or a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is not plain ASCII")]
pub struct KeyRefused;

/// A node still to be written: the entries below it, how much of their keys leads to it, and where
/// its parent keeps the reference to it.
struct Pending {
    entries: Range<usize>,
    depth: usize,
    reference_at: usize,
}

impl TrieBuilder {
    /// An index without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// An index without keys, with room for so many bytes of keys and values.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// The fault of an index that is larger than the format's offsets reach.
    pub(crate) fn too_large() -> Malformed {
        Malformed::file("the index would exceed 256 MiB").of_kind(ErrorKind::TooLarge)
    }

    /// Adds a value to a key. Several values of one key stand by ascending priority; of equal ones
    /// the last inserted comes first.
    ///
    /// # Errors
    /// [`KeyRefused`] where the format cannot hold the key; nothing is added then.
    pub fn insert(&mut self, key: &[u8], value: &[u8], priority: u32) -> Result<(), KeyRefused> {
        if !key.iter().all(|byte| (1..0x80).contains(byte)) {
            return Err(KeyRefused);
        }
        let start = self.text.len();
        self.text.extend_from_slice(key);
        let middle = self.text.len();
        // A value ends at its first NUL, in the file as in C.
        self.text.extend(value.iter().take_while(|&&byte| byte != 0));
        self.entries.push(Entry { key: start, value: middle, end: self.text.len(), priority });
        Ok(())
    }

    /// The bytes of the index file.
    ///
    /// # Errors
    /// Where the file would be larger than the format's offsets reach, 256 MiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Malformed> {
        let mut sorted = self.entries.clone();
        // Of equal ones the last inserted comes first: the sort is stable.
        sorted.reverse();
        sorted.sort_by(|a, b| (self.key(a), a.priority).cmp(&(self.key(b), b.priority)));
        let mut out = Vec::with_capacity(self.text.len().saturating_mul(2));
        out.extend_from_slice(&MAGIC.to_be_bytes());
        out.extend_from_slice(&VERSION.to_be_bytes());
        let root = Pending { entries: 0..sorted.len(), depth: 0, reference_at: out.len() };
        out.extend_from_slice(&0_u32.to_be_bytes());
        let mut pending = vec![root];
        while let Some(node) = pending.pop() {
            self.write_node(&sorted, &node, &mut out, &mut pending)?;
        }
        Ok(out)
    }

    /// Writes one node, its reference into its parent, and puts its children on the stack so that
    /// the one with the lowest byte comes next.
    fn write_node(
        &self,
        sorted: &[Entry],
        node: &Pending,
        out: &mut Vec<u8>,
        pending: &mut Vec<Pending>,
    ) -> Result<(), Malformed> {
        let entries = sorted.get(node.entries.clone()).unwrap_or_default();
        let offset = u32::try_from(out.len()).ok().filter(|offset| *offset <= OFFSET_MASK);
        let mut reference = offset.ok_or_else(Self::too_large)?;

        let depth = node.depth.saturating_add(self.prefix_length(entries, node));
        if depth > node.depth {
            reference |= HAS_PREFIX;
            out.extend_from_slice(
                entries.first().map_or(&[], |entry| self.key_part(entry, node.depth..depth)),
            );
            out.push(0);
        }
        // Sorted, the entries whose key ends here come first.
        let values = entries.partition_point(|entry| self.key(entry).len() <= depth);
        let (here, below) = entries.split_at_checked(values).unwrap_or_default();
        if !below.is_empty() {
            reference |= HAS_CHILDREN;
            let start = node.entries.start.saturating_add(values);
            self.write_children(below, depth, start, out, pending);
        }
        if !here.is_empty() {
            reference |= HAS_VALUES;
            self.write_values(here, out);
        }
        put_reference(out, node.reference_at, reference);
        Ok(())
    }

    /// How many bytes beyond the path to the node all its keys share. The root has no prefix.
    fn prefix_length(&self, entries: &[Entry], node: &Pending) -> usize {
        match (entries.first(), entries.last()) {
            (Some(first), Some(last)) if node.depth > 0 => {
                let first = self.key(first).iter().skip(node.depth);
                first.zip(self.key(last).iter().skip(node.depth)).take_while(|(a, b)| a == b).count()
            }
            _ => 0,
        }
    }

    /// Writes the table of children, references still zero, and puts them on the stack.
    fn write_children(
        &self,
        below: &[Entry],
        depth: usize,
        start: usize,
        out: &mut Vec<u8>,
        pending: &mut Vec<Pending>,
    ) {
        let byte = |entry: &Entry| self.key(entry).get(depth).copied().unwrap_or_default();
        let first = below.first().map_or(0, byte);
        let last = below.last().map_or(0, byte);
        out.extend_from_slice(&[first, last]);
        let table = out.len();
        let bytes = usize::from(last.saturating_sub(first)).saturating_add(1);
        out.resize(table.saturating_add(bytes.saturating_mul(4)), 0);

        let mut start = start;
        let first_pushed = pending.len();
        for children in below.chunk_by(|a, b| byte(a) == byte(b)) {
            let end = start.saturating_add(children.len());
            let slot = usize::from(children.first().map_or(0, byte).saturating_sub(first)).saturating_mul(4);
            pending.push(Pending {
                entries: start..end,
                depth: depth.saturating_add(1),
                reference_at: table.saturating_add(slot),
            });
            start = end;
        }
        if let Some(children) = pending.get_mut(first_pushed..) {
            children.reverse();
        }
    }

    fn write_values(&self, here: &[Entry], out: &mut Vec<u8>) {
        let count = u32::try_from(here.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for entry in here {
            out.extend_from_slice(&entry.priority.to_be_bytes());
            out.extend_from_slice(self.text.get(entry.value..entry.end).unwrap_or_default());
            out.push(0);
        }
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        self.text.get(entry.key..entry.value).unwrap_or_default()
    }

    fn key_part(&self, entry: &Entry, part: Range<usize>) -> &[u8] {
        self.key(entry).get(part).unwrap_or_default()
    }
}

fn put_reference(out: &mut [u8], at: usize, reference: u32) {
    let place = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
    if let Some(place) = place {
        *place = reference.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_index_is_its_header() {
        let bytes = TrieBuilder::new().to_bytes().unwrap();
        assert_eq!(bytes, b"\xb0\x07\xf4\x57\0\x02\0\x01\0\0\0\x0c");
    }

    #[test]
    fn keys_that_the_format_cannot_hold_are_refused() {
        let mut trie = TrieBuilder::new();
        assert_eq!(trie.insert("caf\u{e9}".as_bytes(), b"a", 0), Err(KeyRefused));
        assert_eq!(trie.insert(b"a\0b", b"a", 0), Err(KeyRefused));
        assert_eq!(trie.to_bytes().unwrap().len(), 12);
    }

    #[test]
    fn nodes_stand_in_pre_order_with_joined_paths() {
        let mut trie = TrieBuilder::new();
        trie.insert(b"abc", b"2", 2).unwrap();
        trie.insert(b"abc", b"1", 1).unwrap();
        trie.insert(b"abcde", b"3", 0).unwrap();
        let bytes = trie.to_bytes().unwrap();
        let expected: &[u8] = b"\xb0\x07\xf4\x57\0\x02\0\x01\x20\0\0\x0c\
            aa\xe0\0\0\x12\
            bc\0dd\xc0\0\0\x2b\0\0\0\x02\0\0\0\x011\0\0\0\0\x022\0\
            e\0\0\0\0\x01\0\0\0\x003\0";
        assert_eq!(bytes, expected);
    }
}
