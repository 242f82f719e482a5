//! Memory that serves for one file after the other.
//!
//! What an allocator hands out has its pages brought by the kernel one by one, as they are touched,
//! and a large module has thousands of them. A separate mapping can have huge ones, where the kernel
//! is asked for them, and its bytes are zeros before they are anything else: nothing has to fill them.

use std::io;

use memmap2::{Advice, MmapMut};

/// The size of a huge page on most machines.
const HUGE: usize = 2 << 20;

/// The most that huge pages are asked for. A larger room serves one file, and where memory is fragmented the kernel
/// spends more on making huge pages than they save: of a module of 600 MB in a zstd frame of that size, modinfo took 3.5 s
/// of the system's time with them and 0.57 s without.
const MOST_HUGE: usize = 32 << 20;

/// The least that is mapped.
const LEAST: usize = 64 << 10;

/// Bytes of one file, at the front of memory that may have held another's.
#[derive(Debug, Default)]
pub(super) struct Pages {
    map: Option<MmapMut>,
    len: usize,
}

impl Pages {
    /// Makes room for a file of `len` bytes. Their content is unspecified until they are written.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub(super) fn room(&mut self, len: usize) -> io::Result<&mut [u8]> {
        if self.capacity() < len {
            // The old memory goes first: what it holds counts no more.
            self.map = None;
            self.len = 0;
            self.map = Some(map(len)?);
        }
        self.len = len;
        Ok(self.map.as_mut().and_then(|map| map.get_mut(..len)).unwrap_or_default())
    }

    /// Keeps the first `len` bytes: the room was made for as much as the file could hold.
    #[cfg(feature = "zstd")]
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_ref().and_then(|map| map.get(..self.len)).unwrap_or_default()
    }

    /// How many bytes there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.map.as_ref().map_or(0, |map| map.len())
    }
}

fn map(len: usize) -> io::Result<MmapMut> {
    let small = len.max(LEAST).checked_next_power_of_two().filter(|&size| size < HUGE);
    let size = small.or_else(|| len.checked_next_multiple_of(HUGE)).ok_or(io::ErrorKind::OutOfMemory)?;
    let map = MmapMut::map_anon(size)?;
    if small.is_none() && size <= MOST_HUGE {
        // A kernel without huge pages gives small ones.
        let _ = map.advise(Advice::HugePage);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_serves_again_where_it_is_large_enough() {
        let mut pages = Pages::default();
        assert!(pages.bytes().is_empty());
        for len in [0, 1, LEAST, LEAST + 1, 3, HUGE - 1, HUGE + 1, HUGE, 5] {
            let room = pages.room(len).unwrap();
            assert_eq!(room.len(), len);
            room.fill(7);
            assert!(pages.bytes().len() == len && pages.bytes().iter().all(|&byte| byte == 7), "{len}");
        }
        assert_eq!(pages.capacity(), 2 * HUGE);
    }

    #[test]
    fn more_than_there_can_be_is_an_error() {
        let mut pages = Pages::default();
        pages.room(5).unwrap();
        assert!(pages.room(usize::MAX).is_err() && pages.room(usize::MAX / 2).is_err());
        assert!(pages.bytes().is_empty());
    }
}
