//! The symbol table, without a copy of anything.

use goblin::{
    container::Ctx,
    elf::{section_header::SHN_UNDEF, sym::Sym},
};
use scroll::Pread;

use super::{NAME_LIMIT, string_at};
use crate::Malformed;

/// A symbol table and the strings its names are in.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    table: &'a [u8],
    strings: &'a [u8],
    ctx: Ctx,
}

/// A symbol; its name is looked up when asked for, for most symbols of a module matter to nobody.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// The entry as goblin reads it.
    pub entry: Sym,
    strings: &'a [u8],
}

/// What the names that are kept of a symbol table may come to, all together.
///
/// In a sound file a name stands in the string table once and belongs to one symbol. In a hostile
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
    /// that make no whole entry are left out.
    pub fn parse(table: &'a [u8], strings: &'a [u8], ctx: Ctx) -> Self {
        Self { table, strings, ctx }
    }

    /// A budget for the names of these symbols.
    pub fn name_budget(&self) -> NameBudget {
        // Names may share their ends: the entries' own bytes are room for that.
        NameBudget { left: self.table.len().saturating_add(self.strings.len()) }
    }

    /// The symbols in table order.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let Self { table, strings, ctx } = *self;
        let entries = table.chunks_exact(Sym::size(ctx.container));
        entries.filter_map(move |entry| Some(Symbol { entry: entry.pread_with(0, ctx).ok()?, strings }))
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

    /// Whether the symbol is needed from elsewhere. The null symbol and sections have no name and
    /// are not.
    pub fn is_undefined(&self) -> bool {
        self.entry.st_shndx == SHN_UNDEF as usize && self.entry.st_name != 0
    }
}
