//! What depmod needs to know of one module file.
//!
//! Reading a file gives plain bytes that depend only on that file: it may be done in any
//! thread and in any order, and kept from one run to the next.

use bstr::{BString, ByteSlice};

use crate::{
    Error, Notice, Result,
    elf::Elf,
    file::{Contents, Scratch, regular},
    module_file::{Binding, ModuleFile},
    stamp::Stamp,
};

use super::{
    TreeFile,
    lines::{Unfit, is_line_end, is_word},
    omission::{Omission, Omitted},
    rows::{Strings, SymbolRows, SymbolUse},
    same_place::Place,
};

/// The facts of one module: its own, or the cache's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The values of `alias=`.
    pub aliases: Strings<'a>,
    /// The values of `softdep=`.
    pub softdeps: Strings<'a>,
    /// The values of `weakdep=`.
    pub weakdeps: Strings<'a>,
    /// The exported symbols; none is weak.
    pub exports: SymbolRows<'a>,
    /// The needed symbols, in the order of [`ModuleFile::needed_symbols`].
    pub needs: SymbolRows<'a>,
}

/// What reading one file gives.
#[derive(Debug, Default)]
pub struct Reading {
    /// The facts that could be read.
    pub facts: Facts<'static>,
    /// One for each kind of facts that could not.
    pub omissions: Vec<Omission>,
    /// Which file it was, as it stood before anything was read of it; `None` where it could not be
    /// opened, or may be changed without a trace.
    pub stamp: Option<Stamp>,
}

/// Reads one file, opened in `place` if it is there. A damaged module has the facts that could be read, and an omission for each kind
/// that could not.
pub fn read(file: &TreeFile, place: Option<&Place>, scratch: &mut Scratch) -> Reading {
    let mut reading = Reading::default();
    match open(file, place, scratch, &mut reading.stamp) {
        Err(error) => reading.omissions.push(could_not_load(Omitted::Module, file, error)),
        Ok(module) => {
            let facts = &mut reading.facts;
            match facts.read_symbols(&module) {
                Ok(unfit) => reading.omissions.extend(unfit.omission("symbols", b".symtab", &file.path)),
                Err(error) => reading.omissions.push(could_not_load(Omitted::SymbolRows, file, error)),
            }
            match facts.read_modinfo(&module) {
                Ok(unfit) => {
                    let kinds = KINDS.into_iter().zip(unfit);
                    let omissions =
                        kinds.filter_map(|(kind, unfit)| unfit.omission(kind, b".modinfo", &file.path));
                    reading.omissions.extend(omissions);
                }
                Err(error) => reading.omissions.push(could_not_load(Omitted::Modinfo, file, error)),
            }
            scratch.recycle(module.into_contents());
        }
    }
    reading
}

fn open(
    file: &TreeFile,
    place: Option<&Place>,
    scratch: &mut Scratch,
    stamp: &mut Option<Stamp>,
) -> Result<ModuleFile> {
    let (opened, metadata) = regular(&file.path, Place::open_file(place, &file.path))?;
    *stamp = Stamp::settled(&metadata);
    ModuleFile::from_elf(Elf::parse(Contents::read_from(&file.path, opened, metadata.len(), scratch)?)?)
}

/// What the values of `.modinfo` are that lines are made of.
const KINDS: [&str; 3] = ["aliases", "soft dependencies", "weak dependencies"];

impl Facts<'_> {
    /// Returns the exported symbols that were skipped. Needed ones appear in no file.
    fn read_symbols(&mut self, module: &ModuleFile) -> Result<Unfit> {
        let mut unfit = Unfit::default();
        for symbol in module.exported_symbols()? {
            if !is_word(symbol.name) {
                unfit.add(symbol.name);
                continue;
            }
            self.exports.push(symbol.name, SymbolUse { crc: symbol.crc, weak: false });
        }
        for symbol in module.needed_symbols()? {
            let need = SymbolUse { crc: symbol.crc, weak: symbol.binding == Binding::Weak };
            self.needs.push(symbol.name, need);
        }
        Ok(unfit)
    }

    /// Returns the values that were skipped, for each of [`KINDS`].
    fn read_modinfo(&mut self, module: &ModuleFile) -> Result<[Unfit; 3]> {
        let mut unfit = <[Unfit; 3]>::default();
        let [aliases, softdeps, weakdeps] = &mut unfit;
        for field in module.modinfo()?.fields() {
            let (values, unfit, fits): (_, _, fn(&[u8]) -> bool) = match field.key.as_bytes() {
                b"alias" => (&mut self.aliases, &mut *aliases, is_word),
                b"softdep" => (&mut self.softdeps, &mut *softdeps, is_line_end),
                b"weakdep" => (&mut self.weakdeps, &mut *weakdeps, is_line_end),
                _ => continue,
            };
            match fits(field.value) {
                true => values.push(field.value),
                false => unfit.add(field.value),
            }
        }
        Ok(unfit)
    }
}

