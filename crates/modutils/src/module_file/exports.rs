//! The symbols that a module offers to others.
//!
//! `EXPORT_SYMBOL` leaves, per symbol, an entry in `__ksymtab`, its name in `__ksymtab_strings` and,
//! with CONFIG_MODVERSIONS, a symbol `__crc_NAME` (`include/linux/export.h`,
//! `scripts/mod/modpost.c`). That symbol's value is the CRC, or, since Linux 4.9 on some
//! architectures and since 6.4 on all, the place of the CRC in `__kcrctab`. Where there are no CRCs
//! the strings give the names, of exports and of namespaces. That only GPL modules may use a symbol follows from the section of its
//! entry (`__ksymtab_gpl`) or, since Linux 7.0, by a byte of flags (`__flags_NAME`).

use std::collections::HashMap;

use bstr::{BStr, ByteSlice};
use foldhash::fast::RandomState;
use scroll::Pread;

use super::symbol_count;
use crate::{
    Malformed, Result,
    elf::{Elf, Symbol, string_at},
};

const STRINGS: &[u8] = b"__ksymtab_strings";

/// The sections with entries of symbols for GPL modules only; the second until Linux 5.11.
const GPL_SECTIONS: [&[u8]; 2] = [b"__ksymtab_gpl", b"__ksymtab_unused_gpl"];

/// `KSYM_FLAG_GPL_ONLY` in `include/linux/module_symbol.h`.
const GPL_ONLY: u8 = 1;

/// A symbol offered to other modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedSymbol<'a> {
    /// The symbol's name.
    pub name: &'a BStr,
    /// The CRC of its type; `None` where the kernel has no CONFIG_MODVERSIONS.
    pub crc: Option<u64>,
    /// Whether only modules with a GPL-compatible licence may use it.
    pub gpl_only: bool,
    /// The namespace that a user must import; `None` for most symbols.
    pub namespace: Option<&'a BStr>,
    /// Whether the symbol table names its entry in the kernel's table of exports. Where a file has no CRCs its names
    /// come from the strings of that table, and these include namespaces, which have no entry.
    pub has_entry: bool,
}

/// What the symbol table records of each exported symbol besides its CRC.
#[derive(Default)]
struct Details<'a> {
    /// Of the symbols that have an entry.
    gpl_only: HashMap<&'a [u8], bool, RandomState>,
    namespaces: HashMap<&'a [u8], &'a BStr, RandomState>,
}

/// The exported symbols of a file, in the order of their `__crc_` symbols, or else of their names in
/// `__ksymtab_strings`.
pub(super) fn read(elf: &Elf) -> Result<Vec<ExportedSymbol<'_>>> {
    let strings = elf.section(STRINGS)?.unwrap_or_default();
    let mut details = Details::default();
    let mut crcs = Vec::new();
    let symbols = elf.symbols()?;
    let mut budget = symbols.name_budget();
    for symbol in symbols.iter() {
        let fault = |fault: Malformed| fault.at(elf.path());
        let Some(marker) = symbol.name_after(b"__").map_err(fault)? else { continue };
        budget.spend(marker).map_err(fault)?;
        if let Some(name) = marker.strip_prefix(b"crc_") {
            crcs.push((name, Some(crc(elf, &symbol)?)));
        } else {
            details.note(elf, marker, &symbol, strings)?;
        }
        symbol_count::check(crcs.len().max(details.len()), b".symtab").map_err(fault)?;
    }
    if crcs.is_empty() {
        crcs = names(strings).map_err(|fault| fault.at(elf.path()))?.map(|name| (name, None)).collect();
    }
    Ok(crcs.into_iter().map(|(name, crc)| details.complete(name, crc)).collect())
}

/// The names in the bytes of `__ksymtab_strings`; namespaces stand between them and cannot be determined
/// apart.
///
/// # Errors
/// When the last name has no end, or there are more names than any module has.
pub fn names(strings: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Malformed> {
    if strings.last().is_some_and(|&byte| byte != 0) {
        return Err(Malformed::section(STRINGS, "its last name has no end"));
    }
    let names = || strings.split_str(b"\0").filter(|name| !name.is_empty());
    symbol_count::check(names().take(symbol_count::MOST + 1).count(), STRINGS)?;
    Ok(names())
}

/// The CRC that a symbol `__crc_NAME` stands for: its value, or the word in its section that it
/// points at. A word that is not there is taken for a CRC that agrees with no other, as kmod does.
fn crc(elf: &Elf, symbol: &Symbol<'_>) -> Result<u64> {
    if symbol.section().is_none() {
        return Ok(symbol.entry.st_value);
    }
    Ok(bytes_at(elf, symbol)?.pread_with::<u32>(0, elf.endian()).map_or(u64::MAX, u64::from))
}

/// The bytes of a symbol's section from the place it stands for.
fn bytes_at<'a>(elf: &'a Elf, symbol: &Symbol<'_>) -> Result<&'a [u8]> {
    let Some(section) = symbol.section() else { return Ok(&[]) };
    let bytes = elf.section_at(section)?.unwrap_or_default();
    let offset = usize::try_from(symbol.entry.st_value).ok();
    Ok(offset.and_then(|offset| bytes.get(offset..)).unwrap_or_default())
}

impl<'a> Details<'a> {
    /// How many symbols are known.
    fn len(&self) -> usize {
        self.gpl_only.len().max(self.namespaces.len())
    }

    /// Notes what a symbol named `__` plus `marker` records about an export.
    fn note(&mut self, elf: &'a Elf, marker: &'a [u8], symbol: &Symbol<'a>, strings: &'a [u8]) -> Result<()> {
        if let Some(name) = marker.strip_prefix(b"ksymtab_") {
            let is_in =
                |name: &&[u8]| symbol.section().is_some_and(|index| elf.section_is_named(index, name));
            let gpl_only = GPL_SECTIONS.iter().any(is_in);
            *self.gpl_only.entry(name).or_default() |= gpl_only;
        } else if let Some(name) = marker.strip_prefix(b"kstrtab_") {
            self.gpl_only.entry(name).or_default();
        } else if let Some(name) = marker.strip_prefix(b"flags_") {
            let gpl_only = bytes_at(elf, symbol)?.first().is_some_and(|flags| flags & GPL_ONLY != 0);
            *self.gpl_only.entry(name).or_default() |= gpl_only;
        } else if let Some(name) = marker.strip_prefix(b"kstrtabns_") {
            let offset = usize::try_from(symbol.entry.st_value).unwrap_or(usize::MAX);
            let namespace = string_at(strings, offset);
            if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
                self.namespaces.insert(name, namespace.as_bstr());
            }
        }
        Ok(())
    }

    fn complete(&self, name: &'a [u8], crc: Option<u64>) -> ExportedSymbol<'a> {
        let entry = self.gpl_only.get(name).copied();
        let namespace = self.namespaces.get(name).copied();
        let (gpl_only, has_entry) = (entry.unwrap_or_default(), entry.is_some());
        ExportedSymbol { name: name.as_bstr(), crc, gpl_only, namespace, has_entry }
    }
}
