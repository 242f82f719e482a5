//! The symbol table, without a copy of anything.

use goblin::{
    container::Ctx,
    elf::{section_header::SHN_UNDEF, sym::Sym},
};
use scroll::Pread;

use super::string_at;
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

impl<'a> Symbols<'a> {
    /// A symbol table from its bytes and those of its string table. Bytes at the end of the table
    /// that make no whole entry are left out.
    pub fn parse(table: &'a [u8], strings: &'a [u8], ctx: Ctx) -> Self {
        Self { table, strings, ctx }
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
    /// When it does not lie within the string table.
    pub fn name(&self) -> Result<&'a [u8], Malformed> {
        string_at(self.strings, self.entry.st_name)
            .ok_or_else(|| Malformed::section(b".symtab", "a symbol's name is not within the string table"))
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
