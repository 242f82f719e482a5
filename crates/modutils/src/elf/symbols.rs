//! The symbol table, without a copy of anything.

use goblin::{
    container::Ctx,
    elf::{
        section_header::{SHN_LORESERVE, SHN_UNDEF, SHN_XINDEX},
        sym::Sym,
    },
};
use scroll::Pread;

use super::{NAME_LIMIT, string_at};
use crate::Malformed;

/// A symbol table and the strings its names are in.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    table: &'a [u8],
    strings: &'a [u8],
    sections: &'a [u8],
    ctx: Ctx,
}

/// A symbol; its name is looked up when asked for, for most symbols of a module matter to nobody.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// The entry as goblin reads it.
    pub entry: Sym,
    strings: &'a [u8],
    /// The number of its section, where that is too large for the entry.
    extended: Option<u32>,
}

/// What the names that are kept of a symbol table may come to, all together.
///
/// In a sound file a name is in the string table once and belongs to one symbol. In a hostile
/// one all symbols share the longest name allowed, and what is kept of them would be a hundred times
/// the file.
#[derive(Debug)]
pub struct NameBudget {
    left: usize,
}

impl NameBudget {
    /// Counts a name that is going to be kept.
    ///
    /// # Errors
    /// When the names are more than the tables they come from.
    pub fn spend(&mut self, name: &[u8]) -> Result<(), Malformed> {
        let left = self.left.checked_sub(name.len());
        let fault = || Malformed::section(b".symtab", "the symbols' names are out of proportion to the file");
        self.left = left.ok_or_else(fault)?;
        Ok(())
    }
}

impl<'a> Symbols<'a> {
    /// A symbol table from its bytes and those of its string table. Bytes at the end of the table
    /// that make no whole entry are ignored.
    pub fn parse(table: &'a [u8], strings: &'a [u8], ctx: Ctx) -> Self {
        Self { table, strings, sections: &[], ctx }
    }

    /// The same, with the table of section numbers that are too large for the symbols' entries: a
    /// word for each symbol (`SHT_SYMTAB_SHNDX`).
    pub fn with_section_numbers(self, sections: &'a [u8]) -> Self {
        Self { sections, ..self }
    }

    /// A budget for the names of these symbols.
    pub fn name_budget(&self) -> NameBudget {
        // Names may share their ends: the entries' own bytes are room for that.
        NameBudget { left: self.table.len().saturating_add(self.strings.len()) }
    }

    /// The symbol of a number; none where the table has none.
    pub fn get(&self, index: usize) -> Option<Symbol<'a>> {
        let size = Sym::size(self.ctx.container);
        let entry = self.table.get(index.checked_mul(size)?..)?.get(..size)?;
        self.symbol(index, entry)
    }

    /// The symbols in table order.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let symbols = *self;
        let entries = symbols.table.chunks_exact(Sym::size(symbols.ctx.container)).enumerate();
        entries.filter_map(move |(index, entry)| symbols.symbol(index, entry))
    }

    fn symbol(&self, index: usize, entry: &[u8]) -> Option<Symbol<'a>> {
        let Self { strings, sections, ctx, .. } = *self;
        let word = index.checked_mul(4).and_then(|at| sections.pread_with(at, ctx.le).ok());
        Some(Symbol { entry: entry.pread_with(0, ctx).ok()?, strings, extended: word })
    }
}

impl<'a> Symbol<'a> {
    /// The symbol's name.
    ///
    /// # Errors
    /// When it does not lie within the string table, or is longer than [`NAME_LIMIT`].
    pub fn name(&self) -> Result<&'a [u8], Malformed> {
        string_at(self.strings, self.entry.st_name).ok_or_else(|| {
            let tail = self.strings.get(self.entry.st_name..).unwrap_or_default();
            let what = match tail.get(NAME_LIMIT) {
                Some(_) => "a symbol's name is longer than any name is",
                None => "a symbol's name is not within the string table",
            };
            Malformed::section(b".symtab", what)
        })
    }

    /// What follows `prefix` in the symbol's name; `None` where the name does not start with it.
    ///
    /// # Errors
    /// As [`Symbol::name`], but only where the name starts with the prefix.
    pub fn name_after(&self, prefix: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
        let starts = self.strings.get(self.entry.st_name..).is_some_and(|name| name.starts_with(prefix));
        if starts { Ok(self.name()?.strip_prefix(prefix)) } else { Ok(None) }
    }

    /// The number of the section that the symbol is in; `None` where it is in none, because it is
    /// undefined or its value is a plain number.
    pub fn section(&self) -> Option<usize> {
        match self.entry.st_shndx {
            index if index == SHN_XINDEX as usize => self.extended.map(|index| index as usize),
            index => (index != SHN_UNDEF as usize && index < SHN_LORESERVE as usize).then_some(index),
        }
    }

    /// Whether the symbol is needed from elsewhere. The null symbol and sections have no name and
    /// are not.
    pub fn is_undefined(&self) -> bool {
        self.entry.st_shndx == SHN_UNDEF as usize && self.entry.st_name != 0
    }
}
