//! The bytes of an index, read from its file block by block as they are asked for.
//!
//! A lookup touches some tens of nodes in a file of a megabyte or more. The file is not mapped: one
//! that a foreign writer cuts short in its place would kill the process. Blocks stay in memory once
//! read, so that nodes borrow from them and further lookups find them.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    Errno, Malformed,
    bytes::find,
    error_text,
    file::{TREE_FILE_LIMIT, open_bounded, read_bounded_with_metadata},
    stamp::Stamp,
};

/// The distance from one block to the next as a power of two: 4 KiB. Memory that is touched for the first
/// time costs more than another look into the file.
const BLOCK_SHIFT: u32 = 12;
/// How much of the next block is read with one: what begins near a block's end seldom ends later.
const OVERLAP: usize = 1 << 10;
/// The same of long blocks, for what did: lists of dependencies. What is longer than one of them is looked
/// for in the next.
const LONG_OVERLAPS: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// Blocks of a file by their place, as far as they were read.
type Blocks = Vec<OnceLock<Box<[u8]>>>;

/// An index file, of which parts may be in memory.
#[derive(Debug)]
pub(super) struct IndexFile {
    /// `None` where everything is in memory.
    file: Option<File>,
    stamp: Option<Stamp>,
    len: usize,
    blocks: Blocks,
    long_blocks: [OnceLock<Blocks>; LONG_OVERLAPS.len()],
    /// How many bytes of long blocks were read.
    long_bytes: AtomicUsize,
    /// All bytes.
    whole: OnceLock<Vec<u8>>,
}

impl IndexFile {
    /// Opens a file, of which nothing is read yet.
    ///
    /// # Errors
    /// As [`crate::file::read_bounded`].
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (file, metadata) = open_bounded(path, TREE_FILE_LIMIT)?;
        let len = usize::try_from(metadata.len()).unwrap_or_default();
        let stamp = Some(Stamp::of(&metadata));
        Ok(Self { file: Some(file), stamp, blocks: blocks(len), ..Self::empty(len) })
    }

    /// Reads a file as a whole; it is not open afterwards.
    ///
    /// # Errors
    /// As [`crate::file::read_bounded`].
    pub(super) fn read_whole(path: &Path) -> io::Result<Self> {
        let (bytes, metadata) = read_bounded_with_metadata(path, TREE_FILE_LIMIT)?;
        Ok(Self { stamp: Some(Stamp::of(&metadata)), ..Self::in_memory(bytes) })
    }

    /// The same of bytes in memory.
    #[cfg(any(test, feature = "internals"))]
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::in_memory(bytes)
    }

    fn in_memory(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self { whole: OnceLock::from(bytes), ..Self::empty(len) }
    }

    fn empty(len: usize) -> Self {
        let (blocks, long_blocks, long_bytes, whole) = Default::default();
        Self { file: None, stamp: None, len, blocks, long_blocks, long_bytes, whole }
    }

    /// The file as it was when it was opened; none where the bytes came from memory.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// How many bytes the file has.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What is in memory from an offset on: at least what is left of its block, and nothing at the
    /// end of the file and behind it.
    fn piece(&self, at: usize) -> Result<&[u8], Malformed> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole.get(at..).unwrap_or_default());
        }
        self.in_block(&self.blocks, at, OVERLAP)
    }

    /// More of what is in memory from an offset on, where so many bytes of it were not enough: the block
    /// with more after it, else the whole file. So long a thing is rare: where long blocks come to more than
    /// the file, that is read instead.
    #[cold]
    fn longer_piece(&self, at: usize, had: usize) -> Result<&[u8], Malformed> {
        if at.saturating_add(had) >= self.len {
            return Ok(&[]);
        }
        for (long_blocks, overlap) in self.long_blocks.iter().zip(LONG_OVERLAPS) {
            // The last one begins within the block.
            if overlap.saturating_add(1 << BLOCK_SHIFT) <= had {
                continue;
            }
            if self.long_bytes.load(Ordering::Relaxed) > self.len {
                break;
            }
            let piece = self.in_block(long_blocks.get_or_init(|| blocks(self.len)), at, overlap)?;
            if piece.len() > had {
                return Ok(piece);
            }
        }
        Ok(self.whole()?.get(at..).unwrap_or_default())
    }

    fn in_block<'a>(&self, blocks: &'a Blocks, at: usize, overlap: usize) -> Result<&'a [u8], Malformed> {
        let Some(block) = blocks.get(at >> BLOCK_SHIFT) else { return Ok(&[]) };
        let start = at & ((1 << BLOCK_SHIFT) - 1);
        let bytes = match block.get() {
            Some(bytes) => bytes,
            None => {
                let bytes = self.read_block(at - start, overlap)?;
                if overlap > OVERLAP {
                    self.long_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
                }
                block.get_or_init(|| bytes)
            }
        };
        Ok(bytes.get(start..).unwrap_or_default())
    }

    /// All bytes, which are read at once.
    ///
    /// # Errors
    /// When they cannot be read.
    fn whole(&self) -> Result<&[u8], Malformed> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let mut bytes = vec![0; self.len];
        self.read(&mut bytes, 0)?;
        Ok(self.whole.get_or_init(|| bytes))
    }

    #[cold]
    fn read_block(&self, start: usize, overlap: usize) -> Result<Box<[u8]>, Malformed> {
        let len = self.len.saturating_sub(start).min((1 << BLOCK_SHIFT) + overlap);
        let mut bytes = vec![0; len].into_boxed_slice();
        self.read(&mut bytes, start)?;
        Ok(bytes)
    }

    /// Fills a buffer with the bytes from an offset on.
    ///
    /// # Errors
    /// When they cannot be read, or are not there.
    pub(super) fn read(&self, bytes: &mut [u8], start: usize) -> Result<(), Malformed> {
        let Some(file) = &self.file else {
            let known = self.whole.get().and_then(|whole| whole.get(start..)?.get(..bytes.len()));
            bytes.copy_from_slice(known.ok_or_else(|| self.cut_short(start))?);
            return Ok(());
        };
        file.read_exact_at(bytes, start as u64).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                return Malformed::offset(start as u64, "the index became shorter while it was read");
            }
            let errno = Errno::in_io(&error);
            let what = format!("could not be read: {}", error_text(&error));
            Malformed::offset(start as u64, what).with_errno(errno)
        })
    }

    /// That the file ends too early for what is at an offset.
    #[cold]
    pub(super) fn cut_short(&self, at: usize) -> Malformed {
        Malformed::offset(at as u64, "the index ends before what should stand here")
    }
}

