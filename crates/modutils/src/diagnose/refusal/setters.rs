//! The parameters as the kernel has them: the section `__param`, an array of `struct kernel_param`
//! (`include/linux/moduleparam.h`), whose pointers are relocations.
//!
//! `.modinfo` describes parameters to people, and need not name all. This names every one, and who reads its value.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};
use goblin::elf::{
    header::{EM_MIPS, EM_MIPS_RS3_LE},
    section_header::{SHT_REL, SHT_RELA},
};
use scroll::Pread;

use crate::{
    Result,
    elf::{Class, Elf, Symbol, string_at},
};

/// Who reads the value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setter {
    /// The function that the kernel has for a type, by the type's name: `int`.
    Kernel(BString),
    /// The same for each of at most so many values between commas.
    Array(BString, u32),
    /// The kernel copies the text, which must be shorter than so many bytes.
    Text(u32),
    /// A function of the module, or of another one.
    Own,
    /// Not known: `.modinfo` has to do.
    Unknown,
}

/// A parameter's name and who reads its value.
pub type KernelParameter = (BString, Setter);

/// The section.
const SECTION: &[u8] = b"__param";

/// The parameters; `None` where the file has no such section, or one that cannot be read for sure.
///
/// # Errors
/// When a section cannot be read.
pub fn of(elf: &Elf) -> Result<Option<Vec<KernelParameter>>> {
    let Some(reader) = Reader::of(elf)? else { return Ok(None) };
    let mut parameters = Vec::new();
    // Those of arrays are in other sections, whose relocations are read once.
    let mut arrays = Vec::new();
    // In a hostile file all of them share a name.
    let mut left = elf.contents().len();
    for number in 0..reader.count() {
        let Some(name) = reader.name(number)? else { return Ok(None) };
        match left.checked_sub(name.len() as u64) {
            Some(rest) => left = rest,
            None => return Ok(None),
        }
        let (setter, array) = reader.setter(number)?;
        arrays.extend(array.map(|array| (parameters.len(), array)));
        parameters.push((name, setter));
    }
    reader.elements(&arrays, &mut parameters)?;
    Ok(Some(parameters))
}

/// A place in a section.
type Place = (usize, usize);

struct Reader<'a> {
    elf: &'a Elf,
    /// The section's number, and its bytes.
    section: usize,
    bytes: &'a [u8],
    /// What its pointers lead to: symbol and addend by offset.
    pointers: HashMap<usize, Pointer<'a>>,
    word: usize,
}

/// The symbol that a relocation is about, and what is added to its value.
type Pointer<'a> = (Symbol<'a>, u64);

impl<'a> Reader<'a> {
    fn of(elf: &'a Elf) -> Result<Option<Self>> {
        let Some(section) = elf.sections().position(|(name, _)| name == SECTION) else { return Ok(None) };
        // 64-bit MIPS has its own form of relocations.
        if matches!(elf.machine(), EM_MIPS | EM_MIPS_RS3_LE) {
            return Ok(None);
        }
        let bytes = elf.section_at(section)?.unwrap_or_default();
        let pointers = pointers(elf, section, |_| true)?;
        Ok(Some(Self { elf, section, bytes, pointers, word: elf.class().word() }))
    }

    /// `name`, `mod`, `ops`, then `perm`, `level` and `flags` in a word, and a union of pointers.
    fn count(&self) -> usize {
        self.bytes.len() / (5 * self.word)
    }

