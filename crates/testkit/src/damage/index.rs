//! Damage to a `modules.*.bin` index: a trie whose nodes refer to each other by file offset.
//!
//! All numbers are big-endian. After magic, version and the reference to the root come the nodes. A reference has its
//! flags on top: 0x80000000 a prefix follows (up to a NUL), 0x20000000 children follow (first and last byte, a reference
//! for each byte from the one to the other), 0x40000000 values follow (a count, then for each a priority and a string up
//! to a NUL).

use fastrand::Rng;

use super::bytes;
use super::random::{edge_number, random_offset};
use super::record::Damage;

/// Nodes looked at before one is damaged.
const MOST_NODES: usize = 20_000;

/// The places in a file that can be damaged with sense.
#[derive(Default)]
struct IndexLayout {
    /// Of references.
    references: Vec<usize>,
    /// Of counts of values.
    counts: Vec<usize>,
    /// Of the first and last byte of children.
    ranges: Vec<usize>,
    /// Of the NULs that end prefixes and values.
    ends: Vec<usize>,
}

pub(super) fn damage(file: &mut Vec<u8>, rng: &mut Rng) -> Damage {
    let layout = IndexLayout::of(file);
    match rng.u8(..16) {
        0 => Damage::new("index header", bytes::flip(file, 12, rng)),
        1..=2 => Damage::new("index cut", bytes::cut(file, rng)),
        3..=4 => Damage::new("index bits", bytes::flip(file, usize::MAX, rng)),
        5 => Damage::new("index garbled", bytes::garble(file, rng)),
        6..=10 => reference(file, &layout, rng),
        11..=12 => count(file, &layout, rng),
        13 => range(file, &layout, rng),
        _ => ends(file, &layout, rng),
    }
}

/// Has a node refer to itself, to one above it, into the middle of another or out of the file, or take its parts for
/// others.
fn reference(file: &mut [u8], layout: &IndexLayout, rng: &mut Rng) -> Damage {
    let Some(&at) = pick(&layout.references, rng) else { return Damage::new("index reference", "none") };
    let before = number(file, at);
    let root = number(file, 8);
    let after = match rng.u8(..8) {
        0 => root,
        1 => before ^ 1 << (28 + rng.u32(..4)),
        2 => 0,
        3 => before & 0xf000_0000 | edge_number(u64::from(before), file.len(), rng) as u32 & 0x0fff_ffff,
        4 => before & 0xf000_0000 | (at as u32).saturating_sub(rng.u32(..32)),
        5 => before & 0xf000_0000 | random_offset(file.len(), rng) as u32,
        6 => rng.u32(..),
        _ => pick(&layout.references, rng).map_or(root, |other| number(file, *other)),
    };
    put(file, at, after);
    Damage::new("index reference", format!("{at:#x}: {before:#x} -> {after:#x}"))
}

fn count(file: &mut [u8], layout: &IndexLayout, rng: &mut Rng) -> Damage {
    let Some(&at) = pick(&layout.counts, rng) else { return Damage::new("index count", "none") };
    let before = number(file, at);
    let after = edge_number(u64::from(before), file.len(), rng) as u32;
    put(file, at, after);
    Damage::new("index count", format!("{at:#x}: {before} -> {after}"))
}

fn range(file: &mut [u8], layout: &IndexLayout, rng: &mut Rng) -> Damage {
    let Some(&at) = pick(&layout.ranges, rng) else { return Damage::new("index range", "none") };
    match rng.u8(..3) {
        0 => file.swap(at, at + 1),
        1 => file[at] = 0,
        _ => file[at + 1] = 0xff,
    }
    Damage::new("index range", format!("{at:#x}"))
}

fn ends(file: &mut [u8], layout: &IndexLayout, rng: &mut Rng) -> Damage {
    let count = 1 + rng.usize(..1000);
    let mut last = 0;
    for _ in 0..count {
        if let Some(&at) = pick(&layout.ends, rng) {
            file[at] = b'*';
            last = at;
        }
    }
    Damage::new("index strings", format!("{count} without their ends, {last:#x} among them"))
}

fn pick<'a>(places: &'a [usize], rng: &mut Rng) -> Option<&'a usize> {
    places.get(random_offset(places.len(), rng))
}

fn number(file: &[u8], at: usize) -> u32 {
    let bytes = file.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

fn put(file: &mut [u8], at: usize, value: u32) {
    if let Some(bytes) = file.get_mut(at..at + 4) {
        bytes.copy_from_slice(&value.to_be_bytes());
    }
}

impl IndexLayout {
    fn of(file: &[u8]) -> IndexLayout {
        let mut layout = IndexLayout::default();
        if file.len() < 16 {
            return layout;
        }
        let mut waiting = vec![8];
        while let Some(reference) = waiting.pop() {
            if layout.references.len() < MOST_NODES {
                layout.references.push(reference);
                // What a sound file does not have ends the look at this node.
                let _ = layout.node(file, number(file, reference), &mut waiting);
            }
        }
        layout
    }

    fn node(&mut self, file: &[u8], reference: u32, waiting: &mut Vec<usize>) -> Option<()> {
        let mut at = (reference & 0x0fff_ffff) as usize;
        if reference & 0x8000_0000 != 0 {
            at = self.string(file, at)?;
        }
        if reference & 0x2000_0000 != 0 {
            let (first, last) = (*file.get(at)?, *file.get(at + 1)?);
            self.ranges.push(at);
            at += 2;
            for _ in first..=last {
                if number(file, at) != 0 {
                    waiting.push(at);
                }
                at += 4;
            }
        }
        if reference & 0x4000_0000 != 0 {
            let count = number(file, at);
            file.get(at..at + 4)?;
            self.counts.push(at);
            at += 4;
            for _ in 0..count.min(64) {
                at = self.string(file, at + 4)?;
            }
        }
        Some(())
    }

    /// The place behind a string.
    fn string(&mut self, file: &[u8], at: usize) -> Option<usize> {
        let end = at + file.get(at..)?.iter().position(|byte| *byte == 0)?;
        self.ends.push(end);
        Some(end + 1)
    }
}
