//! Modules as testkit writes them, to be damaged, and what holds of the facts of any file at all.

use arbitrary::{Arbitrary, Unstructured};
use modutils::internals;
use modutils::internals::elf::Elf;
use modutils::internals::file::Contents;
use testkit::{
    Arch, Compression, Crc, Export, ExportTables, ModuleBuilder, Section, Signature, VersionTables,
};

use crate::patch::Patch;

/// A module to write, and what is to be done to it.
#[derive(Clone, Debug)]
pub struct DamagedModule {
    /// The module before anything happens to it.
    pub plain: Vec<u8>,
    /// Its form in the end.
    pub compression: Compression,
    /// Damage to the plain file.
    pub inside: Vec<Patch>,
    /// Changes of the section table.
    pub sections: Vec<SectionPatch>,
    /// Damage to what came out of compression.
    pub outside: Vec<Patch>,
}

/// A field of a section's header gets another value.
#[derive(Arbitrary, Clone, Debug)]
pub struct SectionPatch {
    section: u8,
    field: u8,
    value: Value,
}

/// What a field is set to.
#[derive(Arbitrary, Clone, Debug)]
enum Value {
    Any(u64),
    Small(u8),
    /// The same field of another section, so that they overlap.
    OfSection(u8),
    /// Somewhere near the end of the file.
    NearEnd(i8),
}

impl<'a> Arbitrary<'a> for DamagedModule {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self {
            plain: module(input)?.build(),
            compression: *input.choose(&Compression::ALL)?,
            inside: input.arbitrary()?,
            sections: input.arbitrary()?,
            outside: if input.ratio(1, 4)? { input.arbitrary()? } else { Vec::new() },
        })
    }
}

impl DamagedModule {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.plain.clone();
        for patch in &self.sections {
            patch.apply(&mut bytes);
        }
        crate::patch::apply(&self.inside, &mut bytes);
        let mut bytes = self.compression.compress(&bytes);
        crate::patch::apply(&self.outside, &mut bytes);
        bytes
    }

    /// Whether nothing was done to the module.
    pub fn is_sound(&self) -> bool {
        self.inside.is_empty() && self.sections.is_empty() && self.outside.is_empty()
    }
}

impl SectionPatch {
    /// Changes the table of a sound file.
    fn apply(&self, bytes: &mut [u8]) {
        let Some(table) = SectionTable::of(bytes) else { return };
        let fields = if table.wide { WIDE } else { NARROW };
        let (offset, size) = fields[usize::from(self.field) % fields.len()];
        let place = table.place(self.section) + offset;
        let value = match self.value {
            Value::Any(value) => value,
            Value::Small(value) => value.into(),
            Value::OfSection(other) => table.read(bytes, table.place(other) + offset, size),
            Value::NearEnd(distance) => (bytes.len() as u64).wrapping_add_signed(distance.into()),
        };
        table.write(bytes, place, size, value);
    }
}

/// The offset and the size of each field of a section header, in 64-bit and in 32-bit files.
const WIDE: [(usize, usize); 10] =
    [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
const NARROW: [(usize, usize); 10] =
    [(0, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4), (28, 4), (32, 4), (36, 4)];

/// The section table of a file that is sound as far as its header goes.
struct SectionTable {
    wide: bool,
    big: bool,
    offset: usize,
    count: usize,
}

impl SectionTable {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (wide, big) = (*bytes.get(4)? == 2, *bytes.get(5)? == 2);
        let mut table = Self { wide, big, offset: 0, count: 0 };
        let (offset, count) = if wide { (0x28, 0x3c) } else { (0x20, 0x30) };
        table.offset = table.read(bytes, offset, if wide { 8 } else { 4 }) as usize;
        table.count = table.read(bytes, count, 2) as usize;
        (table.count > 0).then_some(table)
    }

    fn place(&self, section: u8) -> usize {
        let size = if self.wide { 64 } else { 40 };
        self.offset + usize::from(section) % self.count * size
    }

    fn read(&self, bytes: &[u8], at: usize, size: usize) -> u64 {
        let field = bytes.get(at..at + size).unwrap_or_default().iter();
        let join = |value, byte: &u8| value << 8 | u64::from(*byte);
        if self.big { field.fold(0, join) } else { field.rev().fold(0, join) }
    }

    fn write(&self, bytes: &mut [u8], at: usize, size: usize, value: u64) {
        let little = value.to_le_bytes();
        let field = bytes.get_mut(at..at + size).unwrap_or_default().iter_mut();
        if self.big {
            field.rev().zip(little).for_each(|(place, byte)| *place = byte);
        } else {
            field.zip(little).for_each(|(place, byte)| *place = byte);
        }
    }
}