/// Room for the blocks of so long a file.
fn blocks(len: usize) -> Blocks {
    vec![OnceLock::new(); len.div_ceil(1 << BLOCK_SHIFT)]
}

/// A place in the file, moving on as it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    file: &'a IndexFile,
    at: usize,
    /// What is in memory from there on.
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The place at an offset.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub(super) fn new(file: &'a IndexFile, at: usize) -> Result<Self, Malformed> {
        Ok(Self { file, at, rest: file.piece(at)? })
    }

    /// The offset.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// A number of four bytes.
    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.take(4)?.first_chunk().copied().unwrap_or_default()))
    }

    /// The bytes before the next NUL, which is skipped.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        loop {
            if let Some(end) = find(self.rest, 0) {
                let string = self.take(end)?;
                self.take(1)?;
                return Ok(string);
            }
            self.look_further()?;
        }
    }

    /// The bytes before the next NUL, but no more than up to the first `end`, and with it.
    pub(super) fn string_until(&mut self, end: u8) -> Result<&'a [u8], Malformed> {
        loop {
            let (found, nul) = (find(self.rest, end), find(self.rest, 0));
            match (found, nul) {
                (Some(found), _) if nul.is_none_or(|nul| found < nul) => {
                    return self.take(found.saturating_add(1));
                }
                (_, Some(nul)) => return self.take(nul),
                _ => self.look_further()?,
            }
        }
    }

    /// So many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        loop {
            if let Some((bytes, rest)) = self.rest.split_at_checked(length) {
                (self.at, self.rest) = (self.at.saturating_add(length), rest);
                return Ok(bytes);
            }
            self.look_further()?;
        }
    }

    /// Where a block ends too early, more of the file is wanted.
    #[cold]
    fn look_further(&mut self) -> Result<(), Malformed> {
        let longer = self.file.longer_piece(self.at, self.rest.len())?;
        if longer.len() <= self.rest.len() {
            return Err(self.file.cut_short(self.at));
        }
        self.rest = longer;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, IndexFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.bin");
        std::fs::write(&path, bytes).unwrap();
        let file = IndexFile::open(&path).unwrap();
        (directory, file)
    }

    #[test]
    fn what_lies_across_blocks_is_read_whole() {
        let len = (2 << BLOCK_SHIFT) + LONG_OVERLAPS[3];
        let mut bytes = vec![b'x'; len];
        bytes.push(0);
        bytes.extend([1, 2, 3, 4]);
        for start in [0, 1, 1 << BLOCK_SHIFT, (2 << BLOCK_SHIFT) - 1, 2 << BLOCK_SHIFT, len - 9, len] {
            let (_directory, file) = written(&bytes);
            let mut cursor = Cursor::new(&file, start).unwrap();
            assert_eq!(cursor.string().unwrap().len(), len - start);
            assert_eq!(file.whole.get().is_some(), start < 2 << BLOCK_SHIFT, "{start}");
            assert_eq!(cursor.number().unwrap(), 0x0102_0304);
            assert!(cursor.number().is_err());
        }
        let (_directory, file) = written(&bytes);
        assert!(Cursor::new(&file, bytes.len() + 1).unwrap().take(1).is_err());
    }

    #[test]
    fn long_blocks_come_to_little_more_than_the_file() {
        let bytes = [vec![b'x'; (1 << 20) - 1], vec![0]].concat();
        let (_directory, file) = written(&bytes);
        // A long string is read without the rest of the file.
        assert_eq!(Cursor::new(&file, (1 << 20) - 40_000).unwrap().string().unwrap().len(), 39_999);
        assert!(file.long_bytes.load(Ordering::Relaxed) < 100_000 && file.whole.get().is_none());
        for start in (0..1 << 20).step_by(1 << BLOCK_SHIFT) {
            Cursor::new(&file, start).unwrap().string().unwrap();
        }
        assert!(file.long_bytes.load(Ordering::Relaxed) < 3 << 20 && file.whole.get().is_some());
    }

    #[test]
    fn a_lookup_reads_its_blocks_only() {
        let (_directory, file) = written(&[b'x'; 10 << BLOCK_SHIFT]);
        Cursor::new(&file, 3 << BLOCK_SHIFT).unwrap().take(OVERLAP + 5).unwrap();
        let read: Vec<usize> = (0..10).filter(|&block| file.blocks[block].get().is_some()).collect();
        assert_eq!((read, file.whole.get().is_some()), (vec![3], false));
    }

    #[test]
    fn a_file_cut_short_in_its_place_is_an_error() {
        let (directory, file) = written(&[b'x'; 4 << BLOCK_SHIFT]);
        std::fs::write(directory.path().join("test.bin"), "x").unwrap();
        let fault = Cursor::new(&file, 0).unwrap_err().to_string();
        assert!(fault.ends_with("the index became shorter while it was read"), "{fault}");
    }
}
