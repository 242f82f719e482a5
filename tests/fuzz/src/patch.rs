//! Damage to bytes that were sound.

use arbitrary::Arbitrary;

/// One change. Places wrap around, so that every input means something.
#[derive(Arbitrary, Clone, Debug)]
pub enum Patch {
    /// Another byte.
    Byte { at: u32, value: u8 },
    /// Another word in either byte order.
    Word { at: u32, value: u32, big: bool },
    /// A word from elsewhere in the file: references that meet or form a cycle.
    Copy { from: u32, to: u32, wide: bool },
    /// A part written a second time over another.
    Move { from: u16, to: u16, length: u8 },
    /// The end is missing.
    Cut { length: u16 },
    /// Something follows.
    Append { bytes: Vec<u8> },
}

/// Applies the changes in their order.
pub fn apply(patches: &[Patch], bytes: &mut Vec<u8>) {
    for patch in patches {
        patch.apply(bytes);
    }
}

impl Patch {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Patch::Byte { at, value } => overwrite(bytes, *at, &[*value]),
            Patch::Word { at, value, big: true } => overwrite(bytes, *at, &value.to_be_bytes()),
            Patch::Word { at, value, big: false } => overwrite(bytes, *at, &value.to_le_bytes()),
            Patch::Copy { from, to, wide } => {
                let word = part(bytes, *from, if *wide { 8 } else { 4 });
                overwrite(bytes, *to, &word);
            }
            Patch::Move { from, to, length } => {
                let part = part(bytes, (*from).into(), (*length).into());
                overwrite(bytes, (*to).into(), &part);
            }
            Patch::Cut { length } => bytes.truncate(bytes.len() - usize::from(*length) % bytes.len()),
            Patch::Append { bytes: more } => bytes.extend_from_slice(more),
        }
    }
}

fn part(bytes: &[u8], from: u32, length: usize) -> Vec<u8> {
    let start = from as usize % bytes.len();
    bytes[start..bytes.len().min(start + length)].to_vec()
}

fn overwrite(bytes: &mut [u8], at: u32, new: &[u8]) {
    let start = at as usize % bytes.len();
    for (place, byte) in bytes[start..].iter_mut().zip(new) {
        *place = *byte;
    }
}
