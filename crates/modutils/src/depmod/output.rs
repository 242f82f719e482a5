//! The contents of the `modules.*` files, text and index, from the facts and the graph.

use std::{collections::HashSet, num::NonZeroUsize, path::Path};

use super::{
    Analysis, TreeFile, builtin,
    complete::Made,
    devname,
    facts::Facts,
    few_notices::few,
    index_entry::{insert, insert_alias},
    omission::Omissions,
    output_file::OutputFile,
    same_place::Place,
};
use crate::{
    Alias, Malformed, Notice, Result, Sink, file::TREE_FILE_LIMIT, index::TrieBuilder, threads::Pool,
};

/// The text files, in the order in which `depmod -n` prints them.
pub fn texts(analysis: &Analysis<'_>, sink: &mut Sink) -> Vec<OutputFile> {
    let (files, facts) = (analysis.files, analysis.facts);
    let file = |name, bytes| OutputFile { name, bytes };
    vec![
        file("modules.dep", dep(analysis)),
        file("modules.alias", alias(files, facts)),
        file("modules.softdep", softdep(files, facts)),
        file("modules.weakdep", weakdep(files, facts)),
        file("modules.symbols", symbols(analysis)),
        file("modules.devname", devname::text(files, facts, sink)),
    ]
}

/// What the files without dependencies are made of.
#[derive(Clone, Copy, Debug)]
pub struct IndexInput<'a> {
    /// The modules, in module order.
    pub files: &'a [TreeFile],
    /// Their facts.
    pub facts: &'a [Facts<'a>],
    /// Where `modules.builtin` and `modules.builtin.modinfo` are.
    pub directory: &'a Path,
    /// The same, opened.
    pub place: Option<&'a Place>,
    /// Whether to report an alias that a module declares twice (`-w`).
    pub warn_duplicates: bool,
}

