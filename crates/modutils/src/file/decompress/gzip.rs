//! gzip, RFC 1952.

use std::io;

use flate2::bufread::GzDecoder;

use super::room::{finish, for_claim, read_to_end};
use crate::file::{libdeflate::Gzip, pages::Pages};

/// The decoder of whole members, allocated for the first file.
#[derive(Debug, Default)]
pub(super) struct Decoder(Option<Gzip>);

impl Decoder {
    /// Decodes a file that is one gzip member; `None` where it is anything else. The last four bytes
    /// store the plain size.
    pub(super) fn whole(&mut self, bytes: &[u8], plain: &mut Pages, limit: u64) -> Option<()> {
        let claimed = u32::from_le_bytes(*bytes.last_chunk()?);
        let room = for_claim(plain, u64::from(claimed), bytes, limit)?;
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => none.insert(Gzip::new()?),
        };
        (decoder.member(bytes, room)? == (bytes.len(), room.len())).then_some(())
    }
}

/// More than a decoder of streams allocates, a window of 32 KiB and its state.
const STREAM_DECODER: usize = 96 << 10;

/// Whether nothing follows the last member but zeros, with which tape drives and some tools fill a
/// file up. zlib's readers, and so kmod, ignore them.
pub(super) fn is_padding(rest: &[u8]) -> bool {
    rest.iter().all(|&byte| byte == 0)
}

/// Decodes one member, as [`super::Decompressor::stream`] does.
pub(super) fn stream<'a>(
    bytes: &'a [u8],
    plain: &mut Vec<u8>,
    room: u64,
) -> Result<&'a [u8], (&'a [u8], io::Error)> {
    // zlib-rs panics where there is no memory for the decoder.
    if let Err(error) = Vec::<u8>::new().try_reserve_exact(STREAM_DECODER) {
        return Err((bytes, error.into()));
    }
    let mut decoder = GzDecoder::new(bytes);
    let result = read_to_end(&mut decoder, plain, room);
    finish(result, decoder.into_inner())
}
