//! Writing sections and symbols as a relocatable ELF file.
//!
//! The `object` crate does the encoding. This layer fixes the order of things in the file: header, section contents
//! in the order given, symbol table, string tables, section headers.

use object::elf;
use object::write::elf::{FileHeader, Rel, SectionHeader, SectionIndex, Sym, Writer};

use crate::arch::Arch;

/// A section of the file.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name.
    pub name: Vec<u8>,
    /// Its content.
    pub data: Vec<u8>,
    /// `sh_type`: `SHT_PROGBITS` for nearly everything.
    pub kind: elf::SectionType,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addralign`.
    pub align: u64,
    /// `sh_entsize`.
    pub entry_size: u64,
    /// Its pointers.
    pub pointers: Vec<Pointer>,
}

/// A relocation that puts an address into a section.
#[derive(Debug, Clone)]
pub struct Pointer {
    /// Where in the section.
    pub offset: u64,
    /// The symbol that it leads to, by name.
    pub symbol: Vec<u8>,
    /// Whether it is the distance from where it is to the symbol, in 32 bits (x86-64), not an address as wide as a word.
    pub is_relative: bool,
}

impl Section {
    /// A section of program data that the kernel keeps in memory.
    pub fn new(name: impl AsRef<[u8]>, data: impl Into<Vec<u8>>) -> Section {
        Section {
            name: name.as_ref().to_vec(),
            data: data.into(),
            kind: elf::SHT_PROGBITS,
            flags: elf::SHF_ALLOC.0,
            align: 1,
            entry_size: 0,
            pointers: Vec::new(),
        }
    }

    /// The same with another alignment.
    pub fn aligned(mut self, align: u64) -> Section {
        self.align = align;
        self
    }

    /// The same with other flags.
    pub fn flags(mut self, flags: u64) -> Section {
        self.flags = flags;
        self
    }

    /// The same with a pointer.
    pub fn pointer(mut self, offset: u64, symbol: impl AsRef<[u8]>) -> Section {
        self.pointers.push(Pointer { offset, symbol: symbol.as_ref().to_vec(), is_relative: false });
        self
    }

    /// The same with the distance to a symbol.
    pub fn distance(mut self, offset: u64, symbol: impl AsRef<[u8]>) -> Section {
        self.pointers.push(Pointer { offset, symbol: symbol.as_ref().to_vec(), is_relative: true });
        self
    }

    /// The same as mergeable strings, which is what compilers make of `__ksymtab_strings`.
    pub fn strings(mut self) -> Section {
        self.flags = elf::SHF_ALLOC.0 | elf::SHF_MERGE.0 | elf::SHF_STRINGS.0;
        self.entry_size = 1;
        self
    }
}

/// Where a symbol is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In another module: this one imports it.
    Undefined,
    /// Its value is a number, not an address (`SHN_ABS`).
    Absolute,
    /// In the section with this name; its value is an offset there.
    Section(Vec<u8>),
}

/// An entry of the symbol table.
#[derive(Debug, Clone)]
pub struct Symbol {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: u64,
    /// Where it is defined.
    pub place: Place,
    /// `STB_LOCAL`, `STB_GLOBAL` or `STB_WEAK`.
    pub binding: elf::SymbolBind,
    /// `STT_NOTYPE`, `STT_FUNC`, … or a machine's own type.
    pub kind: elf::SymbolType,
}

impl Symbol {
    /// A global symbol without a type.
    pub fn global(name: impl AsRef<[u8]>, place: Place, value: u64) -> Symbol {
        Symbol { name: name.as_ref().to_vec(), value, place, binding: elf::STB_GLOBAL, kind: elf::STT_NOTYPE }
    }

    /// A local symbol without a type.
    pub fn local(name: impl AsRef<[u8]>, place: Place, value: u64) -> Symbol {
        Symbol { binding: elf::STB_LOCAL, ..Symbol::global(name, place, value) }
    }

    /// The same with another binding.
    pub fn binding(mut self, binding: elf::SymbolBind) -> Symbol {
        self.binding = binding;
        self
    }

    /// The same with another type.
    pub fn kind(mut self, kind: elf::SymbolType) -> Symbol {
        self.kind = kind;
        self
    }
}

/// The bytes of a relocatable file for `arch` with these sections and symbols.
///
/// Local symbols are written first, as ELF demands; each group keeps its order. A symbol in a section that does not
/// exist is a mistake in the test and panics.
pub fn write(arch: Arch, sections: &[Section], symbols: &[Symbol]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(arch.endianness(), arch.is_64(), &mut bytes);

    writer.reserve_file_header();
    let section_ids: Vec<_> = sections
        .iter()
        .map(|section| {
            let name = writer.add_section_name(&section.name);
            (name, writer.reserve_section_index())
        })
        .collect();
    let with_pointers: Vec<(usize, &Section)> =
        sections.iter().enumerate().filter(|(_, section)| !section.pointers.is_empty()).collect();
    let has_addends = arch.has_addends();
    let table_names: Vec<Vec<u8>> = with_pointers
        .iter()
        .map(|(_, section)| [if has_addends { &b".rela"[..] } else { b".rel" }, &section.name].concat())
        .collect();
    let table_ids: Vec<_> = table_names
        .iter()
        .map(|name| {
            let name = writer.add_section_name(name);
            writer.reserve_section_index();
            name
        })
        .collect();
    let offsets: Vec<u64> =
        sections.iter().map(|section| writer.reserve(section.data.len() as u64, section.align)).collect();

    let table_offsets: Vec<u64> = with_pointers
        .iter()
        .map(|(_, section)| writer.reserve_relocations(section.pointers.len(), has_addends))
        .collect();

    let (locals, others): (Vec<&Symbol>, Vec<&Symbol>) =
        symbols.iter().partition(|s| s.binding == elf::STB_LOCAL);
    let ordered: Vec<&Symbol> = locals.iter().chain(&others).copied().collect();
    writer.reserve_null_symbol_index();
    let symbol_ids: Vec<_> = ordered
        .iter()
        .map(|symbol| {
            let section = section_of(symbol, sections).map(|at| section_ids[at].1);
            writer.reserve_symbol_index(section);
            (writer.add_string(&symbol.name), section)
        })
        .collect();

    let symbol_table = writer.reserve_symtab_section_index();
    writer.reserve_symtab();
    if writer.symtab_shndx_needed() {
        writer.reserve_symtab_shndx_section_index();
        writer.reserve_symtab_shndx();
    }
    writer.reserve_strtab_section_index();
    writer.reserve_strtab().expect("a string table that fits");
    writer.reserve_shstrtab_section_index();
    writer.reserve_shstrtab().expect("a string table that fits");
    writer.reserve_section_headers();

    writer.write_file_header(&file_header(arch)).expect("a file that fits its class");
    for (section, offset) in sections.iter().zip(&offsets) {
        writer.pad_until(*offset);
        writer.write(&section.data);
    }
    for (_, section) in &with_pointers {
        writer.write_align_relocation();
        for pointer in &section.pointers {
            let place = ordered.iter().position(|symbol| symbol.name == pointer.symbol);
            let number = place.expect("a symbol that a pointer leads to") as u32 + 1;
            writer.write_relocation(has_addends, &relocation(arch, pointer, number));
        }
    }
    writer.write_null_symbol();
    for (symbol, (name, section)) in ordered.iter().zip(&symbol_ids) {
        let name = writer.string_offset(Some(*name));
        writer.write_symbol(&symbol_entry(symbol, name, *section));
    }
    writer.write_symtab_shndx();
    writer.write_strtab();
    writer.write_shstrtab();
    writer.write_null_section_header();
    for ((section, (name, _)), offset) in sections.iter().zip(&section_ids).zip(&offsets) {
        let name = writer.section_name_offset(Some(*name));
        writer.write_section_header(&section_header(section, name, *offset));
    }
    for (((target, section), name), offset) in with_pointers.iter().zip(&table_ids).zip(&table_offsets) {
        let (target, count) = (section_ids[*target].1, section.pointers.len());
        writer.write_relocation_section_header(*name, target, symbol_table, *offset, count, has_addends);
    }
    writer.write_symtab_section_header(locals.len() as u32 + 1);
    writer.write_symtab_shndx_section_header();
    writer.write_strtab_section_header();
    writer.write_shstrtab_section_header();
    bytes
}

fn section_of(symbol: &Symbol, sections: &[Section]) -> Option<usize> {
    let Place::Section(name) = &symbol.place else { return None };
    let found = sections.iter().position(|section| section.name == *name);
    Some(found.unwrap_or_else(|| {
        panic!(
            "symbol {} is defined in a section that does not exist",
            String::from_utf8_lossy(&symbol.name)
        );
    }))
}

fn relocation(arch: Arch, pointer: &Pointer, symbol: u32) -> Rel {
    let r_type = if pointer.is_relative { elf::R_X86_64_PC32 } else { arch.address_relocation() };
    Rel { r_offset: pointer.offset, r_sym: symbol, r_type, r_addend: 0 }
}

fn file_header(arch: Arch) -> FileHeader {
    FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_REL,
        e_machine: arch.machine(),
        e_entry: 0,
        e_flags: elf::FileFlags(arch.flags()),
    }
}

fn symbol_entry(symbol: &Symbol, name: u32, section: Option<SectionIndex>) -> Sym {
    Sym {
        section: section.map(|index| index.0),
        st_name: name,
        st_info: elf::SymbolInfo::new(symbol.binding, symbol.kind),
        st_other: elf::SymbolOther(0),
        st_shndx: if symbol.place == Place::Absolute { elf::SHN_ABS } else { elf::SHN_UNDEF },
        st_value: symbol.value,
        st_size: 0,
    }
}

fn section_header(section: &Section, name: u32, offset: u64) -> SectionHeader {
    SectionHeader {
        sh_name: name,
        sh_type: section.kind,
        sh_flags: elf::SectionFlags(section.flags),
        sh_addr: 0,
        sh_offset: offset,
        sh_size: section.data.len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: section.align,
        sh_entsize: section.entry_size,
    }
}
