//! The view of an ELF file gives the facts of a module.
//!
//! Each kind of fact has a file of its own with a plain parser of bytes; [`ModuleFile`] finds the bytes
//! for them. Facts borrow their names from the module, which keeps the sections it has read.

pub mod builtin;
pub mod exports;
pub mod modinfo;
pub mod needed;
pub mod parameters;
pub mod signature;
pub mod this_module;
pub mod versions;

use std::path::Path;

pub use exports::ExportedSymbol;
pub use modinfo::{Field, ModInfo};
pub use needed::{Binding, NeededSymbol};
pub use parameters::Parameter;
pub use signature::{IdType, Signature};
pub use this_module::ThisModule;
pub use versions::SymbolVersion;

use crate::Errno;

use crate::{
    Error, Malformed, ModuleName, Result,
    elf::Elf,
    file::{Contents, Scratch},
};

/// A kernel module in a file.
#[derive(Debug)]
pub struct ModuleFile {
    elf: Elf,
    name: ModuleName,
}

impl ModuleFile {
    /// Opens a module file, whatever its compression.
    ///
    /// # Errors
    /// As [`Contents::open`] and [`Elf::parse`], and as [`ModuleFile::from_elf`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &mut Scratch::default())
    }

    /// As [`ModuleFile::open`], with memory and limit of `scratch`, which can have it back
    /// ([`ModuleFile::into_contents`], [`Scratch::recycle`]).
    ///
    /// # Errors
    /// As [`ModuleFile::open`].
    pub fn open_with(path: &Path, scratch: &mut Scratch) -> Result<Self> {
        Self::from_elf(Elf::parse(Contents::open_with(path, scratch)?)?)
    }

    /// Takes an ELF file for a module. Whether it is one, the facts will tell: nothing is read yet.
    ///
    /// # Errors
    /// When the path has no file name that could be a module's.
    pub fn from_elf(elf: Elf) -> Result<Self> {
        let name = ModuleName::from_path(elf.path());
        let name = name.ok_or_else(|| Malformed::file("no module name in this path").at(elf.path()))?;
        Ok(Self { elf, name })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        self.elf.path()
    }

    /// Gives the file's contents back.
    pub fn into_contents(self) -> Contents {
        self.elf.into_contents()
    }

    /// The module's name, which is that of the file.
    pub fn name(&self) -> &ModuleName {
        &self.name
    }

    /// The file's sections and symbols.
    pub fn elf(&self) -> &Elf {
        &self.elf
    }

    /// What the module says of itself: section `.modinfo`, in its order.
    ///
    /// # Errors
    /// When the file has no such section, or it cannot be read.
    pub fn modinfo(&self) -> Result<ModInfo<'_>> {
        self.modinfo_section().map(ModInfo::parse)
    }

    /// The bytes that [`ModuleFile::modinfo`] parses.
    ///
    /// # Errors
    /// As [`ModuleFile::modinfo`].
    pub fn modinfo_section(&self) -> Result<&[u8]> {
        let missing = || Malformed::file("no section .modinfo: not a module").with_errno(Errno::ENODATA);
        self.elf.section(b".modinfo")?.ok_or_else(|| self.fault(missing()))
    }

    /// The CRCs of the symbols that the module was built against, in table order; empty where the
    /// kernel had no CONFIG_MODVERSIONS. A dot before a name is left out.
    ///
    /// # Errors
    /// When a table is damaged or cannot be read.
    pub fn versions(&self) -> Result<Vec<SymbolVersion<'_>>> {
        let versions = self.versions_as_they_stand()?;
        Ok(versions.into_iter().map(SymbolVersion::without_dot).collect())
    }

    /// The symbols that the module offers to others.
    ///
    /// # Errors
    /// When the symbol table or the strings of the exports are damaged or cannot be read.
    pub fn exported_symbols(&self) -> Result<Vec<ExportedSymbol<'_>>> {
        exports::read(&self.elf)
    }

    /// The symbols that the module needs from the kernel or from other modules: the undefined ones
    /// of the symbol table in its order, then those that only the version table names.
    ///
    /// # Errors
    /// When the symbol table or the version table is damaged or cannot be read.
    pub fn needed_symbols(&self) -> Result<Vec<NeededSymbol<'_>>> {
        let needed = needed::find(self.elf.symbols()?, self.elf.machine(), &self.versions_as_they_stand()?);
        needed.map_err(|fault| self.fault(fault))
    }

    /// The image of the kernel's `struct module`; `None` where the file has none.
    ///
    /// # Errors
    /// When the image cannot be read or ends before the name does.
    pub fn this_module(&self) -> Result<Option<ThisModule<'_>>> {
        let Some(bytes) = self.elf.section(this_module::SECTION)? else { return Ok(None) };
        ThisModule::parse(bytes, self.elf.class()).map(Some).map_err(|fault| self.fault(fault))
    }

    /// The signature at the end of the file; `None` where the module is not signed.
    ///
    /// # Errors
    /// When reading fails.
    pub fn signature(&self) -> Result<Option<Signature>> {
        Signature::read(self.elf.contents())
    }

    fn versions_as_they_stand(&self) -> Result<Vec<SymbolVersion<'_>>> {
        // The kernel, too, reads the extended pair alone where there is one: it is the complete one.
        let names = self.elf.section(versions::EXTENDED_NAMES)?;
        let crcs = self.elf.section(versions::EXTENDED_CRCS)?;
        let versions = match (names, crcs) {
            (Some(names), Some(crcs)) => versions::parse_extended(names, crcs, self.elf.endian()),
            _ => {
                let records = self.elf.section(versions::RECORDS)?.unwrap_or_default();
                versions::parse_records(records, self.elf.class(), self.elf.endian())
            }
        };
        versions.map_err(|fault| self.fault(fault))
    }

    fn fault(&self, fault: Malformed) -> Error {
        fault.at(self.path())
    }
}

#[cfg(test)]
mod tests;