    fn pointer(&self, number: usize, field: usize) -> Option<&Pointer<'a>> {
        self.pointers.get(&((number * 5 + field) * self.word))
    }

    fn name(&self, number: usize) -> Result<Option<BString>> {
        let Some(place) = self.pointer(number, 0).and_then(place) else { return Ok(None) };
        let bytes = self.elf.section_at(place.0)?.unwrap_or_default();
        Ok(string_at(bytes, place.1).map(BString::from))
    }

    /// Who reads the values, and where the `struct kparam_array` is that has to be read for that.
    fn setter(&self, number: usize) -> Result<(Setter, Option<Place>)> {
        let Some((ops, _)) = self.pointer(number, 2) else { return Ok((Setter::Unknown, None)) };
        let argument = self.pointer(number, 4).and_then(place);
        Ok(match by_symbol(ops) {
            Setter::Kernel(kind) if kind == "array" => (Setter::Unknown, argument),
            Setter::Kernel(kind) if kind == "string" => {
                let longest = argument.map(|place| self.number(place)).transpose()?.flatten();
                (longest.map_or(Setter::Unknown, Setter::Text), None)
            }
            setter => (setter, None),
        })
    }

    /// `maxlen` of `struct kparam_string`, and `max` of `struct kparam_array`, are the first word of each.
    fn number(&self, (section, offset): Place) -> Result<Option<u32>> {
        let bytes = self.elf.section_at(section)?.unwrap_or_default();
        Ok(bytes.pread_with(offset, self.elf.endian()).ok())
    }

    /// Who reads each value of the arrays: `ops` of `struct kparam_array` follows two numbers and a pointer.
    fn elements(&self, arrays: &[(usize, Place)], parameters: &mut [KernelParameter]) -> Result<()> {
        let mut by_section: HashMap<usize, HashMap<usize, Vec<usize>>> = HashMap::new();
        for (index, (section, offset)) in arrays {
            // A structure that overlaps the section with the parameters is nobody's.
            if *section != self.section {
                let ops = offset.saturating_add(8 + self.word);
                by_section.entry(*section).or_default().entry(ops).or_default().push(*index);
            }
        }
        let most: HashMap<usize, Place> = arrays.iter().copied().collect();
        for (section, wanted) in by_section {
            for (offset, (ops, _)) in pointers(self.elf, section, |offset| wanted.contains_key(&offset))? {
                for index in wanted.get(&offset).into_iter().flatten() {
                    let place = most.get(index);
                    let most = place.map(|place| self.number(*place)).transpose()?.flatten();
                    let setter = match (by_symbol(&ops), most) {
                        (Setter::Kernel(kind), Some(most)) => Setter::Array(kind, most),
                        (Setter::Own, _) => Setter::Own,
                        _ => Setter::Unknown,
                    };
                    if let Some(parameter) = parameters.get_mut(*index) {
                        parameter.1 = setter;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whose functions a symbol stands for: those of `kernel/params.c`, or of the kernel's `rust/kernel/module_param.rs`.
fn by_symbol(ops: &Symbol) -> Setter {
    if !ops.is_undefined() {
        return Setter::Own;
    }
    let Ok(name) = ops.name() else { return Setter::Unknown };
    match name.strip_prefix(b"param_ops_") {
        Some(kind) => Setter::Kernel(kind.into()),
        None if name == b"param_array_ops" => Setter::Kernel("array".into()),
        None if name.contains_str("PARAM_OPS_") => Setter::Unknown,
        None => Setter::Own,
    }
}

/// Where a pointer leads to, if that is in the file.
fn place((symbol, addend): &Pointer) -> Option<Place> {
    let offset = symbol.entry.st_value.wrapping_add(*addend);
    Some((symbol.section()?, usize::try_from(offset).ok()?))
}

/// The relocations of a section at the offsets that are wanted, each with its symbol.
fn pointers(
    elf: &Elf,
    section: usize,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<HashMap<usize, Pointer<'_>>> {
    let (symbols, word, endian) = (elf.symbols()?, elf.class().word(), elf.endian());
    let tables = elf.sections().map(|(_, table)| (table.sh_type, table.sh_info as usize)).enumerate();
    let mut pointers = HashMap::new();
    for (index, (kind, _)) in tables.filter(|(_, (_, target))| *target == section) {
        let has_addends = match kind {
            SHT_RELA => true,
            SHT_REL => false,
            _ => continue,
        };
        let table = elf.section_at(index)?.unwrap_or_default();
        let words = |entry: &[u8], number: usize| -> Option<u64> {
            match elf.class() {
                Class::Elf64 => entry.pread_with(number * word, endian).ok(),
                Class::Elf32 => entry.pread_with::<u32>(number * word, endian).ok().map(u64::from),
            }
        };
        for entry in table.chunks_exact(if has_addends { 3 * word } else { 2 * word }) {
            let (Some(offset), Some(info)) = (words(entry, 0), words(entry, 1)) else { continue };
            let Some(offset) = usize::try_from(offset).ok().filter(|offset| is_wanted(*offset)) else {
                continue;
            };
            let symbol = match elf.class() {
                Class::Elf64 => info >> 32,
                Class::Elf32 => info >> 8,
            };
            let addend = match has_addends {
                true => words(entry, 2),
                false => elf.section_at(section)?.and_then(|bytes| words(bytes.get(offset..)?, 0)),
            };
            let symbol = usize::try_from(symbol).ok().and_then(|number| symbols.get(number));
            pointers.extend(symbol.zip(addend).map(|pointer| (offset, pointer)));
        }
    }
    Ok(pointers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use testkit::{Arch, ModuleBuilder};

    use super::*;
    use crate::file::Contents;

    fn elf(bytes: Vec<u8>) -> Elf {
        Elf::parse(Contents::from_bytes("m.ko".as_ref(), bytes).unwrap()).unwrap()
    }

    fn module(arch: Arch) -> ModuleBuilder {
        use testkit::Setter;
        let module = ModuleBuilder::new("m").arch(arch).parameter("count", Setter::Kernel("param_ops_int"));
        let module = module.parameter("ports", Setter::Array("param_ops_ushort", 3));
        let module = module.parameter("label", Setter::Text(8)).parameter("mode", Setter::Own);
        module.parameter("more", Setter::Array("param_ops_charp", 2))
    }

    #[test]
    fn each_parameter_has_a_name_and_who_reads_its_value_on_every_machine() {
        for arch in Arch::ALL {
            let parameters = of(&elf(module(arch).build())).unwrap();
            if arch == Arch::Mips32Be {
                assert_eq!(parameters, None);
                continue;
            }
            let expected = [
                ("count", Setter::Kernel("int".into())),
                ("ports", Setter::Array("ushort".into(), 3)),
                ("label", Setter::Text(8)),
                ("mode", Setter::Own),
                ("more", Setter::Array("charp".into(), 2)),
            ];
            let expected: Vec<KernelParameter> =
                expected.into_iter().map(|(name, setter)| (name.into(), setter)).collect();
            assert_eq!(parameters, Some(expected), "{arch:?}");
        }
        assert_eq!(of(&elf(ModuleBuilder::new("m").build())).unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_damaged_table_is_read_or_refused(place in 0_usize..4096, byte in any::<u8>(), class in any::<bool>()) {
            let mut bytes = module(if class { Arch::X86_64 } else { Arch::Armhf }).build();
            let place = place % bytes.len();
            bytes[place] = byte;
            let elf = Contents::from_bytes("m.ko".as_ref(), bytes).and_then(Elf::parse);
            if let Ok(Some(parameters)) = elf.and_then(|elf| of(&elf)) {
                prop_assert!(parameters.len() <= 4096);
            }
        }
    }
}
