//! Random offsets and numbers for damage.

use fastrand::Rng;

/// A random offset below `length`; 0 when `length` is 0.
pub(super) fn random_offset(length: usize, rng: &mut Rng) -> usize {
    if length == 0 { 0 } else { rng.usize(..length) }
}

/// A number that readers are likely to handle badly: a limit of the file's length or of an integer type, or a neighbour
/// of the number it replaces.
pub(super) fn edge_number(before: u64, length: usize, rng: &mut Rng) -> u64 {
    let length = length as u64;
    match rng.u8(..12) {
        0 => 0,
        1 => 1,
        2 => length,
        3 => length.wrapping_sub(1),
        4 => length + 1,
        5 => u64::MAX,
        6 => i64::MAX as u64,
        7 => u64::from(u32::MAX),
        8 => before.wrapping_add(1),
        9 => before.wrapping_sub(1),
        10 => before.wrapping_mul(2),
        _ => rng.u64(..length.max(1)),
    }
}
