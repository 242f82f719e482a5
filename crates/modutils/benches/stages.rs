//! The stages of the library, each by itself: `cargo bench -p modutils`, with a part of a name after `--` for a few.
//!
//! They work on modules of Debian's kernel where `cargo xtask fetch` has put them, and else on some that the test kit
//! makes, which are smaller and fewer: figures of the two don't compare. The first line names the set in use.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use modutils::internals::config::ModprobeConfig;
use modutils::internals::depmod::cache::CachedFacts;
use modutils::internals::depmod::facts::{self, Facts};
use modutils::internals::depmod::graph::Check;
use modutils::internals::depmod::omission::Omissions;
use modutils::internals::depmod::{self, Checks, Configuration, Tree, TreeFile, output};
use modutils::internals::elf::Elf;
use modutils::internals::file::{Contents, Scratch};
use modutils::internals::index::{Trie, TrieBuilder};
use testkit::{Compression, Crc, ModuleBuilder, cache};

/// The tree to look at, and every how many of its modules those stages take that look at single ones.
const TREE: &str = "trixie-amd64-plain";
const STEP: usize = 70;

/// How many modules the test kit makes where the tree is not there.
const MADE: usize = 210;

fn main() {
    println!("modules: {}", MODULES.origin);
    divan::main();
}

/// What the stages work on.
struct Modules {
    origin: String,
    files: Vec<TreeFile>,
    facts: Vec<Facts<'static>>,
    /// Holds the files that the test kit made.
    _directory: Option<tempfile::TempDir>,
}

static MODULES: LazyLock<Modules> = LazyLock::new(|| match cache::find_tree(TREE) {
    Some(tree) => Modules::of(format!("{TREE}, {}", tree.version), &tree.modules, None),
    None => {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().to_owned();
        make(&path);
        Modules::of(format!("made by the test kit, as {TREE} is not cached"), &path, Some(directory))
    }
});

impl Modules {
    fn of(origin: String, path: &Path, directory: Option<tempfile::TempDir>) -> Modules {
        let tree = Tree::find(path, Configuration::default(), &mut |_| {}).expect("a module directory");
        let files = tree.files().to_vec();
        let (known, mut omissions) = (CachedFacts::default(), Omissions::default());
        let (facts, _) = depmod::read_facts(
            &files,
            None,
            &known,
            NonZeroUsize::MIN,
            &|| true,
            &mut omissions,
            &mut |_| {},
        );
        Modules { origin, files, facts, _directory: directory }
    }

    /// Some modules, spread over the tree.
    fn sample(&self) -> impl Iterator<Item = &TreeFile> {
        self.files.iter().step_by(STEP)
    }

    /// Their plain bytes.
    fn bytes(&self) -> Vec<Vec<u8>> {
        self.sample().map(|file| std::fs::read(&file.path).expect("a module")).collect()
    }

    /// All aliases, each with its module.
    fn aliases(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let each = self.files.iter().zip(&self.facts);
        each.flat_map(|(file, facts)| facts.aliases.iter().map(|alias| (alias, file.name.as_bytes())))
    }

    fn trie(&self) -> Vec<u8> {
        let mut trie = TrieBuilder::new();
        for (priority, (alias, module)) in (0..).zip(self.aliases()) {
            // What is no ASCII stays out, as in depmod.
            let _ = trie.insert(alias, module, priority);
        }
        trie.to_bytes().expect("a trie that fits its format")
    }
}

/// Makes modules, each of which needs the two before it.
fn make(directory: &Path) {
    for number in 0..MADE {
        let name = format!("made_{number}");
        let mut module = ModuleBuilder::new(&name).modinfo("license", "GPL");
        for part in 0..8 {
            module = module
                .alias(format!("pci:v0000{number:04X}d0000{part:04X}sv*sd*bc*sc*i*"))
                .export(format!("function_{number}_{part}"), Crc::Section(part))
                .needs(format!("kernel_function_{part}"), part);
        }
        for before in number.saturating_sub(2)..number {
            module = module.needs(format!("function_{before}_1"), 1);
        }
        std::fs::write(directory.join(format!("{name}.ko")), module.build()).expect("a file");
    }
}

