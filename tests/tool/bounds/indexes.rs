//! Indexes whose nodes refer to nothing, or to earlier nodes.

use modutils_tests::little_kernel;
use testkit::{INDEX_HEADER, TestRoot, index};

use super::bounded;

const ROOT: u32 = 12;
const HAS_PREFIX: u32 = 0x8000_0000;
const HAS_VALUES: u32 = 0x4000_0000;
const HAS_CHILDREN: u32 = 0x2000_0000;

/// An index with this reference to its root and these bytes of nodes.
fn made_of(root: u32, nodes: &[&[u8]]) -> Vec<u8> {
    [&INDEX_HEADER, root.to_be_bytes().as_slice(), &nodes.concat()].concat()
}

/// Nodes that refer to themselves, to each other, and to two nodes each of which refers to two more.
fn tangled() -> Vec<Vec<u8>> {
    let itself = HAS_CHILDREN | ROOT;
    let own = itself.to_be_bytes();
    let mut tree = Vec::new();
    for level in 0..64_u32 {
        let next = HAS_CHILDREN | (ROOT + 10 * (level + 1));
        tree.extend([b"*+".as_slice(), &next.to_be_bytes(), &next.to_be_bytes()].concat());
    }
    tree.extend([b"aa".as_slice(), &0_u32.to_be_bytes()].concat());
    let long = [b"x".repeat(100_000), vec![0]].concat();
    let other = HAS_PREFIX | HAS_CHILDREN | ROOT;
    vec![
        made_of(itself, &[b"**", &own]),
        made_of(itself, &[b"\x01\xff", &own.repeat(255)]),
        made_of(itself, &[b"*+", &(HAS_CHILDREN | (ROOT + 10)).to_be_bytes(), &own, b"ab", &own, &own]),
        made_of(itself, &[&tree]),
        // A prefix that becomes longer in each round.
        made_of(other, &[&long, b"**", &other.to_be_bytes()]),
        made_of(HAS_VALUES | ROOT, &[&u32::MAX.to_be_bytes(), &[0; 100]]),
        made_of(HAS_VALUES | ROOT, &[&20_000_u32.to_be_bytes(), &[0; 100_000]]),
        made_of(HAS_PREFIX | ROOT, &[&[b'*'; 100_000]]),
        made_of(HAS_CHILDREN | 0x0fff_fff0, &[]),
        made_of(HAS_CHILDREN | ROOT, &[b"\xff\x01", &own]),
    ]
}

const FILES: [&str; 5] = [
    "modules.dep.bin",
    "modules.alias.bin",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
];

#[test]
fn walks_end_on_nodes_that_refer_to_each_other() {
    let root = little_kernel();
    for (number, bytes) in tangled().iter().enumerate() {
        for file in FILES {
            root.ours("depmod", &[]).succeeds();
            root.write_module_file(file, bytes);
            let name = "*".repeat(3000) + &"a".repeat(3000);
            for args in
                [&["-c"][..], &["-R", "fs-nothing"], &["-R", "symbol:x"], &["-D", "top"], &["-R", &name]]
            {
                let run = bounded(&root, 100, "modprobe", args);
                let reported =
                    run.code == Some(0) || run.err().contains(file) || run.err().contains("not found");
                assert!(reported, "{number}: {run:?}");
            }
            bounded(&root, 100, "modinfo", &["-n", "fs-nothing"]);
        }
        // A dump visits all nodes, and reports those it cannot read.
        root.ours("depmod", &[]).succeeds();
        root.write_module_file("modules.alias.bin", bytes);
        let run = bounded(&root, 100, "modprobe", &["-c"]);
        assert!(
            number == 6 || (run.code == Some(1) && run.err().contains("modules.alias.bin: ")),
            "{number}: {run:?}"
        );
    }
}

#[test]
fn an_index_of_half_a_gibibyte_is_named_and_not_read() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let path = root.module_path("modules.dep.bin");
    root.write(&path, INDEX_HEADER);
    let file = std::fs::OpenOptions::new().write(true).open(root.path().join(&path)).expect("the index");
    file.set_len(512 << 20).expect("a file with a hole");
    let run = bounded(&root, 60, "modprobe", &["-D", "top"]).fails();
    assert!(run.err().contains("modules.dep.bin") && run.err().contains("bytes"), "{run:?}");
}

#[test]
fn dependencies_in_a_cycle_of_thousands_end() {
    const COUNT: usize = 5000;
    let root = TestRoot::new();
    let line = |at: usize| {
        let next = (at + 1) % COUNT;
        (format!("m{at}"), format!("m{at}.ko: m{next}.ko m{}.ko m{at}.ko", (next + 1) % COUNT))
    };
    root.write_module_file("modules.dep.bin", index((0..COUNT).map(line)));
    for at in 0..COUNT {
        root.write_module_file(&format!("m{at}.ko"), "");
    }
    let run = bounded(&root, 100, "modprobe", &["-D", "m0"]).succeeds();
    assert_eq!(run.lines().len(), 3, "{run:?}");
    bounded(&root, 100, "modprobe", &["-n", "-r", "m0"]).succeeds();
}

/// A line that names fifty thousand dependencies, each of which names them all.
#[test]
fn a_line_with_very_many_dependencies_is_followed() {
    const COUNT: usize = 50_000;
    let root = TestRoot::new();
    let all: String = (0..COUNT).map(|at| format!(" m{at}.ko")).collect();
    let entries = [("top".to_owned(), format!("top.ko:{all}"))].into_iter();
    let others = (0..100).map(|at| (format!("m{at}"), format!("m{at}.ko:{all}")));
    root.write_module_file("modules.dep.bin", index(entries.chain(others)));
    // The files are not there: the first that is missing is named.
    let run = bounded(&root, 900, "modprobe", &["-D", "top"]).fails();
    assert!(run.err().contains("m49999.ko"), "{run:?}");
}

/// Each line has all modules before it: together they are some hundred times as long as the one that is asked for.
#[test]
fn a_long_chain_takes_memory_for_its_own_line() {
    const COUNT: usize = 3000;
    let root = TestRoot::new();
    let mut all = String::new();
    let mut lines = Vec::new();
    for at in 0..COUNT {
        root.write_module_file(&format!("m{at}.ko"), "");
        lines.push((format!("m{at}"), format!("m{at}.ko:{all}")));
        all.insert_str(0, &format!(" m{at}.ko"));
    }
    root.write_module_file("modules.dep.bin", index(lines));
    let last = format!("m{}", COUNT - 1);
    for args in [&["-D"][..], &["-n", "-v"], &["-n", "-v", "-r"]] {
        bounded(&root, 100, "modprobe", &[args, &[last.as_str()]].concat());
    }
    assert_eq!(bounded(&root, 100, "modprobe", &["-D", &last]).succeeds().lines().len(), COUNT);
}
