//! Module files compressed in ways that the kernel's own decoders may not read.

use std::io::Write;

use liblzma::stream::{Check, Filters, LzmaOptions, Stream};

/// A way of compressing that distributions do not use for modules, but people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// An .xz file.
    Xz {
        /// The number of its check: 0 none, 1 CRC32, 4 CRC64, 10 SHA-256.
        check: u8,
        /// The bytes of its dictionary.
        dictionary: u32,
        /// Whether a delta filter comes before LZMA2.
        delta: bool,
    },
    /// A zstd frame, of blocks that are stored as they are.
    Zstd {
        /// The logarithm of its window's size, from 17.
        window_log: u8,
        /// Whether its header states the size, instead of the window.
        with_size: bool,
    },
}

impl Packing {
    /// An .xz file as `xz` makes it by itself, with its own check: CRC64.
    pub const XZ_CRC64: Packing = Packing::Xz { check: 4, dictionary: 1 << 20, delta: false };

    /// Compresses `bytes`. Only memory can run out here, so a failure panics.
    pub fn pack(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Packing::Xz { check, dictionary, delta } => xz(bytes, check, dictionary, delta),
            Packing::Zstd { window_log, with_size } => zstd(bytes, window_log, with_size),
        }
    }
}

fn xz(bytes: &[u8], check: u8, dictionary: u32, delta: bool) -> Vec<u8> {
    let check = match check {
        0 => Check::None,
        1 => Check::Crc32,
        4 => Check::Crc64,
        10 => Check::Sha256,
        other => panic!("no check has the number {other}"),
    };
    let mut options = LzmaOptions::new_preset(0).expect("a known preset");
    options.dict_size(dictionary);
    let mut filters = Filters::new();
    if delta {
        // Its property: the distance less one.
        filters.delta_properties(&[0]).expect("a known filter");
    }
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, check).expect("valid xz options");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect("xz compresses");
    encoder.finish().expect("xz compresses")
}

/// RFC 8878: a header, and raw blocks of at most 128 KiB, of which the last one has the lowest bit set.
fn zstd(bytes: &[u8], window_log: u8, with_size: bool) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    if with_size {
        frame.push(0xe0);
        frame.extend((bytes.len() as u64).to_le_bytes());
    } else {
        frame.extend([0, (window_log - 10) << 3]);
    }
    let mut blocks = bytes.chunks(128 << 10).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        let header = (u32::try_from(block.len()).expect("a small block") << 3) | last;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}
