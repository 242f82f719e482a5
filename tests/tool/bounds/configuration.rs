//! Configuration that is large, deep or cyclic.

use modutils_tests::{little_kernel, module};
use testkit::{TestRoot, index};

use super::bounded;

const MIB: usize = 1 << 20;

fn indexed() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root
}

#[test]
fn a_configuration_file_of_a_hundred_mebibytes_is_named_and_not_read() {
    let root = indexed();
    for content in [b"options top a=1\n".repeat(100 * MIB / 16), vec![b'x'; 100 * MIB], vec![0; 100 * MIB]] {
        root.write("etc/modprobe.d/big.conf", &content);
        let run = bounded(&root, 60, "modprobe", &["-D", "top"]).succeeds();
        assert!(run.err().contains("/etc/modprobe.d/big.conf") && run.err().contains("bytes"), "{run:?}");
        root.remove("etc/modprobe.d/big.conf").write("etc/depmod.d/big.conf", &content);
        let run = bounded(&root, 60, "depmod", &["-n"]).succeeds();
        assert!(run.err().contains("/etc/depmod.d/big.conf") && run.err().contains("bytes"), "{run:?}");
        root.remove("etc/depmod.d/big.conf");
    }
}

/// The largest that is read: each kind of line, as short as it can be, and one line that never ends.
#[test]
fn the_largest_configuration_file_is_read_within_bounds() {
    let root = indexed();
    for line in [
        "blacklist a\n",
        "alias a b\n",
        "options a b\n",
        "install a b\n",
        "softdep a b\n",
        "weakdep a b\n",
        "#\n",
        "x\n",
    ] {
        let content = line.repeat(16 * MIB / line.len());
        root.write("etc/modprobe.d/large.conf", if line == "x\n" { &content[..MIB] } else { &content });
        let run = bounded(&root, 900, "modprobe", &["-D", "top"]).succeeds();
        assert!(run.out().ends_with("top.ko \n"), "{line}: {run:?}");
    }
    for line in ["softdep top pre: ", "options top ", "install other ", "alias a\\\n", "# "] {
        let content = line.to_owned() + &"a ".repeat(8 * MIB - line.len());
        root.write("etc/modprobe.d/large.conf", content);
        let run = bounded(&root, 900, "modprobe", &["-D", "base"]).succeeds();
        assert!(run.out().ends_with("base.ko \n"), "{line}: {run:?}");
    }
    root.write("etc/modprobe.d/large.conf", "\\\n".repeat(8 * MIB));
    bounded(&root, 100, "modprobe", &["-D", "base"]).succeeds();
}

#[test]
fn a_nul_byte_only_ends_a_line_of_configuration() {
    let root = indexed();
    root.write("etc/modprobe.d/nul.conf", b"options base a=1\0b=2\n\0\nbad\0line\noptions base c=3\n");
    let run = bounded(&root, 60, "modprobe", &["-D", "base"]).succeeds();
    assert!(run.out().ends_with("base.ko a=1 c=3 \n"), "{run:?}");
    assert!(
        run.err().contains("/etc/modprobe.d/nul.conf line 3: ignoring bad line starting with 'bad'"),
        "{run:?}"
    );
}

/// A pattern that a matcher which goes back at each star would try practically for ever, and patterns of
/// brackets that are never closed.
#[test]
fn no_pattern_takes_exponential_time() {
    let root = indexed();
    let name = "a".repeat(2000);
    let brackets = "[]".repeat(1000);
    let patterns = [
        "*a".repeat(1000) + "b",
        "*[\\]".repeat(1000),
        "*".to_owned() + &"[\\]".repeat(1000),
        "*".to_owned() + &"[a-z]".repeat(3000),
    ];
    for directive in ["alias P base", "softdep P pre: base", "install P true", "options P a=1", "blacklist P"]
    {
        let lines: String = patterns.iter().map(|pattern| directive.replace('P', pattern) + "\n").collect();
        root.write("etc/modprobe.d/stars.conf", lines);
        for name in [&name, &brackets, "top"] {
            bounded(&root, 60, "modprobe", &["-D", name]);
        }
    }
    root.remove("etc/modprobe.d/stars.conf");
    let entries = patterns.iter().map(|pattern| (pattern, "base"));
    root.write_module_file("modules.alias.bin", index(entries));
    let run = bounded(&root, 60, "modprobe", &["-R", &name]).fails();
    assert!(run.err().contains("not found in directory"), "{run:?}");
    // A bracket that is never closed matches itself.
    assert_eq!(bounded(&root, 60, "modprobe", &["-R", &brackets]).succeeds().out(), "base\nbase\n");
}

