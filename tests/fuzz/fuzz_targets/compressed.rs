//! What was compressed comes back, in one stream or several; a damaged byte does not pass unnoticed, for every
//! form has a checksum.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils::internals::file::{Compression, decompress};
use testkit::Compression as Writer;

#[derive(Arbitrary, Debug)]
struct Input {
    form: u8,
    streams: Vec<Vec<u8>>,
    repeat: u16,
    damage: Option<(u32, u8)>,
}

fuzz_target!(|input: Input| {
    let (writer, compression) = match input.form % 3 {
        0 => (Writer::Gzip, Compression::Gzip),
        1 => (Writer::Xz, Compression::Xz),
        _ => (Writer::Zstd, Compression::Zstd),
    };
    let mut plain: Vec<Vec<u8>> = input.streams.into_iter().take(3).collect();
    if let Some(first) = plain.first_mut()
        && first.len() < 64
    {
        *first = first.repeat(usize::from(input.repeat));
    }
    let mut bytes: Vec<u8> = plain.iter().flat_map(|part| writer.compress(part)).collect();
    let plain = plain.concat();
    if bytes.is_empty() {
        return;
    }
    assert_eq!(decompress(compression, bytes.clone()).expect("a sound stream"), plain);
    let Some((place, mask)) = input.damage else { return };
    let place = place as usize % bytes.len();
    bytes[place] ^= mask;
    if let Ok(damaged) = decompress(compression, bytes) {
        assert_eq!(damaged, plain, "damage at {place} went unnoticed");
    }
});
