//! Module files as distributions compress them.

use std::io::{Read, Write};

/// How a module file is compressed, which its name ends in but only its first bytes prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: `.ko`.
    Plain,
    /// `.ko.gz`.
    Gzip,
    /// `.ko.xz` as the kernel's build writes it: CRC32 for a check, a dictionary of 2 MiB.
    Xz,
    /// `.ko.zst`.
    Zstd,
}

impl Compression {
    /// Every form.
    pub const ALL: [Compression; 4] =
        [Compression::Plain, Compression::Gzip, Compression::Xz, Compression::Zstd];

    /// What a file name ends in: `.ko`, `.ko.gz`, `.ko.xz` or `.ko.zst`.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::Plain => ".ko",
            Compression::Gzip => ".ko.gz",
            Compression::Xz => ".ko.xz",
            Compression::Zstd => ".ko.zst",
        }
    }

    /// `bytes` in this form. Memory is the only thing that could fail here, so a failure panics.
    pub fn compress(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Compression::Plain => bytes.to_vec(),
            Compression::Gzip => gzip(bytes),
            Compression::Xz => xz(bytes),
            Compression::Zstd => zstd(bytes, Some(bytes.len() as u64)),
        }
    }
}

/// `bytes` as a zstd frame that does not say how long they are: what a pipe makes, and packaged kmods refuse.
pub fn zstd_without_size(bytes: &[u8]) -> Vec<u8> {
    zstd(bytes, None)
}

/// The content of a gzip file.
///
/// # Panics
/// When it is none.
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("a gzip file");
    plain
}

/// The content of a file in any of the forms, told by its first bytes.
///
/// # Panics
/// When it is damaged.
pub fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match bytes {
        [0x1f, 0x8b, ..] => return gunzip(bytes),
        [0xfd, b'7', b'z', ..] => liblzma::read::XzDecoder::new(bytes).read_to_end(&mut plain),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::stream::copy_decode(bytes, &mut plain).map(|()| 0),
        _ => return bytes.to_vec(),
    }
    .expect("a sound file");
    plain
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("gzip compresses");
    encoder.finish().expect("gzip compresses")
}

/// What the program `zstd` makes: with a checksum, and the size where it is known.
fn zstd(bytes: &[u8], size: Option<u64>) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("a known level");
    encoder.include_checksum(true).expect("a known option");
    encoder.set_pledged_src_size(size).expect("a known option");
    encoder.include_contentsize(size.is_some()).expect("a known option");
    encoder.write_all(bytes).expect("zstd compresses");
    encoder.finish().expect("zstd compresses")
}

/// `xz --check=crc32 --lzma2=dict=2MiB`: the decompressor of the kernel knows no other check.
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
