//! What is in a module's file: `.modinfo`, the symbols it offers and needs with their versions, its
//! signature.
//!
//! [`ModuleFile`] opens a file, whatever its compression, and finds the bytes for each kind of fact;
//! these borrow their names from it. A module that belongs to a module directory is better asked by a
//! [`Module`](crate::Module), which knows its file.
//!
//! ```
//! use modutils::module_file::{Binding, ModuleFile};
//! # use testkit::{Compression, Crc, ModuleBuilder};
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("snd-hello.ko.xz");
//! # let module = ModuleBuilder::new("snd_hello").modinfo("license", "GPL").modinfo("parm", "index:Its number.");
//! # let module = module.modinfo("parmtype", "index:int").export("snd_hello_new", Crc::Absolute(0x1234));
//! # let module = module.needs("snd_card_new", 0xbeef).compressed(Compression::Xz);
//! # std::fs::write(&path, module.build())?;
//!
//! let module = ModuleFile::open(&path)?;
//! assert_eq!(module.name().as_bytes(), b"snd_hello");
//!
//! let info = module.modinfo()?;
//! assert_eq!(info.value("license"), Some("GPL".into()));
//! let index = info.parameters()[0];
//! assert_eq!((index.name, index.kind), ("index".into(), Some("int".into())));
//!
//! let needed = module.needed_symbols()?[0];
//! assert_eq!((needed.name, needed.crc, needed.binding), ("snd_card_new".into(), Some(0xbeef), Binding::Global));
//! assert_eq!(module.exported_symbols()?[0].name, "snd_hello_new");
//! assert_eq!(module.signature()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod builtin;
mod exports;
mod in_order;
mod modinfo;
mod needed;
mod notes;
pub(crate) mod parameters;
pub(crate) mod signature;
mod symbol_count;
mod this_module;
mod versions;

use std::path::Path;

pub use crate::formats::extension::has_module_extension;
pub use exports::ExportedSymbol;
pub use in_order::{Wanted, read_in_order};
pub use modinfo::{Field, ModInfo};
pub use needed::{Binding, NeededSymbol};
pub use parameters::Parameter;
pub use signature::{IdType, Signature, SignatureDetails};
pub use this_module::ThisModule;
pub use versions::SymbolVersion;

