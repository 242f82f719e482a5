//! A path becomes plain bytes, whatever compression the file has.
//!
//! The compression is detected from the first bytes, never by the name: distributions, and people, rename
//! files. A compressed file is decompressed into memory at once, up to [`SIZE_LIMIT`]. A plain file
//! that is not small stays open and is read piece by piece, because what the tools want of a module is
//! a small part of it. It is read and not mapped: a file cut short while mapped kills the process, and for pieces of
//! this size reading is faster.

mod decompress;
pub(crate) mod kernel_decoder;
#[cfg(feature = "gzip")]
mod libdeflate;
mod pages;

use std::{
    borrow::Cow,
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::Errno;

#[cfg(feature = "diagnose")]
pub(crate) use decompress::first_stream;
use decompress::{Decompressor, Plain};
pub use decompress::{SIZE_LIMIT, decompress};
use kernel_decoder::{Obstacle, obstacle};
use pages::Pages;

use nix::fcntl::OFlag;

use crate::{Error, ErrorKind, Malformed, Result, files};

/// The most bytes that a file of a module tree may hold, modules left aside: 256 MiB, as far as the
/// references of an index reach. The others are smaller by far.
pub(crate) const TREE_FILE_LIMIT: u64 = 1 << 28;

/// How a file is compressed. The kernel reads the same three (`CONFIG_MODULE_COMPRESS_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all, or in a way unknown here.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// The .xz format, version 1.2.
    Xz,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Compression {
    /// How many bytes [`Compression::of`] needs to see.
    pub(crate) const MAGIC_LEN: usize = 6;

    /// The compression that a file's first bytes announce.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Whether the crate was built with what decompresses it.
    pub fn is_supported(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Xz => cfg!(feature = "xz"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The kernel's word for it, as in `/sys/module/compression`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// What a file holds once it is decompressed.
#[derive(Debug)]
pub struct Contents {
    path: PathBuf,
    file: Option<File>,
    compression: Compression,
    obstacle: Option<Obstacle>,
    len: u64,
    source: Source,
}

/// Where the plain bytes are.
#[derive(Debug)]
enum Source {
    File,
    Memory(Plain),
}

/// Decoders and memory that serve for one file after the other.
#[derive(Debug)]
pub struct Scratch {
    decompressor: Decompressor,
    /// The file as it is.
    compressed: Pages,
    plain: Plain,
    limit: u64,
    exceeded: bool,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::with_limit(SIZE_LIMIT)
    }
}

impl Scratch {
    /// The most memory of a kind that is kept from one file to the next.
    const KEPT: usize = 4 << 20;

    /// For files that hold no more than `limit` plain bytes.
    pub fn with_limit(limit: u64) -> Self {
        let (compressed, plain) = (Pages::default(), Plain::default());
        Self { decompressor: Decompressor::default(), compressed, plain, limit, exceeded: false }
    }

    /// Whether the file that was opened last, and refused, holds more than the limit.
    pub fn was_exceeded(&self) -> bool {
        self.exceeded
    }

    /// Takes the memory of a file back.
    pub fn recycle(&mut self, contents: Contents) {
        if let Source::Memory(plain) = contents.source {
            self.plain = plain;
        }
        for pages in [&mut self.compressed, &mut self.plain.pages] {
            if pages.capacity() > Self::KEPT {
                *pages = Pages::default();
            }
        }
        if self.plain.streamed.capacity() > Self::KEPT {
            self.plain.streamed = Vec::new();
        }
    }
}

/// Lets several threads read files without each of them having the largest one in memory.
#[derive(Debug, Default)]
pub struct OneLarge(Mutex<()>);

impl OneLarge {
    /// A file of more plain bytes than so many is large. A module of Debian's largest driver holds 30 MB.
    const LARGE: u64 = 32 << 20;

    /// What a thread has for its files.
    pub fn scratch() -> Scratch {
        Scratch::with_limit(Self::LARGE)
    }

    /// Reads a file with what [`OneLarge::scratch`] gave; with other memory, and while no other thread does so, where it
    /// turns out to be a large one. When `read` returns, it must not have kept the contents.
    pub fn read<R>(&self, scratch: &mut Scratch, read: impl Fn(&mut Scratch) -> R) -> R {
        // A file that cannot be opened has no known size.
        scratch.exceeded = false;
        let result = read(scratch);
        if !scratch.was_exceeded() {
            return result;
        }
        drop(result);
        // With what was decoded of it goes the memory for that.
        *scratch = Self::scratch();
        let _alone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut Scratch::default())
    }
}

impl Contents {
    /// A plain file of so many bytes is read at once. It takes as long as the dozen reads for which
    /// a larger one is cheaper.
    const READ_AT_ONCE: u64 = 64 << 10;

    /// Opens a file, and decompresses it where it is compressed.
    ///
    /// # Errors
    /// When the file cannot be opened or read, is not a regular file, is empty, is a damaged or
    /// incomplete compressed stream or has bytes after its end, or is longer than [`SIZE_LIMIT`] as it
    /// is or when decompressed.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &mut Scratch::default())
    }

    /// As [`Contents::open`], with memory and limit of `scratch`.
    ///
    /// # Errors
    /// As [`Contents::open`].
    pub fn open_with(path: &Path, scratch: &mut Scratch) -> Result<Self> {
        let (file, metadata) = open_regular(path)?;
        Self::read_from(path, file, metadata.len(), scratch)
    }

    /// As [`Contents::open_with`], of a regular file that is open already and reports a size of `len` bytes.
    ///
    /// # Errors
    /// As [`Contents::open`].
    pub(crate) fn read_from(path: &Path, file: File, len: u64, scratch: &mut Scratch) -> Result<Self> {
        scratch.exceeded = len > scratch.limit;
        // A plain file is not read whole, except one that has to wait until nothing else is read.
        if scratch.exceeded
            && (scratch.limit < SIZE_LIMIT || compression_of(&file, path)? != Compression::None)
        {
            return Err(beyond(scratch.limit).at(path));
        }
        if len == 0 {
            return Err(Malformed::file("the file is empty").at(path));
        }
        let mut contents = Self {
            path: path.to_owned(),
            file: Some(file),
            compression: Compression::None,
            obstacle: None,
            len,
            source: Source::File,
        };
        let at_once = if len <= Self::READ_AT_ONCE { len } else { Compression::MAGIC_LEN as u64 };
        contents.fill(&mut scratch.compressed, at_once)?;
        contents.compression = Compression::of(scratch.compressed.bytes());
        if contents.compression != Compression::None {
            if at_once < len {
                contents.fill(&mut scratch.compressed, len)?;
            }
            contents.decompress(scratch)?;
        } else if at_once == len {
            scratch.plain.exchange(&mut scratch.compressed);
            contents.source = Source::Memory(std::mem::take(&mut scratch.plain));
        }
        Ok(contents)
    }

    /// Takes bytes that are in memory already, and decompresses them where they are compressed.
    ///
    /// # Errors
    /// As [`Contents::open`]; `path` is the name that errors give the bytes.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Malformed::file("the file is empty").at(path));
        }
        let compression = Compression::of(&bytes);
        let obstacle = obstacle(&bytes);
        let bytes = decompress(compression, bytes).map_err(|fault| fault.at(path))?;
        let (len, source) = (bytes.len() as u64, Source::Memory(bytes.into()));
        Ok(Self { path: path.to_owned(), file: None, compression, obstacle, len, source })
    }

    /// Reads the first `len` bytes of the file.
    fn fill(&self, pages: &mut Pages, len: u64) -> Result<()> {
        let room = usize::try_from(len).ok().and_then(|len| pages.room(len).ok());
        let (Some(file), Some(room)) = (&self.file, room) else { return Err(self.out_of_memory()) };
        file.read_exact_at(room, 0).map_err(|error| self.read_error(error))
    }

    /// Decompresses what `scratch` has read of the file.
    fn decompress(&mut self, scratch: &mut Scratch) -> Result<()> {
        let Scratch { decompressor, compressed, plain, limit, .. } = scratch;
        let done = decompressor.decompress(self.compression, compressed.bytes(), plain, *limit);
        let len = plain.bytes().len() as u64;
        scratch.exceeded = len > *limit;
        let streams = done.map_err(|fault| fault.at(&self.path))?;
        let several = (streams > 1).then_some(Obstacle::Streams);
        self.obstacle = obstacle(scratch.compressed.bytes()).or(several);
        self.len = len;
        self.source = Source::Memory(std::mem::take(&mut scratch.plain));
        Ok(())
    }

    /// The path the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file itself is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What the kernel's own decoder does not read of the file, where that is so.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle
    }

    /// The open file, as it is on disk, for `finit_module(2)`; `None` when the bytes came from
    /// memory.
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// The number of plain bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte at all: an empty file compressed.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The plain bytes of a range.
    ///
    /// # Errors
    /// When the range is not within the file, or has more than [`SIZE_LIMIT`] bytes; when reading fails.
    pub fn read(&self, offset: u64, len: u64) -> Result<Cow<'_, [u8]>> {
        let past_end = || {
            let what = format!("{len} bytes are wanted here, but the file ends at {:#x}", self.len);
            Malformed::offset(offset, what).at(&self.path)
        };
        let end = offset.checked_add(len).filter(|&end| end <= self.len).ok_or_else(past_end)?;
        match (&self.source, &self.file) {
            (Source::Memory(plain), _) => {
                let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
                let bytes =
                    range.and_then(|(start, end)| plain.bytes().get(start..end)).ok_or_else(past_end)?;
                Ok(Cow::Borrowed(bytes))
            }
            (Source::File, Some(_)) if len > SIZE_LIMIT => {
                let what = format!("{len} bytes are more than are read at once");
                Err(Malformed::offset(offset, what).of_kind(ErrorKind::TooLarge).at(&self.path))
            }
            (Source::File, Some(file)) => {
                let mut bytes = zeroed(len).ok_or_else(|| self.out_of_memory())?;
                file.read_exact_at(&mut bytes, offset).map_err(|error| self.read_error(error))?;
                Ok(Cow::Owned(bytes))
            }
            (Source::File, None) => Err(past_end()),
        }
    }

    /// All plain bytes, as `init_module(2)` wants them.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read_all(&self) -> Result<Cow<'_, [u8]>> {
        self.read(0, self.len)
    }

    fn out_of_memory(&self) -> Error {
        Error::io("read", &self.path)(io::ErrorKind::OutOfMemory.into())
    }

    fn read_error(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Malformed::file("the file became shorter while it was read").at(&self.path);
        }
        Error::io("read", &self.path)(error)
    }
}

