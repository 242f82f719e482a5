//! Module files as distributions compress them.

use std::io::{Read, Write};

/// How a module file is compressed. The suffix of its name suggests it, its first bytes prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Uncompressed: `.ko`.
    Plain,
    /// `.ko.gz`.
    Gzip,
    /// `.ko.xz` as the kernel's build writes it: CRC32 as the check, a dictionary of 2 MiB.
    Xz,
    /// `.ko.zst`.
    Zstd,
}

impl Compression {
    /// Every form.
    pub const ALL: [Compression; 4] =
        [Compression::Plain, Compression::Gzip, Compression::Xz, Compression::Zstd];

    /// The suffix of a file name: `.ko`, `.ko.gz`, `.ko.xz` or `.ko.zst`.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::Plain => ".ko",
            Compression::Gzip => ".ko.gz",
            Compression::Xz => ".ko.xz",
            Compression::Zstd => ".ko.zst",
        }
    }

    /// Compresses `bytes`. Only memory can run out here, so a failure panics.
    pub fn compress(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Compression::Plain => bytes.to_vec(),
            Compression::Gzip => gzip(bytes),
            Compression::Xz => xz(bytes),
            Compression::Zstd => zstd(bytes, Some(bytes.len() as u64)),
        }
    }
}

/// `bytes` as a zstd frame without a content size: what zstd writes to a pipe, and packaged kmods refuse.
pub fn zstd_without_size(bytes: &[u8]) -> Vec<u8> {
    zstd(bytes, None)
}

/// `bytes` as an xz stream that asks for a dictionary of another size: 2 or 3, as `bits` is even or odd, times 2 to the
/// power of `bits / 2 + 11`.
///
/// # Panics
/// When liblzma writes another header than it used to.
pub fn xz_with_dictionary(bytes: &[u8], bits: u8) -> Vec<u8> {
    let mut stream = xz(bytes);
    // The header of its block: size, flags, LZMA2 with one byte of properties, the dictionary's size, zeros, CRC-32.
    assert_eq!(stream[12..16], [2, 0, 0x21, 1], "the block's header");
    stream[16] = bits;
    let crc = crc32(&stream[12..20]);
    stream[20..24].copy_from_slice(&crc);
    stream
}

/// An xz stream of blocks that hold `a` each, with dictionaries of these sizes, encoded as above. A block takes 20 bytes.
pub fn xz_of_blocks(dictionaries: &[u8]) -> Vec<u8> {
    let with_crc = |bytes: &[u8]| [bytes, &crc32(bytes)].concat();
    // The flags: no check of the content.
    let mut stream = [&b"\xfd7zXZ\0"[..], &with_crc(&[0, 0])].concat();
    for &size in dictionaries {
        stream.extend(with_crc(&[2, 0, 0x21, 1, size, 0, 0, 0]));
        // A chunk of one byte as it stands, which resets the dictionary; the end; three bytes to a multiple of four.
        stream.extend([1, 0, 0, b'a', 0, 0, 0, 0]);
    }
    // The index has, of each block, the bytes without those at the end, and what it holds.
    let mut index = vec![0];
    let mut count = dictionaries.len();
    while count >= 0x80 {
        index.push(count as u8 | 0x80);
        count >>= 7;
    }
    index.push(count as u8);
    index.extend([17, 1].repeat(dictionaries.len()));
    index.resize(index.len().next_multiple_of(4), 0);
    let index = with_crc(&index);
    let backward = (index.len() / 4 - 1) as u32;
    let footer = [&backward.to_le_bytes()[..], &[0, 0]].concat();
    [&stream[..], &index, &crc32(&footer), &footer, b"YZ"].concat()
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step));
    crc.to_le_bytes()
}

/// The content of a gzip file.
///
/// # Panics
/// When it is not a gzip file.
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("a gzip file");
    plain
}

/// The content of a file in any of the forms, detected by its first bytes.
///
/// # Panics
/// When it is damaged.
pub fn decompress(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match bytes {
        [0x1f, 0x8b, ..] => return gunzip(bytes),
        [0xfd, b'7', b'z', ..] => liblzma::read::XzDecoder::new(bytes).read_to_end(&mut plain),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::stream::copy_decode(bytes, &mut plain).map(|()| 0),
        _ => return bytes.to_vec(),
    }
    .expect("an undamaged file");
    plain
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("gzip compresses");
    encoder.finish().expect("gzip compresses")
}

/// A frame as the program `zstd` writes it: with a checksum, and the size if it is known.
fn zstd(bytes: &[u8], size: Option<u64>) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("a known level");
    encoder.include_checksum(true).expect("a known option");
    encoder.set_pledged_src_size(size).expect("a known option");
    encoder.include_contentsize(size.is_some()).expect("a known option");
    encoder.write_all(bytes).expect("zstd compresses");
    encoder.finish().expect("zstd compresses")
}

/// `xz --check=crc32 --lzma2=dict=2MiB`: the kernel's decompressor supports no other check.
fn xz(bytes: &[u8]) -> Vec<u8> {
    use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
    let mut options = LzmaOptions::new_preset(6).expect("a known preset");
    options.dict_size(2 << 20);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32).expect("valid xz options");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect("xz compresses");
    encoder.finish().expect("xz compresses")
}
