//! Bytes become a checked view of sections and symbols.
//!
//! The structures are goblin's, which knows both classes and both byte orders. Its whole-file parse
//! is not used: it reads everything, where the tools want six sections of forty. Here the header and
//! the section table are read and checked at once, a section's bytes when they are first asked for.
//!
//! The format: the System V ABI, chapters 4 and 5, and `elf(5)`; what the kernel accepts of it:
//! `elf_validity_check` in `kernel/module/main.c`.

mod symbols;

use std::{
    borrow::Cow,
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::Errno;
use bstr::ByteSlice;
pub use goblin::elf::{header::Header, section_header::SectionHeader};
use goblin::{
    container::{Container, Ctx, Endian},
    elf::{
        header::{ELFCLASS32, ELFCLASS64, ELFMAG, SELFMAG, header64::SIZEOF_EHDR},
        section_header::{SHN_XINDEX, SHT_NOBITS, SHT_SYMTAB, SHT_SYMTAB_SHNDX},
    },
};
use scroll::Pread;
pub use symbols::{Symbol, Symbols};

use crate::{Malformed, Result, file::Contents};

/// The width of an ELF file's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `ELFCLASS32`.
    Elf32,
    /// `ELFCLASS64`.
    Elf64,
}

impl Class {
    /// The bytes of a C `long` or pointer in the kernel that the file is for.
    pub fn word(self) -> usize {
        match self {
            Self::Elf32 => 4,
            Self::Elf64 => 8,
        }
    }
}

/// An ELF file whose header and section table are sound.
#[derive(Debug)]
pub struct Elf {
    contents: Contents,
    header: Header,
    ctx: Ctx,
    sections: Vec<Section>,
    names: Vec<u8>,
    /// How many bytes of sections were read and are kept.
    kept: AtomicU64,
}

#[derive(Debug)]
struct Section {
    header: SectionHeader,
    /// What was read of it, where the contents are not in memory anyway.
    bytes: OnceLock<Vec<u8>>,
}

impl Elf {
    /// Reads and checks the header and the section table.
    ///
    /// # Errors
    /// When the contents are not ELF, or the header, the section table or a section's name is not
    /// within the file. Nothing else is checked: not the file's type, not the sections' places.
    pub fn parse(contents: Contents) -> Result<Self> {
        let (header, ctx) = read_header(&contents)?;
        let sections = read_section_table(&contents, &header, ctx)?;
        let names = read_section_names(&contents, &header, &sections)?;
        let sections =
            sections.into_iter().map(|header| Section { header, bytes: OnceLock::new() }).collect();
        let elf = Self { contents, header, ctx, sections, names, kept: AtomicU64::new(0) };
        elf.check_names().map_err(|fault| fault.at(elf.path()))?;
        Ok(elf)
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        self.contents.path()
    }

    /// The file's plain bytes.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Gives the contents back.
    pub fn into_contents(self) -> Contents {
        self.contents
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The width of the file's words.
    pub fn class(&self) -> Class {
        if self.ctx.is_big() { Class::Elf64 } else { Class::Elf32 }
    }

    /// The file's byte order.
    pub fn endian(&self) -> Endian {
        self.ctx.le
    }

    /// The machine the code is for, `EM_*`.
    pub fn machine(&self) -> u16 {
        self.header.e_machine
    }

    /// The machine's flags.
    #[cfg(feature = "internals")]
    pub fn flags(&self) -> u32 {
        self.header.e_flags
    }

    /// The sections in file order, each with its name; the first is the null section. A name longer
    /// than [`NAME_LIMIT`] is given as none.
    pub fn sections(&self) -> impl Iterator<Item = (&[u8], &SectionHeader)> {
        self.sections.iter().map(|section| (self.name_of(&section.header), &section.header))
    }

    /// Whether the section of that number has that name; where there is no such section, it has not.
    pub fn section_is_named(&self, index: usize, name: &[u8]) -> bool {
        self.sections.get(index).is_some_and(|section| self.is_named(&section.header, name))
    }

    /// The bytes of the first section of that name; `None` where there is none, or where it has no
    /// bytes in the file (`SHT_NOBITS`, as everything in a file of debugging information).
    ///
    /// # Errors
    /// When the section is not within the file, or reading fails.
    pub fn section(&self, name: &[u8]) -> Result<Option<&[u8]>> {
        match self.sections.iter().position(|section| self.is_named(&section.header, name)) {
            Some(index) => self.section_at(index),
            None => Ok(None),
        }
    }

    /// The bytes of a section by its number; otherwise as [`Elf::section`].
    ///
    /// # Errors
    /// As [`Elf::section`].
    pub fn section_at(&self, index: usize) -> Result<Option<&[u8]>> {
        let Some(section) = self.sections.get(index).filter(|section| has_bytes(&section.header)) else {
            return Ok(None);
        };
        if let Some(bytes) = section.bytes.get() {
            return Ok(Some(bytes));
        }
        let SectionHeader { sh_offset, sh_size, .. } = section.header;
        if sh_offset.checked_add(sh_size).is_none_or(|end| end > self.contents.len()) {
            let name = self.name_of(&section.header);
            return Err(Malformed::section(name, "runs past the end of the file").at(self.path()));
        }
        Ok(Some(match self.contents.read(sh_offset, sh_size)? {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => {
                self.count_kept(sh_size)?;
                section.bytes.get_or_init(|| bytes)
            }
        }))
    }

    /// Whether the file has a symbol table.
    pub fn has_symbols(&self) -> bool {
        self.sections.iter().any(|section| section.header.sh_type == SHT_SYMTAB)
    }

    /// The symbol table; empty where the file has none.
    ///
    /// # Errors
    /// When the table or its strings are not within the file, or reading fails.
    pub fn symbols(&self) -> Result<Symbols<'_>> {
        let table = self.sections.iter().position(|section| section.header.sh_type == SHT_SYMTAB);
        let Some((index, section)) = table.and_then(|index| Some((index, self.sections.get(index)?))) else {
            return Ok(Symbols::parse(&[], &[], self.ctx));
        };
        let table = self.section_at(index)?.unwrap_or_default();
        let strings = self.section_at(section.header.sh_link as usize)?.unwrap_or_default();
        let belongs = |section: &Section| {
            section.header.sh_type == SHT_SYMTAB_SHNDX && section.header.sh_link as usize == index
        };
        let numbers = match self.sections.iter().position(belongs) {
            Some(index) => self.section_at(index)?.unwrap_or_default(),
            None => &[],
        };
        Ok(Symbols::parse(table, strings, self.ctx).with_section_numbers(numbers))
    }

