//! The module that is examined: all its facts that the kernel looks at before it runs it.
//!
//! They are copied out of the file, so that a whole tree of modules can be held at once without the
//! files' contents.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use bstr::BString;
use goblin::{
    container::Endian,
    elf::{
        header::{ET_REL, machine_to_str},
        section_header::SHT_SYMTAB,
    },
};

use super::{
    btf,
    setters::{self, Setter},
    structure,
};
use crate::{
    ModuleName, Result,
    elf::Class,
    file::{Compression, Scratch, kernel_decoder::Obstacle},
    formats::{
        signature::{MAGIC, TRAILER_LEN, Trailer},
        symbol,
    },
    module_file::{Binding, ModInfo, ModuleFile, SignatureDetails, parameters},
};

/// What a file is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    /// Whether its words have 64 bits.
    pub is_64: bool,
    /// Whether the first byte of a word is its lowest.
    pub is_little: bool,
    /// `EM_*` of the ELF header.
    pub number: u16,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match machine_to_str(self.number) {
            "UNKNOWN" | "EM_UNKNOWN" | "" => write!(f, "machine {}", self.number)?,
            name => f.write_str(name.strip_prefix("EM_").unwrap_or(name))?,
        }
        let bits = if self.is_64 { 64 } else { 32 };
        let order = if self.is_little { "little" } else { "big" };
        write!(f, ", {bits} bits, {order} endian")
    }
}

/// A symbol that the module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub name: BString,
    /// The CRC that the module was built against.
    pub crc: Option<u32>,
    /// Whether the module loads without it.
    pub weak: bool,
}

/// A symbol that the module offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: BString,
    /// The CRC of its type.
    pub crc: Option<u32>,
    /// Whether only modules with a GPL-compatible licence may use it.
    pub gpl_only: bool,
    /// The namespace that a user must import.
    pub namespace: Option<BString>,
    /// Whether it is one for sure, and not perhaps the name of a namespace.
    pub is_certain: bool,
}

/// A parameter that the module takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleParameter {
    /// Its name.
    pub name: BString,
    /// Its type, as `module_param` calls it.
    pub kind: Option<BString>,
    /// What it is for.
    pub description: Option<BString>,
    /// Who reads its value.
    pub setter: Setter,
}

/// Whether the file is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// No signature.
    No,
    /// A malformed signature, in this way: the kernel refuses it before it looks for a key.
    Malformed(&'static str),
    /// A signature in a form that kernels do not verify: for them it is none.
    Unsupported,
    /// A message that cannot be read here.
    Unreadable,
    /// A signature; only the kernel can verify it.
    By(Box<SignatureDetails>),
}

/// A module's facts.
#[derive(Clone, Debug)]
pub struct ExaminedModule {
    /// The file.
    pub path: PathBuf,
    /// The name that the kernel will know it by.
    pub name: ModuleName,
    /// The same, unchanged from the file.
    pub raw_name: BString,
    /// What it is compiled for.
    pub machine: Machine,
    /// Whether it has no symbol table.
    pub is_stripped: bool,
    /// What else is wrong with the file, if anything is.
    pub fault: Option<&'static str>,
    /// Whether it is a relocatable file, as modules are.
    pub is_relocatable: bool,
    /// The kernel it was built for, and that kernel's features.
    pub vermagic: Option<BString>,
    /// The size of `struct module` in that kernel.
    pub struct_size: Option<u64>,
    /// The licence, as the module declares it.
    pub license: Option<BString>,
    /// The namespaces it imports.
    pub imports: Vec<BString>,
    /// The parameters it takes.
    pub parameters: Vec<ModuleParameter>,
    /// The symbols it needs.
    pub needs: Vec<Need>,
    /// The symbols it offers.
    pub exports: Vec<Export>,
    /// Whether it records the CRCs of the symbols it needs.
    pub has_versions: bool,
    /// How many bytes it has of data that each processor has its own of.
    pub percpu: u64,
    /// Whether it has type information (BTF) of a wrong shape.
    pub has_odd_btf: bool,
    /// How far that leads, with the types it was built against where it has them; where each type was looked at.
    pub btf: Option<(btf::Extent, Option<btf::Extent>)>,
    /// Its signature.
    pub signed: Signed,
    /// How the file is compressed.
    pub compression: Compression,
    /// What the kernel's own decoder does not read of the file.
    pub obstacle: Option<Obstacle>,
}

