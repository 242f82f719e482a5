//! Modules with arbitrary metadata: the graph, its order or its cycles, and files that read back.
#![no_main]

use std::num::NonZeroUsize;
use std::path::Path;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils::internals::depmod::facts::Facts;
use modutils::internals::depmod::graph::Check;
use modutils::internals::depmod::omission::Omissions;
use modutils::internals::depmod::output::{IndexInput, all, of_facts, of_graph, texts};
use modutils::internals::depmod::rows::SymbolUse;
use modutils::internals::depmod::{Checks, TreeFile, analyse, for_each_need};
use modutils::internals::index::Trie;
use modutils::{ModuleName, Notice};
use modutils_fuzz::memory;

#[derive(Arbitrary, Debug)]
struct Module {
    aliases: Vec<Vec<u8>>,
    softdeps: Vec<Vec<u8>>,
    exports: Vec<(u8, Option<u8>)>,
    needs: Vec<(u8, bool)>,
    own: Option<Vec<u8>>,
}

fuzz_target!(|modules: Vec<Module>| {
    let modules: Vec<Module> = modules.into_iter().take(64).collect();
    let size = modules.iter().map(size).sum::<usize>();
    memory::within((8 << 20) + 1024 * size, || check(&modules));
});

fn size(module: &Module) -> usize {
    let texts = module.aliases.iter().chain(&module.softdeps).chain(&module.own);
    texts.map(|text| text.len() + 8).sum::<usize>() + module.exports.len() * 8 + module.needs.len() * 8 + 64
}

fn check(modules: &[Module]) {
    let facts: Vec<Facts> = modules.iter().map(facts).collect();
    let file = |number| {
        let listed = format!("kernel/m-{number}.ko");
        TreeFile {
            name: ModuleName::new(format!("m-{number}")),
            path: listed.clone().into(),
            listed: listed.into(),
        }
    };
    let files: Vec<TreeFile> = (0..facts.len()).map(file).collect();
    let kernel = [(b"s1".to_vec(), 1), (b"s2".to_vec(), 2)];
    let checks =
        Checks { kernel_symbols: &kernel, symbol_prefix: Some(b'.'), check: Check::UnknownAndVersions };
    let sink = &mut |_: Notice| {};
    for_each_need(&files, &facts, &checks, |_, _, _| {});
    let analysis = match analyse(&files, &facts, &checks, sink) {
        Ok(analysis) => analysis,
        Err(_) => return,
    };
    for (module, dependencies) in (0_u32..).zip(&analysis.dependencies) {
        assert!(!dependencies.contains(&module), "a module depends on itself, and that is no cycle");
        let mut once = dependencies.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), dependencies.len(), "a dependency is listed twice");
    }
    let written = texts(&analysis, sink);
    let dep = written.iter().find(|file| file.name == "modules.dep").expect("a modules.dep");
    let lines: Vec<&[u8]> = dep.bytes.split_inclusive(|&byte| byte == b'\n').collect();
    assert_eq!(lines.len(), files.len());
    let directory = Path::new("/nonexistent");
    let sources = IndexInput { files: &files, facts: &facts, directory, place: None, warn_duplicates: true };
    let parts = [of_facts(&sources, NonZeroUsize::MIN), of_graph(&analysis, NonZeroUsize::MIN)];
    let made = all(parts, Omissions::default(), directory, sink).expect("small indexes");
    // The lists of the kernel's build are not there, which is no reason to publish nothing.
    let made = made.complete().expect("nothing that is there was to be read");
    for file in made.files().iter().filter(|file| file.name.ends_with(".bin")) {
        let trie = Trie::from_bytes(Path::new(file.name), file.bytes.clone()).expect("an index just written");
        let entries = trie.entries().expect("an index just written");
        if file.name == "modules.dep.bin" {
            assert_eq!(entries.len(), files.len());
            for (file, line) in files.iter().zip(&lines) {
                let found = trie.get(file.name.as_bytes()).expect("a sound index").expect("a line");
                assert_eq!([&found[..], b"\n"].concat(), *line, "text and index disagree");
            }
        }
    }
}

fn facts(module: &Module) -> Facts<'static> {
    let mut facts = Facts::default();
    module.aliases.iter().for_each(|alias| facts.aliases.push(alias));
    module.softdeps.iter().for_each(|softdep| facts.softdeps.push(softdep));
    for (symbol, crc) in &module.exports {
        let need = SymbolUse { crc: crc.map(u64::from), weak: false };
        facts.exports.push(format!("s{symbol}").as_bytes(), need);
    }
    if let Some(own) = &module.own {
        facts.exports.push(own, SymbolUse { crc: None, weak: false });
    }
    for (symbol, weak) in &module.needs {
        facts.needs.push(format!(".s{symbol}").as_bytes(), SymbolUse { crc: Some(1), weak: *weak });
    }
    facts
}
