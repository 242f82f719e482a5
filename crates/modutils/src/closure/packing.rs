//! Compresses module files so that the kernel's decoders read them.

use std::io;

use crate::file::Compression;

/// How copied module files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    /// As they are.
    #[default]
    AsIs,
    /// Not at all.
    Plain,
    /// With gzip.
    Gzip,
    /// With xz: a check by CRC32 and a dictionary of 1 MiB, the most that the kernel's decoder takes
    /// (`kernel/module/decompress.c`, `lib/xz`).
    Xz,
    /// With zstd, with the size in the frame's header: the kernel allocates a window of that size.
    Zstd,
}

impl Packing {
    /// The packing of a name: `none`, `gz`, `xz` or `zst`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::Plain),
            "gz" => Some(Self::Gzip),
            "xz" => Some(Self::Xz),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The extension of the files, of one that had `compression`.
    pub(super) fn extension(self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Self::Plain, _) | (Self::AsIs, Compression::None) => "",
            (Self::Gzip, _) | (Self::AsIs, Compression::Gzip) => ".gz",
            (Self::Xz, _) | (Self::AsIs, Compression::Xz) => ".xz",
            (Self::Zstd, _) | (Self::AsIs, Compression::Zstd) => ".zst",
        }
    }

    /// Compresses plain bytes.
    pub(super) fn compress(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::AsIs | Self::Plain => Ok(plain.to_owned()),
            Self::Gzip => gzip(plain),
            Self::Xz => xz(plain),
            Self::Zstd => zstd(plain),
        }
    }
}

#[cfg(feature = "gzip")]
fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    use std::io::Write;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(feature = "xz")]
fn xz(plain: &[u8]) -> io::Result<Vec<u8>> {
    use std::io::Write;

    use liblzma::stream::{Check, Filters, LzmaOptions, Stream};

    let mut options = LzmaOptions::new_preset(6)?;
    options.dict_size(1 << 20);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(feature = "zstd")]
fn zstd(plain: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(plain, 19)
}

#[cfg(not(all(feature = "gzip", feature = "xz", feature = "zstd")))]
fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this build has no encoder for that")
}

#[cfg(not(feature = "gzip"))]
fn gzip(_: &[u8]) -> io::Result<Vec<u8>> {
    Err(unsupported())
}

#[cfg(not(feature = "xz"))]
fn xz(_: &[u8]) -> io::Result<Vec<u8>> {
    Err(unsupported())
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: &[u8]) -> io::Result<Vec<u8>> {
    Err(unsupported())
}
