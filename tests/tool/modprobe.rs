//! modprobe where kmod loses, repeats or hides something.

use modutils_tests::{little_kernel, module, text};
use testkit::{Crc, Errno, FakeKernel, LoadedModule, Side, Start, TestRoot, VersionTables};

fn configured(config: &str) -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/test.conf", config);
    root
}

/// The file names in the lines of `-D`.
fn files(root: &TestRoot, name: &str) -> Vec<String> {
    let lines = root.ours("modprobe", &["-D", name]).succeeds().lines();
    lines.iter().filter_map(|line| Some(line.trim().rsplit_once('/')?.1.to_owned())).collect()
}

#[test]
fn a_module_is_listed_once_at_its_first_place() {
    let root = configured("softdep top pre: helper extra\nsoftdep extra pre: base\n");
    assert_eq!(files(&root, "top"), ["base.ko", "helper.ko", "extra.ko", "top.ko"]);
}

#[test]
fn softdep_lines_of_one_module_add_up() {
    let root = configured("softdep base pre: extra\nsoftdep base post: my-dash\nsoftdep base pre: inside\n");
    let lines = root.ours("modprobe", &["-D", "base"]).succeeds().out();
    let place = |what: &str| lines.find(what).unwrap_or_else(|| panic!("{what} is not in {lines}"));
    assert!(place("extra.ko") < place("builtin inside"));
    assert!(place("builtin inside") < place("base.ko"));
    assert!(place("base.ko") < place("my-dash.ko"));
}

#[test]
fn a_missing_dependency_is_an_error_before_anything_is_loaded() {
    let root = configured("");
    root.remove(&root.module_path("kernel/lib/helper.ko"));
    let run = root.ours("modprobe", &["top"]).fails();
    assert!(run.err().contains("helper.ko"), "{run:?}");
    assert!(!run.err().contains("not permitted") && !run.err().contains("not implemented"), "{run:?}");
}

#[test]
fn a_missing_dependency_that_is_loaded_is_no_error() {
    let root = configured("");
    root.remove(&root.module_path("kernel/lib/helper.ko"));
    root.load(&LoadedModule::new("base"))
        .load(&LoadedModule::new("helper"))
        .load(&LoadedModule::new("extra"));
    let run = root.ours("modprobe", &["top"]).fails();
    assert!(run.err().contains("could not insert 'top'"), "{run:?}");
}

#[test]
fn not_found_has_a_cause() {
    let cause = |root: &TestRoot| {
        let run = root.explained("modprobe", &["nothing"]).fails();
        let lines: Vec<String> = run.err().lines().map(str::to_owned).collect();
        assert!(
            lines[0].starts_with("modprobe: FATAL: Module nothing not found in directory /lib/modules/"),
            "{run:?}"
        );
        lines[1..].join("\n")
    };
    let indexed = cause(&configured(""));
    let without_indexes = cause(&little_kernel());
    let nowhere = TestRoot::new();
    std::fs::remove_dir(nowhere.path().join(nowhere.module_path(""))).expect("an empty directory");
    let without_directory = cause(&nowhere);
    assert!(
        indexed != without_indexes && without_indexes != without_directory && indexed != without_directory
    );
}

#[test]
fn exports_and_versions_are_shown_by_name_too() {
    let root = configured("");
    assert_eq!(
        root.ours("modprobe", &["--show-exports", "helper"]).succeeds().out(),
        "0x0000000e\thelper_fn\n"
    );
    let run = root.ours("modprobe", &["--show-modversions", "helper"]).succeeds();
    assert_eq!(run.out(), "0x0000000b\tbase_fn\n");
}

#[test]
fn versions_of_long_names_are_shown() {
    let long = "_RNvXs_NtCs1234567890abc_6kernel5printNtB4_9RawFormatterNtNtCs1234567890ab_4core3fmt5Write9write_str";
    let root = TestRoot::new();
    for tables in [VersionTables::Extended, VersionTables::Both] {
        let module = module("rusty").needs("short", 0x11).needs(long, 0x22).version_tables(tables);
        root.write("tmp/rusty.ko", module.build());
        let run = root.ours("modprobe", &["--show-modversions", "/tmp/rusty.ko"]).succeeds();
        assert_eq!(run.out(), format!("0x00000011\tshort\n0x00000022\t{long}\n"), "{tables:?}");
    }
}

