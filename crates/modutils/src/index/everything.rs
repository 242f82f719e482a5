//! All keys of an index.
//!
//! `modprobe -c` prints tens of thousands of lines, and the time it takes is that of this loop.

use super::{
    budget::Budget,
    file::IndexFile,
    node::{HAS_CHILDREN, HAS_PREFIX, HAS_VALUES, OFFSET_MASK},
    window::{Fault, Window},
};
use crate::Malformed;

/// A node that is still to be visited.
#[derive(Clone, Copy, Default)]
struct Pending {
    reference: u32,
    /// The length of its parent's key.
    parent: u32,
    /// The byte that leads to it.
    byte: u8,
}

/// The nodes still to be visited, the next one last.
#[derive(Default)]
struct Stack {
    /// Those in front are of the stack, the others only room.
    nodes: Vec<Pending>,
    len: usize,
}

impl Stack {
    /// Puts a node's children there, so that the first of them is the next. Most places of a table may
    /// be empty, in no order that a processor could foresee: each is put there, and stays if it is a child.
    fn push(&mut self, table: &[u8], last: u8, parent: u32) {
        let room = self.len.saturating_add(table.len() / 4);
        if self.nodes.len() < room {
            self.nodes.resize(room.saturating_mul(2), Pending::default());
        }
        let nodes = self.nodes.get_mut(self.len..).unwrap_or_default();
        let mut count = 0_usize;
        let mut byte = last;
        for reference in table.chunks_exact(4).rev() {
            let reference = u32::from_be_bytes(reference.first_chunk().copied().unwrap_or_default());
            if let Some(place) = nodes.get_mut(count) {
                *place = Pending { reference, parent, byte };
            }
            count = count.wrapping_add(usize::from(reference != 0));
            byte = byte.wrapping_sub(1);
        }
        self.len = self.len.saturating_add(count);
    }

    fn pop(&mut self) -> Option<Pending> {
        self.len = self.len.checked_sub(1)?;
        self.nodes.get(self.len).copied()
    }
}

/// Gives all keys below a node, each behind `start` and with each of its values: a node's own before its
/// children's.
///
/// # Errors
/// Where a reference leads out of the file, nodes overlap, the keys are out of all proportion to the
/// file, or it cannot be read. What was given before holds all the same.
pub(super) fn for_each(
    file: &IndexFile,
    root: u32,
    start: &[u8],
    each: &mut impl FnMut(&[u8], &[u8]),
) -> Result<(), Malformed> {
    visit(file, root, start, each).map_err(|fault| *fault)
}

fn visit(
    file: &IndexFile,
    root: u32,
    start: &[u8],
    each: &mut impl FnMut(&[u8], &[u8]),
) -> Result<(), Fault> {
    let mut budget = Budget::of(file.len());
    let mut window = Window::new(file);
    let mut key = Vec::with_capacity(256);
    key.extend_from_slice(start);
    let mut pending = Stack::default();
    let mut next = root;
    loop {
        let offset = (next & OFFSET_MASK) as usize;
        window.go_to(offset);
        if next & HAS_PREFIX != 0 {
            key.extend_from_slice(window.string()?);
        }
        if next & HAS_CHILDREN != 0 {
            let [first, last] = window.take(2)?.first_chunk().copied().unwrap_or_default();
            let Some(more) = last.checked_sub(first) else {
                return Err(
                    Malformed::offset(window.at() as u64, "the children's range is upside down").into()
                );
            };
            let len = (usize::from(more) + 1) * 4;
            let parent = u32::try_from(key.len()).unwrap_or(u32::MAX);
            pending.push(window.take(len)?, last, parent);
        }
        if next & HAS_VALUES != 0 {
            for _ in 0..window.number()? {
                // Its priority does not matter here.
                window.take(4)?;
                let value = window.string()?;
                budget.key(key.len().wrapping_sub(start.len())).map_err(Malformed::from)?;
                each(&key, value);
            }
        }
        // One byte at least: a node may consist of only a reference to it.
        budget.node(window.at().wrapping_sub(offset).max(1)).map_err(Malformed::from)?;
        let Some(node) = pending.pop() else { return Ok(()) };
        key.truncate(node.parent as usize);
        key.push(node.byte);
        next = node.reference;
    }
}
