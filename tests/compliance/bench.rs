//! A kernel's module tree in a root, indexed by both sides.
//!
//! Each side's depmod runs once for each tree, in the module directory itself; then its files move to
//! `/with/SIDE/lib/modules/VERSION`, next to a link to the modules, where `-d /with/SIDE` finds them. So every side can be
//! run with every side's indexes. The module directory itself gets the indexes of kmod 34.2 again, except modules.softdep,
//! which keeps each module's first line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use testkit::cache::{self, ModuleTree};
use testkit::{Indexes, Run, Side, TestRoot};

/// How many modules a sample has, without their dependencies.
const SAMPLE: usize = 150;

/// How much of a tree a test uses when `MODUTILS_FULL` is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleSize {
    Whole,
    Sample,
}

/// A tree in a root, with the results of indexing it.
pub(crate) struct IndexedTree {
    pub(crate) root: TestRoot,
    /// The modules, by their path in the module directory, in module order.
    pub(crate) modules: Vec<String>,
    pub(crate) ours: Indexed,
    pub(crate) theirs: Indexed,
}

/// The files that a depmod wrote.
pub(crate) struct Indexed {
    pub(crate) run: Run,
    pub(crate) dry_run: Run,
    pub(crate) files: Indexes,
}

impl IndexedTree {
    /// Adds a tree to a root and indexes it with both sides.
    pub(crate) fn new(tree: &str, take: SampleSize) -> IndexedTree {
        let tree = cache::tree(tree);
        let root = TestRoot::with_version(&tree.version);
        root.add_tree(&tree, &|path| !is_module(path));
        if take == SampleSize::Whole || std::env::var_os("MODUTILS_FULL").is_some() {
            root.add_tree(&tree, &is_module);
        } else {
            bring_sample(&root, &tree);
        }
        let modules = modules_of(&root);
        let theirs = index(&root, Side::Kmod34);
        let ours = index(&root, Side::Ours);
        for (name, content) in &theirs.files {
            root.write_module_file(name, content);
        }
        root.write_module_file("modules.softdep", first_softdeps(&theirs.files["modules.softdep"]));
        IndexedTree { root, modules, ours, theirs }
    }

    /// Indexes the tree with kmod 30, too. It needs the files in place, so it gets a separate module directory.
    pub(crate) fn index_with_kmod30(&self) {
        let dir = with(Side::Kmod30, &self.root);
        self.root.symlink(&format!("/{}", self.root.module_path("kernel")), &format!("{dir}/kernel"));
        for input in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            self.root.write(&format!("{dir}/{input}"), self.root.read(&self.root.module_path(input)));
        }
        self.root.run(Side::Kmod30, "depmod", &["-b", "/with/kmod30", self.root.version()]).succeeds();
    }

    /// Leaves in a side's own module directory only the soft dependencies that kmod honours.
    pub(crate) fn keep_first_softdeps(&self, side: Side) {
        let path = format!("{}/modules.softdep", with(side, &self.root));
        self.root.write(&path, first_softdeps(&self.root.read(&path)));
    }

    /// The absolute paths of the modules, in the root.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.modules.iter().map(|path| format!("/{}", self.root.module_path(path))).collect()
    }

    /// The names of the modules.
    pub(crate) fn names(&self) -> Vec<String> {
        self.modules.iter().map(|path| name_of(path)).collect()
    }

    /// Names of built-in modules, spread over the kernel.
    pub(crate) fn builtins(&self, count: usize) -> Vec<String> {
        let list = String::from_utf8(self.root.read(&self.root.module_path("modules.builtin")))
            .expect("paths in UTF-8");
        spread(&list.lines().map(name_of).collect::<Vec<_>>(), count)
    }

    /// Modaliases as a kernel requests them: patterns of modules.alias with text in place of the wildcards.
    pub(crate) fn modaliases(&self, count: usize) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.theirs.files["modules.alias"]).into_owned();
        let patterns: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("alias ")?.split(' ').next()).collect();
        spread(&patterns, count)
            .iter()
            .enumerate()
            .map(|(number, pattern)| concrete(pattern, number))
            .collect()
    }
}

/// modules.softdep with each module's first line only. kmod honours no other, ours all of them (docs/differences.md: "several
/// `softdep` lines for one module"): without them both must answer the same.
fn first_softdeps(text: &[u8]) -> Vec<u8> {
    let mut seen = BTreeSet::new();
    let is_first = |line: &&[u8]| {
        let module = line.split(|byte| *byte == b' ').nth(1).unwrap_or(line);
        line.starts_with(b"#") || seen.insert(module.to_vec())
    };
    text.split_inclusive(|byte| *byte == b'\n').filter(is_first).flatten().copied().collect()
}