/// A module with something of everything.
pub fn module(input: &mut Unstructured<'_>) -> arbitrary::Result<ModuleBuilder> {
    let mut module = ModuleBuilder::new(name(input, 50)?)
        .arch(*input.choose(&Arch::ALL)?)
        .export_tables(*input.choose(&[
            ExportTables::ByLicence,
            ExportTables::Flags,
            ExportTables::StringsOnly,
        ])?)
        .version_tables(*input.choose(&[
            VersionTables::Classic,
            VersionTables::Extended,
            VersionTables::Both,
        ])?);
    for _ in 0..input.int_in_range(0..=6)? {
        module = match input.int_in_range(0..=9)? {
            0 => module.modinfo(modinfo_key(input)?, name(input, 80)?),
            1 => module.modinfo_raw(<&[u8]>::arbitrary(input)?),
            2 => module.export_as(export(input)?),
            3 | 4 => module.needs(name(input, 50)?, <Option<u32>>::arbitrary(input)?),
            5 => module.needs_weak(name(input, 50)?, <Option<u32>>::arbitrary(input)?),
            6 => module.version(name(input, 50)?, input.arbitrary()?),
            7 => module.section(Section::new(name(input, 20)?, <&[u8]>::arbitrary(input)?)),
            8 => module.this_module_size(input.int_in_range(0..=200)?),
            _ => module.signature(signature(input)?),
        };
    }
    Ok(module)
}

fn export(input: &mut Unstructured<'_>) -> arbitrary::Result<Export> {
    let crc = match input.int_in_range(0..=2)? {
        0 => Crc::None,
        1 => Crc::Absolute(input.arbitrary()?),
        _ => Crc::Section(input.arbitrary()?),
    };
    let mut export = Export::new(name(input, 50)?).crc(crc);
    if input.arbitrary()? {
        export = export.gpl();
    }
    if input.arbitrary()? {
        export = export.namespace(name(input, 20)?);
    }
    Ok(export)
}

/// A signature of any kind, right or wrong.
pub fn signature(input: &mut Unstructured<'_>) -> arbitrary::Result<Signature> {
    Ok(Signature {
        algo: input.int_in_range(0..=2)?,
        hash: input.int_in_range(0..=9)?,
        id_type: input.int_in_range(0..=3)?,
        signer: name(input, 20)?,
        key_id: name(input, 20)?,
        claimed_len: if input.ratio(1, 4)? { Some(input.arbitrary()?) } else { None },
        signature: input.arbitrary()?,
    })
}

