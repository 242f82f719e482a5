//! The nodes of a `modules.*.bin` index: the one place that knows their bytes.
//!
//! All numbers are big-endian. The file begins with a magic number, a version and a reference to the
//! root; a reference is a 28-bit file offset with flags on top for what the node holds, in this
//! order: a prefix (bytes, NUL), children (the first and the last byte that has one, then a
//! reference for each byte from the one to the other, zero where there is no child), values (a
//! count, then for each a priority and a NUL-terminated string).

use super::file::{Cursor, IndexFile};
use crate::Malformed;

/// The first four bytes of an index.
pub(super) const MAGIC: u32 = 0xB007_F457;
/// The version in the next four; the upper half is the major one.
pub(super) const VERSION: u32 = 0x0002_0001;
/// A prefix follows.
pub(super) const HAS_PREFIX: u32 = 0x8000_0000;
/// Values follow.
pub(super) const HAS_VALUES: u32 = 0x4000_0000;
/// Children follow.
pub(super) const HAS_CHILDREN: u32 = 0x2000_0000;
/// The part of a reference that is the offset.
pub(super) const OFFSET_MASK: u32 = 0x0FFF_FFFF;

/// Checks the header and returns the reference to the root.
pub(super) fn root_reference(file: &IndexFile) -> Result<u32, Malformed> {
    let mut header = Cursor::new(file, 0)?;
    if header.number()? != MAGIC {
        return Err(Malformed::offset(0, "not an index of modules"));
    }
    let version = header.number()?;
    if version >> 16 != VERSION >> 16 {
        return Err(Malformed::offset(4, format!("version {version:#010x} of the format is unknown")));
    }
    header.number()
}

/// A node, its parts found and known to lie within the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    /// The bytes that all keys below share, after the bytes that lead here.
    pub(super) prefix: &'a [u8],
    first: u8,
    /// A reference of four bytes for each byte from the first.
    children: &'a [u8],
    /// The node's values.
    pub(super) values: Values<'a>,
}

/// The values of a node, as they stand: each its priority and its bytes. How far they go in the file
/// is seen in reading them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    count: u32,
    cursor: Cursor<'a>,
}

impl<'a> Node<'a> {
    /// Reads the node at a reference.
    pub(super) fn read(file: &'a IndexFile, reference: u32) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(file, (reference & OFFSET_MASK) as usize)?;
        let prefix = if reference & HAS_PREFIX == 0 { &[] } else { cursor.string()? };
        let (first, children) =
            if reference & HAS_CHILDREN == 0 { (0, &[][..]) } else { children(&mut cursor)? };
        let count = if reference & HAS_VALUES == 0 { 0 } else { cursor.number()? };
        Ok(Self { prefix, first, children, values: Values { count, cursor } })
    }

    /// The reference to the child for a byte.
    pub(super) fn child(&self, byte: u8) -> Option<u32> {
        let place = usize::from(byte.checked_sub(self.first)?).checked_mul(4)?;
        let reference = self.children.get(place..)?.first_chunk()?;
        Some(u32::from_be_bytes(*reference)).filter(|&reference| reference != 0)
    }

    /// The references to the children for each byte from one on, four bytes each, zero where there is no child.
    pub(super) fn children(&self) -> (&'a [u8], u8) {
        (self.children, self.first)
    }

    /// How many bytes of the file the node takes without its values, at least one.
    pub(super) fn size(&self) -> usize {
        self.prefix.len().saturating_add(self.children.len()).saturating_add(1)
    }
}

/// The byte of the first child, and the table of references.
fn children<'a>(cursor: &mut Cursor<'a>) -> Result<(u8, &'a [u8]), Malformed> {
    let [first, last] = cursor.take(2)?.first_chunk().copied().unwrap_or_default();
    let Some(more) = last.checked_sub(first) else {
        return Err(Malformed::offset(cursor.at() as u64, "the children's range is upside down"));
    };
    let table = usize::from(more).saturating_add(1).saturating_mul(4);
    Ok((first, cursor.take(table)?))
}

impl<'a> Values<'a> {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first one up to a byte, and with it; all of it where it does not have that byte.
    pub(super) fn first_until(mut self, end: u8) -> Option<Result<&'a [u8], Malformed>> {
        self.count.checked_sub(1)?;
        Some(self.cursor.number().and_then(|_| self.cursor.string_until(end)))
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Result<(u32, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let priority = self.cursor.number();
        Some(priority.and_then(|priority| Ok((priority, self.cursor.string()?))))
    }
}
