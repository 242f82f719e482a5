//! Names with bytes that no module's name has: slashes, dots, NUL, ends of lines, wildcards.

use modutils_tests::{add_ordered, little_kernel, module};
use testkit::index;

use super::bounded;

const NAMES: [&str; 8] = ["../../../etc/nothing", "..", ".", "/etc/passwd", "a/b", "*", "[", "a\nb"];

#[test]
fn a_name_on_the_command_line_is_not_a_path() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root.write("etc/passwd", "");
    for name in NAMES {
        // What begins with a slash is a path, and is taken for the file of a module to be loaded.
        let uses: &[&str] = if name.starts_with('/') { &["-r"] } else { &["-r", "-D", "-n", "-R"] };
        for args in uses.iter().map(|option| [*option, name]) {
            let run = bounded(&root, 60, "modprobe", &args).fails();
            assert!(!run.err().is_empty(), "{run:?}");
        }
        bounded(&root, 60, "modinfo", &["-m", name]).fails();
        bounded(&root, 60, "rmmod", &[name]).fails();
    }
    let long = "n".repeat(100_000);
    bounded(&root, 60, "modprobe", &["-D", &long]).fails();
    bounded(&root, 60, "rmmod", &[&long]).fails();
}

/// A module's name in an index is not used as a path out of /sys/module.
#[test]
fn a_name_in_an_index_cannot_leave_sys_module() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root.write("tmp/initstate", "live\n");
    let names = ["../../tmp", "..", ".", "/tmp", "../module"];
    root.write_module_file("modules.alias.bin", index(names.map(|name| ("evil", name))));
    root.write_module_file("modules.dep.bin", index(names.map(|name| (name, format!("{name}.ko:")))));
    let run = bounded(&root, 60, "modprobe", &["evil"]).fails();
    assert!(run.err().contains("leads out of the module directory"), "{run:?}");
    // None of the others counts as loaded already, and no file of such a name is there.
    let names = [".", "/tmp"];
    root.write_module_file("modules.alias.bin", index(names.map(|name| ("evil", name))));
    let run = bounded(&root, 60, "modprobe", &["evil"]).fails();
    assert_eq!(
        run.err().lines().filter(|line| line.contains("could not insert")).count(),
        names.len(),
        "{run:?}"
    );
}

/// What is printed of an entry is one line, which scripts take for a command.
#[test]
fn a_control_character_in_an_entry_makes_no_second_line() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    for control in ["\n", "\r", "\x1b[2K", "\x0b"] {
        let forged = format!("kernel/a.ko{control}insmod\u{a0}/tmp/evil.ko");
        for line in [format!("{forged}:"), format!("kernel/a.ko: {forged}"), format!("{forged}: kernel/a.ko")]
        {
            root.write_module_file(
                "modules.dep.bin",
                index([("a", line.as_str()), ("b", "kernel/b.ko: kernel/a.ko")]),
            );
            for args in [["-D", "a"], ["-n", "a"], ["-n", "-r"], ["-D", "b"]] {
                let args = if args[1] == "-r" { vec!["-n", "-r", "a"] } else { args.to_vec() };
                let run = bounded(&root, 60, "modprobe", &args);
                assert!(!run.out().contains("evil"), "{run:?}");
                if args[0] == "-D" && args[1] == "a" {
                    let cause = "modules.dep.bin: the line of module a has a control character in a path: kernel/a.ko\\";
                    assert!(run.fails().err().contains(cause));
                }
            }
        }
        let name = format!("evil{control}insmod /tmp/evil.ko");
        root.write_module_file("modules.alias.bin", index([("al", name.as_str())]));
        root.write_module_file("modules.builtin.bin", index([(name.as_str(), "")]));
        for option in ["-D", "-R"] {
            let run = bounded(&root, 60, "modprobe", &[option, "al"]).fails();
            assert!(
                run.out().is_empty() && run.err().contains("has a control character in a name: evil\\"),
                "{run:?}"
            );
        }
    }
}

#[test]
fn names_in_module_files_are_words_in_the_indexes() {
    let root = little_kernel();
    let mut odd = module("odd");
    for name in NAMES {
        odd = odd.alias(name).modinfo("softdep", format!("pre: {name}")).modinfo("weakdep", name);
    }
    add_ordered(&root, "kernel/odd.ko", &odd.alias("\0nul"));
    bounded(&root, 60, "depmod", &[]).succeeds();
    bounded(&root, 60, "modprobe", &["-c"]).succeeds();
    let run = bounded(&root, 60, "modprobe", &["-D", "odd"]).succeeds();
    assert!(run.out().contains("kernel/odd.ko"), "{run:?}");
}

#[test]
fn a_nul_byte_in_a_list_of_the_kernels_build_only_ends_its_line() {
    let root = little_kernel();
    root.write_module_file("modules.builtin", b"kernel/\0fs/inside.ko\nkernel/fs/other.ko\n\0\n");
    root.write_module_file("modules.order", b"kernel/lib/base.ko\0\nkernel/lib/helper.ko\n\0");
    bounded(&root, 60, "depmod", &[]).succeeds();
    assert_eq!(bounded(&root, 60, "modprobe", &["-D", "other"]).succeeds().out(), "builtin other\n");
    assert!(bounded(&root, 60, "modprobe", &["-D", "base"]).succeeds().out().contains("base.ko"));
}
