//! Zstandard, RFC 8878.

use std::{fmt, io};

use zstd::zstd_safe::{
    self, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, find_frame_compressed_size, get_error_name,
    get_frame_content_size,
};

use super::room::{finish, make_more_room};
use crate::file::pages::Pages;

/// The room made at least for what the decoder gives next.
const CHUNK: usize = 64 << 10;

/// `ZSTD_error_memory_allocation` of `zstd_errors.h`, which promises not to change the number.
const NO_MEMORY: usize = 64;

/// `ZSTD_WINDOWLOG_MAX`: the largest window that zstd makes.
const LARGEST_WINDOW_LOG: u32 = if usize::BITS == 64 { 31 } else { 30 };

/// The decoder, allocated for the first file.
#[derive(Default)]
pub(super) struct Decoder(Option<DCtx<'static>>);

impl Decoder {
    /// Decodes a file that is one zstd frame; `None` where it is anything else. The header has the size, as
    /// zstd(1) makes frames of files, or else the blocks have one that it does not exceed. Decoded at once,
    /// a frame needs no memory for its window.
    pub(super) fn whole(&mut self, bytes: &[u8], plain: &mut Pages, limit: u64) -> Option<()> {
        if find_frame_compressed_size(bytes) != Ok(bytes.len()) {
            return None;
        }
        let stated = get_frame_content_size(bytes).ok()?;
        let largest = largest_content(bytes)?;
        // What the blocks can hold bounds what the header claims: then only pages that are filled take memory.
        let most = stated.map_or(largest, |stated| stated.min(largest));
        let len = usize::try_from(most).ok().filter(|_| most <= limit)?;
        let room = plain.room(len).ok()?;
        let len = self.ready().ok()?.decompress(&mut *room, bytes).ok()?;
        let fits = stated.is_none_or(|stated| stated == len as u64);
        plain.truncate(len);
        fits.then_some(())
    }

    /// Decodes one frame, as [`super::Decompressor::stream`] does.
    pub(super) fn stream<'a>(
        &mut self,
        bytes: &'a [u8],
        plain: &mut Vec<u8>,
        room: u64,
    ) -> Result<&'a [u8], (&'a [u8], io::Error)> {
        let start = plain.len();
        let mut input = InBuffer::around(bytes);
        let decoded = match self.decode(&mut input, plain, room) {
            // A header may ask for a window of 2 GiB, whatever the blocks hold.
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory && plain.len() == start => {
                self.without_window(bytes, plain, room).unwrap_or(Err(error)).map(|len| input.set_pos(len))
            }
            decoded => decoded,
        };
        let result = decoded.and_then(|()| {
            // The decoder of streams does not compare them where the last block is empty.
            let len = (plain.len() - start) as u64;
            match get_frame_content_size(bytes).ok().flatten() {
                Some(stated) if len < room && stated != len => {
                    Err(io::Error::new(io::ErrorKind::InvalidData, "its size is not the one in its header"))
                }
                _ => Ok(()),
            }
        });
        finish(result, bytes.get(input.pos()..).unwrap_or_default())
    }

    fn decode(&mut self, input: &mut InBuffer<'_>, plain: &mut Vec<u8>, room: u64) -> io::Result<()> {
        let decoder = self.ready()?;
        let start = plain.len();
        loop {
            let (read, len) = (input.pos(), plain.len());
            let left = room.saturating_sub((len - start) as u64);
            if left == 0 {
                return Ok(());
            }
            let chunk = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            make_more_room(plain, chunk, left)?;
            // It writes behind what is there, as far as there is memory.
            let mut output = OutBuffer::around_pos(plain, len);
            match decoder.decompress_stream(&mut output, input).map_err(error_of)? {
                0 => return Ok(()),
                _ if input.pos() == read && plain.len() == len => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                _ => {}
            }
        }
    }

    /// Decodes one frame at once, which takes as much memory as its blocks can hold at most, and returns its length.
    /// `None` where they can hold more than there is room for.
    fn without_window(&mut self, bytes: &[u8], plain: &mut Vec<u8>, room: u64) -> Option<io::Result<usize>> {
        let len = match find_frame_compressed_size(bytes) {
            Ok(len) => len,
            Err(code) => return Some(Err(error_of(code))),
        };
        let frame = bytes.get(..len)?;
        let most = largest_content(frame).filter(|most| *most <= room)?;
        let mut content = Vec::new();
        content.try_reserve_exact(usize::try_from(most).ok()?).ok()?;
        let decoded =
            self.ready().and_then(|decoder| decoder.decompress(&mut content, frame).map_err(error_of));
        Some(decoded.and_then(|_| {
            plain.try_reserve(content.len())?;
            plain.extend_from_slice(&content);
            Ok(len)
        }))
    }

    /// The decoder, before a frame.
    fn ready(&mut self) -> io::Result<&mut DCtx<'static>> {
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => {
                let mut decoder = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
                // A decoder by itself refuses windows over 128 MiB, as zstd(1) does without --long. Memory that the
                // plain bytes do not need is reserved at most, not used.
                decoder.set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW_LOG)).map_err(error_of)?;
                none.insert(decoder)
            }
        };
        // Whatever the last frame was, and wherever it stopped.
        decoder.reset(ResetDirective::SessionOnly).map_err(error_of)?;
        Ok(decoder)
    }
}

