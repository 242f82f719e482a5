//! Faults of a file that its facts do not show: sections, symbols and relocations that the kernel's loader stumbles over
//! (`elf_validity_check` and `simplify_symbols` in `kernel/module/main.c`, `__write_relocate_add` in
//! `arch/x86/kernel/module.c`). Some are refused, some crash the kernel.

use goblin::elf::{
    header::EM_X86_64,
    section_header::{SHF_ALLOC, SHN_COMMON, SHT_NOBITS, SHT_NULL, SHT_REL, SHT_RELA, SectionHeader},
};
use scroll::Pread;

use crate::{
    Result,
    elf::{Class, Elf},
};

/// A fault for kernels since Linux 6.4; before, the first of these sections counted.
pub const TWICE: &str = "it has more than one section .gnu.linkonce.this_module";
/// The section that holds `struct module`.
const THIS_MODULE: &[u8] = b".gnu.linkonce.this_module";

/// What is wrong with the sections, if anything is. Only the table is looked at.
pub fn of_sections(elf: &Elf) -> Option<&'static str> {
    let len = elf.contents().len();
    let is_outside = |section: &SectionHeader| {
        !matches!(section.sh_type, SHT_NULL | SHT_NOBITS)
            && section.sh_offset.checked_add(section.sh_size).is_none_or(|end| end > len)
    };
    if elf.sections().skip(1).any(|(_, section)| is_outside(section)) {
        return Some("a section runs past the end of the file");
    }
    let mut images = elf.sections().filter(|(name, _)| *name == THIS_MODULE);
    match (images.next(), images.next()) {
        (None, _) => Some("it has no section .gnu.linkonce.this_module"),
        (Some((_, image)), _) if u64::from(SHF_ALLOC) & image.sh_flags == 0 => {
            Some("its section .gnu.linkonce.this_module is not to be loaded")
        }
        (Some((_, image)), _) if image.sh_type == SHT_NOBITS => {
            Some("its section .gnu.linkonce.this_module is empty")
        }
        (Some(_), Some(_)) => Some(TWICE),
        (Some(_), None) => None,
    }
}

/// The length of the section of data that each processor has its own of (`find_pcpusec` in `kernel/module/main.c`).
pub fn percpu(elf: &Elf) -> u64 {
    elf.sections().find(|(name, _)| *name == b".data..percpu").map_or(0, |(_, section)| section.sh_size)
}

/// What is wrong with the symbols and the relocations, if anything is: each is looked at.
///
/// # Errors
/// When a table cannot be read.
pub fn of_relocations(elf: &Elf) -> Result<Option<&'static str>> {
    let count = elf.sections().count();
    let symbols = elf.symbols()?;
    let mut symbols_count = 0_u64;
    for symbol in symbols.iter() {
        symbols_count += 1;
        if symbol.entry.st_shndx == SHN_COMMON as usize && symbol.entry.st_name != 0 {
            return Ok(Some("it has common symbols: it was built without -fno-common"));
        }
        if symbol.section().is_some_and(|section| section >= count) {
            return Ok(Some("a symbol is in a section that does not exist"));
        }
        if symbol.name().is_err() {
            return Ok(Some("a symbol's name is not within the string table"));
        }
    }
    if elf.machine() != EM_X86_64 || elf.class() != Class::Elf64 {
        return Ok(None);
    }
    let tables: Vec<(usize, SectionHeader)> =
        elf.sections().map(|(_, section)| section.clone()).enumerate().collect();
    for (index, table) in &tables {
        let Some((_, target)) = tables.get(table.sh_info as usize) else { continue };
        if target.sh_flags & u64::from(SHF_ALLOC) == 0 {
            continue;
        }
        match table.sh_type {
            SHT_REL => return Ok(Some("it has relocations without addends, which x86-64 does not know")),
            SHT_RELA => {}
            _ => continue,
        }
        let bytes = elf.section_at(*index)?.unwrap_or_default();
        let code = elf.section_at(table.sh_info as usize)?.unwrap_or_default();
        for entry in bytes.chunks_exact(24) {
            let word = |offset: usize| entry.pread_with::<u64>(offset, elf.endian()).unwrap_or_default();
            if let Some(fault) = of_relocation(word(0), word(8), code, symbols_count) {
                return Ok(Some(fault));
            }
        }
    }
    Ok(None)
}

/// What is wrong with a relocation: where it applies, its symbol and type, what it applies to.
fn of_relocation(offset: u64, info: u64, code: &[u8], symbols: u64) -> Option<&'static str> {
    if info >> 32 >= symbols {
        return Some("a relocation is about a symbol that does not exist");
    }
    // R_X86_64_NONE; _64, _PC64; _PC32, _PLT32, _32, _32S.
    let width = match info & u64::from(u32::MAX) {
        0 => return None,
        1 | 24 => 8,
        2 | 4 | 10 | 11 => 4,
        _ => return Some("a relocation has a type that the kernel does not know"),
    };
    let start = usize::try_from(offset).ok();
    let place = start.and_then(|start| code.get(start..start.checked_add(width)?));
    match place {
        None => Some("a relocation applies to what is outside of its section"),
        Some(place) if place.iter().any(|&byte| byte != 0) => {
            Some("a relocation applies to a place that is not zero: it was relocated already")
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use testkit::{ModuleBuilder, Section};

    use super::*;
    use crate::file::Contents;

    fn elf(builder: &ModuleBuilder) -> Elf {
        Elf::parse(Contents::from_bytes("m.ko".as_ref(), builder.build()).unwrap()).unwrap()
    }

    #[test]
    fn a_module_has_one_image_of_its_structure() {
        assert_eq!(of_sections(&elf(&ModuleBuilder::new("m"))), None);
        let without = elf(&ModuleBuilder::new("m").this_module_size(0));
        assert!(of_sections(&without).unwrap().contains("no section"));
        let twice = ModuleBuilder::new("m").section(Section::new(".gnu.linkonce.this_module", vec![0; 100]));
        assert!(of_sections(&elf(&twice)).unwrap().contains("more than one"));
    }

    #[test]
    fn relocations_have_a_symbol_a_type_and_a_place() {
        let code = [0, 0, 0, 0, 0, 0, 0, 0, 1];
        let info = |symbol: u64, kind: u64| symbol << 32 | kind;
        for kind in [1, 24] {
            assert_eq!(of_relocation(0, info(1, kind), &code, 2), None);
        }
        for kind in [2, 4, 10, 11] {
            assert_eq!(of_relocation(4, info(0, kind), &code, 2), None);
        }
        assert_eq!(of_relocation(99, info(0, 0), &code, 1), None);
        for (offset, info, words) in [
            (0, info(2, 1), "symbol that does not exist"),
            (0, info(0, 9), "type"),
            (6, info(0, 2), "outside"),
            (1, info(0, 1), "not zero"),
            (u64::MAX, info(0, 1), "outside"),
        ] {
            let fault = of_relocation(offset, info, &code, 2);
            assert!(fault.is_some_and(|fault| fault.contains(words)), "{offset} {info:#x}: {fault:?}");
        }
    }

    #[test]
    fn a_sound_module_has_sound_relocations() {
        let module = elf(&ModuleBuilder::new("m").needs("kfree", None));
        assert_eq!(of_relocations(&module).unwrap(), None);
    }
}
