//! The bytes of an index read forward, through a window that moves on.
//!
//! depmod writes the nodes of an index in the order of its keys, and so a walk over all of them reads the
//! file from its beginning to its end. Memory that is touched for the first time costs more than the bytes
//! that come into it: the window's serves again and again.

use super::file::IndexFile;
use crate::{Malformed, bytes::find};

/// The size of the window, which grows where something in the file is larger.
const SIZE: usize = 32 << 10;

/// What is wrong, behind a pointer: results are small then, and made often.
pub(super) type Fault = Box<Malformed>;

/// A place in an index file, and the bytes that follow it.
pub(super) struct Window<'a> {
    file: &'a IndexFile,
    bytes: Vec<u8>,
    /// Where in the file the window begins.
    start: usize,
    /// The place, from there.
    place: usize,
    /// How many bytes may still be read before the file is taken for one in another order.
    allowance: usize,
}

impl<'a> Window<'a> {
    /// A window on a file, of which nothing is read yet.
    pub(super) fn new(file: &'a IndexFile) -> Self {
        let allowance = file.len().saturating_mul(4).saturating_add(SIZE);
        Self { file, bytes: Vec::new(), start: 0, place: 0, allowance }
    }

    /// Goes to an offset.
    pub(super) fn go_to(&mut self, offset: usize) {
        match offset.checked_sub(self.start) {
            Some(place) if place <= self.bytes.len() => self.place = place,
            _ => {
                self.bytes.clear();
                (self.start, self.place) = (offset, 0);
            }
        }
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// Where the file ends before, or cannot be read, as with the others.
    pub(super) fn number(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_be_bytes(self.take(4)?.first_chunk().copied().unwrap_or_default()))
    }

    /// The bytes before the next NUL, which is skipped.
    pub(super) fn string(&mut self) -> Result<&[u8], Fault> {
        let len = loop {
            match find(self.rest(), 0) {
                Some(len) => break len,
                None => self.read_on()?,
            }
        };
        let from = self.place;
        let end = from.wrapping_add(len);
        self.place = end.wrapping_add(1);
        Ok(self.bytes.get(from..end).unwrap_or_default())
    }

    /// So many bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&[u8], Fault> {
        while self.rest().len() < len {
            self.read_on()?;
        }
        let from = self.place;
        self.place = from.wrapping_add(len);
        Ok(self.bytes.get(from..self.place).unwrap_or_default())
    }

    /// The offset.
    pub(super) fn at(&self) -> usize {
        self.start.saturating_add(self.place)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.place..).unwrap_or_default()
    }

    /// Moves the window to the place, where what is left of it is not enough.
    #[cold]
    fn read_on(&mut self) -> Result<(), Fault> {
        let (at, had) = (self.at(), self.rest().len());
        let left = self.file.len().saturating_sub(at);
        if left <= had {
            return Err(self.file.cut_short(at).into());
        }
        let len = had.saturating_mul(2).max(SIZE).min(left);
        // Nodes in whatever order could have the window move for each of them.
        let (start, len) = match self.allowance.checked_sub(len) {
            Some(allowance) => {
                self.allowance = allowance;
                (at, len)
            }
            None => (0, self.file.len()),
        };
        self.bytes.resize(len, 0);
        self.file.read(&mut self.bytes, start)?;
        (self.start, self.place) = (start, at.saturating_sub(start));
        Ok(())
    }
}
