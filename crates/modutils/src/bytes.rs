//! Looking for a byte in what is short.
//!
//! Searchers made for long texts first ask the processor what it can do. In a virtual machine each such
//! question ends up with the hypervisor, and all of them together take as long as a fifth of a call of
//! modprobe. What such a call reads is searched here: names, paths, lines, nodes of an index.

/// The place of the first byte that is `wanted`: eight bytes are looked at at once.
pub(crate) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    const LOWEST: u64 = 0x0101_0101_0101_0101;
    let everywhere = u64::from_le_bytes([wanted; 8]);
    let mut rest = bytes;
    let mut start = 0_usize;
    while let Some((word, others)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word) ^ everywhere;
        rest = others;
        // The lowest byte of which the uppermost bit is left is the first that is zero.
        let zero = word.wrapping_sub(LOWEST) & !word & (LOWEST << 7);
        if zero != 0 {
            return Some(start.wrapping_add(zero.trailing_zeros() as usize / 8));
        }
        start = start.wrapping_add(8);
    }
    let place = rest.iter().position(|&byte| byte == wanted)?;
    Some(start.wrapping_add(place))
}

/// The bytes before the first `separator`, and the bytes after it.
pub fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(find(bytes, separator)?)?;
    Some((before, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_one_is_found(bytes in prop::collection::vec(prop::sample::select(&[0_u8, 1, 0x7f, 0x80, 0xff][..]), 0..40), wanted: u8) {
            for wanted in [0, 1, 0x80, wanted] {
                let place = bytes.iter().position(|&byte| byte == wanted);
                prop_assert_eq!(find(&bytes, wanted), place);
                prop_assert_eq!(split_once(&bytes, wanted), place.map(|place| (&bytes[..place], &bytes[place + 1..])));
            }
        }
    }
}
