//! A builder of module files.

use object::elf;

use crate::arch::Arch;
use crate::code::Code;
use crate::compress::Compression;
use crate::elf::{self as writer, Place, Section, Symbol};
use crate::export::{self, Crc, Export, ExportTables};
use crate::parameters::{self, Setter};
use crate::signature::{Signature, SigningKey};
use crate::versions::{self, VersionTables};

/// Writes a module file: a relocatable ELF file with the sections that a kernel build puts into one.
///
/// It starts as an empty module for x86-64 with a name; every method adds to it. Nothing is implied: a `.modinfo` section
/// exists once an entry was added, and so on. To every reader the files look like modules; they have code that a kernel
/// could run where a [function](ModuleBuilder::function) was added.
///
/// ```
/// use testkit::{Crc, ModuleBuilder};
///
/// let hello = ModuleBuilder::new("hello")
///     .modinfo("license", "GPL")
///     .export("square", Crc::Section(0x1234_5678))
///     .needs("_printk", 0x9c66_1122)
///     .build();
/// assert!(hello.starts_with(b"\x7fELF"));
/// ```
#[derive(Debug, Clone)]
pub struct ModuleBuilder {
    name: Vec<u8>,
    arch: Arch,
    modinfo: Vec<u8>,
    exports: Vec<Export>,
    export_tables: ExportTables,
    symbols: Vec<Symbol>,
    versions: Vec<(Vec<u8>, u32)>,
    version_tables: VersionTables,
    this_module_size: Option<usize>,
    functions: Vec<(String, u64, Code)>,
    sections: Vec<Section>,
    parameters: Vec<(Vec<u8>, Setter)>,
    empty_sections: usize,
    signature: Option<Signature>,
    signed_by: Option<(std::sync::Arc<SigningKey>, String)>,
    compression: Compression,
}

impl ModuleBuilder {
    /// A module for x86-64 with `name` in its `struct module`.
    pub fn new(name: impl AsRef<[u8]>) -> ModuleBuilder {
        ModuleBuilder {
            name: name.as_ref().to_vec(),
            arch: Arch::X86_64,
            modinfo: Vec::new(),
            exports: Vec::new(),
            export_tables: ExportTables::default(),
            symbols: Vec::new(),
            versions: Vec::new(),
            version_tables: VersionTables::default(),
            this_module_size: None,
            functions: Vec::new(),
            sections: Vec::new(),
            parameters: Vec::new(),
            empty_sections: 0,
            signature: None,
            signed_by: None,
            compression: Compression::Plain,
        }
    }

    /// Writes it for another architecture.
    pub fn arch(mut self, arch: Arch) -> Self {
        self.arch = arch;
        self
    }

    /// Adds a parameter to the table that the kernel reads; `.modinfo` describes it only where entries are added.
    pub fn parameter(mut self, name: impl AsRef<[u8]>, setter: Setter) -> Self {
        self.parameters.push((name.as_ref().to_vec(), setter));
        self
    }

    /// Adds `key=value` to `.modinfo`. Entries keep their order; a key may be repeated.
    pub fn modinfo(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let entry = [key.as_ref(), b"=", value.as_ref(), b"\0"].concat();
        self.modinfo_raw(entry)
    }

