//! The symbols that a module needs from the kernel or from other modules.

use std::collections::HashMap;

use bstr::{BStr, ByteSlice};
use foldhash::fast::RandomState;
use goblin::elf::{
    header::{EM_SPARC, EM_SPARCV9},
    sym::STB_WEAK,
};

use super::{SymbolVersion, symbol_count};
use crate::{
    Malformed,
    elf::{Symbol, Symbols},
};

/// `STT_SPARC_REGISTER` of the SPARC supplement: an undefined symbol that only reserves a register.
const STT_SPARC_REGISTER: u8 = 13;

/// How strongly a module needs a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// Undefined in the symbol table: without it the module does not load.
    Global,
    /// Weak and undefined: without it the module loads all the same.
    Weak,
    /// Named by the version table only.
    Undefined,
}

/// A symbol needed from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NeededSymbol<'a> {
    /// The symbol's name.
    pub name: &'a BStr,
    /// The CRC that the module was built against.
    pub crc: Option<u64>,
    /// How strongly it is needed.
    pub binding: Binding,
}

/// The undefined symbols of a symbol table in its order, then those entries of the version table that
/// belong to none of them. Both tables are compared by names as they stand, dots included.
///
/// # Errors
/// When a symbol's name is not within the string table, the names are out of proportion to it, or more than any
/// module has.
pub fn find<'a>(
    symbols: Symbols<'a>,
    machine: u16,
    versions: &[SymbolVersion<'a>],
) -> Result<Vec<NeededSymbol<'a>>, Malformed> {
    let mut places: HashMap<&BStr, usize, RandomState> =
        HashMap::with_capacity_and_hasher(versions.len(), RandomState::default());
    for (place, version) in versions.iter().enumerate() {
        places.entry(version.name).or_insert(place);
    }
    let mut unused: Vec<Option<&SymbolVersion<'a>>> = versions.iter().map(Some).collect();
    let mut needed = Vec::with_capacity(versions.len());
    let mut budget = symbols.name_budget();
    for symbol in symbols.iter().filter(|symbol| is_needed(symbol, machine)) {
        let name = symbol.name()?.as_bstr();
        if name.is_empty() {
            continue;
        }
        budget.spend(name)?;
        let place = places.get(name).copied();
        if let Some(unused) = place.and_then(|place| unused.get_mut(place)) {
            *unused = None;
        }
        let crc = place.and_then(|place| versions.get(place)).map(|version| version.crc);
        let binding = if symbol.entry.st_bind() == STB_WEAK { Binding::Weak } else { Binding::Global };
        needed.push(NeededSymbol { name, crc, binding });
        symbol_count::check(needed.len(), b".symtab")?;
    }
    let rest = unused.into_iter().flatten();
    let rest = rest.map(|&SymbolVersion { name, crc }| (name, Some(crc), Binding::Undefined));
    needed.extend(rest.map(|(name, crc, binding)| NeededSymbol { name, crc, binding }));
    Ok(needed)
}

fn is_needed(symbol: &Symbol<'_>, machine: u16) -> bool {
    let is_sparc = matches!(machine, EM_SPARC | EM_SPARCV9);
    symbol.is_undefined() && !(is_sparc && symbol.entry.st_type() == STT_SPARC_REGISTER)
}
