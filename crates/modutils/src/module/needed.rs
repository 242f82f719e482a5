//! The symbols that a module needs from the kernel or from other modules.

use std::collections::HashMap;

use bstr::{BStr, ByteSlice};
use goblin::elf::{
    header::{EM_SPARC, EM_SPARCV9},
    sym::STB_WEAK,
};

use super::SymbolVersion;
use crate::{
    Malformed,
    elf::{Symbol, Symbols},
};

/// `STT_SPARC_REGISTER` of the SPARC supplement: an undefined symbol that only reserves a register.
const STT_SPARC_REGISTER: u8 = 13;

/// How strongly a module needs a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub struct NeededSymbol<'a> {
    /// The symbol's name.
    pub name: &'a BStr,
    /// The CRC that the module was built against.
    pub crc: Option<u64>,
    /// How strongly it is needed.
    pub binding: Binding,
}

/// The undefined symbols of a symbol table in its order, then the names that only the version table
/// has.
///
/// # Errors
/// When a symbol's name is not within the string table.
pub fn find<'a>(
    symbols: Symbols<'a>,
    machine: u16,
    versions: &[SymbolVersion<'a>],
) -> Result<Vec<NeededSymbol<'a>>, Malformed> {
    let mut unused: HashMap<&BStr, u64> =
        versions.iter().map(|version| (version.name, version.crc)).collect();
    let mut needed = Vec::new();
    for symbol in symbols.iter().filter(Symbol::is_undefined) {
        let is_sparc = matches!(machine, EM_SPARC | EM_SPARCV9);
        if is_sparc && symbol.entry.st_type() == STT_SPARC_REGISTER {
            continue;
        }
        let name = symbol.name()?.as_bstr();
        let binding = if symbol.entry.st_bind() == STB_WEAK { Binding::Weak } else { Binding::Global };
        needed.push(NeededSymbol { name, crc: unused.remove(name), binding });
    }
    let rest = versions.iter().filter_map(|version| {
        let crc = unused.remove(version.name)?;
        Some(NeededSymbol { name: version.name, crc: Some(crc), binding: Binding::Undefined })
    });
    needed.extend(rest);
    Ok(needed)
}