    /// Adds bytes to `.modinfo` unchanged, without `=` or NUL.
    pub fn modinfo_raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.modinfo.extend_from_slice(bytes.as_ref());
        self
    }

    /// Adds `alias=PATTERN` to `.modinfo`.
    pub fn alias(self, pattern: impl AsRef<[u8]>) -> Self {
        self.modinfo("alias", pattern)
    }

    /// Exports a symbol to every module; [`ModuleBuilder::export_as`] takes GPL and namespaces.
    pub fn export(self, name: impl AsRef<[u8]>, crc: Crc) -> Self {
        self.export_as(Export::new(name).crc(crc))
    }

    /// Exports a symbol.
    pub fn export_as(mut self, export: Export) -> Self {
        self.exports.push(export);
        self
    }

    /// Chooses the tables that list the exports.
    pub fn export_tables(mut self, tables: ExportTables) -> Self {
        self.export_tables = tables;
        self
    }

    /// Imports a symbol, with the CRC that it must have, or without a CRC (`None`).
    pub fn needs(self, name: impl AsRef<[u8]>, crc: impl Into<Option<u32>>) -> Self {
        let symbol = Symbol::global(name, Place::Undefined, 0);
        self.import(symbol, crc.into())
    }

    /// Imports a symbol if it exists.
    pub fn needs_weak(self, name: impl AsRef<[u8]>, crc: impl Into<Option<u32>>) -> Self {
        let symbol = Symbol::global(name, Place::Undefined, 0).binding(elf::STB_WEAK);
        self.import(symbol, crc.into())
    }

    /// Adds a name and a CRC to the version tables, without an undefined symbol.
    pub fn version(mut self, name: impl AsRef<[u8]>, crc: u32) -> Self {
        self.versions.push((name.as_ref().to_vec(), crc));
        self
    }

    /// Chooses the version tables.
    pub fn version_tables(mut self, tables: VersionTables) -> Self {
        self.version_tables = tables;
        self
    }

    /// Adds any symbol. One in a section needs that section: [`ModuleBuilder::section`].
    pub fn symbol(mut self, symbol: Symbol) -> Self {
        self.symbols.push(symbol);
        self
    }

    /// Adds a SPARC register declaration (`STT_REGISTER`): undefined, but not an import.
    pub fn register_symbol(self, name: impl AsRef<[u8]>) -> Self {
        let symbol = Symbol::global(name, Place::Undefined, 2).kind(elf::SymbolType(elf::STT_LOPROC));
        self.symbol(symbol)
    }

    /// Gives `.gnu.linkonce.this_module` another size. Too small a size cuts the name off, 0 omits the section.
    pub fn this_module_size(mut self, size: usize) -> Self {
        self.this_module_size = Some(size);
        self
    }

    /// Adds a function of an x86-64 module, `init_module` or `cleanup_module`, to which the pointer at this offset of
    /// `struct module` leads.
    pub fn function(mut self, name: &str, offset: u64, code: Code) -> Self {
        self.functions.push((name.to_owned(), offset, code));
        self
    }

    /// Adds any section.
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Puts `count` empty sections before all others, so that the numbers of the others become large. From
    /// 65,280 sections on, the count no longer fits the ELF header and the numbers no longer fit a symbol.
    pub fn empty_sections(mut self, count: usize) -> Self {
        self.empty_sections = count;
        self
    }

    /// Appends a signature made elsewhere.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// Signs it as the kernel's `sign-file` does, with a digest such as `sha256`.
    pub fn signed_by(mut self, key: &std::sync::Arc<SigningKey>, hash: &str) -> Self {
        self.signed_by = Some((key.clone(), hash.to_owned()));
        self
    }

    /// Compresses the file.
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The bytes of the file.
    ///
    /// To damage the file, change the result. To damage the contents of a compressed file, build it plain, change it and
    /// pass it to [`Compression::compress`].
    ///
    /// # Panics
    /// When the module cannot be written: the test is wrong.
    pub fn build(&self) -> Vec<u8> {
        let (sections, symbols) = self.contents();
        let mut bytes = writer::write(self.arch, &sections, &symbols);
        if let Some((key, hash)) = &self.signed_by {
            let message = key.pkcs7(&bytes, hash);
            bytes.extend(Signature::pkcs7(message).to_bytes());
        }
        if let Some(signature) = &self.signature {
            bytes.extend(signature.to_bytes());
        }
        self.compression.compress(&bytes)
    }

    fn import(mut self, symbol: Symbol, crc: Option<u32>) -> Self {
        if let Some(crc) = crc {
            self.versions.push((symbol.name.clone(), crc));
        }
        self.symbols.push(symbol);
        self
    }

    fn contents(&self) -> (Vec<Section>, Vec<Symbol>) {
        let mut sections = vec![Section::new(".empty", []); self.empty_sections];
        sections
            .push(Section::new(".text", [0; 16]).flags(elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0).aligned(16));
        let mut symbols = Vec::new();
        if !self.modinfo.is_empty() {
            sections.push(Section::new(".modinfo", self.modinfo.as_slice()));
        }
        let is_linked = !self.functions.is_empty();
        export::add(self.arch, self.export_tables, is_linked, &self.exports, &mut sections, &mut symbols);
        sections.extend(versions::sections(self.arch, self.version_tables, &self.versions));
        parameters::add(self.arch, &self.parameters, &mut sections, &mut symbols);
        self.add_this_module(&mut sections, &mut symbols);
        for (name, _, code) in &self.functions {
            let section = if name == "init_module" { ".init.text" } else { ".exit.text" };
            sections.push(code.section(section));
            let function = Symbol::global(name, Place::Section(section.into()), 0);
            symbols.push(function.kind(elf::STT_FUNC));
        }
        sections.extend(self.sections.iter().cloned());
        symbols.extend(self.symbols.iter().cloned());
        (sections, symbols)
    }

    fn add_this_module(&self, sections: &mut Vec<Section>, symbols: &mut Vec<Symbol>) {
        let size = self.this_module_size.unwrap_or_else(|| self.arch.this_module_size());
        if size == 0 {
            return;
        }
        let start = self.arch.name_offset();
        assert!(self.name.len() < self.arch.name_len(), "a module's name must fit struct module");
        let mut data = vec![0; size.max(start + self.arch.name_len())];
        data[start..start + self.name.len()].copy_from_slice(&self.name);
        data.truncate(size);
        let name = ".gnu.linkonce.this_module";
        let flags = elf::SHF_ALLOC.0 | elf::SHF_WRITE.0;
        let section = Section::new(name, data).flags(flags).aligned(64);
        let pointers = self.functions.iter();
        sections.push(pointers.fold(section, |section, (name, offset, _)| section.pointer(*offset, name)));
        let place = Place::Section(name.into());
        symbols.push(Symbol::global("__this_module", place, 0).kind(elf::STT_OBJECT));
    }
}
