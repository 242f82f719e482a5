//! Any bytes as a compressed file: an error, or as much as the format can hold in so few bytes.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use modutils::internals::file::{Compression, Contents};

/// zstd can repeat a byte 128 KiB long in a block of four bytes; xz and gzip stay below that.
const MOST_PER_BYTE: u64 = 1 << 15;

fuzz_target!(|bytes: &[u8]| {
    let Ok(contents) = Contents::from_bytes(Path::new("m.ko"), bytes.to_vec()) else { return };
    assert!(contents.len() <= bytes.len() as u64 * MOST_PER_BYTE);
    if Compression::of(bytes) == Compression::None {
        assert_eq!(contents.read_all().expect("bytes in memory"), bytes);
    }
    let again = Contents::from_bytes(Path::new("m.ko"), bytes.to_vec()).expect("the same as before");
    assert_eq!(contents.read_all().expect("in memory"), again.read_all().expect("in memory"));
});
