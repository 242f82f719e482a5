//! The kernel build's lists and depmod's own text files, in a module directory.
#![no_main]

use std::cell::OnceCell;
use std::path::Path;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils::internals::depmod::omission::Omissions;
use modutils::internals::depmod::{TreeFile, builtin, module_order, quick, symvers};
use modutils::internals::index::{Indexes, Trie, TrieBuilder};
use modutils::internals::module_file::BuiltinInfo;
use modutils::{ModuleName, Notice};
use modutils_fuzz::files::{self, MemoryFile};
use modutils_fuzz::{index, memory};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    which: u8,
    text: &'a [u8],
}

thread_local! {
    static DIRECTORY: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(|input: Input<'_>| {
    DIRECTORY.with(|directory| {
        let directory = directory.get_or_init(files::scratch).path();
        let text = input.text;
        memory::within((4 << 20) + 512 * text.len(), || match input.which % 6 {
            0 => order(directory, text),
            1 => builtin_names(directory, text),
            2 => builtin_aliases(directory, text),
            3 => dep(directory, text),
            4 => symbols(symvers::Source::Symvers, text),
            _ => symbols(symvers::Source::SystemMap, text),
        });
    });
});

fn write(directory: &Path, name: &str, text: &[u8]) {
    std::fs::write(directory.join(name), text).expect("a file in the scratch directory");
}

/// Sorting by `modules.order` loses no module, whatever the list names.
fn order(directory: &Path, text: &[u8]) {
    write(directory, "modules.order", text);
    let lines = text.split(|&byte| byte == b'\n').take(8).chain([&b"kernel/a.ko"[..], b"kernel/b.ko.xz"]);
    let mut files: Vec<TreeFile> = lines
        .map(|line| TreeFile { name: ModuleName::new(line), path: "m.ko".into(), listed: line.into() })
        .collect();
    let mut before: Vec<_> = files.iter().map(|file| file.listed.clone()).collect();
    let mut omissions = Omissions::default();
    module_order::sort(&mut files, directory, None, &mut omissions, &mut |_: Notice| {
        panic!("the file is there")
    });
    assert!(omissions.as_slice().is_empty());
    let mut after: Vec<_> = files.into_iter().map(|file| file.listed).collect();
    before.sort();
    after.sort();
    assert_eq!(before, after);
}

/// Each line of `modules.builtin` is a name in the index, or reported.
fn builtin_names(directory: &Path, text: &[u8]) {
    write(directory, "modules.builtin", text);
    let mut reported = 0;
    let mut omissions = Omissions::default();
    let bytes = builtin::names_index(directory, None, &mut omissions, &mut |_: Notice| reported += 1);
    let bytes = bytes.expect("a small index");
    let trie = Trie::from_bytes(Path::new("modules.builtin.bin"), bytes).expect("an index just written");
    let entries = trie.entries().expect("an index just written");
    let lines = text.split_inclusive(|&byte| byte == b'\n').count();
    assert_eq!(entries.len() + reported, lines);
    for (name, _) in entries {
        assert!(!name.contains(&b'-') && !name.contains(&b'/'));
    }
}

fn builtin_aliases(directory: &Path, text: &[u8]) {
    write(directory, "modules.builtin.modinfo", text);
    let bytes = builtin::aliases_index(directory, None, &mut Omissions::default(), &mut |_: Notice| {});
    let bytes = bytes.expect("a small index");
    index::check_any(&bytes, text);
    let trie =
        Trie::from_bytes(Path::new("modules.builtin.alias.bin"), bytes).expect("an index just written");
    let entries = trie.entries().expect("an index just written");
    assert!(entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() <= text.len());
    let info = BuiltinInfo::from_bytes(text.to_vec());
    for (_, module) in entries.iter().take(4) {
        let info = info.modinfo(&ModuleName::new(module));
        assert!(info.values("alias").next().is_some(), "an alias in the index that modinfo does not show");
    }
}

/// A line of `modules.dep`, in the index and as text.
fn dep(directory: &Path, text: &[u8]) {
    write(directory, "modules.dep", text);
    let file = TreeFile { name: ModuleName::new("m"), path: "/".into(), listed: "m.ko".into() };
    quick::is_current(&[file], directory);
    let mut builder = TrieBuilder::new();
    builder.insert(b"m", text, 0).expect("an ASCII key");
    write(directory, "modules.dep.bin", &builder.to_bytes().expect("a small index"));
    let indexes = Indexes::new(directory.to_owned());
    let line = text.split(|&byte| byte == 0).next().unwrap_or_default();
    match indexes.dependency_line(&ModuleName::new("m")) {
        Ok(None) => panic!("the line is in the index"),
        Ok(Some(read)) => {
            let colons = line.iter().position(|&byte| byte == b':').expect("a line without a colon was read");
            assert!(read.dependencies.len() <= line.len() - colons);
        }
        Err(error) => assert!(error.to_string().contains("modules.dep.bin"), "{error}"),
    }
}

fn symbols(source: symvers::Source, text: &[u8]) {
    let file = MemoryFile::new(text);
    let mut reported = 0;
    let symbols = symvers::read(source, &file.path(), Some(b'.'), &mut |_: Notice| reported += 1);
    // A file that lists nothing is none of these lists.
    let Some(symbols) = symbols.expect("a file in memory") else { return };
    assert!(symbols.len() + reported <= text.split_inclusive(|&byte| byte == b'\n').count());
    assert!(symbols.iter().map(|(name, _)| name.len()).sum::<usize>() <= text.len());
}
