//! The bytes of an index, read from its file block by block as they are asked for.
//!
//! A lookup touches some tens of nodes in a file of a megabyte or more. The file is not mapped: one
//! that a foreign writer cuts short in its place would kill the process. Blocks stay in memory once
//! read, so that nodes borrow from them and further lookups find them.

use std::{borrow::Cow, cell::OnceCell, fs::File, io, os::unix::fs::FileExt, path::Path};

use bstr::ByteSlice;

use crate::{
    Malformed, error_text,
    file::{TREE_FILE_LIMIT, open_bounded},
};

/// The size of a block as a power of two: 8 KiB. Lookups of one name are fastest with it.
const BLOCK_SHIFT: u32 = 13;
/// All of any file in one block.
const WHOLE_SHIFT: u32 = usize::BITS - 1;

/// An index file, of which parts may be in memory.
#[derive(Debug)]
pub(super) struct IndexFile {
    /// `None` where everything is in memory.
    file: Option<File>,
    len: usize,
    shift: u32,
    blocks: Vec<OnceCell<Box<[u8]>>>,
}

impl IndexFile {
    /// Opens a file, of which nothing is read yet.
    ///
    /// # Errors
    /// As [`crate::file::read_bounded`].
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (file, len) = open_bounded(path, TREE_FILE_LIMIT)?;
        let len = usize::try_from(len).unwrap_or_default();
        let blocks = vec![OnceCell::new(); len.div_ceil(1 << BLOCK_SHIFT)];
        Ok(Self { file: Some(file), len, shift: BLOCK_SHIFT, blocks })
    }

    /// The same of bytes in memory.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self { file: None, len, shift: WHOLE_SHIFT, blocks: vec![OnceCell::from(bytes.into_boxed_slice())] }
    }

    /// How many bytes the file has.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The file with everything in memory, read at once, for a walk over all of it; `None` where it
    /// is there already.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn whole(&self) -> Result<Option<Self>, Malformed> {
        let Some(file) = &self.file else { return Ok(None) };
        let bytes = read(file, 0, self.len)?;
        Ok(Some(Self { file: None, len: self.len, shift: WHOLE_SHIFT, blocks: vec![OnceCell::from(bytes)] }))
    }

    /// What is in memory from an offset on once its block is: none at the end of the file, and behind
    /// it.
    fn piece(&self, at: usize) -> Result<&[u8], Malformed> {
        let Some(block) = self.blocks.get(at >> self.shift) else { return Ok(&[]) };
        let start = at & ((1 << self.shift) - 1);
        let bytes = match block.get() {
            Some(bytes) => bytes,
            None => {
                let bytes = self.read_block(at - start)?;
                block.get_or_init(|| bytes)
            }
        };
        Ok(bytes.get(start..).unwrap_or_default())
    }

    #[cold]
    fn read_block(&self, start: usize) -> Result<Box<[u8]>, Malformed> {
        let len = self.len.saturating_sub(start).min(1 << self.shift);
        self.file.as_ref().map_or_else(|| Ok(Box::default()), |file| read(file, start, len))
    }
}

fn read(file: &File, start: usize, len: usize) -> Result<Box<[u8]>, Malformed> {
    let mut bytes = vec![0; len].into_boxed_slice();
    file.read_exact_at(&mut bytes, start as u64).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Malformed::offset(start as u64, "the index became shorter while it was read");
        }
        let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO));
        Malformed::offset(start as u64, format!("could not be read: {}", error_text(&error)))
            .with_errno(errno)
    })?;
    Ok(bytes)
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
        let bytes = match self.rest.first_chunk() {
            Some(bytes) => {
                self.pass(4);
                *bytes
            }
            None => self.take_across(4)?.first_chunk().copied().unwrap_or_default(),
        };
        Ok(u32::from_be_bytes(bytes))
    }

    /// The bytes before the next NUL, which is passed over.
    pub(super) fn string(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        // Most are so short that a search made for long ones would lose time.
        let Some(end) = self.rest.iter().position(|&byte| byte == 0) else { return self.string_across() };
        let string = self.rest.get(..end).unwrap_or_default();
        self.pass(end.saturating_add(1));
        Ok(Cow::Borrowed(string))
    }

    /// So many bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<Cow<'a, [u8]>, Malformed> {
        let Some(bytes) = self.rest.get(..length) else { return self.take_across(length).map(Cow::Owned) };
        self.pass(length);
        Ok(Cow::Borrowed(bytes))
    }

    fn pass(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// What is in memory of the next block, where this one's has been passed.
    fn next_piece(&mut self) -> Result<&'a [u8], Malformed> {
        if self.rest.is_empty() {
            self.rest = self.file.piece(self.at)?;
        }
        Ok(self.rest)
    }

    #[cold]
    fn string_across(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let start = *self;
        let mut string = Vec::new();
        loop {
            let piece = self.next_piece()?;
            if piece.is_empty() {
                return Err(start.cut_short());
            }
            let end = piece.find_byte(0);
            let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            string.extend_from_slice(part);
            self.pass(part.len());
            if end.is_some() {
                self.pass(1);
                return Ok(Cow::Owned(string));
            }
        }
    }

    #[cold]
    fn take_across(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        if self.file.len.checked_sub(self.at).is_none_or(|left| left < length) {
            return Err(self.cut_short());
        }
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let piece = self.next_piece()?;
            let part = piece.get(..length.saturating_sub(bytes.len())).unwrap_or(piece);
            if part.is_empty() {
                return Err(self.cut_short());
            }
            bytes.extend_from_slice(part);
            self.pass(part.len());
        }
        Ok(bytes)
    }

    fn cut_short(&self) -> Malformed {
        Malformed::offset(self.at as u64, "the index ends before what should stand here")
    }
}
