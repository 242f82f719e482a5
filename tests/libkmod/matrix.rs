//! The roots of the compliance matrix, with everything that its cases configure there, through the C interface: lookups,
//! filters, what modules need and how they are configured, plans and dry runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{FakeKernel, Side};

use crate::cases::{Step, cases, release, root};
use crate::world::{self, Observed};

/// What is asked about in every root, besides the words of the cases: a chain of dependencies,
/// soft and weak dependencies, an alias of two modules, aliases of files and of built-in code.
const ALWAYS: [&str; 9] =
    ["upper", "soft", "weak", "twins:x", "alone-alias", "dash-ed", "inside-alias", "packed_xz", "absent"];

/// The flags of dry runs: as it is; with what it ignores, commands and what is loaded; with each way of blacklisting.
const FLAGS: [&str; 5] = ["0x10", "0x1c", "0x10010", "0x20010", "0x40010"];

/// The cases whose roots show a row of docs/differences.md, each with the first cell of that and the commands of the script
/// whose output differs, sorted.
const DIFFERENT: [(&str, &str, &str); 22] = [
    (
        "modprobe modules.builtin (Fails): the index is missing",
        "`modules.builtin.bin` is missing, and a name is in `modules.builtin.alias.bin`",
        "filter probe",
    ),
    (
        "modprobe install (Combined): with a softdep",
        "a module with a softdep and an install command",
        "probe",
    ),
    (
        "modprobe modules.softdep (Combined): a.conf is before it",
        "several `softdep` or `weakdep` lines for one module",
        "needs probe",
    ),
    (
        "modprobe softdep (Combined): several lines",
        "several `softdep` or `weakdep` lines for one module",
        "needs probe",
    ),
    (
        "modprobe softdep (Combined): a loop",
        "a module that is in a loop of soft dependencies, in a dry run",
        "probe",
    ),
    (
        "modprobe softdep (Combined): itself",
        "a module that is in a loop of soft dependencies, in a dry run",
        "probe",
    ),
    (
        "modprobe weakdep (Combined): several words",
        "a `weakdep` line with several blanks before its modules",
        "needs",
    ),
    (
        "modprobe modules.weakdep (Combined): a.conf is before it",
        "several `softdep` or `weakdep` lines for one module",
        "needs",
    ),
    (
        "modprobe config-lines (Combined): a carriage return",
        "lines that end with CR LF, a byte order mark",
        "facts probe",
    ),
    (
        "modprobe modules.softdep (Combined): zz.conf is after it",
        "several `softdep` or `weakdep` lines for one module",
        "needs probe",
    ),
    (
        "modprobe modules.alias (Fails): the index is empty",
        "an index without any byte, to `kmod_load_resources`",
        "load",
    ),
    (
        "modprobe modules.dep (Combined): with a damaged index, the cause",
        "a damaged index",
        "facts filter get list lookup module-unref name-lookup needs probe",
    ),
    (
        "modprobe modules.dep (Fails): the index is a text",
        "a damaged index",
        "facts filter get list lookup module-unref name-lookup needs probe",
    ),
    (
        "modprobe modules.dep (Fails): the index is of another version",
        "a damaged index",
        "facts filter get list lookup module-unref name-lookup needs probe",
    ),
    (
        "modprobe modules.dep (Fails): the index is empty",
        "an index without any byte, to `kmod_load_resources`",
        "load",
    ),
    (
        "modprobe modules.softdep (Combined): holds other directives",
        "lines of `modules.softdep` and `modules.weakdep` that are not dependencies of one module",
        "config facts probe",
    ),
    (
        "modprobe cmdline-blacklist (Combined): a dash",
        "`modprobe.blacklist=a-b` on the kernel command line",
        "config filter probe",
    ),
    (
        "modprobe cmdline-blacklist (Combined): quoted",
        "quotes around lists on the kernel command line: `modprobe.blacklist=\"a,b\"`",
        "config filter probe",
    ),
    (
        "modprobe cmdline-parameters (Combined): 5,000 bytes",
        "a kernel command line longer than 4,095 bytes",
        "config facts probe",
    ),
    (
        "modprobe cmdline-parameters (Combined): 4,096 bytes and a new line",
        "a kernel command line longer than 4,095 bytes",
        "config facts probe",
    ),
    (
        "modprobe cmdline-blacklist (Combined): quoted as grub writes",
        "quotes around lists on the kernel command line: `modprobe.blacklist=\"a,b\"`",
        "config filter probe",
    ),
    (
        "modprobe cmdline-parameters (Combined): 5,000 bytes of one value",
        "a kernel command line longer than 4,095 bytes",
        "config facts probe",
    ),
];

