//! The type information of a module, section `.BTF`: whether its header has the shape that the kernel asks for
//! (`btf_parse_hdr` and `btf_check_sec_info` in `kernel/bpf/btf.c`). Whether the types fit those of the kernel, only the
//! kernel can verify.

use goblin::container::Endian;
use scroll::Pread;

/// The section's name.
pub const SECTION: &[u8] = b".BTF";

/// `BTF_MAGIC` of `include/uapi/linux/btf.h`.
const MAGIC: u16 = 0xeb9f;
/// The length of the header of version 1. A longer one has parts that earlier kernels do not know.
const HEADER_LEN: u32 = 24;

/// Whether the kernel would read on after the header.
pub fn is_sound(section: &[u8], endian: Endian) -> bool {
    parse(section, endian) == Some(true)
}

fn parse(section: &[u8], endian: Endian) -> Option<bool> {
    let word = |offset: usize| section.pread_with::<u32>(offset, endian).ok();
    let magic = section.pread_with::<u16>(0, endian).ok()?;
    let (version, flags) = (*section.get(2)?, *section.get(3)?);
    let header_len = word(4)?;
    let [types, types_len, strings, strings_len] = [word(8)?, word(12)?, word(16)?, word(20)?];
    let data = u32::try_from(section.len()).ok()?.checked_sub(header_len)?;
    let end = |start: u32, len: u32| start.checked_add(len);
    Some(
        magic == MAGIC
            && version == 1
            && flags == 0
            && header_len >= HEADER_LEN
            && types % 4 == 0
            && types_len % 4 == 0
            && end(types, types_len)? <= strings
            && end(strings, strings_len)? <= data
            // A module adds its names to the kernel's, and may have none of its own.
            && (strings_len == 0 || last_byte(section, header_len, end(strings, strings_len)?) == Some(0)),
    )
}

/// The byte before a place, which is counted from the end of the header.
fn last_byte(section: &[u8], header_len: u32, end: u32) -> Option<u8> {
    let place = header_len.checked_add(end)?.checked_sub(1)?;
    section.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(words: [u32; 5], magic: u16, version: u8) -> Vec<u8> {
        let mut bytes = [&magic.to_le_bytes()[..], &[version, 0]].concat();
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend([0; 9]);
        bytes
    }

    #[test]
    fn a_header_is_sound_where_its_parts_are_in_the_section() {
        let sound = |words, magic, version| is_sound(&section(words, magic, version), Endian::Little);
        assert!(sound([24, 0, 8, 8, 1], MAGIC, 1));
        assert!(sound([24, 0, 0, 0, 9], MAGIC, 1) && sound([24, 0, 8, 8, 0], MAGIC, 1));
        for (words, magic, version) in [
            ([24, 0, 8, 8, 1], 0xeb9e, 1),
            ([24, 0, 8, 8, 1], MAGIC, 2),
            ([20, 0, 8, 8, 1], MAGIC, 1),
            ([25, 0, 8, 8, 1], MAGIC, 1),
            ([u32::MAX, 0, 8, 8, 1], MAGIC, 1),
            ([24, 0, 8, 8, 2], MAGIC, 1),
            ([24, 4, 8, 8, 1], MAGIC, 1),
            ([24, 1, 4, 8, 1], MAGIC, 1),
            ([24, 0, 8, u32::MAX, 1], MAGIC, 1),
        ] {
            assert!(!sound(words, magic, version), "{words:?} {magic:#x} {version}");
        }
        assert!(
            !is_sound(b"", Endian::Little) && !is_sound(&section([24, 0, 8, 8, 1], MAGIC, 1), Endian::Big)
        );
    }
}
