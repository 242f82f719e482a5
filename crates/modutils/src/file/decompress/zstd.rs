//! Zstandard, RFC 8878.

use std::{fmt, io};

use zstd::{bulk::Decompressor, stream::read, zstd_safe};

use super::room::{finish, for_claim, read_to_end};
use crate::file::pages::Pages;

/// The decoder of whole frames, allocated for the first file.
#[derive(Default)]
pub(super) struct Decoder(Option<Decompressor<'static>>);

impl Decoder {
    /// Decodes a file that is one zstd frame with its size in the header, as zstd(1) makes them of
    /// files; `None` where it is anything else.
    pub(super) fn whole(&mut self, bytes: &[u8], plain: &mut Pages, limit: u64) -> Option<()> {
        let claimed = zstd_safe::get_frame_content_size(bytes).ok()??;
        if zstd_safe::find_frame_compressed_size(bytes) != Ok(bytes.len()) {
            return None;
        }
        let room = for_claim(plain, claimed, bytes, limit)?;
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => none.insert(Decompressor::new().ok()?),
        };
        let len = decoder.decompress_to_buffer(bytes, &mut *room).ok()?;
        (len == room.len()).then_some(())
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
    let decoder = read::Decoder::with_buffer(bytes).map_err(|error| (bytes, error))?;
    let mut decoder = decoder.single_frame();
    let result = read_to_end(&mut decoder, plain, room);
    finish(result, decoder.finish())
}