/// The compression by the first bytes of a file.
fn compression_of(file: &File, path: &Path) -> Result<Compression> {
    let mut magic = [0; Compression::MAGIC_LEN];
    let len = file.read_at(&mut magic, 0).map_err(Error::io("read", path))?;
    Ok(Compression::of(magic.get(..len).unwrap_or_default()))
}

fn beyond(limit: u64) -> Malformed {
    Malformed::file(format!("the file holds more than {limit} bytes")).of_kind(ErrorKind::TooLarge)
}

/// Opens a regular file.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    regular(path, open_at_once(path))
}

/// What was opened at a path, where it is a regular file.
pub(crate) fn regular(path: &Path, opened: io::Result<(File, Metadata)>) -> Result<(File, Metadata)> {
    let (file, metadata) = opened.map_err(Error::io("open", path))?;
    if !metadata.is_file() {
        let errno = if metadata.is_dir() { Errno::EISDIR } else { Errno::EINVAL };
        return Err(Malformed::file("not a regular file").with_errno(errno).at(path));
    }
    Ok((file, metadata))
}

/// Reads a whole file of text or an index as it is: a regular file, or `/dev/null`, which people
/// put in the place of a file that is to count for nothing.
///
/// # Errors
/// When it cannot be opened or read, is something else (a pipe has no end to wait for, a device may
/// never come to one), or holds more than `limit` bytes.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_bounded_with_metadata(path, limit).map(|(bytes, _)| bytes)
}

