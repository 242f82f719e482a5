//! Compressed bytes become plain ones.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use xz2::stream::{Action, Status, Stream};

use super::Compression;
use crate::Malformed;

/// The most bytes that a file may hold once decompressed: 1 GiB. The largest modules known, graphics
/// drivers with debugging information, stay below half of it; a crafted file of a few kilobytes
/// could otherwise fill all memory.
pub const SIZE_LIMIT: u64 = 1 << 30;

/// The room made at least for what an xz decoder gives next.
const XZ_CHUNK: usize = 64 << 10;

/// The most memory that an xz decoder may take; a stream made by `xz -9` needs 65 MiB.
const XZ_MEMORY_LIMIT: u64 = 256 << 20;

/// Decompresses a whole file: one compressed stream, or several one after the other.
///
/// # Errors
/// A [`Malformed`] naming the offset in the compressed file where decoding stopped: the stream is
/// damaged, cut short, followed by something else, or gives more than [`SIZE_LIMIT`] bytes.
pub fn decompress(compression: Compression, bytes: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    if compression == Compression::None {
        return Ok(bytes);
    }
    decompress_bounded(compression, &bytes, SIZE_LIMIT)
}

fn decompress_bounded(compression: Compression, bytes: &[u8], limit: u64) -> Result<Vec<u8>, Malformed> {
    let mut plain = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = (bytes.len() - rest.len()) as u64;
        if !continues(compression, rest) {
            let what = format!("bytes follow the end of the {} stream", compression.name());
            return Err(Malformed::offset(offset, what));
        }
        let name = compression.name();
        rest = match stream(compression, rest, &mut plain, limit) {
            Ok(rest) => rest,
            Err((left, error)) => {
                let offset = (bytes.len() - left.len()) as u64;
                return Err(Malformed::offset(offset, describe(name, &error)));
            }
        };
        if plain.len() as u64 > limit {
            return Err(Malformed::file(format!("the {name} stream holds more than {limit} bytes")));
        }
        if compression == Compression::Xz {
            rest = without_padding(rest);
        }
    }
    Ok(plain)
}

/// Whether another stream of this compression, or a part that its decoder skips, starts here.
fn continues(compression: Compression, rest: &[u8]) -> bool {
    let skippable_zstd = matches!(rest, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    Compression::of(rest) == compression || (compression == Compression::Zstd && skippable_zstd)
}

/// What follows the padding that xz allows between and after streams: zeros, in fours.
fn without_padding(rest: &[u8]) -> &[u8] {
    let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
    rest.get(zeros - zeros % 4..).unwrap_or_default()
}

/// Decodes one stream, appends what it holds to `plain`, up to one byte more than the limit, and
/// returns the bytes after it.
fn stream<'a>(
    compression: Compression,
    bytes: &'a [u8],
    plain: &mut Vec<u8>,
    limit: u64,
) -> Result<&'a [u8], (&'a [u8], io::Error)> {
    let room = limit.saturating_sub(plain.len() as u64).saturating_add(1);
    match compression {
        Compression::None => Ok(&[]),
        Compression::Gzip => {
            let mut decoder = GzDecoder::new(bytes);
            let result = decoder.by_ref().take(room).read_to_end(plain);
            finish(result, decoder.into_inner())
        }
        Compression::Xz => {
            let mut rest = bytes;
            let result = xz_stream(&mut rest, plain, room);
            finish(result, rest)
        }
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| (bytes, error))?;
            let mut decoder = decoder.single_frame();
            let result = decoder.by_ref().take(room).read_to_end(plain);
            finish(result, decoder.finish())
        }
    }
}

