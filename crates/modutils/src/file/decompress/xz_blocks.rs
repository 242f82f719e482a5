//! How often the blocks of an .xz file ask for other filters: another dictionary, above all.
//!
//! A decoder gives its memory back and takes other one each time, which costs as much as decoding some kilobytes, and a
//! block of 20 bytes can ask for it. Where blocks begin is only known once the ones before are decoded;
//! but all begin at multiples of four, and their headers look like nothing else (section 3.1 of the file format, version
//! 1.2).

use crate::file::kernel_decoder::{LZMA2, number};

/// The longest header that is looked at, in words of four bytes besides the first. Of longer ones there is no room for
/// many.
const LONGEST: u8 = 31;

/// The largest value for a dictionary's size.
const LARGEST: u8 = 40;

/// Where the filters have been others than in the block before more than `most` times; `None` where they have not.
pub(super) fn beyond(bytes: &[u8], most: usize) -> Option<usize> {
    let (mut last, mut changes) = (None, 0_usize);
    for (at, start) in (0_usize..).step_by(4).zip(bytes.chunks_exact(4)) {
        // Nearly all places are none, by their first two bytes.
        let may_be_header = matches!(start, [1..=LONGEST, flags, ..] if flags & RESERVED == 0);
        let Some(chain) = may_be_header.then(|| filters(bytes.get(at..)?)).flatten() else { continue };
        if last.replace(chain).is_some_and(|last| last != chain) {
            changes = changes.saturating_add(1);
            if changes > most {
                return Some(at);
            }
        }
    }
    None
}

/// The flags of a header that no block has.
const RESERVED: u8 = 0x3c;

/// The filters, as they are encoded, in what may be the header of a block.
fn filters(bytes: &[u8]) -> Option<&[u8]> {
    let (&[size, flags], _) = bytes.split_first_chunk()?;
    let before_crc = usize::from(size).checked_mul(4)?;
    let mut rest = bytes.get(2..before_crc)?;
    // The compressed and the plain size may be there.
    for flag in [0x40, 0x80] {
        if flags & flag != 0 {
            number(&mut rest)?;
        }
    }
    let chain = rest;
    for filter in (0..=flags & 3).rev() {
        let (id, len) = (number(&mut rest)?, usize::try_from(number(&mut rest)?).ok()?);
        let (properties, after) = rest.split_at_checked(len)?;
        rest = after;
        match (filter, id, properties) {
            // The one that holds the dictionary ends the chain.
            (0, LZMA2, &[size]) if size <= LARGEST && rest.iter().all(|&byte| byte == 0) => {
                return chain.get(..chain.len().saturating_sub(rest.len()));
            }
            (0, ..) | (_, LZMA2, _) => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use testkit::compress::{xz_of_blocks, xz_with_dictionary};

    use super::*;

    #[test]
    fn a_header_says_which_filters() {
        for size in [0, 1, 30, 40] {
            assert_eq!(filters(&xz_with_dictionary(b"x", size)[12..]), Some(&[0x21, 1, size][..]));
        }
        assert_eq!(filters(&xz_with_dictionary(b"x", 41)[12..]), None);
        // With both sizes, and with x86's branches or a delta filtered.
        let sizes = [4, 0xc0, 0x80, 1, 7, 0x21, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(filters(&sizes), Some(&[0x21, 1, 9][..]));
        assert_eq!(filters(&[3, 1, 4, 0, 0x21, 1, 9, 0, 0, 0, 0, 0]), Some(&[4, 0, 0x21, 1, 9][..]));
        assert_eq!(filters(&[3, 1, 3, 1, 2, 0x21, 1, 9, 0, 0, 0, 0]), Some(&[3, 1, 2, 0x21, 1, 9][..]));
        for other in [&[2, 0, 0x21, 1, 9, 0, 1, 0][..], &[2, 0, 4, 0, 0, 0, 0, 0], &[2, 0, 0x21], &[0], &[]] {
            assert_eq!(filters(other), None);
        }
    }

    #[test]
    fn only_changes_count_and_those_of_all_streams() {
        let same = xz_of_blocks(&[5; 100]);
        assert_eq!(beyond(&same, 0), None);
        let changing = xz_of_blocks(&[5, 6, 6, 7, 5]);
        assert_eq!((beyond(&changing, 3), beyond(&changing, 2)), (None, Some(12 + 4 * 20)));
        assert_eq!(
            beyond(&[&same[..], &changing, &xz_of_blocks(&[9])].concat(), 3),
            Some(same.len() + changing.len() + 12)
        );
    }
}