    /// Whether a section has that name, without looking for the end of the one it has.
    fn is_named(&self, section: &SectionHeader, name: &[u8]) -> bool {
        let rest = self.names.get(section.sh_name..).and_then(|tail| tail.strip_prefix(name));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }

    /// Counts the bytes of sections that are kept. In a sound file they do not overlap; in a hostile
    /// one each of a hundred thousand could be the whole file.
    fn count_kept(&self, bytes: u64) -> Result<()> {
        let before = self.kept.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.contents.len().saturating_mul(2) {
            return Err(Malformed::file("sections overlap").at(self.path()));
        }
        Ok(())
    }

    fn name_of(&self, section: &SectionHeader) -> &[u8] {
        string_at(&self.names, section.sh_name).unwrap_or_default()
    }

    /// Checks that every section's name begins and ends within the table, without a look at the
    /// names: a hundred thousand sections may all have the same one of megabytes.
    fn check_names(&self) -> Result<(), Malformed> {
        let mut starts = self.sections.iter().map(|section| section.header.sh_name);
        let sound = match self.names.last() {
            Some(&last) => last == 0 && starts.all(|start| start < self.names.len()),
            // A file without named sections may have no table, and all names are then "".
            None => starts.all(|start| start == 0),
        };
        let fault = || Malformed::file("a section's name is not within the section name table");
        if sound { Ok(()) } else { Err(fault()) }
    }
}

/// The most bytes that a name may have: more than any tool makes. The kernel keeps 512 of a symbol's
/// (`KSYM_NAME_LEN`). Many entries of a table can share one name, and must still be read.
pub const NAME_LIMIT: usize = 4096;

/// The NUL-terminated string at an offset of a string table, where it is no longer than
/// [`NAME_LIMIT`].
pub(crate) fn string_at(table: &[u8], offset: usize) -> Option<&[u8]> {
    if table.is_empty() && offset == 0 {
        return Some(&[]);
    }
    let tail = table.get(offset..)?;
    let longest = tail.get(..=NAME_LIMIT).unwrap_or(tail);
    tail.get(..longest.find_byte(0)?)
}

fn has_bytes(section: &SectionHeader) -> bool {
    section.sh_type != SHT_NOBITS && section.sh_type != goblin::elf::section_header::SHT_NULL
}

fn read_header(contents: &Contents) -> Result<(Header, Ctx)> {
    let bytes = contents.read(0, contents.len().min(SIZEOF_EHDR as u64))?;
    parse_header(&bytes).map_err(|fault| fault.at(contents.path()))
}

