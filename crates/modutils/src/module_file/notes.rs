//! ELF notes, `Nhdr` in elf(5): three words (the lengths of name and content, and a type), then name and content, each
//! padded to four bytes, in 64-bit files too.

use goblin::container::Endian;
use scroll::Pread;

use crate::Malformed;

/// The section of the linker's `--build-id`.
pub(super) const BUILD_ID: &[u8] = b".note.gnu.build-id";
/// `NT_GNU_BUILD_ID` of `elf.h`.
const BUILD_ID_TYPE: u32 = 3;

/// The content of the first build-id among the notes of a section.
///
/// # Errors
/// When a note before it is cut short.
pub(super) fn build_id(mut notes: &[u8], endian: Endian) -> Result<Option<&[u8]>, Malformed> {
    let cut_short = || Malformed::section(BUILD_ID, "a note is cut short");
    while !notes.is_empty() {
        let word = |at: usize| notes.pread_with::<u32>(at, endian).map_err(|_| cut_short());
        let (name_len, content_len, kind) = (word(0)?, word(4)?, word(8)?);
        let rest = notes.get(12..).ok_or_else(cut_short)?;
        let (name, rest) = padded(rest, name_len).ok_or_else(cut_short)?;
        let (content, rest) = padded(rest, content_len).ok_or_else(cut_short)?;
        if kind == BUILD_ID_TYPE && name == b"GNU\0" {
            return Ok(Some(content));
        }
        notes = rest;
    }
    Ok(None)
}

/// So many bytes, and what follows their padding; the padding of the last ones may be missing.
fn padded(bytes: &[u8], len: u32) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(len).ok()?;
    let content = bytes.get(..len)?;
    let end = len.checked_next_multiple_of(4)?.min(bytes.len());
    Some((content, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note(name: &[u8], content: &[u8], kind: u32) -> Vec<u8> {
        let words = [name.len() as u32, content.len() as u32, kind].map(u32::to_le_bytes).concat();
        let pad = |bytes: &[u8]| [bytes, &[0; 3][..(4 - bytes.len() % 4) % 4]].concat();
        [words, pad(name), pad(content)].concat()
    }

    #[test]
    fn the_build_id_is_found_among_others() {
        let id = note(b"GNU\0", &[1, 2, 3, 4, 5], 3);
        assert_eq!(build_id(&id, Endian::Little), Ok(Some(&[1, 2, 3, 4, 5][..])));
        let others = [note(b"Linux\0", b"x", 3), note(b"GNU\0", b"abi", 1)].concat();
        assert_eq!(build_id(&[others.clone(), id].concat(), Endian::Little), Ok(Some(&[1, 2, 3, 4, 5][..])));
        assert_eq!(build_id(&others, Endian::Little), Ok(None));
        assert_eq!(build_id(b"", Endian::Little), Ok(None));
    }

    #[test]
    fn a_note_that_is_cut_short_is_an_error() {
        let id = note(b"GNU\0", &[7; 20], 3);
        for len in 1..id.len() {
            assert!(build_id(&id[..len], Endian::Little).is_err(), "{len}");
        }
        assert!(build_id(&[0xff; 16], Endian::Little).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes: Vec<u8>) {
            let found = build_id(&bytes, Endian::Little);
            prop_assert!(found.is_err() || found.is_ok_and(|id| id.is_none_or(|id| id.len() < bytes.len())));
        }
    }
}