impl ExaminedModule {
    /// Opens a file and reads the facts.
    ///
    /// # Errors
    /// As [`ModuleFile::open`] and [`ExaminedModule::of`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::thoroughly(&ModuleFile::open(path)?)
    }

    /// As [`ExaminedModule::of`], with a look at each symbol and relocation.
    ///
    /// # Errors
    /// As [`ExaminedModule::of`].
    pub fn thoroughly(module: &ModuleFile) -> Result<Self> {
        let subject = Self::of(module)?;
        let fault = match subject.fault {
            None => structure::of_relocations(module.elf())?,
            fault => fault,
        };
        let elf = module.elf();
        // The kernel does not look at an empty one.
        let section = |name| Ok(elf.section(name)?.filter(|bytes| !bytes.is_empty()));
        let extent = |name| Ok(section(name)?.map(|bytes| btf::extent(bytes, elf.endian())));
        let (btf, base) = (extent(btf::SECTION)?, extent(btf::BASE)?);
        let has_odd_btf = subject.has_odd_btf || btf == Some(None) || base == Some(None);
        let btf = btf.flatten().map(|btf| (btf, base.flatten()));
        let parameters = with_setters(subject.parameters, setters::of(elf)?.unwrap_or_default());
        Ok(Self { fault, has_odd_btf, btf, parameters, ..subject })
    }

    /// Opens a file and reads the facts, but for each relocation, with memory that serves for one file after the other.
    ///
    /// # Errors
    /// As [`ExaminedModule::open`].
    pub fn open_with(path: &Path, scratch: &mut Scratch) -> Result<Self> {
        let module = ModuleFile::open_with(path, scratch)?;
        let subject = Self::of(&module);
        scratch.recycle(module.into_contents());
        subject
    }

    /// Reads the facts of a module.
    ///
    /// # Errors
    /// When the file is damaged: the kernel, too, would not take it.
    pub fn of(module: &ModuleFile) -> Result<Self> {
        let elf = module.elf();
        let machine = Machine {
            is_64: elf.class() == Class::Elf64,
            is_little: elf.endian() == Endian::Little,
            number: elf.machine(),
        };
        // The kernel takes a module without any such section as it takes one without the entries.
        let section = ModInfo::within_limits(elf.section(b".modinfo")?.unwrap_or_default());
        let info = ModInfo::parse(section.map_err(|fault| fault.at(module.path()))?);
        let this = module.this_module()?;
        let parameters = info.parameters();
        let parameter = |parameter: parameters::Parameter<'_>| ModuleParameter {
            name: parameter.name.into(),
            kind: parameter.kind.map(BString::from),
            description: parameter.description.map(BString::from),
            setter: Setter::Unknown,
        };
        Ok(Self {
            path: module.path().to_owned(),
            name: this.map_or_else(|| module.name().clone(), |this| ModuleName::new(this.name)),
            raw_name: this.map_or_else(|| module.name().as_bytes().into(), |this| this.name.into()),
            machine,
            is_stripped: elf.sections().all(|(_, section)| section.sh_type != SHT_SYMTAB),
            fault: structure::of_sections(elf),
            is_relocatable: elf.header().e_type == ET_REL,
            vermagic: info.value("vermagic").map(BString::from),
            struct_size: this.map(|this| this.size),
            license: info.value("license").map(BString::from),
            imports: info.values("import_ns").map(BString::from).collect(),
            parameters: parameters.into_iter().map(parameter).collect(),
            needs: needs(module)?,
            exports: exports(module)?,
            has_versions: !module.versions()?.is_empty(),
            percpu: structure::percpu(elf),
            btf: None,
            has_odd_btf: elf
                .section(btf::SECTION)?
                .is_some_and(|bytes| !bytes.is_empty() && !btf::is_sound(bytes, elf.endian())),
            signed: signed(module)?,
            compression: elf.contents().compression(),
            obstacle: elf.contents().obstacle(),
        })
    }

    /// What a parameter is for, where the module describes it.
    pub fn about(&self, parameter: &[u8]) -> Option<BString> {
        self.parameters.iter().find(|one| one.name == parameter)?.description.clone()
    }

    /// Whether its licence lets it use symbols for GPL modules, `license_is_gpl_compatible` in the
    /// kernel's `include/linux/license.h`.
    pub fn is_gpl_compatible(&self) -> bool {
        const COMPATIBLE: [&str; 6] =
            ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];
        self.license.as_ref().is_some_and(|license| COMPATIBLE.iter().any(|one| *license == **one))
    }
}

