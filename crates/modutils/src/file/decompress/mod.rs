//! Compressed bytes become plain ones: what all compressions share. Each has its own file, which a
//! feature of the crate turns on.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(any(feature = "gzip", feature = "xz", feature = "zstd"))]
mod room;
#[cfg(feature = "xz")]
mod xz;
#[cfg(feature = "xz")]
mod xz_blocks;
#[cfg(feature = "zstd")]
mod zstd;

use std::io;

use super::{Compression, pages::Pages};
use crate::{Errno, ErrorKind, Malformed};

/// The most bytes that a file may hold once decompressed: 1 GiB. The largest modules known, graphics
/// drivers with debugging information, stay below half of it; a crafted file of a few kilobytes
/// could otherwise fill all memory.
pub const SIZE_LIMIT: u64 = 1 << 30;

/// The most streams, members or frames that a file may be made of. Tools that compress with several
/// threads make some dozens; a stream of twenty bytes costs a decoder as much as some kilobytes.
const MOST_STREAMS: usize = 1024;

/// How often the filters, or their dictionary, may change from one block of an .xz file to the next. Tools use the same for
/// all.
#[cfg(feature = "xz")]
const MOST_FILTERS: usize = 64;

/// Decompresses a whole file of at most [`SIZE_LIMIT`] plain bytes.
///
/// # Errors
/// A [`Malformed`] naming the offset in the compressed file where decoding stopped: the stream is
/// damaged, cut short, followed by something else, or gives more than that.
pub fn decompress(compression: Compression, bytes: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    if compression == Compression::None {
        return Ok(bytes);
    }
    let mut plain = Plain::default();
    Decompressor::default().decompress(compression, &bytes, &mut plain, SIZE_LIMIT)?;
    Ok(plain.into_bytes())
}

/// The plain bytes of a file, in memory that serves for the next one.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// For bytes whose number is known before they come.
    pub(super) pages: Pages,
    /// For those of a stream.
    pub(super) streamed: Vec<u8>,
    /// Which of the two has the file.
    is_streamed: bool,
}

impl Plain {
    /// The bytes of the file.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.is_streamed { &self.streamed } else { self.pages.bytes() }
    }

    /// Takes a file that is not compressed, and gives other memory for it.
    pub(super) fn exchange(&mut self, pages: &mut Pages) {
        std::mem::swap(&mut self.pages, pages);
        self.is_streamed = false;
    }

    fn into_bytes(self) -> Vec<u8> {
        if self.is_streamed { self.streamed } else { self.pages.bytes().to_vec() }
    }
}

impl From<Vec<u8>> for Plain {
    fn from(bytes: Vec<u8>) -> Self {
        Self { pages: Pages::default(), streamed: bytes, is_streamed: true }
    }
}

/// Decoders for one file after the other: what they have allocated serves again.
#[derive(Debug, Default)]
pub(super) struct Decompressor {
    #[cfg(feature = "gzip")]
    gzip: gzip::Decoder,
    #[cfg(feature = "zstd")]
    zstd: zstd::Decoder,
}

impl Decompressor {
    /// Decompresses a whole file into `plain`, which it replaces: one compressed stream, or several
    /// one after the other. Returns how many there are.
    ///
    /// # Errors
    /// As [`decompress`], where it gives more than `limit` bytes.
    pub(super) fn decompress(
        &mut self,
        compression: Compression,
        bytes: &[u8],
        plain: &mut Plain,
        limit: u64,
    ) -> Result<usize, Malformed> {
        plain.is_streamed = false;
        if self.whole(compression, bytes, &mut plain.pages, limit).is_some() {
            return Ok(1);
        }
        // The fast paths take a single stream that stores its plain size. What else there may be, and
        // where and why a damaged stream stops, the decoders of streams report.
        plain.is_streamed = true;
        plain.pages = Pages::default();
        self.streams(compression, bytes, &mut plain.streamed, limit)
    }

