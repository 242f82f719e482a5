//! Exported symbols, in each form that kernels have used.
//!
//! `include/linux/export.h` and `include/linux/export-internal.h` of the kernel make, for an exported `square`:
//! the symbol itself; `__kstrtab_square` and `__kstrtabns_square`, its name and namespace in `__ksymtab_strings`;
//! `__ksymtab_square`, an entry of `__ksymtab` or `__ksymtab_gpl`; and `__crc_square`, whose meaning has changed: it was
//! an absolute symbol with the CRC as its value, and is now the offset of the CRC in `__kcrctab` or `__kcrctab_gpl`.
//! Since 7.0 all symbols share `__ksymtab`, and `__flags_square` in `__kflagstab` marks the GPL-only ones.

use object::elf;

use crate::arch::Arch;
use crate::elf::{Place, Section, Symbol};

/// The CRC of an exported symbol, and where it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crc {
    /// No CRC: a kernel without CONFIG_MODVERSIONS.
    None,
    /// The value of an absolute symbol `__crc_NAME`.
    Absolute(u32),
    /// A word of `__kcrctab` (or `__kcrctab_gpl`) that `__crc_NAME` points at.
    Section(u32),
}

/// The tables that list the exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportTables {
    /// Two tables, `__ksymtab` and `__ksymtab_gpl`: kernels up to 6.19.
    #[default]
    ByLicence,
    /// One table, and a byte of flags for each symbol in `__kflagstab`: kernels since 7.0.
    Flags,
    /// Only the names in `__ksymtab_strings`, without entries that point at them.
    StringsOnly,
}

/// One exported symbol.
#[derive(Debug, Clone)]
pub struct Export {
    name: Vec<u8>,
    crc: Crc,
    gpl: bool,
    namespace: Vec<u8>,
}

impl Export {
    /// An export for everyone, without a CRC.
    pub fn new(name: impl AsRef<[u8]>) -> Export {
        Export { name: name.as_ref().to_vec(), crc: Crc::None, gpl: false, namespace: Vec::new() }
    }

    /// The same with a CRC.
    pub fn crc(mut self, crc: Crc) -> Export {
        self.crc = crc;
        self
    }

    /// The same as EXPORT_SYMBOL_GPL.
    pub fn gpl(mut self) -> Export {
        self.gpl = true;
        self
    }

    /// The same as EXPORT_SYMBOL_NS: only modules that import `namespace` may use it.
    pub fn namespace(mut self, namespace: impl AsRef<[u8]>) -> Export {
        self.namespace = namespace.as_ref().to_vec();
        self
    }
}

/// Appends the sections and symbols of `exports` to a module's. In one that is to be linked, for x86-64, the tables lead to
/// the symbols.
pub(crate) fn add(
    arch: Arch,
    tables: ExportTables,
    is_linked: bool,
    exports: &[Export],
    sections: &mut Vec<Section>,
    symbols: &mut Vec<Symbol>,
) {
    if exports.is_empty() {
        return;
    }
    let mut writer = Tables::new(arch, tables, is_linked);
    // The linker sorts the entries of the tables; the symbol table keeps the order of the source.
    let mut sorted: Vec<&Export> = exports.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for export in sorted {
        writer.add_entries(export);
    }
    for export in exports {
        writer.add_strings(export);
    }
    sections.extend(writer.sections());
    symbols.extend(writer.symbols);
}

/// The size of a `struct kernel_symbol`: three 32-bit offsets, or three addresses where the architecture lacks
/// CONFIG_HAVE_ARCH_PREL32_RELOCATIONS. Readers of module files never read its contents; the linker would.
const ENTRY: usize = 12;

