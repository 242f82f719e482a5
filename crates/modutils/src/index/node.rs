//! The nodes of a `modules.*.bin` index: the one place that knows their bytes.
//!
//! All numbers are big-endian. The file begins with a magic number, a version and a reference to the
//! root; a reference is a 28-bit file offset with flags on top that say what the node holds, in this
//! order: a prefix (bytes, NUL), children (the first and the last byte that has one, then a
//! reference for each byte from the one to the other, zero where there is no child), values (a
//! count, then for each a priority and a NUL-terminated string).

use super::TrieValue;
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
pub(super) fn root_reference(file: &[u8]) -> Result<u32, Malformed> {
    let mut header = Cursor { file, at: 0 };
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
    /// The bytes that all keys below share, after those that lead here.
    pub(super) prefix: &'a [u8],
    first: u8,
    /// A reference of four bytes for each byte from the first.
    children: &'a [u8],
    count: u32,
    /// Begins at the values and ends with the file: how far they go is seen in reading them.
    values: Cursor<'a>,
}

impl<'a> Node<'a> {
    /// Reads the node at a reference.
    pub(super) fn read(file: &'a [u8], reference: u32) -> Result<Self, Malformed> {
        let mut cursor = Cursor { file, at: (reference & OFFSET_MASK) as usize };
        let prefix = if reference & HAS_PREFIX == 0 { &[] } else { cursor.string()? };
        let (first, children) =
            if reference & HAS_CHILDREN == 0 { (0, &[][..]) } else { cursor.children()? };
        let count = if reference & HAS_VALUES == 0 { 0 } else { cursor.number()? };
        Ok(Self { prefix, first, children, count, values: cursor })
    }

    /// The reference to the child for a byte.
    pub(super) fn child(&self, byte: u8) -> Option<u32> {
        let place = usize::from(byte.checked_sub(self.first)?).checked_mul(4)?;
        let reference = self.children.get(place..)?.first_chunk()?;
        Some(u32::from_be_bytes(*reference)).filter(|&reference| reference != 0)
    }

    /// The bytes that have a child, ascending, each with the reference to it.
    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = (u8, u32)> + 'a {
        let (tables, _) = self.children.as_chunks::<4>();
        let references = (self.first..=u8::MAX).zip(tables);
        let references: Vec<_> = references.map(|(byte, table)| (byte, u32::from_be_bytes(*table))).collect();
        references.into_iter().filter(|&(_, reference)| reference != 0)
    }

    /// The values, as they stand.
    pub(super) fn values(&self) -> impl Iterator<Item = Result<TrieValue, Malformed>> + 'a {
        let mut cursor = self.values;
        (0..self.count).map(move |_| {
            let priority = cursor.number()?;
            Ok(TrieValue { priority, value: cursor.string()?.to_owned() })
        })
    }

    /// The same node with another prefix: the part of its own that is still to be looked at.
    pub(super) fn with_prefix(self, prefix: &'a [u8]) -> Self {
        Self { prefix, ..self }
    }

    /// How many bytes of the file the node takes without its values, at least one.
    pub(super) fn size(&self) -> usize {
        self.prefix.len().saturating_add(self.children.len()).saturating_add(1)
    }
}

/// A place in the file, moving on as it is read.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn number(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?.first_chunk().copied().unwrap_or_default();
        Ok(u32::from_be_bytes(bytes))
    }

    fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == 0).ok_or_else(|| self.cut_short())?;
        let string = self.take(length)?;
        self.take(1)?;
        Ok(string)
    }

    fn children(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let range = self.take(2)?.first_chunk().copied().unwrap_or_default();
        let [first, last] = range;
        let Some(more) = last.checked_sub(first) else {
            return Err(Malformed::offset(self.at as u64, "the children's range is upside down"));
        };
        let table = usize::from(more).saturating_add(1).saturating_mul(4);
        Ok((first, self.take(table)?))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length);
        let bytes = end.and_then(|end| self.file.get(self.at..end)).ok_or_else(|| self.cut_short())?;
        self.at = self.at.saturating_add(length);
        Ok(bytes)
    }

    fn cut_short(&self) -> Malformed {
        Malformed::offset(self.at as u64, "the index ends before what should stand here")
    }
}