#[divan::bench(args = ["plain", "gzip", "xz", "zstd"])]
fn decompress(bencher: Bencher<'_, '_>, form: &str) {
    let compression = Compression::ALL.into_iter().find(|one| format!("{one:?}").eq_ignore_ascii_case(form));
    let compression = compression.expect("a form by its name");
    let plain = MODULES.bytes();
    let size: usize = plain.iter().map(Vec::len).sum();
    let compressed: Vec<Vec<u8>> = plain.iter().map(|bytes| compression.compress(bytes)).collect();
    bencher.counter(BytesCount::new(size)).with_inputs(|| compressed.clone()).bench_local_values(|files| {
        for bytes in files {
            let contents = Contents::from_bytes(Path::new("module.ko"), bytes).expect("a module");
            black_box(contents.len());
        }
    });
}

#[divan::bench]
fn elf_view(bencher: Bencher<'_, '_>) {
    let paths: Vec<&PathBuf> = MODULES.sample().map(|file| &file.path).collect();
    bencher.counter(ItemsCount::new(paths.len())).bench_local(|| {
        for path in &paths {
            let elf = Elf::parse(Contents::open(path).expect("a module")).expect("an ELF file");
            black_box(elf.sections().count());
        }
    });
}

#[divan::bench]
fn module_facts(bencher: Bencher<'_, '_>) {
    let files: Vec<&TreeFile> = MODULES.sample().collect();
    let mut scratch = Scratch::default();
    bencher.counter(ItemsCount::new(files.len())).bench_local(|| {
        for file in &files {
            black_box(facts::read(file, None, &mut scratch));
        }
    });
}

#[divan::bench]
fn graph(bencher: Bencher<'_, '_>) {
    let checks = Checks { kernel_symbols: &[], symbol_prefix: None, check: Check::Nothing };
    bencher.counter(ItemsCount::new(MODULES.files.len())).bench_local(|| {
        let analysis = depmod::analyse(&MODULES.files, &MODULES.facts, &checks, &mut |_| {});
        black_box(analysis.expect("a tree without cycles").dependencies.len())
    });
}

#[divan::bench]
fn text_files(bencher: Bencher<'_, '_>) {
    let checks = Checks { kernel_symbols: &[], symbol_prefix: None, check: Check::Nothing };
    let analysis = depmod::analyse(&MODULES.files, &MODULES.facts, &checks, &mut |_| {});
    let analysis = analysis.expect("a tree without cycles");
    bencher
        .counter(ItemsCount::new(MODULES.files.len()))
        .bench_local(|| black_box(output::texts(&analysis, &mut |_| {}).len()));
}

#[divan::bench]
fn trie_write(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(MODULES.aliases().count()))
        .bench_local(|| black_box(MODULES.trie().len()));
}

#[divan::bench]
fn trie_lookup(bencher: Bencher<'_, '_>) {
    let trie = Trie::from_bytes(Path::new("modules.alias.bin"), MODULES.trie()).expect("a trie");
    // A device's modalias is what a pattern is without its wildcards.
    let queries: Vec<Vec<u8>> = MODULES
        .aliases()
        .filter(|(alias, _)| alias.contains(&b'*') && !alias.contains(&b'['))
        .step_by(97)
        .map(|(alias, _)| {
            alias.iter().map(|&byte| if matches!(byte, b'*' | b'?') { b'0' } else { byte }).collect()
        })
        .collect();
    bencher.counter(ItemsCount::new(queries.len())).bench_local(|| {
        for query in &queries {
            let found = trie.search(query).expect("a trie that is whole");
            assert!(!found.is_empty(), "a pattern matches what was made of it");
        }
    });
}

#[divan::bench]
fn configuration(bencher: Bencher<'_, '_>) {
    let mut text = Vec::new();
    for number in 0..250 {
        let lines = format!(
            "# comment {number}\nalias pci:v{number:08x}d*sv* driver_{number}\noptions driver-{number} debug=1 name=\"a b\"\n\
             blacklist old_{number}\nsoftdep driver_{number} pre: a b post: c\n"
        );
        text.extend(lines.bytes());
    }
    let file: Arc<Path> = Path::new("/etc/modprobe.d/a.conf").into();
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut config = ModprobeConfig::default();
        config.add_file(&file, &text, &mut |notice| panic!("{notice:?}"));
        black_box(config.aliases.len())
    });
}