/// Parses the ELF header at the start of `bytes`.
fn parse_header(bytes: &[u8]) -> Result<(Header, Ctx), Malformed> {
    let Some(magic) = bytes.get(..SELFMAG) else {
        return Err(Malformed::file("too short to be an ELF file"));
    };
    if magic != ELFMAG {
        return Err(Malformed::file("not an ELF file").with_errno(Errno::ENOEXEC));
    }
    let header: Header = bytes.pread(0).map_err(|error| match error {
        goblin::error::Error::Malformed(what) => Malformed::file(what),
        _ => Malformed::file("the file ends within the ELF header"),
    })?;
    let container = match header.e_ident.get(goblin::elf::header::EI_CLASS) {
        Some(&ELFCLASS32) => Container::Little,
        Some(&ELFCLASS64) => Container::Big,
        _ => return Err(Malformed::file("unknown ELF class")),
    };
    let endian = header.endianness().map_err(|_| Malformed::file("unknown ELF byte order"))?;
    Ok((header, Ctx::new(container, endian)))
}

fn read_section_table(contents: &Contents, header: &Header, ctx: Ctx) -> Result<Vec<SectionHeader>> {
    let fault = |what: &'static str| Malformed::file(what).at(contents.path());
    let entry = SectionHeader::size(ctx) as u64;
    if header.e_shoff == 0 {
        return Ok(Vec::new());
    }
    if u64::from(header.e_shentsize) != entry {
        return Err(fault("the section table's entries have a size unknown to ELF"));
    }
    // More sections than the header's field can count: the first entry holds the count.
    let count = if header.e_shnum == 0 {
        let first = contents.read(header.e_shoff, entry)?;
        first.pread_with::<SectionHeader>(0, ctx).map_or(0, |section| section.sh_size)
    } else {
        u64::from(header.e_shnum)
    };
    let len = count
        .checked_mul(entry)
        .filter(|len| header.e_shoff.checked_add(*len).is_some_and(|end| end <= contents.len()));
    let len = len.ok_or_else(|| fault("the section table runs past the end of the file"))?;
    let bytes = contents.read(header.e_shoff, len)?;
    let sections = bytes.chunks_exact(SectionHeader::size(ctx)).map(|entry| entry.pread_with(0, ctx));
    sections.collect::<Result<_, goblin::error::Error>>().map_err(|_| fault("the section table is cut short"))
}

