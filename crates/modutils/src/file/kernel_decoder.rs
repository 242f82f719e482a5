//! What the kernel's own decoders do not read of the three compressions (`kernel/module/decompress.c`).
//!
//! They are smaller than those of the programs that compress: lib/xz knows two kinds of check and one filter for
//! data, all three stop after the first stream, and the kernel's gzip header has a name at most. The first
//! bytes of a file state all of that but the number of streams. Dictionaries and windows the kernel reads in
//! any size, as long as it has the memory, which it takes in one piece whatever the size of the module is.

use std::fmt;

use super::Compression;

/// How many bytes at the start of a file [`obstacle`] needs to see: the headers of an .xz stream and of its
/// first block are the longest of them, 12 bytes and about 60.
pub(crate) const HEAD: usize = 128;

/// The largest dictionary or window that is left to the kernel: 128 MiB, as `zstd --long`; `xz -9` takes 64. A
/// decoder here takes the memory that the module needs.
const LARGEST_WINDOW: u64 = 128 << 20;

/// Why the kernel cannot decompress a file that is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// lib/xz/xz_dec_stream.c verifies CRC32 alone: another check is an error.
    XzCheck(u8),
    /// lib/xz/xz_dec_block.c takes LZMA2, with one filter for machine code before it at most.
    XzFilter(u64),
    /// A dictionary of so many bytes.
    XzDictionary(u64),
    /// A window of so many bytes.
    ZstdWindow(u64),
    /// A frame that was compressed with a dictionary of its own.
    ZstdDictionary,
    /// A header with more than a name.
    GzipHeader,
    /// More than one stream: the kernel stops after the first.
    Streams,
}

/// What in the first bytes of a compressed file the kernel's decoder does not read. `None` where it reads
/// them, or they are damaged, and where only the kernel's configuration decides.
pub(crate) fn obstacle(head: &[u8]) -> Option<Obstacle> {
    match Compression::of(head) {
        Compression::None => None,
        Compression::Gzip => gzip(head),
        Compression::Xz => xz(head),
        Compression::Zstd => zstd(head),
    }
}

/// `module_gzip_header_len` skips a name; FHCRC, FEXTRA and FCOMMENT of RFC 1952 it takes for data.
fn gzip(head: &[u8]) -> Option<Obstacle> {
    let flags = *head.get(3)?;
    (flags & 0b1_0110 != 0).then_some(Obstacle::GzipHeader)
}

fn xz(head: &[u8]) -> Option<Obstacle> {
    const NONE: u8 = 0;
    const CRC32: u8 = 1;
    let check = *head.get(7)? & 0x0f;
    if !matches!(check, NONE | CRC32) {
        return Some(Obstacle::XzCheck(check));
    }
    // A block's header: its length in words of four bytes, flags, two lengths that may be missing, filters.
    let block = head.get(12..)?;
    let (&words, flags) = (block.first()?, *block.get(1)?);
    if words == 0 {
        return None;
    }
    let mut fields = block.get(2..(usize::from(words) + 1) * 4)?;
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            number(&mut fields)?;
        }
    }
    let filters = usize::from(flags & 3) + 1;
    for place in 0..filters {
        let (id, len) = (number(&mut fields)?, usize::try_from(number(&mut fields)?).ok()?);
        let properties = fields.get(..len)?;
        fields = fields.get(len..)?;
        match id {
            LZMA2 => {
                return dictionary(*properties.first()?)
                    .filter(|size| *size > LARGEST_WINDOW)
                    .map(Obstacle::XzDictionary);
            }
            // Which of them a kernel has is its configuration (CONFIG_XZ_DEC_X86 and others).
            BCJ_FIRST..=BCJ_LAST if place == 0 && filters == 2 => {}
            other => return Some(Obstacle::XzFilter(other)),
        }
    }
    None
}

/// The filters of the .xz format, 5.3.
pub(super) const LZMA2: u64 = 0x21;
const BCJ_FIRST: u64 = 0x04;
const BCJ_LAST: u64 = 0x0b;

/// The size of a dictionary, 5.3.1 of the format.
fn dictionary(bits: u8) -> Option<u64> {
    match bits {
        0..40 => Some((2 | u64::from(bits & 1)) << (bits / 2 + 11)),
        40 => Some(u32::MAX.into()),
        _ => None,
    }
}