/// The most bytes that the blocks of a frame can hold (RFC 8878, 3.1.1). `None` where a block is larger than blocks
/// may be: decoded at once, one that repeats a byte would become 2 MiB.
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
        if holds > LARGEST_BLOCK {
            return None;
        }
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

/// What zstd reports: a code is the negated number of an error.
fn error_of(code: zstd_safe::ErrorCode) -> io::Error {
    match code.wrapping_neg() {
        NO_MEMORY => io::ErrorKind::OutOfMemory.into(),
        _ => io::Error::other(get_error_name(code)),
    }
}

/// What follows the skippable frames at the front of some bytes, none of which a decoder has to see: a
/// file may be made of hundreds of thousands. One that is cut short stays.
pub(super) fn without_skippable(mut rest: &[u8]) -> &[u8] {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, content @ ..] = rest {
        let len = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        let Some(after) = content.get(len..) else { break };
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_not_larger_than_blocks_may_be() {
        // One block that repeats a byte, the last one: 128 KiB, and one byte more.
        for (size, is_whole) in [(128_u32 << 10, true), ((128 << 10) + 1, false), (1 << 20, false)] {
            let [low, middle, high, _] = (size << 3 | 1 << 1 | 1).to_le_bytes();
            let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x94, low, middle, high, 7];
            let mut plain = Pages::default();
            let whole = Decoder::default().whole(&frame, &mut plain, 1 << 30);
            assert_eq!(whole.is_some(), is_whole, "{size}");
            let mut streamed = Vec::new();
            let rest = Decoder::default().stream(&frame, &mut streamed, 1 << 30);
            assert_eq!(rest.is_ok(), is_whole, "{size}");
        }
    }

    #[test]
    fn a_frame_is_decoded_without_the_window_that_it_asks_for() {
        let packed = testkit::Packing::Zstd { window_log: 31, with_size: false }.pack(&[7; 300_000]);
        let followed = [&packed[..], b"rest"].concat();
        let mut plain = b"before".to_vec();
        let len = Decoder::default().without_window(&followed, &mut plain, 1 << 30);
        assert_eq!(len.unwrap().unwrap(), packed.len());
        assert!(plain == [&b"before"[..], &[7; 300_000]].concat());
        // What has no room, and what is cut short.
        assert!(Decoder::default().without_window(&packed, &mut plain, 1000).is_none());
        let cut = Decoder::default().without_window(&packed[..packed.len() - 1], &mut plain, 1 << 30);
        assert!(cut.unwrap().is_err() && plain.len() == 300_006);
    }

    #[test]
    fn a_lack_of_memory_has_its_number() {
        let code = NO_MEMORY.wrapping_neg();
        assert_eq!(get_error_name(code), "Allocation error : not enough memory");
        assert_eq!(error_of(code).kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(error_of(20_usize.wrapping_neg()).kind(), io::ErrorKind::Other);
    }
}