struct Tables {
    arch: Arch,
    tables: ExportTables,
    is_linked: bool,
    strings: Vec<u8>,
    /// The content of `__ksymtab`, `__ksymtab_gpl`, `__kcrctab`, `__kcrctab_gpl` and `__kflagstab`.
    data: [(&'static str, Vec<u8>, u64); 5],
    symbols: Vec<Symbol>,
    /// The symbols that entries of the first two tables lead to.
    targets: Vec<(usize, u64, Vec<u8>)>,
}

impl Tables {
    fn new(arch: Arch, tables: ExportTables, is_linked: bool) -> Tables {
        let data = [
            ("__ksymtab", Vec::new(), 4),
            ("__ksymtab_gpl", Vec::new(), 4),
            ("__kcrctab", Vec::new(), 4),
            ("__kcrctab_gpl", Vec::new(), 4),
            ("__kflagstab", Vec::new(), 1),
        ];
        let (strings, symbols, targets) = Default::default();
        Tables { arch, tables, is_linked, strings, data, symbols, targets }
    }

    /// The table entry, the CRC and the flags of one symbol, with the symbols that point at them.
    fn add_entries(&mut self, export: &Export) {
        let gpl = usize::from(export.gpl && self.tables == ExportTables::ByLicence);
        if self.tables != ExportTables::StringsOnly {
            if self.is_linked {
                let start = self.data[gpl].1.len() as u64;
                for (field, prefix) in (0..).zip(["", "__kstrtab_", "__kstrtabns_"]) {
                    let target = [prefix.as_bytes(), &export.name].concat();
                    self.targets.push((gpl, start + 4 * field, target));
                }
            }
            self.append(gpl, "__ksymtab_", export, &[0; ENTRY]);
        }
        match export.crc {
            Crc::None => {}
            Crc::Absolute(crc) => {
                let name = [b"__crc_".as_slice(), &export.name].concat();
                self.symbols.push(Symbol::global(name, Place::Absolute, u64::from(crc)));
            }
            Crc::Section(crc) => {
                let word = self.arch.u32(crc);
                self.append(2 + gpl, "__crc_", export, &word);
            }
        }
        if self.tables == ExportTables::Flags {
            self.append(4, "__flags_", export, &[u8::from(export.gpl)]);
        }
    }

    /// The name and the namespace of one symbol, and the symbol itself.
    fn add_strings(&mut self, export: &Export) {
        let place = Place::Section(b"__ksymtab_strings".to_vec());
        for (prefix, text) in [("__kstrtab_", &export.name), ("__kstrtabns_", &export.namespace)] {
            if self.tables == ExportTables::StringsOnly && prefix == "__kstrtabns_" {
                continue;
            }
            let name = [prefix.as_bytes(), &export.name].concat();
            self.symbols.push(Symbol::local(name, place.clone(), self.strings.len() as u64));
            self.strings.extend_from_slice(text);
            self.strings.push(0);
        }
        let code = Place::Section(b".text".to_vec());
        self.symbols.push(Symbol::global(&export.name, code, 0).kind(elf::STT_FUNC));
    }

    fn append(&mut self, table: usize, prefix: &str, export: &Export, bytes: &[u8]) {
        let (section, data, _) = &mut self.data[table];
        let name = [prefix.as_bytes(), &export.name].concat();
        self.symbols.push(Symbol::local(
            name,
            Place::Section(section.as_bytes().to_vec()),
            data.len() as u64,
        ));
        data.extend_from_slice(bytes);
    }

    fn sections(&mut self) -> Vec<Section> {
        let tables = std::mem::take(&mut self.data).into_iter().enumerate();
        let tables = tables.filter(|(_, (_, data, _))| !data.is_empty());
        let mut sections: Vec<Section> = tables
            .map(|(number, (name, data, align))| {
                let targets = self.targets.iter().filter(|(table, ..)| *table == number);
                targets.fold(Section::new(name, data).aligned(align), |section, (_, offset, target)| {
                    section.distance(*offset, target)
                })
            })
            .collect();
        sections.push(Section::new("__ksymtab_strings", std::mem::take(&mut self.strings)).strings());
        sections
    }
}