/// As [`read_bounded`], with what the file was when it was opened.
///
/// # Errors
/// As [`read_bounded`].
pub(crate) fn read_bounded_with_metadata(path: &Path, limit: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let (file, metadata) = open_bounded(path, limit)?;
    Ok((read_to_limit(file, metadata.len(), limit)?, metadata))
}

/// As [`read_bounded`], of what was opened.
#[cfg(feature = "depmod")]
pub(crate) fn read_opened(opened: io::Result<(File, Metadata)>, limit: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = bounded(opened?, limit)?;
    read_to_limit(file, metadata.len(), limit)
}

/// Opens what [`read_bounded`] reads.
///
/// # Errors
/// As [`read_bounded`].
pub(crate) fn open_bounded(path: &Path, limit: u64) -> io::Result<(File, Metadata)> {
    bounded(open_at_once(path)?, limit)
}

fn bounded((file, metadata): (File, Metadata), limit: u64) -> io::Result<(File, Metadata)> {
    if metadata.is_dir() {
        return Err(Errno::EISDIR.into());
    }
    if !metadata.is_file() && !is_null(&metadata) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if metadata.len() > limit { Err(too_large(limit)) } else { Ok((file, metadata)) }
}

/// Reads a whole file that the caller named for this one purpose: it may be a pipe (`-E <(…)`), which
/// is waited for.
///
/// # Errors
/// When it cannot be opened or read, or holds more than `limit` bytes.
pub fn read_named(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = files::open(path)?;
    let len = file.metadata()?.len();
    read_to_limit(file, len, limit)
}

