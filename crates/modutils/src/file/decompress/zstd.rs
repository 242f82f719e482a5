//! Zstandard, RFC 8878.

use std::{fmt, io};

use zstd::{bulk::Decompressor, stream::read, zstd_safe};

use super::room::{finish, for_claim, read_to_end};
use crate::file::pages::Pages;

/// `ZSTD_WINDOWLOG_MAX`: the largest window that zstd makes.
const LARGEST_WINDOW_LOG: u32 = if usize::BITS == 64 { 31 } else { 30 };

/// The decoder of whole frames, allocated for the first file.
#[derive(Default)]
pub(super) struct Decoder(Option<Decompressor<'static>>);

impl Decoder {
    /// Decodes a file that is one zstd frame; `None` where it is anything else. The header has the size, as
    /// zstd(1) makes frames of files, or else the blocks have one that it does not exceed. Decoded at once,
    /// a frame needs no memory for its window.
    pub(super) fn whole(&mut self, bytes: &[u8], plain: &mut Pages, limit: u64) -> Option<()> {
        if zstd_safe::find_frame_compressed_size(bytes) != Ok(bytes.len()) {
            return None;
        }
        let stated = zstd_safe::get_frame_content_size(bytes).ok()?;
        let most = stated.or_else(|| largest_content(bytes))?;
        let room = for_claim(plain, most, bytes, limit)?;
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => none.insert(Decompressor::new().ok()?),
        };
        let len = decoder.decompress_to_buffer(bytes, &mut *room).ok()?;
        let fits = stated.is_none() || len == room.len();
        plain.truncate(len);
        fits.then_some(())
    }
}

/// The most bytes that the blocks of a frame can hold (RFC 8878, 3.1.1).
fn largest_content(frame: &[u8]) -> Option<u64> {
    const LARGEST_BLOCK: u64 = 128 << 10;
    let descriptor = *frame.get(4)?;
    let is_single_segment = descriptor & 0x20 != 0;
    let id = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let size = match descriptor >> 6 {
        0 if !is_single_segment => 0,
        power => 1 << power,
    };
    let mut rest = frame.get(5 + usize::from(!is_single_segment) + id + size..)?;
    let mut content = 0_u64;
    loop {
        let (&[low, middle, high], blocks) = rest.split_first_chunk()?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = header >> 3;
        let (holds, takes) = match header >> 1 & 3 {
            0 => (u64::from(size), size),
            1 => (u64::from(size), 1),
            2 => (LARGEST_BLOCK, size),
            _ => return None,
        };
        content = content.checked_add(holds)?;
        if header & 1 == 1 {
            return Some(content);
        }
        rest = blocks.get(usize::try_from(takes).ok()?..)?;
    }
}

/// The crate's type has no `Debug`.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

/// Decodes one frame, as [`super::stream`] does.
pub(super) fn stream<'a>(
    bytes: &'a [u8],
    plain: &mut Vec<u8>,
    room: u64,
) -> Result<&'a [u8], (&'a [u8], io::Error)> {
    let mut decoder = read::Decoder::with_buffer(bytes).map_err(|error| (bytes, error))?;
    // A decoder by itself refuses windows over 128 MiB, as zstd(1) does without --long. Memory that the plain bytes
    // do not need is reserved at most, not used.
    decoder.window_log_max(LARGEST_WINDOW_LOG).map_err(|error| (bytes, error))?;
    let mut decoder = decoder.single_frame();
    let result = read_to_end(&mut decoder, plain, room).map_err(with_kind);
    // The decoder of streams does not compare them where the last block is empty.
    let stated = zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let result = result.and_then(|len| match stated {
        Some(stated) if (len as u64) < room && stated != len as u64 => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "its size is not the one in its header"))
        }
        _ => Ok(len),
    });
    finish(result, decoder.finish())
}

/// The crate's errors have a text only. That memory is short does not make the stream damaged.
fn with_kind(error: io::Error) -> io::Error {
    // `ZSTD_error_memory_allocation`; a negative number is how zstd returns a code.
    let code = 0_usize.wrapping_sub(64);
    if error.to_string() == zstd_safe::get_error_name(code) {
        io::ErrorKind::OutOfMemory.into()
    } else {
        error
    }
}
