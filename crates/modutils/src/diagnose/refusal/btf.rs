//! The type information of a module, section `.BTF`: whether its header has the shape that the kernel asks for
//! (`btf_parse_hdr` and `btf_check_sec_info` in `kernel/bpf/btf.c`), and whether its types are of kinds that there are, and
//! lead to names and types that the module or the kernel has (`btf_check_all_metas`). One that was made for another build
//! of the kernel leads elsewhere.

use goblin::container::Endian;
use scroll::Pread;

/// The section's name.
pub const SECTION: &[u8] = b".BTF";
/// The section of the types that a module was built against, since Linux 6.11: the kernel searches its own for the same.
pub const BASE: &[u8] = b".BTF.base";

/// How far some type information leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many types there are, `void` not among them.
    pub types: u32,
    /// How long the names are together.
    pub names: u32,
    /// The last place among the names that a type names.
    last_name: u32,
    /// The last type that another is made of.
    last_type: u32,
}

impl Extent {
    /// Whether a module with it fits a kernel with the other: names and types of the module come after the kernel's.
    pub fn fits(&self, base: &Extent) -> bool {
        let names = u64::from(base.names) + u64::from(self.names);
        let types = u64::from(base.types) + u64::from(self.types);
        u64::from(self.last_name) < names && u64::from(self.last_type) <= types
    }
}

/// `BTF_MAGIC` of `include/uapi/linux/btf.h`.
const MAGIC: u16 = 0xeb9f;
/// The length of the header of version 1. A longer one has parts that earlier kernels do not know.
const HEADER_LEN: u32 = 24;

/// Whether the kernel would read on after the header.
pub fn is_sound(section: &[u8], endian: Endian) -> bool {
    parse(section, endian) == Some(true)
}

/// How far the types lead; `None` where one is of no kind, or longer than what is left.
pub fn extent(section: &[u8], endian: Endian) -> Option<Extent> {
    if !is_sound(section, endian) {
        return None;
    }
    let word = |offset: usize| section.pread_with::<u32>(offset, endian).ok();
    let header = usize::try_from(word(4)?).ok()?;
    let start = header.checked_add(usize::try_from(word(8)?).ok()?)?;
    let mut rest = section.get(start..start.checked_add(usize::try_from(word(12)?).ok()?)?)?;
    let mut extent = Extent { names: word(20)?, ..Extent::default() };
    while !rest.is_empty() {
        let field = |offset: usize| rest.pread_with::<u32>(offset, endian).ok();
        let (name, info, other) = (field(0)?, field(4)?, field(8)?);
        if info & !INFO != 0 {
            return None;
        }
        let count = usize::try_from(info & 0xffff).ok()?;
        let kind = (info >> 24) & 0x1f;
        // Most have no members, and some no name (`btf_check_meta` of each kind).
        let is_odd = match kind {
            1 | 2 | 3 | 7..=11 | 14 | 16..=18 if count != 0 => true,
            // Static or global.
            12 => count > 1,
            3 => name != 0 || other != 0,
            7 => name == 0 || other != 0,
            2 | 9..=11 | 13 => name != 0,
            _ => false,
        };
        if is_odd {
            return None;
        }
        let (more, leads) = match kind {
            // Whole numbers.
            1 => (4, false),
            // Pointers and what else is made of one type; functions.
            2 | 8..=12 | 18 => (0, true),
            // Arrays.
            3 => (12, false),
            // Structures, unions, sections, enumerations of 64 bits.
            4 | 5 | 15 | 19 => (count.checked_mul(12)?, false),
            // Enumerations.
            6 => (count.checked_mul(8)?, false),
            // What is declared elsewhere, floating numbers.
            7 | 16 => (0, false),
            // What functions take and return.
            13 => (count.checked_mul(8)?, true),
            // Variables, tags.
            14 | 17 => (4, true),
            _ => return None,
        };
        extent.types = extent.types.checked_add(1)?;
        extent.last_name = extent.last_name.max(name);
        if leads {
            extent.last_type = extent.last_type.max(other);
        }
        rest = rest.get(more.checked_add(12)?..)?;
    }
    Some(extent)
}

/// `BTF_INFO_MASK`: the bits of the kind, of its flag and of the count.
const INFO: u32 = 0x9f00_ffff;

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

    #[test]
    fn types_lead_to_names_and_types_of_the_module_or_the_kernel() {
        let with = |words: &[u32], names: &[u8]| {
            let types: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let len = types.len() as u32;
            let mut bytes = section([24, 0, len, len, names.len() as u32], MAGIC, 1)[..24].to_vec();
            bytes.extend(types);
            bytes.extend(names);
            extent(&bytes, Endian::Little)
        };
        // A whole number, a pointer to it, a structure of one member.
        let words = [5, 1 << 24, 4, 32, 0, 2 << 24, 41, 6, 4 << 24 | 1, 8, 1, 41, 0];
        let module = with(&words, b"\0ab\0").unwrap();
        assert_eq!(module, Extent { types: 3, names: 4, last_name: 6, last_type: 41 });
        let kernel = |types, names| Extent { types, names, ..Extent::default() };
        assert!(module.fits(&kernel(38, 3)));
        assert!(!module.fits(&kernel(37, 3)) && !module.fits(&kernel(38, 2)));
        for words in
            [&[5, 0, 4, 32][..], &[5, 20 << 24, 4], &[5, 1 << 24 | 1 << 16, 4, 32], &[5, 1 << 24, 4], &[5, 1]]
        {
            assert_eq!(with(words, b"\0"), None, "{words:?}");
        }
    }
}
