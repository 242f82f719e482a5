//! The version tables: the CRC of every symbol that a module was built against.
//!
//! Two forms, written by `scripts/mod/modpost.c` and read by `kernel/module/version.c`:
//! `__versions`, an array of `struct modversion_info` (`include/linux/module.h`), and since Linux
//! 6.14 the pair `__version_ext_crcs` and `__version_ext_names`, for the names of Rust symbols are
//! longer than the array's fixed field.

use bstr::{BStr, ByteSlice};
use goblin::container::Endian;
use scroll::Pread;

use super::symbol_count;
use crate::{Malformed, elf::Class, formats::symbol};

/// The section of fixed records.
pub(super) const RECORDS: &[u8] = b"__versions";
/// The section of names of the extended form.
pub(super) const EXTENDED_NAMES: &[u8] = b"__version_ext_names";
/// The section of CRCs of the extended form.
pub(super) const EXTENDED_CRCS: &[u8] = b"__version_ext_crcs";

/// `sizeof(struct modversion_info)`, on 32 and 64-bit kernels.
const RECORD_LEN: usize = 64;

/// A symbol and the CRC of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SymbolVersion<'a> {
    /// The symbol's name.
    pub name: &'a BStr,
    /// The CRC.
    pub crc: u64,
}

impl SymbolVersion<'_> {
    /// The same without the dot that 64-bit PowerPC may put before a name.
    pub(super) fn without_dot(self) -> Self {
        Self { name: symbol::without_dot(self.name).as_bstr(), ..self }
    }
}

/// The records of a `__versions` section: a CRC as wide as a word, then the name in what remains of
/// 64 bytes.
///
/// # Errors
/// When the section is not a whole number of records, a name has no end, or there are more than any module has.
pub fn parse_records(
    bytes: &[u8],
    class: Class,
    endian: Endian,
) -> Result<Vec<SymbolVersion<'_>>, Malformed> {
    let records = bytes.chunks_exact(RECORD_LEN);
    if !records.remainder().is_empty() {
        return Err(Malformed::section(RECORDS, "its size is not a multiple of 64"));
    }
    symbol_count::check(records.len(), RECORDS)?;
    let unterminated = || Malformed::section(RECORDS, "a symbol's name has no end");
    let record = |record| {
        let (crc, name) = split_record(record, class, endian).ok_or_else(unterminated)?;
        let name = name.split_once_str(b"\0").ok_or_else(unterminated)?.0;
        Ok(SymbolVersion { name: name.as_bstr(), crc })
    };
    records.map(record).collect()
}

/// The pairs of the sections `__version_ext_names`, NUL-terminated names one after the other, and
/// `__version_ext_crcs`, 32-bit CRCs in the same order.
///
/// # Errors
/// When there is not one name for each CRC, or there are more than any module has.
pub fn parse_extended<'a>(
    names: &'a [u8],
    crcs: &[u8],
    endian: Endian,
) -> Result<Vec<SymbolVersion<'a>>, Malformed> {
    let crcs = crcs.chunks_exact(4);
    if !crcs.remainder().is_empty() {
        return Err(Malformed::section(EXTENDED_CRCS, "its size is not a multiple of 4"));
    }
    symbol_count::check(crcs.len(), EXTENDED_CRCS)?;
    let mut names = names;
    let mut versions = Vec::with_capacity(crcs.len());
    for crc in crcs {
        let (name, rest) = names
            .split_once_str(b"\0")
            .ok_or_else(|| Malformed::section(EXTENDED_NAMES, "fewer names than CRCs"))?;
        let crc = crc.first_chunk().copied().unwrap_or_default();
        let crc = if endian.is_little() { u32::from_le_bytes(crc) } else { u32::from_be_bytes(crc) };
        versions.push(SymbolVersion { name: name.as_bstr(), crc: crc.into() });
        names = rest;
    }
    // modpost ends the names with one NUL more.
    if names.iter().any(|&byte| byte != 0) {
        return Err(Malformed::section(EXTENDED_NAMES, "more names than CRCs"));
    }
    Ok(versions)
}

fn split_record(record: &[u8], class: Class, endian: Endian) -> Option<(u64, &[u8])> {
    let (crc, name) = record.split_at_checked(class.word())?;
    let crc = match class {
        Class::Elf32 => crc.pread_with::<u32>(0, endian).ok()?.into(),
        Class::Elf64 => crc.pread_with::<u64>(0, endian).ok()?,
    };
    Some((crc, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(name: &str, crc: u64) -> SymbolVersion<'_> {
        SymbolVersion { name: name.into(), crc }
    }

    #[test]
    fn records_have_the_width_and_order_of_the_machine() {
        let mut record = [0; 64];
        record[..8].copy_from_slice(&0x11_u64.to_le_bytes());
        record[8..12].copy_from_slice(b"name");
        assert_eq!(parse_records(&record, Class::Elf64, Endian::Little), Ok(vec![version("name", 0x11)]));
        let mut record = [0; 64];
        record[..4].copy_from_slice(&0x22_u32.to_be_bytes());
        record[4..9].copy_from_slice(b".name");
        let versions = parse_records(&record, Class::Elf32, Endian::Big).unwrap();
        assert_eq!(versions, [version(".name", 0x22)]);
        assert_eq!(versions[0].without_dot(), version("name", 0x22));
    }

    #[test]
    fn damaged_records_are_errors() {
        let error =
            |bytes: &[u8]| parse_records(bytes, Class::Elf64, Endian::Little).unwrap_err().to_string();
        assert_eq!(error(&[0; 65]), "section __versions: its size is not a multiple of 64");
        assert_eq!(error(&[1; 64]), "section __versions: a symbol's name has no end");
    }

    #[test]
    fn the_extended_pair_must_match() {
        let parse = |names: &'static [u8], crcs: &[u8]| parse_extended(names, crcs, Endian::Little);
        let crcs = [1, 0, 0, 0, 2, 0, 0, 0];
        assert_eq!(parse(b"a\0long\0\0", &crcs), Ok(vec![version("a", 1), version("long", 2)]));
        assert!(parse(b"a\0", &crcs).unwrap_err().to_string().ends_with("fewer names than CRCs"));
        assert!(parse(b"a\0b\0c\0", &crcs).unwrap_err().to_string().ends_with("more names than CRCs"));
        assert!(parse(b"a\0", &crcs[..3]).unwrap_err().to_string().ends_with("not a multiple of 4"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(a in prop::collection::vec(0..3_u8, 0..300), b: Vec<u8>) {
            let _ = parse_records(&a, Class::Elf32, Endian::Big);
            let _ = parse_extended(&a, &b, Endian::Big);
        }
    }
}
