//! What a module puts into its fields configures nothing but itself, whoever reads what depmod wrote: the packaged
//! modprobe, `kmod static-nodes`, systemd-tmpfiles.

use std::process::Stdio;

use modutils_tests::{add_ordered, little_kernel, module};
use testkit::surroundings::program;
use testkit::{Crc, ModuleBuilder, Side, TestRoot};

/// Values that are lines of their own where a line is made of them as they are.
fn forged() -> TestRoot {
    let root = little_kernel();
    let texts = module("texts")
        .alias("tex\nalias top evil")
        .alias("two evil")
        .alias("sound")
        .modinfo("softdep", "pre: none\nsoftdep top pre: evil")
        .modinfo("softdep", "pre: helper \\")
        .modinfo("softdep", "pre: base")
        .modinfo("weakdep", "none\rweakdep top evil")
        .export("sym\nalias symbol:base_fn evil", Crc::None)
        .export("good", Crc::None);
    add_ordered(&root, "kernel/texts.ko", &texts);
    for (number, name) in
        ["fine/node", "../../etc/cron.d/x", "n c1:3\nfuse ../x", "%h", "'q", "b\\x2e", "a/../../b", "/etc/y"]
            .into_iter()
            .enumerate()
    {
        let node = module(format!("node{number}"));
        let node = node.alias(format!("devname:{name}")).alias(format!("char-major-10-{number}"));
        add_ordered(&root, &format!("kernel/node{number}.ko"), &node);
    }
    for name in ["evil", "ev*"] {
        root.add_module(&format!("kernel/{name}.ko"), &ModuleBuilder::new(name).modinfo("license", "GPL"));
    }
    let all = ModuleBuilder::new("all").modinfo("license", "GPL").modinfo("softdep", "pre: evil");
    root.add_module("kernel/*.ko", &all)
        .add_module("kernel/a b.ko", &all)
        .add_module("kernel/top.ko: evil.ko", &all);
    root
}

/// docs/differences.md: "a value of a module with a control character, or an alias with a blank", "a `devname` alias …".
#[test]
fn a_module_configures_no_other_module_and_no_other_node() {
    let root = forged();
    let run = root.ours("depmod", &[]).succeeds();
    let messages = run.err();
    for reported in [
        "texts.ko: section .modinfo: aliases that no line can hold are omitted: \"tex\\nalias top evil\" and 1 more",
        "soft dependencies that no line can hold are omitted: \"pre: none\\nsoftdep top pre: evil\" and 1 more",
        "weak dependencies that no line can hold are omitted: \"none\\rweakdep top evil\"",
        "section .symtab: symbols that no line can hold are omitted: \"sym\\nalias symbol:base_fn evil\"",
        "Module 'node1' has devname (../../etc/cron.d/x), not the name of a node below /dev. Ignoring.",
        "kernel/*.ko: the indexes cannot list a path with a character that makes it a pattern",
        "kernel/a b.ko: the indexes cannot list a path with a blank",
    ] {
        assert!(messages.contains(reported), "{reported}: {messages}");
    }
    let text = |name: &str| String::from_utf8(root.read(&root.module_path(name))).expect("UTF-8");
    assert!(text("modules.softdep").ends_with("\nsoftdep texts pre: base\n"));
    assert!(text("modules.alias").contains("\nalias sound texts\n"));
    assert!(text("modules.symbols").contains("\nalias symbol:good texts\n"));
    let nodes = text("modules.devname");
    assert!(nodes.ends_with("loading.\nextra extra/node c10:200\nnode0 fine/node c10:0\n"), "{nodes}");
    for side in [Side::Ours, Side::Kmod34] {
        let plan = root.run(side, "modprobe", &["-D", "top"]).succeeds().out();
        assert!(!plan.contains("evil"), "{plan}");
        let config = root.run(side, "modprobe", &["-c"]).succeeds().out();
        let evil: Vec<&str> = config.lines().filter(|line| line.contains("evil")).collect();
        assert!(evil.is_empty(), "{evil:?}");
        let lines = root.run(side, "kmod", &["static-nodes", "--format=tmpfiles"]).succeeds().out();
        let mut nodes = lines.lines().filter(|line| line.contains("10:"));
        assert_eq!(nodes.clone().count(), 2, "{lines}");
        assert!(nodes.all(|line| line.starts_with("c! /dev/")) && !lines.contains(".."), "{lines}");
        made_by_tmpfiles(&lines);
    }
}

/// kmod writes all of it, and obeys it.
#[test]
fn the_packaged_tools_obey_what_a_module_forges() {
    let root = forged();
    root.reference("depmod", &[]).succeeds();
    assert!(root.reference("modprobe", &["-D", "top"]).succeeds().out().contains("evil.ko"));
    let theirs = root.reference("kmod", &["static-nodes", "--format=tmpfiles"]).out();
    assert!(theirs.contains("/dev/../../etc/cron.d/x"), "{theirs}");
    // Ours reads what the other one has written, and names the lines.
    let ours = root.explained("kmod", &["static-nodes", "--format=tmpfiles"]);
    assert!(ours.code == Some(1) && !ours.out().contains(".."), "{ours:?}");
    assert!(ours.err().contains("not the name of a node below /dev"), "{ours:?}");
}

/// systemd-tmpfiles understands the lines, and makes the nodes below `/dev` and nothing else.
fn made_by_tmpfiles(lines: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let (config, root) = (directory.path().join("nodes.conf"), directory.path().join("root"));
    std::fs::write(&config, lines).expect("a file");
    std::fs::create_dir(&root).expect("a directory");
    let mut command = program("systemd-tmpfiles");
    command.args(["--create", "--boot"]).arg(format!("--root={}", root.display())).arg(&config);
    let made = command.stdin(Stdio::null()).output().expect("systemd-tmpfiles (package systemd)");
    assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
    let below = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(&root).expect("a path below the root").to_owned();
        path.into_os_string().into_string().expect("UTF-8")
    };
    let entries = walkdir::WalkDir::new(&root).min_depth(1).sort_by_file_name();
    let all: Vec<String> = entries.into_iter().map(|entry| below(entry.expect("an entry"))).collect();
    assert_eq!(all, ["dev", "dev/extra", "dev/extra/node", "dev/fine", "dev/fine/node"]);
}