use crate::{
    Errno, Error, Malformed, ModuleName, Result,
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
    /// Opens a module file, whatever its compression. Whether it is a module's, the facts will show:
    /// only the ELF header and the section table are read yet.
    ///
    /// # Errors
    /// When the file cannot be opened or read, is not a regular file, is empty, is a damaged compressed
    /// stream, holds more than a gibibyte, or is not an ELF file whose section table is sound; when it has
    /// no name that could be a module's.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &mut Scratch::default())
    }

    /// Takes the bytes of a module file, whatever its compression. The path is the name that errors give
    /// them, and the module's name is that of the path's file.
    ///
    /// # Errors
    /// As [`ModuleFile::open`], except for those of opening and reading.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        Self::from_elf(Elf::parse(Contents::from_bytes(path, bytes)?)?)
    }

    /// As [`ModuleFile::open`], with memory and limit of `scratch`, which can have it back
    /// ([`ModuleFile::into_contents`], [`Scratch::recycle`]).
    ///
    /// # Errors
    /// As [`ModuleFile::open`].
    pub(crate) fn open_with(path: &Path, scratch: &mut Scratch) -> Result<Self> {
        Self::from_elf(Elf::parse(Contents::open_with(path, scratch)?)?)
    }

    /// Takes an ELF file for a module. Whether it is one, the facts will show: nothing is read yet.
    ///
    /// # Errors
    /// When the path has no file name that could be a module's.
    pub(crate) fn from_elf(elf: Elf) -> Result<Self> {
        let name = ModuleName::from_path(elf.path());
        let name = name.ok_or_else(|| Malformed::file("no module name in this path").at(elf.path()))?;
        Ok(Self { elf, name })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        self.elf.path()
    }

    /// Gives the file's contents back.
    pub(crate) fn into_contents(self) -> Contents {
        self.elf.into_contents()
    }

    /// The module's name, which is that of the file.
    pub fn name(&self) -> &ModuleName {
        &self.name
    }

    /// The name that the kernel gives the module, whatever its file is called: that of its `struct module`, else
    /// that of its `.modinfo`, which modules have since Linux 5.0, else the file's.
    ///
    /// # Errors
    /// When a section is damaged or cannot be read.
    pub fn kernel_name(&self) -> Result<ModuleName> {
        if let Some(this) = self.this_module()? {
            return Ok(ModuleName::new(this.name));
        }
        let section = self.elf.section(b".modinfo")?.map(ModInfo::within_limits).transpose();
        let info = section.map_err(|fault| self.fault(fault))?.map(ModInfo::parse);
        let name = info.as_ref().and_then(|info| info.value("name"));
        Ok(name.map_or_else(|| self.name.clone(), ModuleName::new))
    }

    /// The file's sections and symbols.
    pub(crate) fn elf(&self) -> &Elf {
        &self.elf
    }

    /// The module's own description: section `.modinfo`, in its order.
    ///
    /// # Errors
    /// When the file has no such section, or it cannot be read; where it is larger than 1 MiB or has more than 65536
    /// entries, an error of the kind [`TooLarge`](crate::ErrorKind::TooLarge).
    pub fn modinfo(&self) -> Result<ModInfo<'_>> {
        self.modinfo_section().map(ModInfo::parse)
    }

    /// The bytes that [`ModuleFile::modinfo`] parses.
    ///
    /// # Errors
    /// As [`ModuleFile::modinfo`].
    pub fn modinfo_section(&self) -> Result<&[u8]> {
        let missing = || Malformed::file("no section .modinfo: not a module").with_errno(Errno::ENODATA);
        let section = self.elf.section(b".modinfo")?.ok_or_else(missing);
        section.and_then(ModInfo::within_limits).map_err(|fault| self.fault(fault))
    }

    /// The parameters that the module takes.
    ///
    /// # Errors
    /// As [`ModuleFile::modinfo`].
    pub fn parameters(&self) -> Result<Vec<Parameter<'_>>> {
        Ok(self.modinfo()?.parameters())
    }

    /// The CRCs of the symbols that the module was built against, in table order; empty where the
    /// kernel had no CONFIG_MODVERSIONS. A dot before a name is skipped.
    ///
    /// # Errors
    /// When a table is damaged or cannot be read.
    pub fn versions(&self) -> Result<Vec<SymbolVersion<'_>>> {
        let versions = self.versions_as_they_stand()?;
        Ok(versions.into_iter().map(SymbolVersion::without_dot).collect())
    }

    /// Whether the file has a symbol table. Without one it was stripped: it is unknown which symbols the module
    /// needs, but for those of its version table, and the kernel does not load it.
    pub fn has_symbols(&self) -> bool {
        self.elf.has_symbols()
    }

    /// The symbols that the module offers to others.
    ///
    /// # Errors
    /// When the symbol table or the strings of the exports are damaged or cannot be read.
    pub fn exported_symbols(&self) -> Result<Vec<ExportedSymbol<'_>>> {
        exports::read(&self.elf)
    }

    /// The symbols that the module needs from the kernel or from other modules: the undefined ones
    /// of the symbol table in its order, then the ones that only the version table names.
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
    /// When reading fails; where the crate was built without its feature `signature`, an error of the kind
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the signature is a PKCS#7 message, as all are that
    /// kernels since Linux 4.4 take.
    pub fn signature(&self) -> Result<Option<Signature>> {
        Signature::read(self.elf.contents())
    }

    /// The identifier that the linker gave this build of the module (`ld --build-id`); `None` where it has none.
    ///
    /// # Errors
    /// When the section of the note is damaged or cannot be read.
    pub fn build_id(&self) -> Result<Option<&[u8]>> {
        let Some(notes) = self.elf.section(notes::BUILD_ID)? else { return Ok(None) };
        notes::build_id(notes, self.elf.endian()).map_err(|fault| self.fault(fault))
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