/// The parameters that `.modinfo` describes, with those that only the kernel's table has.
fn with_setters(
    mut parameters: Vec<ModuleParameter>,
    table: Vec<setters::KernelParameter>,
) -> Vec<ModuleParameter> {
    let places: HashMap<BString, usize> =
        parameters.iter().enumerate().map(|(place, parameter)| (parameter.name.clone(), place)).collect();
    for (name, setter) in table {
        match places.get(&name).and_then(|place| parameters.get_mut(*place)) {
            Some(parameter) => parameter.setter = setter,
            None => parameters.push(ModuleParameter { name, kind: None, description: None, setter }),
        }
    }
    parameters
}

/// The undefined symbols. Entries of the version table alone are ignored, except that the kernel
/// itself checks `module_layout` by them.
fn needs(module: &ModuleFile) -> Result<Vec<Need>> {
    let wanted = module
        .needed_symbols()?
        .into_iter()
        .filter(|symbol| symbol.binding != Binding::Undefined || symbol.name == "module_layout");
    let need = |symbol: crate::module_file::NeededSymbol<'_>| Need {
        name: symbol::without_dot(symbol.name).into(),
        crc: symbol.crc.map(low_word),
        weak: symbol.binding != Binding::Global,
    };
    let is_exported = |need: &Need| !symbol::PROVIDED.contains(&need.name.as_slice());
    Ok(wanted.map(need).filter(is_exported).collect())
}

/// What it exports: what has an entry in the table of exports. Names without any are the strings of that table, some of
/// them namespaces: they count only where a tool has removed the symbols of all entries, and are then uncertain.
fn exports(module: &ModuleFile) -> Result<Vec<Export>> {
    let symbols = module.exported_symbols()?;
    let has_entries = symbols.iter().any(|symbol| symbol.has_entry);
    let export = |symbol: crate::module_file::ExportedSymbol<'_>| Export {
        name: symbol.name.into(),
        crc: symbol.crc.map(low_word),
        gpl_only: symbol.gpl_only,
        namespace: symbol.namespace.map(BString::from),
        is_certain: symbol.has_entry || symbol.crc.is_some(),
    };
    Ok(symbols.into_iter().filter(|symbol| symbol.has_entry || !has_entries).map(export).collect())
}

/// What `mod_check_sig` of `kernel/module_signature.c` makes of the end of the file.
fn signed(module: &ModuleFile) -> Result<Signed> {
    const PKCS7: u8 = 2;
    let contents = module.elf().contents();
    let magic = MAGIC.len() as u64;
    let Some(len) = contents.len().checked_sub(magic) else { return Ok(Signed::No) };
    if *contents.read(len, magic)? != *MAGIC {
        return Ok(Signed::No);
    }
    let trailer = TRAILER_LEN as u64;
    let Some(start) = contents.len().checked_sub(trailer) else {
        return Ok(Signed::Malformed("it is cut short"));
    };
    let Some(fields) = Trailer::parse(&contents.read(start, trailer)?) else { return Ok(Signed::No) };
    if u64::from(fields.signature_len) >= start {
        return Ok(Signed::Malformed("it is longer than the file"));
    }
    if fields.id_type != PKCS7 {
        return Ok(Signed::Unsupported);
    }
    let others = [fields.algorithm, fields.hash, fields.signer_len, fields.key_id_len];
    if others != [0; 4] || fields.padding != [0; 3] {
        return Ok(Signed::Malformed("its fields are not those of a PKCS#7 message"));
    }
    let details = module.signature().ok().flatten().and_then(|signature| signature.details);
    Ok(details.map_or(Signed::Unreadable, |details| Signed::By(Box::new(details))))
}

/// CRCs have 32 bits; some tables keep them in longer words.
fn low_word(crc: u64) -> u32 {
    (crc & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_called_by_its_name() {
        let machine = |number| Machine { is_64: true, is_little: false, number }.to_string();
        assert_eq!(machine(22), "S390, 64 bits, big endian");
        assert_eq!(machine(62), "X86_64, 64 bits, big endian");
        assert_eq!(machine(60_000), "machine 60000, 64 bits, big endian");
    }
}