/// What makes a file.
enum Maker {
    OfFacts(fn(&IndexInput<'_>, &mut Omissions, &mut Sink) -> Result<Vec<u8>, Malformed>),
    OfGraph(fn(&Analysis<'_>, &mut Sink) -> Result<Vec<u8>, Malformed>),
}
use Maker::{OfFacts, OfGraph};

/// All files, in the order in which notices about them are reported.
const FILES: [(&str, Maker); 11] = [
    ("modules.dep.bin", OfGraph(dep_index)),
    ("modules.alias.bin", OfFacts(|from, _, sink| alias_index(from, sink))),
    ("modules.symbols.bin", OfGraph(symbols_index)),
    (
        "modules.builtin.bin",
        OfFacts(|from, omissions, sink| builtin::names_index(from.directory, from.place, omissions, sink)),
    ),
    (
        "modules.builtin.alias.bin",
        OfFacts(|from, omissions, sink| builtin::aliases_index(from.directory, from.place, omissions, sink)),
    ),
    ("modules.dep", OfGraph(|analysis, _| Ok(dep(analysis)))),
    ("modules.alias", OfFacts(|from, _, _| Ok(alias(from.files, from.facts)))),
    ("modules.softdep", OfFacts(|from, _, _| Ok(softdep(from.files, from.facts)))),
    ("modules.weakdep", OfFacts(|from, _, _| Ok(weakdep(from.files, from.facts)))),
    ("modules.symbols", OfGraph(|analysis, _| Ok(symbols(analysis)))),
    ("modules.devname", OfFacts(|from, _, sink| Ok(devname::text(from.files, from.facts, sink)))),
];

/// A file that was made, what it lacks, and the notices about it.
#[derive(Debug)]
struct MadeFile {
    name: &'static str,
    bytes: Result<Vec<u8>, Malformed>,
    omissions: Omissions,
    notices: Vec<Notice>,
}

/// Some of the files, with their numbers in `FILES`.
#[derive(Debug)]
pub struct Part(Vec<(usize, MadeFile)>);

/// Makes the files that need no graph, each in one of at most `threads` threads.
pub fn of_facts(sources: &IndexInput<'_>, threads: NonZeroUsize) -> Part {
    part(threads, |maker, omissions, sink| match maker {
        OfFacts(make) => Some(make(sources, omissions, sink)),
        OfGraph(_) => None,
    })
}

/// Makes the others.
pub fn of_graph(analysis: &Analysis<'_>, threads: NonZeroUsize) -> Part {
    part(threads, |maker, _, sink| match maker {
        OfGraph(make) => Some(make(analysis, sink)),
        OfFacts(_) => None,
    })
}

fn part(
    threads: NonZeroUsize,
    make: impl Fn(&Maker, &mut Omissions, &mut Sink) -> Option<Result<Vec<u8>, Malformed>> + Sync,
) -> Part {
    let made = Pool::of(threads).map(
        FILES.iter().enumerate(),
        || (),
        |(), &(number, &(name, ref maker))| {
            let (mut omissions, mut notices) = (Omissions::default(), Vec::new());
            let bytes = make(maker, &mut omissions, &mut |notice| notices.push(notice))?;
            Some((number, MadeFile { name, bytes, omissions, notices }))
        },
    );
    Part(made.into_iter().flatten().collect())
}

/// The files of both parts, the indexes first, with what they and the modules lack.
///
/// # Errors
/// Where an index would be too large for its format.
pub fn all(parts: [Part; 2], mut omissions: Omissions, directory: &Path, sink: &mut Sink) -> Result<Made> {
    let mut made: Vec<_> = parts.into_iter().flat_map(|Part(made)| made).collect();
    made.sort_by_key(|(number, _)| *number);
    let files = made.into_iter().map(|(_, file)| {
        file.notices.into_iter().for_each(&mut *sink);
        omissions.append(file.omissions);
        let bytes = file.bytes.map_err(|fault| fault.at(&directory.join(file.name)))?;
        Ok(OutputFile { name: file.name, bytes })
    });
    let files = files.collect::<Result<_>>()?;
    Ok(Made::new(files, omissions))
}

/// The lines of `modules.dep`, without their ends.
fn dep_lines<'a>(analysis: &'a Analysis<'_>) -> impl Iterator<Item = Vec<u8>> + 'a {
    analysis.files.iter().zip(&analysis.dependencies).map(|(file, dependencies)| {
        let mut line = file.listed.to_vec();
        line.push(b':');
        for &dependency in dependencies {
            if let Some(file) = analysis.files.get(dependency as usize) {
                line.push(b' ');
                line.extend_from_slice(&file.listed);
            }
        }
        line
    })
}

/// The bytes of all lines of `modules.dep`, with their ends.
fn dep_len(analysis: &Analysis<'_>) -> usize {
    let len = |file: &TreeFile| file.listed.len().saturating_add(1);
    let lines = analysis.files.iter().zip(&analysis.dependencies).map(|(file, dependencies)| {
        let dependencies = dependencies.iter().filter_map(|&index| analysis.files.get(index as usize));
        dependencies.map(len).fold(len(file).saturating_add(1), usize::saturating_add)
    });
    lines.fold(0, usize::saturating_add)
}

fn dep(analysis: &Analysis<'_>) -> Vec<u8> {
    // Of a long chain of modules the text is by far the largest thing: memory that doubles would be twice as much.
    let mut text = Vec::with_capacity(dep_len(analysis));
    for line in dep_lines(analysis) {
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    text
}

fn dep_index(analysis: &Analysis<'_>, sink: &mut Sink) -> Result<Vec<u8>, Malformed> {
    let len = dep_len(analysis);
    if len as u64 > TREE_FILE_LIMIT {
        // The trie would find that out when all of it is in memory.
        return Err(TrieBuilder::too_large());
    }
    let names = analysis.files.iter().map(|file| file.name.as_bytes().len());
    let mut trie = TrieBuilder::with_capacity(names.fold(len, usize::saturating_add));
    for ((priority, file), line) in (0..).zip(analysis.files).zip(dep_lines(analysis)) {
        insert(&mut trie, file.name.as_bytes(), &line, priority, sink);
    }
    trie.to_bytes()
}

fn alias(files: &[TreeFile], facts: &[Facts<'_>]) -> Vec<u8> {
    let mut text = b"# Aliases extracted from modules themselves.\n".to_vec();
    for (file, facts) in files.iter().zip(facts) {
        for alias in facts.aliases.iter() {
            push_line(&mut text, &[b"alias ", alias, b" ", file.name.as_bytes()]);
        }
    }
    text
}

fn alias_index(sources: &IndexInput<'_>, sink: &mut Sink) -> Result<Vec<u8>, Malformed> {
    let mut trie = TrieBuilder::new();
    for ((priority, file), facts) in (0..).zip(sources.files).zip(sources.facts) {
        few(file.path.as_os_str().as_encoded_bytes(), sink, |sink| {
            insert_aliases(&mut trie, file, facts, priority, sources.warn_duplicates, sink);
        });
    }
    trie.to_bytes()
}

fn insert_aliases(
    trie: &mut TrieBuilder,
    file: &TreeFile,
    facts: &Facts<'_>,
    priority: u32,
    warn_duplicates: bool,
    sink: &mut Sink,
) {
    let mut seen = HashSet::new();
    for alias in facts.aliases.iter() {
        let name = file.name.as_bytes();
        let key = if warn_duplicates { Alias::new(alias).ok() } else { None };
        if let Some(key) = key {
            let message = [b"duplicate module alias:\n", key.as_bytes(), b" ", name].concat();
            if !seen.insert(key) {
                sink(Notice::warning(message));
            }
        }
        insert_alias(trie, alias, name, priority, sink);
    }
}

fn softdep(files: &[TreeFile], facts: &[Facts<'_>]) -> Vec<u8> {
    let mut text = b"# Soft dependencies extracted from modules themselves.\n".to_vec();
    for (file, facts) in files.iter().zip(facts) {
        for softdep in facts.softdeps.iter() {
            push_line(&mut text, &[b"softdep ", file.name.as_bytes(), b" ", softdep]);
        }
    }
    text
}

fn weakdep(files: &[TreeFile], facts: &[Facts<'_>]) -> Vec<u8> {
    let mut text = b"# Weak dependencies extracted from modules themselves.\n".to_vec();
    for (file, facts) in files.iter().zip(facts) {
        for weakdep in facts.weakdeps.iter() {
            push_line(&mut text, &[b"weakdep ", file.name.as_bytes(), b" ", weakdep]);
        }
    }
    text
}

/// The symbols that modules export, each with its module's index and name.
fn exported<'a>(analysis: &'a Analysis<'_>) -> impl Iterator<Item = (&'a [u8], u32, &'a [u8])> {
    analysis.exported.iter().filter_map(|&(symbol, index)| {
        let file = analysis.files.get(index as usize)?;
        Some((symbol, index, file.name.as_bytes()))
    })
}

fn symbols(analysis: &Analysis<'_>) -> Vec<u8> {
    let mut text = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
    for (symbol, _, module) in exported(analysis) {
        push_line(&mut text, &[b"alias symbol:", symbol, b" ", module]);
    }
    text
}

fn symbols_index(analysis: &Analysis<'_>, sink: &mut Sink) -> Result<Vec<u8>, Malformed> {
    let mut trie = TrieBuilder::new();
    let mut key = b"symbol:".to_vec();
    few(b"modules.symbols.bin", sink, |sink| {
        for (symbol, index, module) in exported(analysis) {
            key.truncate(b"symbol:".len());
            key.extend_from_slice(symbol);
            insert(&mut trie, &key, module, index, sink);
        }
    });
    trie.to_bytes()
}

fn push_line(text: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        text.extend_from_slice(part);
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::fs;

    use testkit::{Crc, ModuleBuilder};

    use super::*;
    use crate::depmod::output_file::in_order_of_replacement;
    use crate::{
        depmod::{
            self, Checks,
            cache::CachedFacts,
            graph::Check,
            tree::{Configuration, Tree},
        },
        index::Trie,
    };

    /// The files made for a tree of two modules, the one needing the other, by name; and the notices.
    fn made(warn_duplicates: bool) -> (Vec<OutputFile>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let write = |file: &str, bytes: Vec<u8>| fs::write(directory.path().join(file), bytes).unwrap();
        let user = ModuleBuilder::new("a-user")
            .needs("provided", None)
            .alias("pci:v1-*")
            .alias("pci:v1-*")
            .alias("broken[")
            .alias("caf\u{e9}")
            .modinfo("softdep", "pre: b-x")
            .modinfo("weakdep", "c-y");
        write("a-user.ko", user.build());
        write(
            "provider.ko",
            ModuleBuilder::new("provider").modinfo("license", "GPL").export("provided", Crc::None).build(),
        );
        for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            write(list, b"".into());
        }

        let mut notices = Vec::new();
        let mut sink = |notice: Notice| notices.push(notice.message.to_string());
        let tree = Tree::find(directory.path(), Configuration::default(), &mut sink).unwrap();
        let files = tree.files();
        let two = NonZeroUsize::new(2).unwrap();
        let mut omissions = Omissions::default();
        let (facts, _) = depmod::read_facts(
            files,
            None,
            &CachedFacts::default(),
            two,
            &|| true,
            &mut omissions,
            &mut sink,
        );
        let checks = Checks { kernel_symbols: &[], symbol_prefix: None, check: Check::Nothing };
        let analysis = depmod::analyse(files, &facts, &checks, &mut sink).unwrap();
        let sources =
            IndexInput { files, facts: &facts, directory: directory.path(), place: None, warn_duplicates };
        let parts = [of_facts(&sources, two), of_graph(&analysis, two)];
        let made = all(parts, omissions, directory.path(), &mut sink).unwrap();
        (made.files().to_vec(), notices)
    }

    fn bytes(files: &[OutputFile], name: &str) -> Vec<u8> {
        files.iter().find(|file| file.name == name).unwrap().bytes.clone()
    }

    fn text(files: &[OutputFile], name: &str) -> String {
        String::from_utf8(bytes(files, name)).unwrap()
    }

    #[test]
    fn texts_hold_what_modules_say_as_they_say_it() {
        let (files, _) = made(false);
        assert_eq!(text(&files, "modules.dep"), "a-user.ko: provider.ko\nprovider.ko:\n");
        assert_eq!(
            text(&files, "modules.alias"),
            "# Aliases extracted from modules themselves.\nalias pci:v1-* a_user\nalias pci:v1-* a_user\n\
             alias broken[ a_user\nalias caf\u{e9} a_user\n"
        );
        assert!(text(&files, "modules.softdep").ends_with("\nsoftdep a_user pre: b-x\n"));
        assert!(text(&files, "modules.weakdep").ends_with("\nweakdep a_user c-y\n"));
        assert!(text(&files, "modules.symbols").ends_with("\nalias symbol:provided provider\n"));
        assert_eq!(text(&files, "modules.devname"), "");
    }

    #[test]
    fn the_lists_of_dependencies_come_last_and_the_text_after_its_index() {
        let (mut files, _) = made(false);
        in_order_of_replacement(&mut files);
        let names: Vec<&str> = files.iter().map(|file| file.name).collect();
        assert_eq!(names.len(), 11);
        assert_eq!(names[9..], ["modules.dep.bin", "modules.dep"]);
    }

    #[test]
    fn indexes_hold_what_can_be_asked_for() {
        let (files, notices) = made(false);
        let trie = |name| Trie::from_bytes(Path::new(name), bytes(&files, name)).unwrap();
        assert_eq!(trie("modules.dep.bin").get(b"a_user").unwrap().unwrap(), b"a-user.ko: provider.ko");
        assert_eq!(trie("modules.alias.bin").entries().unwrap().len(), 2);
        assert_eq!(trie("modules.alias.bin").get(b"pci:v1_*").unwrap().unwrap(), b"a_user");
        assert_eq!(trie("modules.symbols.bin").get(b"symbol:provided").unwrap().unwrap(), b"provider");
        let expected =
            ["Unmatched bracket in broken[", "not ASCII, omitted from the index: caf\u{e9} (a_user)"];
        assert_eq!(notices, expected);
    }

    #[test]
    fn an_alias_given_twice_is_told_when_asked_for() {
        let (_, notices) = made(true);
        assert_eq!(notices[0], "duplicate module alias:\npci:v1_* a_user");
    }
}