    fn streams(
        &mut self,
        compression: Compression,
        bytes: &[u8],
        plain: &mut Vec<u8>,
        limit: u64,
    ) -> Result<usize, Malformed> {
        let name = compression.name();
        if !compression.is_supported() {
            let what = format!("this build does not read {name} files");
            return Err(Malformed::file(what).with_errno(Errno::ENOSYS).of_kind(ErrorKind::Unsupported));
        }
        // How far a decoder gets before it finds a fault depends on the room it has: unless for xz, which
        // declares exactly, the room is not that of another file, so that the same file is reported the same way.
        if compression == Compression::Xz {
            plain.clear();
        } else {
            *plain = Vec::new();
        }
        check_filters(compression, bytes)?;
        let mut rest = bytes;
        let mut count: usize = 0;
        while !rest.is_empty() {
            let offset = (bytes.len() - rest.len()) as u64;
            if !continues(compression, rest) {
                let what = format!("bytes follow the end of the {name} stream");
                return Err(Malformed::offset(offset, what));
            }
            count = count.saturating_add(1);
            if count > MOST_STREAMS {
                let what = format!("the file is made of more than {MOST_STREAMS} {name} streams");
                return Err(Malformed::offset(offset, what).of_kind(ErrorKind::TooLarge));
            }
            rest = self.stream(compression, rest, plain, limit).map_err(|(left, error)| {
                let offset = (bytes.len() - left.len()) as u64;
                fault(name, offset, &error)
            })?;
            if plain.len() as u64 > limit {
                return Err(Malformed::file(format!("the {name} stream holds more than {limit} bytes"))
                    .of_kind(ErrorKind::TooLarge));
            }
            rest = without_padding(compression, rest);
        }
        Ok(count)
    }

    /// Decodes one stream, appends what it holds to `plain`, up to one byte more than the limit, and
    /// returns the bytes after it.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "xz", feature = "zstd")),
        expect(unused_variables, clippy::ptr_arg, clippy::unused_self, reason = "no decoder takes them")
    )]
    #[cfg_attr(
        not(feature = "zstd"),
        expect(clippy::needless_pass_by_ref_mut, reason = "only the decoder of zstd serves again")
    )]
    fn stream<'a>(
        &mut self,
        compression: Compression,
        bytes: &'a [u8],
        plain: &mut Vec<u8>,
        limit: u64,
    ) -> Result<&'a [u8], (&'a [u8], io::Error)> {
        let room = limit.saturating_sub(plain.len() as u64).saturating_add(1);
        match compression {
            #[cfg(feature = "gzip")]
            Compression::Gzip => gzip::stream(bytes, plain, room),
            #[cfg(feature = "xz")]
            Compression::Xz => xz::stream(bytes, plain, room),
            #[cfg(feature = "zstd")]
            Compression::Zstd => self.zstd.stream(bytes, plain, room),
            Compression::None => Ok(&[]),
            #[cfg(not(all(feature = "gzip", feature = "xz", feature = "zstd")))]
            _ => Err((bytes, io::ErrorKind::Unsupported.into())),
        }
    }

    /// Decodes a file that is a single stream that stores its plain size; `None` for anything else.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "zstd")),
        expect(unused_variables, clippy::unused_self, reason = "xz has no such way")
    )]
    fn whole(&mut self, compression: Compression, bytes: &[u8], plain: &mut Pages, limit: u64) -> Option<()> {
        match compression {
            #[cfg(feature = "gzip")]
            Compression::Gzip => self.gzip.whole(bytes, plain, limit),
            #[cfg(feature = "zstd")]
            Compression::Zstd => self.zstd.whole(bytes, plain, limit),
            _ => None,
        }
    }
}

/// The first stream in some bytes, whatever follows it; `None` where it holds more than `limit` bytes. Room is made for
/// `expected` at once.
///
/// # Errors
/// When it is damaged, or there is no memory for it.
pub(crate) fn first_stream(bytes: &[u8], limit: u64, expected: usize) -> Result<Option<Vec<u8>>, Malformed> {
    let mut plain = Vec::new();
    plain.try_reserve_exact(expected).map_err(|_| Malformed::out_of_memory())?;
    let compression = Compression::of(bytes);
    check_filters(compression, bytes)?;
    let read = Decompressor::default().stream(compression, bytes, &mut plain, limit);
    read.map_err(|(_, error)| fault(compression.name(), 0, &error))?;
    Ok((plain.len() as u64 <= limit).then_some(plain))
}

/// Refuses an .xz file that asks for other filters more often than any tool makes it.
fn check_filters(compression: Compression, bytes: &[u8]) -> Result<(), Malformed> {
    #[cfg(feature = "xz")]
    if compression == Compression::Xz {
        if let Some(at) = xz_blocks::beyond(bytes, MOST_FILTERS) {
            let what = format!("the xz blocks change their filters more than {MOST_FILTERS} times");
            return Err(Malformed::offset(at as u64, what).of_kind(ErrorKind::TooLarge));
        }
    }
    #[cfg(not(feature = "xz"))]
    let _ = (compression, bytes);
    Ok(())
}

