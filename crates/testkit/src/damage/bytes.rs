//! Damage that knows nothing of what the bytes mean.

use fastrand::Rng;

use super::random::random_offset;
use super::record::Damage;

/// Flips some bits of the first `within` bytes.
pub(super) fn flip(bytes: &mut [u8], within: usize, rng: &mut Rng) -> String {
    let within = within.min(bytes.len());
    let count = if within == 0 { 0 } else { 1 + rng.usize(..4) };
    let mut places = Vec::new();
    for _ in 0..count {
        let (at, bit) = (rng.usize(..within), rng.u8(..8));
        bytes[at] ^= 1 << bit;
        places.push(format!("{at:#x}.{bit}"));
    }
    places.join(" ")
}

/// Cuts the end off, more often a little of it than much.
pub(super) fn cut(bytes: &mut Vec<u8>, rng: &mut Rng) -> String {
    let left = match rng.u8(..4) {
        0 => bytes.len().saturating_sub(1 + rng.usize(..64)),
        1 => rng.usize(..64).min(bytes.len()),
        _ => random_offset(bytes.len(), rng),
    };
    bytes.truncate(left);
    format!("to {left}")
}

/// Writes over a stretch: random bytes, all the same byte, or bytes from elsewhere in the file.
pub(super) fn garble(bytes: &mut [u8], rng: &mut Rng) -> String {
    let start = random_offset(bytes.len(), rng);
    let longest = bytes.len() - start;
    let length = (1 + rng.usize(..256)).min(longest);
    let from = random_offset(bytes.len() - length + 1, rng);
    let what = match rng.u8(..3) {
        0 => {
            rng.fill(&mut bytes[start..start + length]);
            "noise"
        }
        1 => {
            let byte = if rng.bool() { 0 } else { 0xff };
            bytes[start..start + length].fill(byte);
            "one byte"
        }
        _ => {
            bytes.copy_within(from..from + length, start);
            "a copy"
        }
    };
    format!("{length} at {start:#x} by {what}")
}

/// Damages a compressed stream.
pub(super) fn stream(bytes: &mut Vec<u8>, rng: &mut Rng) -> Damage {
    match rng.u8(..6) {
        0 => Damage::new("stream bits", flip(bytes, usize::MAX, rng)),
        1 => Damage::new("stream header bits", flip(bytes, 24, rng)),
        2 => Damage::new("stream cut", cut(bytes, rng)),
        3 => Damage::new("stream garbled", garble(bytes, rng)),
        4 => {
            let start = random_offset(bytes.len(), rng);
            let end = (start + 1 + rng.usize(..64)).min(bytes.len());
            bytes.drain(start.min(end)..end);
            Damage::new("stream bytes lost", format!("{start:#x}..{end:#x}"))
        }
        _ => {
            let tail: Vec<u8> = match rng.u8(..3) {
                0 => bytes.clone(),
                1 => vec![0; 1 + rng.usize(..16)],
                _ => (0..1 + rng.usize(..64)).map(|_| rng.u8(..)).collect(),
            };
            let detail = format!("{} bytes", tail.len());
            bytes.extend(tail);
            Damage::new("stream tail", detail)
        }
    }
}