fn modinfo_key(input: &mut Unstructured<'_>) -> arbitrary::Result<&'static str> {
    input
        .choose(&["alias", "parm", "parmtype", "softdep", "weakdep", "license", "vermagic", "depends"])
        .copied()
}

/// Bytes without a NUL, as names are.
fn name(input: &mut Unstructured<'_>, longest: usize) -> arbitrary::Result<Vec<u8>> {
    let length = input.int_in_range(0..=longest)?.min(input.len());
    let bytes = input.bytes(length)?;
    Ok(bytes.iter().map(|&byte| if byte == 0 { b'a' } else { byte }).collect())
}

/// Reads everything a module file can report, and checks that it stays in proportion to the file. The result is all
/// of it as text, to compare two ways of reading.
pub fn check_facts(contents: Contents) -> Vec<String> {
    let plain = contents.len() as usize;
    let mut reported = Vec::new();
    let elf = match Elf::parse(contents) {
        Ok(elf) => elf,
        Err(error) => return vec![error.to_string()],
    };
    check_sections(&elf);
    let Ok(module) = internals::module_file::from_elf(elf) else { return reported };
    check_symbols(internals::module_file::elf(&module), &mut reported);
    reported.push(match module.modinfo() {
        Ok(info) => {
            let length: usize =
                info.fields().iter().map(|field| field.key.len() + field.value.len() + 1).sum();
            assert!(length <= plain + 1, ".modinfo gives {length} bytes of a file of {plain}");
            let parameters = info.parameters();
            let malformed: Vec<_> = info.malformed_parameters().collect();
            assert!(parameters.len() + malformed.len() <= info.fields().len());
            format!("{:?} {parameters:?} {malformed:?}", info.fields())
        }
        Err(error) => error.to_string(),
    });
    reported.push(match module.versions() {
        Ok(versions) => {
            assert!(versions.len() <= plain / 5 + 1, "{} versions in {plain} bytes", versions.len());
            format!("{versions:?}")
        }
        Err(error) => error.to_string(),
    });
    reported.push(match module.exported_symbols() {
        Ok(exports) => {
            let length: usize = exports.iter().map(|export| export.name.len()).sum();
            assert!(length <= 2 * plain, "exports give {length} bytes of a file of {plain}");
            format!("{exports:?}")
        }
        Err(error) => error.to_string(),
    });
    reported.push(match module.needed_symbols() {
        Ok(needed) => {
            let length: usize = needed.iter().map(|symbol| symbol.name.len()).sum();
            assert!(length <= 3 * plain, "needs give {length} bytes of a file of {plain}");
            format!("{needed:?}")
        }
        Err(error) => error.to_string(),
    });
    reported.push(match module.build_id() {
        Ok(build_id) => {
            assert!(build_id.is_none_or(|build_id| build_id.len() <= plain));
            format!("{build_id:?}")
        }
        Err(error) => error.to_string(),
    });
    reported.push(match module.this_module() {
        Ok(this) => {
            assert!(this.is_none_or(|this| this.size <= plain as u64 && this.name.len() < 64));
            format!("{this:?}")
        }
        Err(error) => error.to_string(),
    });
    reported.push(match module.signature() {
        Ok(signature) => {
            if let Some(details) = signature.as_ref().and_then(|signature| signature.details.as_ref()) {
                let length = details.bytes.len() + details.key_id.len();
                assert!(length <= plain, "a signature of {length} bytes in a file of {plain}");
            }
            format!("{signature:?}")
        }
        Err(error) => error.to_string(),
    });
    reported
}

/// A section has the bytes that its header claims, or is an error.
fn check_sections(elf: &Elf) {
    let headers: Vec<_> = elf.sections().map(|(name, header)| (name.to_vec(), header.sh_size)).collect();
    for (index, (name, size)) in headers.iter().enumerate() {
        if let Ok(Some(bytes)) = elf.section_at(index) {
            assert_eq!(bytes.len() as u64, *size, "section {index}");
        }
        // Looking one up by its name reads all names before it.
        if index < 64 {
            let first = headers.iter().position(|(other, _)| other == name);
            if let (Ok(Some(found)), Some(first)) = (elf.section(name), first)
                && !name.is_empty()
            {
                assert_eq!(found.len() as u64, headers[first].1, "section {index} by its name");
            }
        }
    }
    assert!(!elf.section_is_named(headers.len(), b""));
}

fn check_symbols(elf: &Elf, reported: &mut Vec<String>) {
    let symbols = match elf.symbols() {
        Ok(symbols) => symbols,
        Err(error) => return reported.push(error.to_string()),
    };
    for symbol in symbols.iter() {
        let name = symbol.name();
        if let Ok(name) = name {
            assert!(name.len() <= modutils::internals::elf::NAME_LIMIT && !name.contains(&0));
            let after = symbol.name_after(b"__crc_");
            assert_eq!(after.ok().flatten(), name.strip_prefix(b"__crc_"));
        }
    }
}
