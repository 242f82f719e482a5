//! Damage to module files, indexes and texts, as a disk, a transfer or an enemy would do it.
//!
//! Everything is decided by the random numbers that the caller gives: the same seed damages the same bytes in the same
//! way. Like all of this crate it shares no code with the library under test: it knows the formats by itself, so that
//! it can put its changes where a reader looks.

mod bytes;
mod image;
mod index;
mod random;
mod record;
mod text;

pub use fastrand::Rng;
pub use record::Damage;

use crate::Compression;

/// Damages a module: its image before it is compressed, or the stream that comes out.
pub fn module(image: &[u8], compression: Compression, rng: &mut Rng) -> (Vec<u8>, Damage) {
    if compression != Compression::Plain && rng.bool() {
        return changed(&compression.compress(image), |stream| bytes::stream(stream, rng));
    }
    let (image, damage) = changed(image, |image| image::damage(image, rng));
    (compression.compress(&image), damage)
}

/// Damages a `modules.*.bin` index.
pub fn index(file: &[u8], rng: &mut Rng) -> (Vec<u8>, Damage) {
    changed(file, |file| index::damage(file, rng))
}

/// Damages a text of lines, or of strings that end in NUL.
pub fn text(file: &[u8], rng: &mut Rng) -> (Vec<u8>, Damage) {
    changed(file, |file| text::damage(file, rng))
}

/// Damages a copy; some times over, should what was tried have changed nothing.
fn changed(before: &[u8], mut damage: impl FnMut(&mut Vec<u8>) -> Damage) -> (Vec<u8>, Damage) {
    const TRIES: usize = 9;
    let mut tried = || {
        let mut bytes = before.to_vec();
        let damage = damage(&mut bytes);
        (bytes, damage)
    };
    for _ in 1..TRIES {
        let (bytes, damage) = tried();
        if bytes != before {
            return (bytes, damage);
        }
    }
    tried()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Crc, ModuleBuilder};

    fn image() -> Vec<u8> {
        ModuleBuilder::new("a").modinfo("license", "GPL").export("f", Crc::Section(1)).needs("g", 2).build()
    }

    #[test]
    fn a_seed_damages_the_same_bytes_in_the_same_way() {
        for seed in 0..50 {
            let damaged = || module(&image(), Compression::Zstd, &mut Rng::with_seed(seed));
            assert_eq!(damaged(), damaged());
        }
    }

    /// The root has the prefix `ab`, a value and a child `c`, which has a value.
    const INDEX: &[u8] = b"\xb0\x07\xf4\x57\0\x02\0\x01\xe0\0\0\x0cab\0cc\x40\0\0\x1f\0\0\0\x01\0\0\0\x05v\0\
                           \0\0\0\x01\0\0\0\x07w\0";

    #[test]
    fn damage_changes_something() {
        let (image, lines) = (image(), b"alias a b\nalias c d\n".repeat(9));
        for seed in 0..900 {
            let rng = &mut Rng::with_seed(seed);
            let (before, (after, damage)) = match seed % 3 {
                0 => (&image[..], module(&image, Compression::Plain, rng)),
                1 => (INDEX, index(INDEX, rng)),
                _ => (&lines[..], text(&lines, rng)),
            };
            assert_ne!(before, after, "{damage:?}");
        }
    }

    #[test]
    fn anything_may_be_damaged_even_nothing() {
        for length in 0..70 {
            let bytes = vec![b'\n'; length];
            for seed in 0..60 {
                let rng = &mut Rng::with_seed(seed);
                module(&bytes, Compression::Plain, rng);
                index(&bytes, rng);
                text(&bytes, rng);
            }
        }
    }
}
