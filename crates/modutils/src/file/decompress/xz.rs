//! The .xz format, version 1.2.

use std::io;

use liblzma::stream::{Action, Error, Status, Stream};

use super::room::{finish, make_more_room};

/// The room made at least for what a decoder gives next.
const CHUNK: usize = 64 << 10;

/// The most memory that a decoder may take; a stream made by `xz -9` needs 65 MiB.
pub(super) const MEMORY_LIMIT: u64 = 256 << 20;

/// Decodes one stream, as [`super::Decompressor::stream`] does.
pub(super) fn stream<'a>(
    bytes: &'a [u8],
    plain: &mut Vec<u8>,
    room: u64,
) -> Result<&'a [u8], (&'a [u8], io::Error)> {
    let mut rest = bytes;
    let result = decode(&mut rest, plain, room);
    finish(result, rest)
}

/// What follows the padding that xz allows between and after streams: zeros, in fours.
pub(super) fn without_padding(rest: &[u8]) -> &[u8] {
    let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
    rest.get(zeros - zeros % 4..).unwrap_or_default()
}

/// Decodes one xz stream from the front of `rest`. The crate's readers go on behind the end of a
/// stream, and then call damaged whatever follows.
fn decode(rest: &mut &[u8], plain: &mut Vec<u8>, room: u64) -> io::Result<()> {
    let mut stream = Stream::new_stream_decoder(MEMORY_LIMIT, 0).map_err(error_of)?;
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let bytes = CHUNK.min(rest.len().saturating_mul(4)).max(32);
        make_more_room(plain, bytes, room.saturating_sub(written))?;
        let status = stream.process_vec(rest, plain, Action::Run);
        let consumed = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        *rest = rest.get(consumed..).unwrap_or_default();
        if matches!(status.map_err(error_of)?, Status::StreamEnd) || stream.total_out() >= room {
            return Ok(());
        }
        if consumed == 0 && stream.total_out() == written {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The crate makes one kind of all that is not about the bytes.
fn error_of(error: Error) -> io::Error {
    match error {
        Error::Mem => io::ErrorKind::OutOfMemory.into(),
        Error::MemLimit => io::ErrorKind::QuotaExceeded.into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_is_that() {
        assert_eq!(error_of(Error::Mem).kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(error_of(Error::MemLimit).kind(), io::ErrorKind::QuotaExceeded);
        assert_eq!(error_of(Error::Data).kind(), io::Error::from(Error::Data).kind());
    }
}
