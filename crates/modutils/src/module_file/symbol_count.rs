//! How many symbols a module may have that others know of.

use crate::{Errno, ErrorKind, Malformed};

/// The most symbols that are exported, needed or versioned. Debian's modules have up to 1,250, its kernel exports 13,000.
/// A few kilobytes of a compressed file can hold any number, and each takes the memory of its entries.
pub(super) const MOST: usize = 1 << 18;

/// Checks a number of symbols that came from a section.
///
/// # Errors
/// Of the kind [`ErrorKind::TooLarge`] where no module has so many.
pub(super) fn check(count: usize, section: &[u8]) -> Result<(), Malformed> {
    if count <= MOST {
        return Ok(());
    }
    let what = "it has more than 262144 symbols that are exported, needed or versioned";
    Err(Malformed::section(section, what).with_errno(Errno::EFBIG).of_kind(ErrorKind::TooLarge))
}

#[cfg(test)]
mod tests {
    use goblin::container::{Container, Ctx, Endian};

    use super::*;
    use crate::{
        elf::{Class, Symbols},
        module_file::{exports, needed, versions},
    };

    const FAULT: &str = "it has more than 262144 symbols that are exported, needed or versioned";

    fn is_refused<T>(read: Result<T, Malformed>, section: &str) {
        let fault = read.err().unwrap();
        assert_eq!(fault.to_string(), format!("section {section}: {FAULT}"));
    }

    #[test]
    fn more_symbols_than_any_module_has_are_refused() {
        let strings = b"e\0".repeat(MOST + 1);
        is_refused(exports::names(&strings).map(drop), "__ksymtab_strings");
        assert_eq!(exports::names(&strings[2..]).unwrap().count(), MOST);

        let record = [&[0; 8][..], b"v", &[0; 55]].concat();
        let records = record.repeat(MOST + 1);
        is_refused(versions::parse_records(&records, Class::Elf64, Endian::Little), "__versions");
        assert!(versions::parse_records(&records[64..], Class::Elf64, Endian::Little).is_ok());
        let crcs = vec![0; 4 * (MOST + 1)];
        is_refused(versions::parse_extended(&strings, &crcs, Endian::Little), "__version_ext_crcs");

        // An undefined global symbol of the name at 1.
        let symbol = [&[1, 0, 0, 0, 0x10][..], &[0; 19]].concat();
        let table = symbol.repeat(MOST + 1);
        let symbols = |table| Symbols::parse(table, b"\0u\0", Ctx::new(Container::Big, Endian::Little));
        is_refused(needed::find(symbols(&table), 62, &[]), ".symtab");
        assert_eq!(needed::find(symbols(&table[24..]), 62, &[]).unwrap().len(), MOST);
    }
}