/// The modules m0, m1, … in an index, without files.
fn many(count: usize) -> TestRoot {
    let root = TestRoot::new();
    root.write_module_file(
        "modules.dep.bin",
        index((0..count).map(|at| (format!("m{at}"), format!("m{at}.ko:")))),
    );
    root
}

#[test]
fn soft_dependencies_in_a_cycle_of_thousands_end() {
    const COUNT: usize = 5000;
    let root = many(COUNT);
    let line = |at: usize| format!("softdep m{at} pre: m{} post: m{}\n", (at + 1) % COUNT, (at + 7) % COUNT);
    root.write("etc/modprobe.d/cycle.conf", (0..COUNT).map(line).collect::<String>());
    let run = bounded(&root, 100, "modprobe", &["-D", "m0"]).succeeds();
    assert_eq!(run.lines().len(), COUNT, "{run:?}");
    bounded(&root, 100, "modprobe", &["-n", "-r", "m0"]).succeeds();
}

#[test]
fn a_chain_of_fifty_thousand_soft_dependencies_is_followed() {
    const COUNT: usize = 50_000;
    let root = many(COUNT);
    let line = |at: usize| format!("softdep m{} pre: m{at}\noptions m{at} n={at}\n", at - 1);
    root.write("etc/modprobe.d/chain.conf", (1..COUNT).map(line).collect::<String>());
    let run = bounded(&root, 200, "modprobe", &["-D", "m0"]).succeeds();
    assert_eq!(run.lines().len(), COUNT);
    assert!(run.lines()[0].ends_with("m49999.ko n=49999 "), "{run:?}");
}

#[test]
fn modules_that_all_name_each_other_are_placed_once() {
    const COUNT: usize = 2000;
    let root = many(COUNT);
    let names: String = (0..COUNT).map(|at| format!("m{at} ")).collect();
    root.write("etc/modprobe.d/all.conf", format!("softdep m* pre: {names} post: {names}\n"));
    let run = bounded(&root, 300, "modprobe", &["-D", "m0"]).succeeds();
    assert_eq!(run.lines().len(), COUNT);
    bounded(&root, 300, "modprobe", &["-n", "-r", "m0"]).succeeds();
}

#[test]
fn chains_and_cycles_of_aliases_and_commands_end() {
    const COUNT: usize = 20_000;
    let root = many(10);
    let line = |at: usize| {
        format!("alias a{at} a{}\ninstall i{at} modprobe i{}\n", (at + 1) % COUNT, (at + 1) % COUNT)
    };
    root.write("etc/modprobe.d/chain.conf", (0..COUNT).map(line).collect::<String>());
    assert_eq!(bounded(&root, 100, "modprobe", &["-R", "a0"]).succeeds().out(), "a1\n");
    assert_eq!(bounded(&root, 100, "modprobe", &["-D", "i0"]).succeeds().out(), "install modprobe i1 \n");
    bounded(&root, 100, "modprobe", &["-D", "a0"]);
}

/// Text of a module file that depmod writes must not become a command.
#[test]
fn a_modules_soft_dependencies_cannot_configure_other_things() {
    let root = little_kernel();
    let crafted = module("crafted")
        .modinfo("softdep", "pre: base\ninstall base /bin/touch /tmp/run\nsoftdep * pre: top");
    modutils_tests::add_ordered(&root, "kernel/crafted.ko", &crafted);
    let made = root.ours("depmod", &[]).succeeds();
    assert!(made.err().contains("that no line can hold are omitted: \"pre: base\\ninstall"), "{made:?}");
    let run = bounded(&root, 60, "modprobe", &["-D", "base"]).succeeds();
    assert_eq!(run.lines().len(), 1, "{run:?}");
    assert!(run.out().starts_with("insmod "), "{run:?}");
}