/// Reads to the end of a file that reports a size of `len` bytes; files of /proc and pipes report none.
fn read_to_limit(file: File, len: u64, limit: u64) -> io::Result<Vec<u8>> {
    if len > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(len).unwrap_or_default().saturating_add(1))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes"))
}

/// Opens whatever is at a path; without `O_NONBLOCK`, opening a named pipe would wait for a
/// writer.
pub(crate) fn open_at_once(path: &Path) -> io::Result<(File, Metadata)> {
    let file = files::open_with(path, OFlag::O_NONBLOCK)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Whether this is `/dev/null`: device 1:3, `Documentation/admin-guide/devices.txt`.
fn is_null(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == nix::sys::stat::makedev(1, 3)
}

/// Zeroed memory, or `None` where there is not enough: a sparse file may claim any length.
fn zeroed(len: u64) -> Option<Vec<u8>> {
    let len = usize::try_from(len).ok()?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

/// The forms of files that this build reads, plain ones first.
#[cfg(test)]
pub(crate) fn readable() -> Vec<testkit::Compression> {
    let is_read = |form: &testkit::Compression| Compression::of(&form.compress(b"")).is_supported();
    testkit::Compression::ALL.into_iter().filter(is_read).collect()
}

#[cfg(test)]
mod tests {
    use testkit::Compression as Writer;

    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.ko");
        std::fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[test]
    fn any_range_of_a_plain_or_compressed_file_can_be_read() {
        for writer in readable() {
            let (_directory, path) = written(&writer.compress(b"0123456789"));
            let contents = Contents::open(&path).unwrap();
            assert_eq!(contents.len(), 10);
            assert_eq!(*contents.read(3, 4).unwrap(), *b"3456");
            assert_eq!(*contents.read(10, 0).unwrap(), *b"");
            assert_eq!(*contents.read_all().unwrap(), *b"0123456789");
            for (offset, len) in [(10, 1), (0, 11), (11, 0), (u64::MAX, 2)] {
                let error = contents.read(offset, len).unwrap_err().to_string();
                assert!(error.contains("m.ko: offset") && error.contains("ends at 0xa"), "{error}");
            }
        }
    }

    #[test]
    fn memory_of_another_file_does_not_show() {
        let mut scratch = Scratch::with_limit(100_000);
        for writer in readable().into_iter().chain([Writer::Plain]) {
            for plain in [&[1; 70_000][..], &[2; 100], &[3; 100_000], &[4; 3]] {
                let (_directory, path) = written(&writer.compress(plain));
                let contents = Contents::open_with(&path, &mut scratch).unwrap();
                assert_eq!(*contents.read_all().unwrap(), *plain);
                assert!(contents.read(0, plain.len() as u64 + 1).is_err());
                scratch.recycle(contents);
            }
            let (_directory, path) = written(&writer.compress(&[5; 100_001]));
            assert!(Contents::open_with(&path, &mut scratch).is_err());
            assert!(scratch.was_exceeded());
            let (_directory, path) = written(b"");
            assert!(Contents::open_with(&path, &mut scratch).is_err());
            assert!(!scratch.was_exceeded());
        }
    }

    #[test]
    #[cfg(feature = "xz")]
    fn bytes_in_memory_are_as_good_as_a_file() {
        let contents = Contents::from_bytes(Path::new("m.ko"), Writer::Xz.compress(b"0123")).unwrap();
        assert_eq!(contents.compression(), Compression::Xz);
        assert!(contents.file().is_none());
        assert_eq!(*contents.read(1, 2).unwrap(), *b"12");
    }

    #[test]
    fn what_is_no_file_is_refused_by_name() {
        let (directory, path) = written(b"");
        let text = |path: &Path| Contents::open(path).unwrap_err().to_string();
        assert!(text(&path).ends_with("m.ko: the file is empty"));
        assert!(text(directory.path()).ends_with(": not a regular file"));
        assert!(text(&directory.path().join("gone")).starts_with("could not open "));
        // A pipe nobody writes to must not be waited for.
        let pipe = directory.path().join("pipe.ko");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(text(&pipe).ends_with("pipe.ko: not a regular file"));
    }

    fn with_len(magic: &[u8], len: u64) -> (tempfile::TempDir, PathBuf) {
        let (directory, path) = written(magic);
        File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
        (directory, path)
    }

    #[test]
    fn a_compressed_file_beyond_the_limit_is_refused_before_it_is_read() {
        testkit::surroundings::settle();
        let (_directory, path) = with_len(b"\x28\xb5\x2f\xfd", SIZE_LIMIT + 1);
        let error = Contents::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("m.ko: the file holds more than 1073741824 bytes"), "{error}");
    }

    #[test]
    fn a_plain_file_beyond_the_limit_is_read_in_pieces() {
        testkit::surroundings::settle();
        let (_directory, path) = with_len(b"\x7fELF", 3 * SIZE_LIMIT);
        let contents = Contents::open(&path).unwrap();
        assert_eq!(*contents.read(0, 4).unwrap(), *b"\x7fELF");
        assert_eq!(*contents.read(3 * SIZE_LIMIT - 2, 2).unwrap(), [0; 2]);
        let error = contents.read(0, SIZE_LIMIT + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        // One that waits for its turn.
        let mut scratch = Scratch::with_limit(100);
        assert!(Contents::open_with(&path, &mut scratch).is_err() && scratch.was_exceeded());
    }

    #[test]
    fn only_regular_files_and_the_null_device_are_read_whole() {
        let (directory, path) = written(b"0123456789");
        let text = |path: &Path| read_bounded(path, 9).unwrap_err().to_string();
        assert_eq!(read_bounded(&path, 10).unwrap(), b"0123456789");
        assert_eq!(text(&path), "more than 9 bytes");
        let null = directory.path().join("masked.conf");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        assert_eq!(read_bounded(&null, 0).unwrap(), b"");
        assert!(!read_bounded(Path::new("/proc/self/cmdline"), 1 << 20).unwrap().is_empty());
        assert_eq!(text(Path::new("/dev/zero")), "not a regular file");
        assert_eq!(read_bounded(directory.path(), 9).unwrap_err().raw_os_error(), Some(21));
        let gone = read_bounded(&directory.path().join("gone"), 9).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        let pipe = directory.path().join("pipe.conf");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(text(&pipe), "not a regular file");
    }

    #[test]
    fn a_file_cut_short_meanwhile_is_an_error() {
        let (_directory, path) = written(&[7; 100_000]);
        let contents = Contents::open(&path).unwrap();
        std::fs::write(&path, b"01").unwrap();
        let error = contents.read(0, 10).unwrap_err().to_string();
        assert!(error.ends_with("the file became shorter while it was read"), "{error}");
    }
}