/// A number of the .xz format: seven bits in a byte, the lowest first.
pub(super) fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A frame's header, RFC 8878, 3.1.1.1.
fn zstd(head: &[u8]) -> Option<Obstacle> {
    let descriptor = *head.get(4)?;
    let is_single_segment = descriptor & 0x20 != 0;
    let id_len = *[0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let id_at = if is_single_segment { 5 } else { 6 };
    let id = head.get(id_at..id_at + id_len)?;
    if id.iter().any(|&byte| byte != 0) {
        return Some(Obstacle::ZstdDictionary);
    }
    let window = if is_single_segment {
        let size_len = *[1, 2, 4, 8].get(usize::from(descriptor >> 6))?;
        let mut size = [0; 8];
        size.get_mut(..size_len)?.copy_from_slice(head.get(id_at + id_len..)?.get(..size_len)?);
        u64::from_le_bytes(size) + if size_len == 2 { 256 } else { 0 }
    } else {
        let byte = *head.get(5)?;
        let base = 1_u64 << (10 + (byte >> 3));
        base + base / 8 * u64::from(byte & 7)
    };
    (window > LARGEST_WINDOW).then_some(Obstacle::ZstdWindow(window))
}

impl Obstacle {
    /// Whether the kernel refuses the file however much memory it has.
    #[cfg(feature = "diagnose")]
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::XzDictionary(_) | Self::ZstdWindow(_))
    }
}

/// In words, as the end of a sentence about the file.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        match *self {
            Self::XzCheck(4) => f.write_str("its check is CRC64, not CRC32"),
            Self::XzCheck(10) => f.write_str("its check is SHA-256, not CRC32"),
            Self::XzCheck(other) => write!(f, "its check is number {other}, not CRC32"),
            Self::XzFilter(id) => write!(f, "it is compressed with filter {id:#x}"),
            Self::XzDictionary(size) => write!(f, "its dictionary is large, {} MiB", mebibytes(size)),
            Self::ZstdWindow(size) => write!(f, "its window is large, {} MiB", mebibytes(size)),
            Self::ZstdDictionary => f.write_str("it is compressed with a dictionary"),
            Self::GzipHeader => f.write_str("its header has more than a name"),
            Self::Streams => f.write_str("it has more than one compressed stream"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testkit::Packing;

    use super::*;

    fn of(packing: Packing) -> Option<Obstacle> {
        obstacle(&packing.pack(&[7; 5000]))
    }

    #[test]
    fn the_kernel_reads_xz_without_a_check_and_with_crc32() {
        let xz = |check| of(Packing::Xz { check, dictionary: 1 << 20, delta: false });
        assert_eq!(
            [0, 1, 4, 10].map(xz),
            [None, None, Some(Obstacle::XzCheck(4)), Some(Obstacle::XzCheck(10))]
        );
    }

    #[test]
    fn a_filter_for_other_data_is_not_for_the_kernel() {
        let delta = Packing::Xz { check: 1, dictionary: 1 << 20, delta: true };
        assert_eq!(of(delta), Some(Obstacle::XzFilter(3)));
    }

    #[test]
    fn a_dictionary_is_for_the_kernel_unless_it_is_larger_than_any_module_needs() {
        for mebibytes in [1, 4, 8, 16, 32, 64] {
            assert_eq!(of(Packing::Xz { check: 1, dictionary: mebibytes << 20, delta: false }), None);
        }
        // The property of LZMA2: 128 MiB, 192 MiB, 4 GiB less a byte.
        let mut header = Packing::Xz { check: 1, dictionary: 1 << 20, delta: false }.pack(b"");
        header.truncate(HEAD);
        header.splice(12.., [2, 0, 0x21, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (property, size) in [(30, None), (31, Some(192 << 20)), (40, Some(u64::from(u32::MAX)))] {
            header[16] = property;
            assert_eq!(obstacle(&header), size.map(Obstacle::XzDictionary));
        }
    }

    #[test]
    fn a_window_is_for_the_kernel_unless_it_is_larger_than_any_module_needs() {
        let zstd = |window_log, with_size| of(Packing::Zstd { window_log, with_size });
        // The window of a frame that states its size is that size.
        assert_eq!([20, 27, 31].map(|log| zstd(log, true)), [None; 3]);
        assert_eq!([20, 24, 27].map(|log| zstd(log, false)), [None; 3]);
        assert_eq!(
            [28, 31].map(|log| zstd(log, false)),
            [28, 31].map(|log| Some(Obstacle::ZstdWindow(1 << log)))
        );
        let stated = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x30];
        assert_eq!(obstacle(&stated), Some(Obstacle::ZstdWindow(768 << 20)));
        assert_eq!(obstacle(&[0x28, 0xb5, 0x2f, 0xfd, 0x21, 9, 1, 1, 0, 0]), Some(Obstacle::ZstdDictionary));
    }

    #[test]
    fn a_gzip_header_with_more_than_a_name_is_not_for_the_kernel() {
        let gzip = |flags| obstacle(&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]);
        assert_eq!([0, 8].map(gzip), [None; 2]);
        assert_eq!([2, 4, 16].map(gzip), [Some(Obstacle::GzipHeader); 3]);
    }

    proptest! {
        #[test]
        fn damaged_headers_never_panic(form in 0..3_usize, rest in prop::collection::vec(any::<u8>(), 0..HEAD)) {
            let magic: &[u8] = [&b"\x1f\x8b"[..], b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"][form];
            let _ = obstacle(&[magic, &rest].concat());
        }
    }
}
