//! A whole tree of Debian's: what lookups find, what modules are and have, and what a boot's worth of lookups costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{FakeKernel, Side, TestRoot, cache, surroundings};

use crate::calls::Counts;
use crate::world;

/// A root with the tree, whose indexes the packaged depmod wrote.
struct Tree {
    root: TestRoot,
    names: Vec<String>,
    queries: Vec<String>,
}

fn tree() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| {
        let tree = cache::tree("trixie-cloud");
        let root = TestRoot::with_version(&tree.version);
        root.add_tree(&tree, &|_| true);
        root.reference("depmod", &[&tree.version]).succeeds();
        let read = |file: &str| String::from_utf8_lossy(&root.read(&root.module_path(file))).into_owned();
        // The packaged library honours only the first softdep line of a module.
        let mut seen = std::collections::HashSet::new();
        let softdeps = read("modules.softdep");
        let first = softdeps.lines().filter(|line| seen.insert(line.split(' ').nth(1).map(str::to_owned)));
        let first: String = first.map(|line| format!("{line}\n")).collect();
        root.write_module_file("modules.softdep", first);
        let stem =
            |path: &str| path.rsplit('/').next().and_then(|file| Some(file.split_once('.')?.0.to_owned()));
        let list = read("modules.dep");
        let names = list.lines().filter_map(|line| stem(line.split_once(':')?.0)).collect();
        let aliases = read("modules.alias");
        let patterns = aliases.lines().filter_map(|line| line.strip_prefix("alias ")?.split(' ').next());
        let mut queries: Vec<String> = patterns.map(instance).collect();
        let symbols = read("modules.symbols");
        let symbols = symbols.lines().filter_map(|line| line.strip_prefix("alias ")?.split(' ').next());
        queries.extend(symbols.step_by(20).map(str::to_owned));
        queries.extend((0..200).map(|number| {
            format!("pci:v00001AF4d{number:08X}sv00001AF4sd{number:08X}bc02sc00i{:02X}", number % 7)
        }));
        // Brings program and library in, before threads need them.
        world::start(&root, Side::Ours, "");
        Tree { root, names, queries }
    })
}

/// A name that a pattern matches.
fn instance(pattern: &str) -> String {
    let mut name = String::new();
    let mut bytes = pattern.chars();
    while let Some(byte) = bytes.next() {
        match byte {
            '*' => name.push_str("0A"),
            '?' => name.push('0'),
            '[' => {
                name.extend(bytes.next());
                bytes.by_ref().find(|byte| *byte == ']');
            }
            other => name.push(other),
        }
    }
    name
}

fn output(side: Side, script: &str) -> (String, Counts) {
    let root = &tree().root;
    let name = format!("script-{:?}", std::thread::current().id()).replace(['(', ')'], "");
    root.write(&name, script);
    let kernel = FakeKernel::new(root.path(), root.version());
    let outcome = kernel.run(&world::start(root, side, &format!("/{name}")));
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    let output = String::from_utf8_lossy(&outcome.stdout).replace(" (errno differs)", "");
    (output, Counts::of(root, &format!("/{name}")))
}

#[track_caller]
fn same(script: &str) {
    let ((ours, counts), (theirs, _)) = (output(Side::Ours, script), output(Side::Kmod34, script));
    let expected = once_per_plan(&theirs);
    let omitted = theirs.lines().count() - expected.lines().count();
    if ours != expected {
        panic!("{}", world::difference(&expected, &ours).lines().take(60).collect::<Vec<_>>().join("\n"));
    }
    counts.record(&vec!["probe".to_owned(); omitted]);
}

/// Without the steps that a plan of the packaged library has a second time: a module both needed and soft.
fn once_per_plan(output: &str) -> String {
    let mut steps = std::collections::HashSet::new();
    let is_first = |line: &&str| {
        let is_step = line.starts_with("  insmod ") || line.starts_with("  install ");
        if !is_step {
            steps.clear();
        }
        !is_step || steps.insert(line.split(' ').nth(3).unwrap_or_default().to_owned())
    };
    output.lines().filter(is_first).map(|line| format!("{line}\n")).collect()
}

