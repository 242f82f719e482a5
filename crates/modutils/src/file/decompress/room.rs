//! Memory for what a decoder gives: never on the word of a file alone.

use std::io;
#[cfg(feature = "gzip")]
use std::io::Read;

#[cfg(feature = "gzip")]
use crate::file::pages::Pages;

/// The most that a header's word for the plain size is believed: so many times the file's own size.
/// Modules come to five times, seldom to ten, `test_bpf` to 77. What claims more is decoded as far as
/// it goes.
#[cfg(feature = "gzip")]
const BELIEVED_RATIO: usize = 256;

/// Room for as much as the file claims to hold; `None` where the claim is not to be believed, or too
/// much.
#[cfg(feature = "gzip")]
pub(super) fn for_claim<'a>(
    plain: &'a mut Pages,
    claimed: u64,
    bytes: &[u8],
    limit: u64,
) -> Option<&'a mut [u8]> {
    let claimed = usize::try_from(claimed).ok().filter(|claimed| *claimed as u64 <= limit)?;
    if claimed > bytes.len().saturating_mul(BELIEVED_RATIO) {
        return None;
    }
    plain.room(claimed).ok()
}

/// The most that is asked of a decoder at once.
#[cfg(feature = "gzip")]
const CHUNK: usize = 64 << 10;

/// Appends what a decoder gives, up to `room` bytes.
#[cfg(feature = "gzip")]
pub(super) fn read_to_end(decoder: &mut impl Read, plain: &mut Vec<u8>, room: u64) -> io::Result<()> {
    let before = plain.len();
    loop {
        let (at, given) = (plain.len(), (plain.len() - before) as u64);
        let left = room.saturating_sub(given);
        let chunk = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        if chunk == 0 {
            return Ok(());
        }
        make_more_room(plain, chunk, left)?;
        plain.resize(at.saturating_add(chunk), 0);
        let read = decoder.read(plain.get_mut(at..).unwrap_or_default());
        plain.truncate(at.saturating_add(*read.as_ref().unwrap_or(&0)));
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes room for so many more bytes: where memory has to be moved, for as many again as there are, but
/// for no more than may come. What doubles beyond the limit would in the end take twice that.
pub(super) fn make_more_room(plain: &mut Vec<u8>, bytes: usize, left: u64) -> io::Result<()> {
    if plain.capacity() - plain.len() < bytes {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let more = if left / 2 <= plain.len() { left } else { plain.len() };
        plain.try_reserve_exact(more.max(bytes))?;
    }
    Ok(())
}

pub(super) fn finish(result: io::Result<()>, rest: &[u8]) -> Result<&[u8], (&[u8], io::Error)> {
    match result {
        Ok(()) => Ok(rest),
        Err(error) => Err((rest, error)),
    }
}