#[test]
fn an_alias_of_several_modules_fails_if_one_does() {
    let root = TestRoot::new();
    for name in ["first", "second"] {
        root.add_module(&format!("kernel/{name}.ko"), &module(name).alias("both").export(name, Crc::None));
    }
    root.ours("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/test.conf", "install first exit 4\ninstall second true\n");
    root.ours("modprobe", &["both"]).fails();
    root.write("etc/modprobe.d/test.conf", "install first exit 4\ninstall second exit 5\n");
    let run = root.ours("modprobe", &["both"]).fails();
    assert!(run.err().contains("first") && run.err().contains("second"), "{run:?}");
}

#[test]
fn names_and_values_that_are_not_utf_8_pass_through() {
    use std::os::unix::ffi::OsStrExt;
    let root = configured("");
    root.write("etc/modprobe.d/test.conf", b"options base name=\xff\xfe\n");
    let value = std::ffi::OsStr::from_bytes(b"x=\xc3\x28");
    let run =
        root.invoke(testkit::Side::Ours, "modprobe").args(["-D", "base"]).args([value]).run().succeeds();
    assert!(run.stdout.ends_with(b"base.ko name=\xff\xfe x=\xc3\x28\n"), "{run:?}");
}

#[test]
fn text_and_trie_indexes_are_consistent() {
    let root = configured("");
    let files = root.indexes();
    for line in text(&files, "modules.alias").lines().filter_map(|line| line.strip_prefix("alias ")) {
        let (pattern, module) = line.split_once(' ').expect("a pattern and a module");
        if pattern.contains(['*', '[']) {
            continue;
        }
        let run = root.ours("modprobe", &["-R", pattern]).succeeds();
        assert!(run.lines().contains(&module.to_owned()), "{run:?}");
    }
}

#[test]
fn jobs_load_and_print_the_same_as_a_sequence() {
    let loaded = |jobs: &[&str]| {
        let root = configured("softdep base post: extra\ninstall extra exit 3\n");
        // Installs our tools in the root.
        let _ = root.invoke(Side::Ours, "modprobe");
        let kernel = FakeKernel::new(root.path(), root.version());
        kernel.refuse_load("my_dash", Errno::ENODEV);
        let names = ["-v", "-a", "my-dash", "top", "fs-top", "unknown", "helper"];
        let outcome = kernel.run(&Start::new("/ours/modprobe").args(jobs.iter().chain(&names)));
        let mut modules = kernel.loaded_names();
        modules.sort();
        // With jobs, names are looked up before anything is loaded.
        let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let mut errors: Vec<String> = errors.lines().map(str::to_owned).collect();
        errors.sort();
        (outcome.status, outcome.stdout, errors, modules, outcome.calls.len())
    };
    let in_sequence = loaded(&[]);
    assert_eq!(in_sequence.3, ["base", "helper", "top"]);
    assert_eq!(loaded(&["-j", "3"]), in_sequence);
    assert_eq!(loaded(&["--jobs=1"]), in_sequence);
}

#[test]
fn an_invalid_number_of_jobs_is_reported() {
    let run = configured("").ours("modprobe", &["-j", "0", "base"]).fails();
    assert_eq!(run.err(), "modprobe: ERROR: unexpected number of jobs '0'.\n");
}

#[test]
fn install_commands_that_call_modprobe_for_one_another_end() {
    let root = TestRoot::new();
    root.ours("depmod", &[]).succeeds();
    root.write(
        "etc/modprobe.d/circle.conf",
        "install one /ours/modprobe other\ninstall other echo >>/tmp/count; /ours/modprobe one\n",
    );
    let run = root.ours("modprobe", &["one"]).fails();
    assert!(
        run.err().contains("commands of modprobe.d call each other without end, 16 of them by now"),
        "{run:?}"
    );
    assert_eq!(root.read("tmp/count").len(), 8);
}
