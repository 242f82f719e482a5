//! All keys of an index whose bytes are in memory.
//!
//! `modprobe -c` prints tens of thousands of lines, and the time it takes is that of this loop: a node's
//! parts are slices here, and a fault is only found; what it is, [`Node`] tells.

use super::node::{HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, Node, OFFSET_MASK};
use super::{
    file::{IndexFile, find_nul},
    trie::{MAX_EXPANSION, MIN_EXPANSION},
};
use crate::Malformed;

/// A node whose children are being visited.
struct Open<'a> {
    /// The length of its key.
    key: usize,
    /// The references to its children from this byte on.
    children: &'a [[u8; 4]],
    byte: u8,
}

/// Gives all keys below a node, each with each of its values: a node's own before its children's.
///
/// # Errors
/// Where a reference leads out of the file, nodes overlap, or the keys are out of all proportion to the
/// file. What was given before holds all the same.
pub(super) fn for_each(
    file: &IndexFile,
    root: u32,
    each: &mut impl FnMut(&[u8], &[u8]),
) -> Result<(), Malformed> {
    let bytes = file.whole()?;
    let mut left = Left::of(bytes.len());
    let mut key = Vec::with_capacity(256);
    let mut open: Vec<Open<'_>> = Vec::with_capacity(64);
    let mut next = Some(root);
    loop {
        if let Some(reference) = next.take() {
            let entered = enter(bytes, reference, &mut key, &mut left, each);
            match entered.ok_or_else(|| fault(file, reference, &left))? {
                (_, []) => {}
                (byte, children) => open.push(Open { key: key.len(), children, byte }),
            }
        }
        let Some(node) = open.last_mut() else { return Ok(()) };
        key.truncate(node.key);
        while let Some((reference, others)) = node.children.split_first() {
            let byte = node.byte;
            // There is none behind the byte 255.
            (node.children, node.byte) = (others, byte.wrapping_add(1));
            if *reference != [0; 4] {
                key.push(byte);
                next = Some(u32::from_be_bytes(*reference));
                break;
            }
        }
        if next.is_none() {
            open.pop();
        }
    }
}

/// Adds a node's prefix to the key, gives its values, and returns its children with the byte of the
/// first; `None` where it isn't sound.
fn enter<'a>(
    bytes: &'a [u8],
    reference: u32,
    key: &mut Vec<u8>,
    left: &mut Left,
    each: &mut impl FnMut(&[u8], &[u8]),
) -> Option<(u8, &'a [[u8; 4]])> {
    let mut rest = bytes.get((reference & OFFSET_MASK) as usize..)?;
    let mut size = 1_usize;
    if reference & HAS_PREFIX != 0 {
        let prefix = string(&mut rest)?;
        key.extend_from_slice(prefix);
        size = size.checked_add(prefix.len())?;
    }
    let (mut first, mut children) = (0, &[][..]);
    if reference & HAS_CHILDREN != 0 {
        let (range, table) = rest.split_first_chunk::<2>()?;
        let [from, to] = *range;
        let count = usize::from(to.checked_sub(from)?).checked_add(1)?;
        let (table, after) = table.split_at_checked(count.checked_mul(4)?)?;
        (first, children, rest) = (from, table.as_chunks().0, after);
        size = size.checked_add(table.len())?;
    }
    left.spend(size)?;
    if reference & HAS_VALUES != 0 {
        let mut count = number(&mut rest)?;
        while count > 0 {
            count = count.checked_sub(1)?;
            number(&mut rest)?;
            let value = string(&mut rest)?;
            left.spend(value.len().checked_add(5)?)?;
            left.keys = left.keys.checked_sub(key.len())?;
            each(key, value);
        }
    }
    Some((first, children))
}

/// What a sound file could still have.
struct Left {
    /// Bytes of nodes.
    nodes: usize,
    /// Bytes of keys, each counted once for each of its values.
    keys: usize,
    overlap: bool,
}

impl Left {
    fn of(len: usize) -> Self {
        let keys = len.saturating_mul(MAX_EXPANSION).max(MIN_EXPANSION);
        Self { nodes: len, keys, overlap: false }
    }

    fn spend(&mut self, bytes: usize) -> Option<()> {
        let left = self.nodes.checked_sub(bytes);
        self.overlap = left.is_none();
        self.nodes = left?;
        Some(())
    }
}

/// Why a node was left.
#[cold]
fn fault(file: &IndexFile, reference: u32, left: &Left) -> Malformed {
    if left.overlap {
        return Malformed::file("nodes of the index overlap");
    }
    let node = match Node::read(file, reference) {
        Ok(node) => node,
        Err(fault) => return fault,
    };
    let unread = node.values.filter_map(Result::err).next();
    unread.unwrap_or_else(|| Malformed::file("the keys are out of proportion to the file"))
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (string, after) = rest.split_at_checked(find_nul(rest)?)?;
    *rest = after.get(1..)?;
    Some(string)
}
