//! A name without a module: kmod's message is unchanged, and the cause follows it.

use modutils_tests::{little_kernel, module};
use testkit::{LoadedModule, TestRoot};

fn indexed() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root
}

/// The cause that modprobe prints below its message.
#[track_caller]
fn why(root: &TestRoot, args: &[&str]) -> String {
    let run = root.explained("modprobe", args).fails();
    let name = args.last().expect("a name");
    let stderr = run.err();
    let (first, why) = stderr.split_once('\n').expect("a line");
    let expected = format!("modprobe: FATAL: Module {name} not found in directory /");
    assert!(first.starts_with(&expected), "{run:?}");
    assert!(why.lines().all(|line| line.starts_with("  ")), "{run:?}");
    why.to_owned()
}

#[track_caller]
fn explains(root: &TestRoot, args: &[&str], expected: &[&str]) {
    let why = why(root, args);
    for text in expected {
        assert!(why.contains(&text.replace('@', &root.module_path(""))), "no \"{text}\" in:\n{why}");
    }
}

fn directory(root: &TestRoot) -> std::path::PathBuf {
    root.path().join(root.module_path(""))
}

#[test]
fn a_kernel_without_modules() {
    let root = TestRoot::new();
    std::fs::remove_dir(directory(&root)).expect("an empty directory");
    explains(
        &root,
        &["top"],
        &["the running kernel has no modules here", "Nor are there modules of another kernel"],
    );
    explains(
        &root,
        &["-S", "1.2.3", "top"],
        &["There is no /lib/modules/1.2.3: this kernel has no modules here"],
    );
}

#[test]
fn a_kernel_replaced_since_it_was_booted() {
    let root = TestRoot::new();
    std::fs::remove_dir(directory(&root)).expect("an empty directory");
    root.write("lib/modules/6.99.1/modules.dep", "");
    let expected = "There are modules for 6.99.1. If the kernel was replaced since it was booted, reboot.";
    explains(&root, &["top"], &[expected]);
}

#[test]
fn an_index_missing_empty_or_damaged() {
    let root = little_kernel();
    explains(&root, &["top"], &["There is no /lib/modules/", "modules.dep.bin.", "Run depmod to make it."]);
    root.write_module_file("modules.dep.bin", "");
    explains(&root, &["top"], &["modules.dep.bin is empty", "Run depmod to rebuild it."]);
    root.write_module_file("modules.dep.bin", "no index at all");
    explains(&root, &["top"], &["modules.dep.bin is damaged: ", "Run depmod to rebuild it."]);
}

#[test]
fn the_command_that_makes_an_index_is_whole() {
    let root = TestRoot::new();
    root.create_dir("lib/modules/1.2.3/kernel");
    explains(&root, &["-S", "1.2.3", "top"], &["  Run depmod 1.2.3 to make it."]);
    root.create_dir("mnt/lib/modules/1.2.3/kernel");
    explains(&root, &["-d", "/mnt", "-S", "1.2.3", "top"], &["  Run depmod -b /mnt 1.2.3 to make it."]);
}

#[test]
fn another_roots_modules_are_those_of_a_kernel_to_be_named() {
    let root = TestRoot::new();
    root.write("mnt/lib/modules/1.2.3/modules.dep", "");
    let expected = "There are modules for 1.2.3: name the release (modprobe -S, modinfo -k).";
    explains(&root, &["-d", "/mnt", "top"], &[expected]);
    for base in ["/mnt/lib/modules", "/mnt/lib/modules/1.2.3"] {
        let expected = format!("  {base} holds modules: name the root above it, which has lib/modules.");
        explains(&root, &["-d", base, "top"], &[&expected]);
    }
    // A source tree does not hold modules for a kernel.
    root.write("src/linux/kernel/modules.order", "");
    explains(&root, &["-d", "/src", "top"], &["Nor are there modules of another kernel"]);
}

#[test]
fn an_outdated_index() {
    let root = indexed();
    root.add_module("kernel/drivers/late.ko", &module("late"));
    explains(
        &root,
        &["late"],
        &["kernel/drivers/late.ko, and modules.dep.bin does not list it", "run depmod"],
    );
    root.write_module_file("modules.builtin", "kernel/fs/later.ko\n");
    explains(&root, &["later"], &["modules.builtin, and modules.builtin.bin does not list it", "run depmod"]);
}

#[test]
fn a_name_of_another_kernel() {
    let root = indexed();
    let files = root.indexes();
    for (name, bytes) in &files {
        root.write(&format!("lib/modules/6.99.1/{name}"), bytes);
    }
    root.ours("depmod", &[]).succeeds();
    std::fs::remove_file(root.path().join(root.module_path("kernel/drivers/extra.ko"))).expect("removed");
    root.ours("depmod", &[]).succeeds();
    explains(&root, &["extra"], &["Other kernels have it: 6.99.1."]);
}

#[test]
fn a_misspelt_name() {
    let root = indexed();
    explains(&root, &["hepler"], &["Did you mean helper?"]);
    explains(&root, &["insid"], &["Did you mean inside?"]);
    explains(&root, &["my-dahs"], &["Did you mean my_dash?"]);
}

#[test]
fn the_name_of_a_file() {
    let root = indexed();
    explains(&root, &["top.ko.xz"], &["This is the name of a file; the module is called top."]);
}

#[test]
fn an_alias_that_matches_nothing_and_an_invalid_name() {
    let root = indexed();
    explains(&root, &["pci:v0000FFFFd"], &["No module of this kernel has an alias that matches this."]);
    explains(&root, &["unheard_of"], &["No module of this kernel has this name or alias."]);
    explains(&root, &["a]b"], &["The name is no name of a module: unmatched bracket."]);
}

#[test]
fn a_module_loaded_from_elsewhere() {
    let root = indexed();
    root.load(&LoadedModule::new("own"));
    explains(&root, &["own"], &["It is loaded, and no index of this directory has it by this name."]);
}

#[test]
fn check_prints_the_cause_too() {
    let root = little_kernel();
    let run = root.ours("kmod", &["check", "top"]).fails();
    assert!(run.err().contains("Module top not found in directory /lib/modules/"), "{run:?}");
    assert!(run.err().contains("modules.dep.bin.\n    Run depmod to make it.\n"), "{run:?}");
    let run = indexed().ours("kmod", &["check", "hepler"]).fails();
    assert!(run.err().contains("\n  Did you mean helper?\n"), "{run:?}");
    let run = root.ours("kmod", &["check", "--all", "-S", "1.2.3"]).fails();
    assert!(
        run.err().contains("\n  There is no /lib/modules/1.2.3: this kernel has no modules here.\n"),
        "{run:?}"
    );
}

#[test]
fn modinfo_and_removal_print_the_cause_too() {
    let root = indexed();
    for (tool, args) in [("modinfo", &["hepler"][..]), ("modprobe", &["-r", "hepler"])] {
        let run = root.explained(tool, args).fails();
        assert!(run.err().contains("Module hepler not found.\n  Did you mean helper?"), "{run:?}");
    }
    let run = root.ours("modprobe", &["-q", "hepler"]).fails();
    assert_eq!(run.err(), "");
}