/// A root: the first case that has it, how it is prepared, and the words of all cases that have it.
#[derive(Default)]
struct World {
    name: String,
    steps: Vec<Step>,
    words: BTreeSet<Vec<u8>>,
}

fn worlds() -> Vec<World> {
    let mut worlds: BTreeMap<String, World> = BTreeMap::new();
    for case in cases() {
        // What the library does not see: how a tool is started.
        let is_for_tools = |step: &Step| {
            matches!(
                step,
                Step::Name(_) | Step::Directory(_) | Step::Closed(_) | Step::BrokenPipe | Step::NoLog
            )
        };
        let steps: Vec<Step> = case.steps.iter().filter(|step| !is_for_tools(step)).cloned().collect();
        let world = worlds.entry(format!("{steps:?}")).or_default();
        if world.name.is_empty() {
            world.name = case.name();
        }
        world.steps = steps;
        // A dependency without a file has a test of its own.
        let is_name = |word: &&Vec<u8>| {
            !word.starts_with(b"-") && *word != b"needs_gone" && !word.contains(&0) && word.len() < 4000
        };
        world.words.extend(case.argv.iter().filter(is_name).cloned());
    }
    worlds.into_values().collect()
}

#[test]
fn the_roots_of_the_matrix_are_the_same_through_the_c_interface() {
    let worlds = worlds();
    assert!(worlds.len() > 100, "{}", worlds.len());
    let differing = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(difference) = compare(world) {
                        differing.lock().expect("no panic").insert(world.name.as_str(), difference);
                    }
                }
            });
        }
    });
    let mut differing = differing.into_inner().expect("no panic");
    let rows = include_str!("../../docs/differences.md").split("Of the C library").last().unwrap_or_default();
    for (name, row, commands) in DIFFERENT {
        assert!(rows.contains(&format!("\n| {row} |")), "no row {row:?}");
        match differing.remove(name) {
            Some((found, _)) if found == commands => {}
            Some(other) => drop(differing.insert(name, other)),
            None => panic!("the root of {name} is the same on both sides"),
        }
    }
    let findings = differing.iter().map(|(name, (commands, text))| format!("=== {name}: {commands}\n{text}"));
    let findings: Vec<String> = findings.collect();
    assert!(findings.is_empty(), "{} of {}:\n{}", findings.len(), worlds.len(), findings.join("\n"));
}

/// kmod's library omits the dependency.
#[test]
fn a_dependency_without_a_file_is_one() {
    let script = "new 0 -\nlookup 0 needs_gone 0\nget 0 0 1\nneeds 1\nprobe 1 0x10 - 0\n";
    let world = World { name: "needs_gone".to_owned(), ..World::default() };
    let [ours, theirs] = [Side::Ours, Side::Kmod34].map(|side| run(&world, script, side).output);
    assert!(ours.contains("  dependencies gone\n") && ours.ends_with("  probe ENOENT\n"), "{ours}");
    let alone = "  insmod needs_gone \"\"\n  probe 0\n";
    assert!(theirs.contains("  dependencies\n") && theirs.ends_with(alone), "{theirs}");
}