/// Decodes one xz stream from the front of `rest`. The crate's readers go on behind the end of a
/// stream, and then call damaged whatever else stands there.
fn xz_stream(rest: &mut &[u8], plain: &mut Vec<u8>, room: u64) -> io::Result<usize> {
    let mut stream = Stream::new_stream_decoder(XZ_MEMORY_LIMIT, 0)?;
    loop {
        plain.try_reserve(XZ_CHUNK.min(rest.len().saturating_mul(4)).max(32))?;
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream.process_vec(rest, plain, Action::Run)?;
        let consumed = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        *rest = rest.get(consumed..).unwrap_or_default();
        if matches!(status, Status::StreamEnd) || stream.total_out() >= room {
            return Ok(plain.len());
        }
        if consumed == 0 && stream.total_out() == written {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn finish(result: io::Result<usize>, rest: &[u8]) -> Result<&[u8], (&[u8], io::Error)> {
    match result {
        Ok(_) => Ok(rest),
        Err(error) => Err((rest, error)),
    }
}

fn describe(name: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("the {name} stream is cut short"),
        _ => format!("the {name} stream is damaged: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testkit::Compression as Writer;

    use super::*;

    const FORMS: [(Writer, Compression); 3] =
        [(Writer::Gzip, Compression::Gzip), (Writer::Xz, Compression::Xz), (Writer::Zstd, Compression::Zstd)];

    fn text(result: Result<Vec<u8>, Malformed>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn each_compression_is_known_by_its_first_bytes_and_undone() {
        for (writer, compression) in FORMS {
            let bytes = writer.compress(b"some bytes");
            assert_eq!(Compression::of(&bytes), compression);
            assert_eq!(decompress(compression, bytes).unwrap(), b"some bytes");
        }
        assert_eq!(Compression::of(b"\x7fELF"), Compression::None);
    }

    #[test]
    fn several_streams_are_one_file() {
        for (writer, compression) in FORMS {
            let bytes = [writer.compress(b"one, "), writer.compress(b""), writer.compress(b"two")].concat();
            assert_eq!(decompress(compression, bytes).unwrap(), b"one, two");
        }
    }

    #[test]
    fn what_follows_a_stream_is_an_error_that_says_where() {
        for (writer, compression) in FORMS {
            let stream = writer.compress(b"some bytes");
            let expected = format!(
                "offset {:#x}: bytes follow the end of the {} stream",
                stream.len(),
                compression.name()
            );
            assert_eq!(text(decompress(compression, [&stream[..], b"garbage"].concat())), expected);
        }
    }

    #[test]
    fn xz_streams_may_be_padded() {
        let stream = Writer::Xz.compress(b"some bytes");
        let padded = [&stream[..], &[0; 8]].concat();
        assert_eq!(decompress(Compression::Xz, padded.clone()).unwrap(), b"some bytes");
        let between = [&padded[..], &stream, &[0; 4]].concat();
        assert_eq!(decompress(Compression::Xz, between).unwrap(), b"some bytessome bytes");
        for zeros in [3, 5] {
            let uneven = [&stream[..], &vec![0; zeros]].concat();
            assert!(decompress(Compression::Xz, uneven.clone()).is_err());
            assert!(decompress(Compression::Xz, [&uneven[..], &stream].concat()).is_err());
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_an_error() {
        for (writer, compression) in FORMS {
            let stream = writer.compress(&[7; 5000]);
            for end in 6..stream.len() {
                let error = text(decompress(compression, stream[..end].to_vec()));
                assert!(error.ends_with("stream is cut short"), "{compression:?} at {end}: {error}");
            }
        }
    }

    #[test]
    fn a_stream_that_holds_too_much_is_stopped() {
        for (writer, compression) in FORMS {
            let streams = [writer.compress(&[7; 600]), writer.compress(&[7; 600])].concat();
            assert_eq!(decompress_bounded(compression, &streams, 1200).unwrap().len(), 1200);
            for limit in [100, 599, 600, 1199] {
                let error = text(decompress_bounded(compression, &streams, limit));
                assert!(error.ends_with(&format!("holds more than {limit} bytes")), "{error}");
            }
        }
    }

    proptest! {
        #[test]
        fn damaged_streams_never_panic(
            form in 0..3_usize,
            place in any::<prop::sample::Index>(),
            byte: u8,
            tail in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let (writer, compression) = FORMS[form];
            let mut stream = writer.compress(&[b"text that repeats, ".as_slice(); 40].concat());
            let place = place.index(stream.len());
            stream[place] = byte;
            stream.extend(tail);
            if let Ok(plain) = decompress_bounded(compression, &stream, 10_000) {
                prop_assert!(plain.len() <= 10_000);
            }
        }
    }
}