fn could_not_load(what: Omitted, file: &TreeFile, error: Error) -> Omission {
    let path = file.path.as_os_str().as_encoded_bytes();
    let words: &[u8] = match what {
        Omitted::SymbolRows => b"symbols from",
        Omitted::Modinfo => b"information from",
        _ => b"module",
    };
    let cause = match &error {
        Error::Malformed { fault, .. } => fault.to_string(),
        other => other.to_string(),
    };
    let message = [b"failed to load ", words, b" ", path, b": ", cause.as_bytes()].concat();
    Omission::new(what, &file.path, error, Notice::error(BString::from(message)))
}

#[cfg(test)]
mod tests {
    use testkit::{Crc, ModuleBuilder};

    use super::*;
    use crate::ModuleName;

    fn read_bytes(bytes: &[u8]) -> (Facts<'static>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ko");
        std::fs::write(&path, bytes).unwrap();
        let file = TreeFile { name: ModuleName::new("a"), path, listed: "a.ko".into() };
        let Reading { facts, omissions, .. } = read(&file, None, &mut Scratch::default());
        let texts = omissions
            .into_iter()
            .map(|omission| omission.notice().to_string().replace(directory.path().to_str().unwrap(), "DIR"));
        (facts, texts.collect())
    }

    fn strings(strings: &Strings<'_>) -> Vec<String> {
        strings.iter().map(|string| String::from_utf8(string.to_vec()).unwrap()).collect()
    }

    #[test]
    fn facts_stand_in_the_order_of_the_file() {
        let module = ModuleBuilder::new("a")
            .alias("one")
            .modinfo("softdep", "pre: x")
            .alias("")
            .alias("two")
            .modinfo("weakdep", "y z")
            .export("mine", Crc::Absolute(7))
            .needs("theirs", 9)
            .needs_weak("perhaps", None);
        let (facts, notices) = read_bytes(&module.build());
        assert_eq!(notices, [""; 0]);
        assert_eq!(strings(&facts.aliases), ["one", "", "two"]);
        assert_eq!(strings(&facts.softdeps), ["pre: x"]);
        assert_eq!(strings(&facts.weakdeps), ["y z"]);
        let exported: Vec<_> = facts.exports.iter().collect();
        assert_eq!(exported, [(&b"mine"[..], SymbolUse { crc: Some(7), weak: false })]);
        let needed: Vec<_> = facts.needs.iter().filter(|(name, _)| *name != b"module_layout").collect();
        let theirs = (&b"theirs"[..], SymbolUse { crc: Some(9), weak: false });
        assert_eq!(needed, [theirs, (&b"perhaps"[..], SymbolUse { crc: None, weak: true })]);
    }

    /// A file of a few kilobytes, once compressed, made depmod take gigabytes.
    #[test]
    fn symbols_that_share_a_long_name_are_refused() {
        testkit::surroundings::settle();
        for (name, cause) in [
            ("n".repeat(1 << 20), "a symbol's name is longer than any name is"),
            ("n".repeat(4096), "the symbols' names are out of proportion to the file"),
            ("__crc_".to_owned() + &"n".repeat(1 << 20), "a symbol's name is longer than any name is"),
            ("__crc_".to_owned() + &"n".repeat(4000), "the symbols' names are out of proportion to the file"),
        ] {
            let (facts, notices) = read_bytes(&module_whose_symbols_are_all_named(&name));
            assert!(facts.needs.is_empty() && facts.exports.is_empty());
            let expected = format!("failed to load symbols from DIR/a.ko: section .symtab: {cause}");
            assert_eq!(notices, [expected]);
        }
        let (facts, notices) = read_bytes(&module_whose_symbols_are_all_named("short"));
        assert_eq!((facts.needs.len(), notices.len()), (60_000, 0));
    }

    fn module_whose_symbols_are_all_named(name: &str) -> Vec<u8> {
        let mut module = ModuleBuilder::new("a").modinfo("license", "GPL").needs(name, None);
        for number in 1..60_000_u32 {
            module = module.needs(number.to_string(), None);
        }
        let mut bytes = module.build();
        let elf = Elf::parse(Contents::from_bytes("a.ko".as_ref(), bytes.clone()).unwrap()).unwrap();
        let (_, table) = elf.sections().find(|(name, _)| *name == b".symtab").unwrap();
        let symbols = elf.symbols().unwrap();
        let named = symbols.iter().find(|symbol| {
            symbol.is_undefined() && symbol.name_after(name.as_bytes()).map_or(true, |rest| rest.is_some())
        });
        let shared = (named.unwrap().entry.st_name as u32).to_le_bytes();
        let (start, len) = (table.sh_offset as usize, table.sh_size as usize);
        for (entry, symbol) in bytes[start..start + len].chunks_exact_mut(24).zip(symbols.iter()) {
            if symbol.is_undefined() {
                entry[..4].copy_from_slice(&shared);
            }
        }
        bytes
    }

    #[test]
    fn a_damaged_module_is_named_and_has_no_facts() {
        for bytes in
            [&b""[..], b"\x7fELF", b"no module at all, but more than a header's length of text in its place"]
        {
            let (facts, notices) = read_bytes(bytes);
            assert_eq!(facts, Facts::default());
            assert_eq!(notices.len(), 1);
            assert!(notices[0].starts_with("failed to load module DIR/a.ko: "), "{notices:?}");
        }
    }
}
