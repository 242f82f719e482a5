//! All keys of an index whose bytes are in memory.
//!
//! `modprobe -c` prints tens of thousands of lines, and the time it takes is that of this loop: a node's
//! parts are slices here, and a fault is only found; what it is, [`Node`] is asked.

use super::{
    budget::{Budget, Excess},
    file::{IndexFile, find_nul},
    node::{HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, Node, OFFSET_MASK},
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
    let mut budget = Budget::of(bytes.len());
    let mut key = Vec::with_capacity(256);
    let mut open: Vec<Open<'_>> = Vec::with_capacity(64);
    let mut next = Some(root);
    loop {
        if let Some(reference) = next.take() {
            let entered = enter(bytes, reference, &mut key, &mut budget, each);
            match entered.map_err(|unsound| unsound.told(file, reference))? {
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

/// Why a node is not one.
enum Unsound {
    /// It ends behind the file's end, or is none at all.
    Parts,
    Excess(Excess),
}

impl From<Excess> for Unsound {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

impl Unsound {
    /// What is wrong with the node at a reference.
    #[cold]
    fn told(self, file: &IndexFile, reference: u32) -> Malformed {
        match self {
            Self::Excess(excess) => excess.into(),
            Self::Parts => {
                let values = Node::read(file, reference).map(|node| node.values);
                let fault = values.map_or_else(Some, |values| values.filter_map(Result::err).next());
                fault.unwrap_or_else(|| Malformed::file("a node of the index is not whole"))
            }
        }
    }
}

/// Adds a node's prefix to the key, gives its values, and returns its children with the byte of the
/// first.
fn enter<'a>(
    bytes: &'a [u8],
    reference: u32,
    key: &mut Vec<u8>,
    budget: &mut Budget,
    each: &mut impl FnMut(&[u8], &[u8]),
) -> Result<(u8, &'a [[u8; 4]]), Unsound> {
    let mut rest = bytes.get((reference & OFFSET_MASK) as usize..).ok_or(Unsound::Parts)?;
    let prefix = if reference & HAS_PREFIX == 0 { &[][..] } else { string(&mut rest)? };
    key.extend_from_slice(prefix);
    let (first, table) = if reference & HAS_CHILDREN == 0 { (0, &[][..]) } else { children(&mut rest)? };
    budget.node(prefix.len().saturating_add(table.as_flattened().len()).saturating_add(1))?;
    let count = if reference & HAS_VALUES == 0 { 0 } else { number(&mut rest)? };
    for _ in 0..count {
        // Its priority does not matter here.
        number(&mut rest)?;
        let value = string(&mut rest)?;
        budget.value(value, key.len())?;
        each(key, value);
    }
    Ok((first, table))
}

fn children<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [[u8; 4]]), Unsound> {
    let (&[first, last], table) = rest.split_first_chunk().ok_or(Unsound::Parts)?;
    let more = last.checked_sub(first).ok_or(Unsound::Parts)?;
    let len = usize::from(more).saturating_add(1).saturating_mul(4);
    let (table, after) = table.split_at_checked(len).ok_or(Unsound::Parts)?;
    *rest = after;
    Ok((first, table.as_chunks().0))
}

fn number(rest: &mut &[u8]) -> Result<u32, Unsound> {
    let (number, after) = rest.split_first_chunk().ok_or(Unsound::Parts)?;
    *rest = after;
    Ok(u32::from_be_bytes(*number))
}

fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Unsound> {
    let end = find_nul(rest).ok_or(Unsound::Parts)?;
    let (string, after) = rest.split_at_checked(end).ok_or(Unsound::Parts)?;
    *rest = after.get(1..).unwrap_or_default();
    Ok(string)
}