/// Whether another stream of this compression, or a part that its decoder skips, starts here.
fn continues(compression: Compression, rest: &[u8]) -> bool {
    let skippable_zstd = matches!(rest, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    Compression::of(rest) == compression || (compression == Compression::Zstd && skippable_zstd)
}

/// What comes after bytes that belong to no stream and hold nothing.
fn without_padding(compression: Compression, rest: &[u8]) -> &[u8] {
    match compression {
        #[cfg(feature = "gzip")]
        Compression::Gzip if gzip::is_padding(rest) => &[],
        #[cfg(feature = "xz")]
        Compression::Xz => xz::without_padding(rest),
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::without_skippable(rest),
        _ => rest,
    }
}

/// The fault that a decoder stopped at. That there was no memory for it, or not as much as it asked
/// for, is not about the stream.
fn fault(name: &str, offset: u64, error: &io::Error) -> Malformed {
    match error.kind() {
        io::ErrorKind::OutOfMemory => Malformed::out_of_memory(),
        #[cfg(feature = "xz")]
        io::ErrorKind::QuotaExceeded => {
            let limit = xz::MEMORY_LIMIT >> 20;
            let what = format!("the {name} stream takes more than {limit} MiB of memory to decompress");
            Malformed::offset(offset, what).of_kind(ErrorKind::TooLarge)
        }
        io::ErrorKind::UnexpectedEof => Malformed::offset(offset, format!("the {name} stream is cut short")),
        _ => Malformed::offset(offset, format!("the {name} stream is damaged: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testkit::Compression as Writer;

    use super::*;

    const FORMS: [(Writer, Compression); 3] =
        [(Writer::Gzip, Compression::Gzip), (Writer::Xz, Compression::Xz), (Writer::Zstd, Compression::Zstd)];

    /// The quick ways and the decoders of streams must agree.
    fn decompress_bounded(compression: Compression, bytes: &[u8], limit: u64) -> Result<Vec<u8>, Malformed> {
        let (mut quick, mut slow) = (Plain::default(), b"before".to_vec());
        let result = Decompressor::default().decompress(compression, bytes, &mut quick, limit);
        assert_eq!(result, Decompressor::default().streams(compression, bytes, &mut slow, limit));
        result.map(|_| {
            assert!(quick.bytes() == slow);
            slow
        })
    }

    /// The forms that this build reads.
    fn readable() -> impl Iterator<Item = (Writer, Compression)> {
        FORMS.into_iter().filter(|(_, compression)| compression.is_supported())
    }

    #[test]
    fn a_form_that_this_build_does_not_read_is_said_to_be_that() {
        for (writer, compression) in FORMS.into_iter().filter(|(_, form)| !form.is_supported()) {
            let fault = decompress(compression, writer.compress(b"some bytes")).unwrap_err();
            assert_eq!(fault.at("m.ko".as_ref()).kind(), ErrorKind::Unsupported);
        }
    }

    fn text(result: Result<Vec<u8>, Malformed>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn each_compression_is_known_by_its_first_bytes_and_undone() {
        for (writer, compression) in readable() {
            let bytes = writer.compress(b"some bytes");
            assert_eq!(Compression::of(&bytes), compression);
            assert_eq!(decompress(compression, bytes).unwrap(), b"some bytes");
        }
        assert_eq!(Compression::of(b"\x7fELF"), Compression::None);
    }

    #[test]
    fn several_streams_are_one_file() {
        for (writer, compression) in readable() {
            let bytes = [writer.compress(b"one, "), writer.compress(b""), writer.compress(b"two")].concat();
            assert_eq!(decompress(compression, bytes).unwrap(), b"one, two");
        }
    }

    #[test]
    fn what_follows_a_stream_is_an_error_that_says_where() {
        for (writer, compression) in readable() {
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
    #[cfg(feature = "xz")]
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
    #[cfg(feature = "gzip")]
    fn zeros_after_the_last_gzip_member_are_ignored() {
        let member = Writer::Gzip.compress(b"some bytes");
        for zeros in [1, 7, 8, 512, 10_000] {
            let padded = [&member[..], &vec![0; zeros]].concat();
            assert_eq!(decompress(Compression::Gzip, padded.clone()).unwrap(), b"some bytes");
            for tail in [&b"x"[..], &member] {
                let error = text(decompress(Compression::Gzip, [&padded[..], tail].concat()));
                assert!(error.ends_with("bytes follow the end of the gzip stream"), "{error}");
            }
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn skippable_frames_are_stepped_over_however_many_there_are() {
        let frame = Writer::Zstd.compress(b"some bytes");
        let skippable = |kind: u8, content: &[u8]| {
            [&[kind, 0x2a, 0x4d, 0x18][..], &u32::try_from(content.len()).unwrap().to_le_bytes(), content]
                .concat()
        };
        let many = skippable(0x50, b"").repeat(200_000);
        let one = skippable(0x5f, b"some text");
        for bytes in [
            [&frame[..], &one].concat(),
            [&frame[..], &many, &frame, &one].concat(),
            [&frame[..], &one, &one, &frame].concat(),
        ] {
            let plain = decompress(Compression::Zstd, bytes).unwrap();
            assert!(plain.chunks(10).all(|chunk| chunk == b"some bytes"));
        }
        for end in 5..one.len() {
            let error = text(decompress(Compression::Zstd, [&frame[..], &one[..end]].concat()));
            assert!(error.ends_with("the zstd stream is cut short"), "{error}");
        }
    }

    #[test]
    fn a_file_is_made_of_a_bounded_number_of_streams() {
        for (writer, compression) in readable() {
            let stream = writer.compress(b"x");
            let most = stream.repeat(MOST_STREAMS);
            assert_eq!(decompress(compression, most.clone()).unwrap(), b"x".repeat(MOST_STREAMS));
            let fault = decompress(compression, [&most[..], &stream].concat()).unwrap_err();
            let expected = format!(
                "offset {:#x}: the file is made of more than 1024 {} streams",
                most.len(),
                compression.name()
            );
            assert_eq!(fault.to_string(), expected);
            assert_eq!(fault.at("m.ko".as_ref()).kind(), ErrorKind::TooLarge);
        }
    }

    #[test]
    #[cfg(feature = "xz")]
    fn filters_change_a_bounded_number_of_times() {
        use testkit::compress::xz_of_blocks;
        let same = xz_of_blocks(&[9; 5000]);
        assert_eq!(decompress(Compression::Xz, same).unwrap(), b"a".repeat(5000));
        let alternating = [9, 12].repeat(32);
        assert_eq!(decompress(Compression::Xz, xz_of_blocks(&alternating)).unwrap(), b"a".repeat(64));
        let fault = decompress(Compression::Xz, xz_of_blocks(&[9, 12].repeat(40))).unwrap_err();
        let expected = "offset 0x520: the xz blocks change their filters more than 64 times";
        assert_eq!(fault.to_string(), expected);
    }

    #[test]
    #[cfg(feature = "xz")]
    fn a_dictionary_that_is_too_large_is_no_damage() {
        let stream = testkit::compress::xz_with_dictionary(b"some bytes", 30);
        assert_eq!(decompress(Compression::Xz, stream).unwrap(), b"some bytes");
        let stream = testkit::compress::xz_with_dictionary(b"some bytes", 34);
        let fault = decompress(Compression::Xz, stream).unwrap_err();
        let expected = "the xz stream takes more than 256 MiB of memory to decompress";
        assert!(fault.to_string().ends_with(expected), "{fault}");
        assert_eq!(fault.at("m.ko".as_ref()).kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_lack_of_memory_is_no_damage() {
        let error = fault("xz", 5, &io::ErrorKind::OutOfMemory.into()).at("m.ko".as_ref());
        assert_eq!(error.to_string(), "could not read m.ko: out of memory");
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        let reserved = Vec::<u8>::new().try_reserve_exact(usize::MAX / 2).unwrap_err();
        assert_eq!(io::Error::from(reserved).kind(), io::ErrorKind::OutOfMemory);
    }

    #[test]
    fn a_stream_cut_anywhere_is_an_error() {
        for (writer, compression) in readable() {
            let stream = writer.compress(&[7; 5000]);
            for end in 6..stream.len() {
                let error = text(decompress(compression, stream[..end].to_vec()));
                assert!(error.ends_with("stream is cut short"), "{compression:?} at {end}: {error}");
            }
        }
    }

    #[test]
    fn a_stream_that_holds_too_much_is_stopped() {
        for (writer, compression) in readable() {
            let streams = [writer.compress(&[7; 600]), writer.compress(&[7; 600])].concat();
            assert_eq!(decompress_bounded(compression, &streams, 1200).unwrap().len(), 1200);
            for limit in [100, 599, 600, 1199] {
                let error = text(decompress_bounded(compression, &streams, limit));
                assert!(error.ends_with(&format!("holds more than {limit} bytes")), "{error}");
            }
        }
    }

    #[test]
    fn decoders_serve_for_one_file_after_the_other() {
        let mut decompressor = Decompressor::default();
        let mut plain = Plain::default();
        for text in [&b"a long text, or one that is longer than the next"[..], b"short", b""] {
            for (writer, compression) in readable() {
                let mut bytes = writer.compress(text);
                decompressor.decompress(compression, &bytes, &mut plain, SIZE_LIMIT).unwrap();
                assert_eq!(plain.bytes(), text);
                bytes.pop();
                assert!(decompressor.decompress(compression, &bytes, &mut plain, SIZE_LIMIT).is_err());
            }
        }
    }

    /// The way that does not need it must be taken: a machine may not have the memory for the window.
    #[test]
    #[cfg(feature = "zstd")]
    fn a_frame_without_its_size_is_decoded_at_once() {
        let text = b"text that repeats, ".repeat(10_000);
        for packed in [
            testkit::compress::zstd_without_size(&text),
            testkit::Packing::Zstd { window_log: 31, with_size: false }.pack(&text),
        ] {
            let mut plain = Pages::default();
            assert!(zstd::Decoder::default().whole(&packed, &mut plain, SIZE_LIMIT).is_some());
            assert!(plain.bytes() == text);
            assert!(zstd::Decoder::default().whole(&packed, &mut plain, 100_000).is_none());
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn the_longest_window_of_zstd_is_read() {
        let plain = vec![7; 300_000];
        for window_log in [20, 27, 28, 31] {
            for with_size in [false, true] {
                let packed = testkit::Packing::Zstd { window_log, with_size }.pack(&plain);
                assert!(decompress(Compression::Zstd, packed).unwrap() == plain, "{window_log}");
            }
        }
    }

    #[test]
    #[cfg(feature = "xz")]
    fn a_dictionary_that_takes_too_much_memory_is_no_damage() {
        let packed = testkit::Packing::Xz { check: 1, dictionary: 64 << 20, delta: true }.pack(b"some bytes");
        assert_eq!(decompress(Compression::Xz, packed).unwrap(), b"some bytes");
        // The header of a block with a dictionary of 1 GiB, and its CRC32.
        let mut huge = testkit::Packing::XZ_CRC64.pack(b"some bytes");
        huge[16] = 36;
        huge[20..24].copy_from_slice(&[0x5e, 0x1f, 0xc7, 0xf9]);
        let fault = decompress(Compression::Xz, huge).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "offset 0x18: the xz stream takes more than 256 MiB of memory to decompress"
        );
    }

    #[test]
    #[cfg(feature = "gzip")]
    fn the_same_gzip_member_twice_is_not_taken_for_one() {
        let member = Writer::Gzip.compress(b"some bytes");
        let twice = [&member[..], &member].concat();
        assert_eq!(decompress(Compression::Gzip, twice).unwrap(), b"some bytessome bytes");
        let tail = member[member.len() - 8..].to_vec();
        assert!(decompress(Compression::Gzip, [member, tail].concat()).is_err());
    }

    /// A size in a header is a claim: memory is not taken on its word.
    #[test]
    fn a_size_that_is_not_to_be_believed_costs_no_memory() {
        let mut plain = Plain::default();
        let mut gzip = Writer::Gzip.compress(b"some bytes");
        let size = gzip.len() - 4;
        gzip[size..].copy_from_slice(&0x3000_0000_u32.to_le_bytes());
        // A frame's header that declares 768 MiB, and an empty last block.
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x30, 1, 0, 0];
        for (compression, bytes) in [(Compression::Gzip, &gzip[..]), (Compression::Zstd, &zstd)] {
            assert!(Decompressor::default().decompress(compression, bytes, &mut plain, SIZE_LIMIT).is_err());
            assert!(plain.pages.capacity() + plain.streamed.capacity() < 1 << 20, "{compression:?}");
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