#[test]
fn lookups_find_the_same_modules_in_the_same_order() {
    let queries = &tree().queries;
    assert!(queries.len() > 1000, "{}", queries.len());
    let lookups = |load: &str| {
        let lookup = |query: &String| format!("lookup 0 {} 0\n", query.replace('%', "%25"));
        format!("new 0 -\n{load} 0\n{}", queries.iter().map(lookup).collect::<String>())
    };
    same(&lookups("load"));
    same(&lookups("unload"));
}

#[test]
fn modules_have_the_same_facts_and_plans() {
    let ask = |name: &String| {
        format!(
            "name 0 {name} 1\nfacts 1\nneeds 1\ninfo 1\nversions 1\nsymbols 1\nneeded 1\nprobe 1 0x18 a=1 0\nmodule-unref 1\n"
        )
    };
    let names: String = tree().names.iter().step_by(3).map(ask).collect();
    same(&format!("new 0 -\nload 0\n{names}"));
}

#[test]
fn lookups_cost_less() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (program, aliases) = (directory.path().join("cost"), directory.path().join("aliases"));
    world::compile(&program, &[concat!(env!("CARGO_MANIFEST_DIR"), "/libkmod/cost.c")], &["-O2"]);
    let pci = tree().queries.iter().filter(|query| query.starts_with("pci:") || query.starts_with("usb:"));
    let lines: String = pci.rev().take(300).map(|query| format!("{query}\n")).collect();
    assert_eq!(lines.lines().count(), 300);
    fs::write(&aliases, lines).expect("a file of our own");
    let modules = tree().root.path().join(tree().root.module_path(""));
    let cost = |side| Cost::measure(side, &[&program, &modules, &aliases], directory.path());
    let (ours, theirs) = (cost(Side::Ours), cost(Side::Kmod34));
    println!(
        "instructions {} and {}, KiB {} and {}",
        ours.instructions, theirs.instructions, ours.memory, theirs.memory
    );
    assert_eq!(ours.found, theirs.found);
    // The library is built without optimisation unless the variable names another one.
    let percent = if std::env::var_os("MODUTILS_LIBKMOD").is_some() { 80 } else { 800 };
    assert!(
        ours.instructions * 100 <= theirs.instructions * percent,
        "{} of {}",
        ours.instructions,
        theirs.instructions
    );
    assert!(ours.memory <= theirs.memory + 2048, "{} KiB, {} KiB", ours.memory, theirs.memory);
}

struct Cost {
    found: String,
    instructions: u64,
    memory: u64,
}

impl Cost {
    /// Runs a program with the C library of the reference, which the packaged library needs.
    fn measure(side: Side, words: &[&PathBuf], scratch: &Path) -> Cost {
        let reference = cache::reference("kmod34").join("usr/lib/x86_64-linux-gnu");
        let libraries = match side {
            Side::Ours => {
                let ours = world::driver().parent().expect("a directory");
                format!("{}:{}", ours.display(), reference.display())
            }
            _ => reference.display().to_string(),
        };
        let loaded = |command: &mut Command| {
            command
                .arg(reference.join("ld-linux-x86-64.so.2"))
                .args(["--library-path", &libraries])
                .args(words);
            let output = command.output().expect("it starts");
            let [text, errors] =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(output.status.success(), "{errors}");
            (text, errors)
        };
        let mut callgrind = surroundings::program("valgrind");
        callgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).current_dir(scratch);
        let (_, counted) = loaded(&mut callgrind);
        let (text, _) = loaded(&mut surroundings::program("env"));
        let number = |text: &str, mark: &str| {
            let rest = text.split_once(mark).unwrap_or_else(|| panic!("no {mark}: {text}")).1;
            rest.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
        };
        Cost {
            found: text.lines().next().unwrap_or_default().to_owned(),
            instructions: number(&counted, "Collected :"),
            memory: number(&text, "VmRSS:"),
        }
    }
}