/// About `count` of `all`, evenly.
pub(crate) fn spread<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    all.iter().step_by(all.len().div_ceil(count).max(1)).cloned().collect()
}

/// The name of a module from its path: up to the first dot, with underscores.
pub(crate) fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

/// A string that a pattern matches: the first character of a class, a zero for `?`, and for `*` something that
/// changes with `number`.
fn concrete(pattern: &str, number: usize) -> String {
    let star = ["", "0", "00001AF4", "xyz", "01"];
    let mut concrete = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => concrete.push_str(star[(number + concrete.len()) % star.len()]),
            '?' => concrete.push('0'),
            '[' => {
                let class: String = rest.by_ref().take_while(|c| *c != ']').collect();
                concrete.extend(class.chars().next());
            }
            _ => concrete.push(c),
        }
    }
    concrete
}

fn is_module(path: &Path) -> bool {
    path.to_string_lossy().contains(".ko")
}

/// The modules of a root, in the order of modules.order, where all names end in `.ko`.
fn modules_of(root: &TestRoot) -> Vec<String> {
    let order = String::from_utf8(root.read(&root.module_path("modules.order"))).expect("paths in UTF-8");
    let present = |line: &str| {
        let suffixes = ["", ".xz", ".zst", ".gz"].iter();
        suffixes.map(|suffix| format!("{line}{suffix}")).find(|path| root.exists(&root.module_path(path)))
    };
    order.lines().filter_map(present).collect()
}

/// Every so many modules of a tree, and all they depend on, so that there are dependencies to compare.
fn bring_sample(root: &TestRoot, tree: &ModuleTree) {
    let mut all = BTreeMap::new();
    list(&tree.modules, "", &mut all);
    let names: Vec<String> = all.keys().cloned().collect();
    let mut missing: BTreeSet<String> = spread(&names, SAMPLE).into_iter().collect();
    let mut brought = BTreeSet::new();
    while !missing.is_empty() {
        let files: BTreeSet<&String> = missing.iter().filter_map(|name| all.get(name)).collect();
        root.add_tree(tree, &|path| files.contains(&path.to_string_lossy().into_owned()));
        let depends = depends_of(&tree.modules, &files);
        brought.append(&mut missing);
        missing = depends.difference(&brought).cloned().collect();
    }
}

/// The modules that these name in `depends=`. The kernel's build writes it; the files are read by the packaged modinfo,
/// which cannot read gzip, so these files are read from the plain tree.
fn depends_of(modules: &Path, files: &BTreeSet<&String>) -> BTreeSet<String> {
    let root = TestRoot::new();
    let plain = |path: &str| path.trim_end_matches(".gz").to_owned();
    let mut paths = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let mut bytes = fs::read(modules.join(file)).expect("a module of the cache");
        if file.ends_with(".gz") {
            bytes = testkit::compress::gunzip(&bytes);
        }
        let path = format!("tmp/{number}/{}", plain(file.rsplit('/').next().unwrap_or(file)));
        root.write(&path, bytes);
        paths.push(format!("/{path}"));
    }
    let args: Vec<&str> = ["-F", "depends"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let run = root.reference("modinfo", &args).succeeds();
    run.out().split([',', '\n']).filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

/// The modules below a directory: path by name.
fn list(top: &Path, below: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(top.join(below)).expect("a directory of the cache") {
        let entry = entry.expect("a readable entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().expect("an entry has a type").is_dir() {
            list(top, &path, found);
        } else if is_module(Path::new(&path)) {
            found.insert(name_of(&path), path);
        }
    }
}

/// Runs a side's depmod in the module directory and moves what it wrote to where `-d /with/SIDE` finds it.
fn index(root: &TestRoot, side: Side) -> Indexed {
    let dry_run = root.run(side, "depmod", &["-n", root.version()]);
    assert!(root.indexes().is_empty(), "depmod -n writes no files");
    let run = root.run(side, "depmod", &[root.version()]);
    let files = root.take_indexes();
    let dir = with(side, root);
    root.symlink(&format!("/{}", root.module_path("kernel")), &format!("{dir}/kernel"));
    for (name, content) in &files {
        root.write(&format!("{dir}/{name}"), content);
    }
    Indexed { run, dry_run, files }
}

/// The module directory below `/with/SIDE`.
fn with(side: Side, root: &TestRoot) -> String {
    format!("with/{}/{}", side.dir(), root.module_path("").trim_end_matches('/'))
}