/// The commands whose output differs in a root, but for what is so in each, and how.
fn compare(world: &World) -> Option<(String, String)> {
    let script = script(world);
    let (ours, theirs) = (run(world, &script, Side::Ours), run(world, &script, Side::Kmod34));
    assert_eq!((&ours.calls, &theirs.calls), (&Vec::new(), &Vec::new()), "{}", world.name);
    let (expected, differing) = normalised(&theirs.output);
    if ours.output == expected {
        ours.counts.record(&differing);
        return None;
    }
    let outputs = by_command(&script, &expected).zip(by_command(&script, &ours.output));
    let commands: BTreeSet<&str> =
        outputs.filter(|(there, here)| there != here).map(|((command, _), _)| command).collect();
    let commands: Vec<&str> = commands.into_iter().collect();
    Some((commands.join(" "), world::difference(&expected, &ours.output)))
}

/// The first word of each line of a script, with the output of that line.
fn by_command<'a>(script: &'a str, output: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut rest = output;
    let mut lines = script.lines().peekable();
    std::iter::from_fn(move || {
        let line = lines.next()?;
        rest = rest.strip_prefix(line).unwrap_or_else(|| panic!("no {line:?} at the beginning of {rest:?}"));
        let end = lines.peek().and_then(|next| rest.find(&format!("\n{next}\n")));
        let (of_this, others) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        rest = others;
        Some((line.split(' ').next().unwrap_or_default(), of_this))
    })
}

fn script(world: &World) -> String {
    let mut text = "new 0 -\nload 0\nconfig 0\n".to_owned();
    let always = ALWAYS.map(str::as_bytes);
    let names: BTreeSet<&[u8]> = world.words.iter().map(Vec::as_slice).chain(always).collect();
    for name in names {
        let name = word(name);
        text.push_str(&format!(
            "lookup 0 {name} 0\nlist 0\nfilter 0 1\nfilter 0 2\nget 0 0 1\nfacts 1\nneeds 1\n"
        ));
        for flags in FLAGS {
            text.push_str(&format!("probe 1 {flags} x=1 0\n"));
        }
        text.push_str(&format!("module-unref 1\nfree 0\nname-lookup 0 {name} 2\nmodule-unref 2\n"));
    }
    text
}

/// A word of a script.
fn word(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(byte);
    let escape = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    if bytes.is_empty() { "%".to_owned() } else { bytes.iter().map(escape).collect() }
}

fn run(world: &World, script: &str, side: Side) -> Observed {
    let root = root::fresh();
    let kernel = FakeKernel::new(root.path(), release::RELEASE);
    let mut start = world::start(&root, side, "/script");
    for step in &world.steps {
        start = root::apply_step(step, &root, &kernel, start);
    }
    root.write("script", script);
    world::observe(&root, &kernel, &start, side)
}

/// What ours prints instead of this (docs/differences.md), and the commands where that is something else: no blank at the
/// end of options, one between the parts of a softdep, each step once.
fn normalised(theirs: &str) -> (String, Vec<String>) {
    let (mut text, mut differing) = (String::new(), Vec::new());
    let (mut command, mut steps) = (String::new(), BTreeSet::new());
    for line in theirs.lines() {
        let line = line.trim_end_matches(" (errno differs)");
        let mut ours = line.to_owned();
        if !line.starts_with(' ') {
            line.split(' ').next().unwrap_or_default().clone_into(&mut command);
            steps.clear();
        } else if line.starts_with("  insmod ") || line.starts_with("  install ") {
            if let Some(options) = line.strip_suffix(" \"") {
                ours = format!("{options}\"");
            }
            if !steps.insert(line.split(' ').nth(3).unwrap_or_default()) {
                differing.push(command.clone());
                continue;
            }
        } else if let Some((before, after)) = line.split_once("post: ")
            && command == "config"
            && before.contains(" => pre: ")
            && !before.ends_with(' ')
        {
            ours = format!("{before} post: {after}");
        }
        if ours != line {
            differing.push(command.clone());
        }
        text.push_str(&ours);
        text.push('\n');
    }
    (text, differing)
}