fn read_section_names(contents: &Contents, header: &Header, sections: &[SectionHeader]) -> Result<Vec<u8>> {
    let Some(first) = sections.first() else { return Ok(Vec::new()) };
    let index = match header.e_shstrndx {
        index if u32::from(index) == SHN_XINDEX => first.sh_link as usize,
        index => usize::from(index),
    };
    let fault = |what: &'static str| Malformed::file(what).at(contents.path());
    let table = sections.get(index).ok_or_else(|| fault("the section name table does not exist"))?;
    if !has_bytes(table) {
        return Ok(Vec::new());
    }
    let end = table.sh_offset.checked_add(table.sh_size);
    if end.is_none_or(|end| end > contents.len()) {
        return Err(fault("the section name table runs past the end of the file"));
    }
    Ok(contents.read(table.sh_offset, table.sh_size)?.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testkit::{Arch, ModuleBuilder, Section as NewSection};

    use super::*;

    fn parse(bytes: Vec<u8>) -> Result<Elf> {
        Elf::parse(Contents::from_bytes(Path::new("m.ko"), bytes)?)
    }

    fn text(bytes: Vec<u8>) -> String {
        parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn any_class_and_byte_order_is_read() {
        for arch in Arch::ALL {
            let elf = parse(ModuleBuilder::new("m").arch(arch).modinfo("a", "b").build()).unwrap();
            assert_eq!(elf.class() == Class::Elf64, arch.is_64());
            assert_eq!(elf.section(b".modinfo").unwrap(), Some(&b"a=b\0"[..]));
            assert_eq!(elf.section(b".nothing").unwrap(), None);
        }
    }

    #[test]
    fn a_plain_file_gives_the_same_as_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.ko");
        std::fs::write(&path, ModuleBuilder::new("m").modinfo("a", "b").needs("x", 1).build()).unwrap();
        let elf = Elf::parse(Contents::open(&path).unwrap()).unwrap();
        assert_eq!(elf.section(b".modinfo").unwrap(), Some(&b"a=b\0"[..]));
        assert_eq!(elf.symbols().unwrap().iter().filter(Symbol::is_undefined).count(), 1);
    }

    #[test]
    fn more_sections_than_the_header_can_count_are_read() {
        let bytes = ModuleBuilder::new("m").empty_sections(65_300).modinfo("a", "b").build();
        let elf = parse(bytes).unwrap();
        assert_eq!(elf.header().e_shnum, 0);
        assert!(elf.sections().count() > 65_300);
        assert_eq!(elf.section(b".modinfo").unwrap(), Some(&b"a=b\0"[..]));
    }

    #[test]
    fn what_is_no_elf_file_is_called_so() {
        assert_eq!(text(b"\x7fEL".to_vec()), "m.ko: too short to be an ELF file");
        assert_eq!(text(b"#!/bin/sh".to_vec()), "m.ko: not an ELF file");
        assert_eq!(parse(b"#!/bin/sh".to_vec()).unwrap_err().errno(), Errno::ENOEXEC);
        let module = ModuleBuilder::new("m").build();
        assert_eq!(text(module[..40].to_vec()), "m.ko: the file ends within the ELF header");
        let cut = module[..module.len() - 10].to_vec();
        assert_eq!(text(cut), "m.ko: the section table runs past the end of the file");
        for (place, value, what) in [(4, 9, "class"), (5, 9, "endian"), (58, 65, "entries have a size")] {
            let mut module = module.clone();
            module[place] = value;
            let error = text(module);
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_section_beyond_the_file_is_an_error_of_its_own() {
        let section = NewSection::new(".far", b"here".to_vec());
        let mut bytes = ModuleBuilder::new("m").modinfo("a", "b").section(section).build();
        let elf = parse(bytes.clone()).unwrap();
        let index = elf.sections().position(|(name, _)| name == b".far").unwrap();
        let entry = elf.header().e_shoff as usize + index * 64;
        bytes[entry + 24..entry + 32].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
        let elf = parse(bytes).unwrap();
        let error = elf.section(b".far").unwrap_err().to_string();
        assert_eq!(error, "m.ko: section .far: runs past the end of the file");
        assert!(elf.section(b".modinfo").unwrap().is_some());
    }

    /// Sections that share one long name made opening a file take minutes.
    #[test]
    fn a_long_section_name_is_not_looked_at_for_every_section() {
        let name = "n".repeat(8 << 20);
        let mut bytes = ModuleBuilder::new("m")
            .empty_sections(60_000)
            .section(NewSection::new(&name, b"here".to_vec()))
            .build();
        let elf = parse(bytes.clone()).unwrap();
        let index = elf.sections.iter().position(|section| elf.is_named(&section.header, name.as_bytes()));
        let table = elf.header.e_shoff as usize;
        let long = elf.sections[index.unwrap()].header.sh_name as u32;
        for entry in bytes[table..].chunks_exact_mut(64).skip(1) {
            entry[..4].copy_from_slice(&long.to_le_bytes());
        }
        let elf = parse(bytes).unwrap();
        assert!(elf.sections().skip(1).all(|(name, _)| name.is_empty()));
        assert!(elf.section_is_named(1, name.as_bytes()) && !elf.section_is_named(1, b"nn"));
        assert!(!elf.section_is_named(usize::MAX, b""));
    }

    #[test]
    fn sections_that_are_each_the_whole_file_are_not_all_kept() {
        // A smaller file is read at once, and nothing is kept twice.
        let padding = NewSection::new(".padding", vec![0; 100_000]);
        let mut bytes = ModuleBuilder::new("m").section(padding).empty_sections(100).build();
        let (table, len) = (parse(bytes.clone()).unwrap().header.e_shoff as usize, bytes.len() as u64);
        for entry in bytes[table..].chunks_exact_mut(64).rev().take(90) {
            entry[4..8].copy_from_slice(&1_u32.to_le_bytes());
            entry[24..32].fill(0);
            entry[32..40].copy_from_slice(&len.to_le_bytes());
        }
        // No section name table: its section may be one of those changed.
        bytes[62..64].fill(0);
        for entry in bytes[table..].chunks_exact_mut(64) {
            entry[..4].fill(0);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.ko");
        std::fs::write(&path, bytes).unwrap();
        let elf = Elf::parse(Contents::open(&path).unwrap()).unwrap();
        let count = elf.sections.len();
        let read: Vec<_> = (count - 90..count).map(|index| elf.section_at(index)).collect();
        assert_eq!(read.iter().filter(|section| section.is_ok()).count(), 2);
        let error = read[2].as_ref().unwrap_err().to_string();
        assert!(error.ends_with("m.ko: sections overlap"), "{error}");
    }

    #[test]
    fn a_section_name_beyond_its_table_is_an_error() {
        let mut bytes = ModuleBuilder::new("m").build();
        let table = parse(bytes.clone()).unwrap().header().e_shoff as usize;
        bytes[table + 64..table + 68].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(text(bytes), "m.ko: a section's name is not within the section name table");
    }

    proptest! {
        #[test]
        fn bytes_that_begin_as_elf_never_panic(
            class in 0..4_u8,
            order in 0..4_u8,
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [&[0x7f, b'E', b'L', b'F', class, order][..], &rest].concat();
            if let Ok(elf) = parse(bytes) {
                for index in 0..elf.sections().count() {
                    let _ = elf.section_at(index);
                }
            }
        }
    }
}
