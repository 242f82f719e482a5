//! modprobe's lookups and output, and its messages when it cannot load or remove.
//!
//! The tests lack the capability to load modules, so every insertion fails, on both sides for the same reason.

use modutils_tests::{add_ordered, little_kernel, module, same_run};
use testkit::compare::{same, same_text, without_repeats};
use testkit::{LoadedModule, Run, TestRoot};

/// The little kernel, indexed by the packaged depmod, with this configuration.
pub(crate) fn configured(config: &str) -> TestRoot {
    let root = little_kernel();
    root.reference("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/test.conf", config);
    root
}

/// Like [`same_run`], each line of standard output once (docs/differences.md: "-D and a module that is needed twice").
#[track_caller]
pub(crate) fn same_but_for_repeats(root: &TestRoot, args: &[&str]) -> Run {
    let once = |run: Run| Run { stdout: without_repeats(&run.stdout), ..run };
    let theirs = once(root.reference("modprobe", args));
    same(&once(root.ours("modprobe", args)), &theirs);
    theirs
}

#[test]
fn show_depends_lists_what_would_be_loaded() {
    let root = configured("");
    for name in
        ["base", "helper", "extra", "my-dash", "my_dash", "fs-top", "inside", "fs-inside", "deep-inside"]
    {
        same_but_for_repeats(&root, &["-D", name]).succeeds();
    }
    let run = same_but_for_repeats(&root, &["--show-depends", "top"]).succeeds();
    assert_eq!(run.lines().len(), 4, "{run:?}");
    same_but_for_repeats(&root, &["-D", "pci:v00008086d0000100Esv0sd0bc02sc00i00"]).succeeds();
    same_but_for_repeats(&root, &["-D", "of:NxTb-x"]).succeeds();
    same_run(&root, "modprobe", &["-D", "symbol:helper_fn"]);
}

#[test]
fn show_depends_of_several_names() {
    let root = configured("");
    same_but_for_repeats(&root, &["-D", "-a", "top", "extra", "base", "inside"]).succeeds();
    same_run(&root, "modprobe", &["-D", "-a", "nothing", "base"]);
    same_run(&root, "modprobe", &["-D", "-a", "base", "nothing"]);
}

#[test]
fn not_found_names_the_searched_directory() {
    let root = configured("");
    for args in [
        vec!["nothing"],
        vec!["-D", "nothing"],
        vec!["-R", "nothing"],
        vec!["-n", "nothing"],
        vec!["base.ko"],
        vec!["../base.ko"],
        vec![""],
        vec!["a[b"],
        vec!["-a", "nothing", "neither"],
        vec!["-r", "nothing"],
        vec!["-ra", "nothing", "neither"],
    ] {
        same_run(&root, "modprobe", &args).fails();
    }
}

#[test]
fn quiet_prints_nothing() {
    let root = configured("");
    for args in [
        vec!["-q", "nothing"],
        vec!["-qD", "nothing"],
        vec!["-qR", "nothing"],
        vec!["-qa", "nothing", "neither"],
        vec!["-q", "base"],
        vec!["-q", "--", "nothing"],
        vec!["-q", "-r", "nothing", "neither"],
        vec!["-q", "inside"],
    ] {
        let run = same_run(&root, "modprobe", &args);
        assert!(run.stderr.is_empty(), "{run:?}");
    }
}

#[test]
fn resolving_prints_module_names() {
    let root = configured("alias nick base\nalias two-* top\nalias two-? extra\n");
    for name in
        ["base", "my-dash", "nick", "two-x", "fs-top", "inside", "fs-inside", "deep_inside", "symbol:base_fn"]
    {
        same_run(&root, "modprobe", &["-R", name]);
    }
    let alias = "pci:v00008086d0000100Esv0sd0bc02sc00i00";
    let run = same_run(&root, "modprobe", &["--resolve-alias", alias]).succeeds();
    assert_eq!(run.lines(), ["top", "my_dash"]);
    same_run(&root, "modprobe", &["-R", "fs-top", "base"]).succeeds();
    // The newer spelling, which kmod 34.2 does not know yet.
    root.reference("modprobe", &["--show-alias", alias]).fails();
    assert_eq!(root.ours("modprobe", &["--show-alias", alias]).succeeds().out(), run.out());
}

/// docs/differences.md: "-n without -v".
#[test]
fn dry_runs_print_what_would_be_done_with_ours() {
    let root = configured("install extra echo installing\nremove extra echo removing\n");
    root.load(&LoadedModule::new("my_dash"));
    for args in [["-n", "extra"], ["-n", "top"], ["--show", "base"], ["--dry-run", "fs-top"]] {
        let theirs = root.reference("modprobe", &args).succeeds();
        assert_eq!(theirs.out(), "");
        let ours = root.ours("modprobe", &args).succeeds();
        let verbose = root.reference("modprobe", &["-nv", args[1]]);
        same_text(args[1], &ours.stdout, &without_repeats(&verbose.stdout));
    }
    let theirs = root.reference("modprobe", &["-rnv", "my_dash"]).succeeds();
    assert_eq!(root.ours("modprobe", &["-rn", "my_dash"]).succeeds().out(), theirs.out());
}

#[test]
fn other_kernels_and_roots() {
    let root = configured("options one a=1\n");
    root.write("base/lib/modules/9.8.7/kernel/one.ko", module("one").alias("x-*").build());
    root.reference("depmod", &["-b", "/base", "9.8.7"]).succeeds();
    root.write("base/etc/modprobe.d/a.conf", "options one b=2\n");
    for dir in ["/base", "/base/", "base", "./base"] {
        same_run(&root, "modprobe", &["-d", dir, "-S", "9.8.7", "-D", "one"]).succeeds();
        same_run(&root, "modprobe", &["--dirname", dir, "--set-version=9.8.7", "-R", "x-y"]).succeeds();
    }
    same_run(&root, "modprobe", &["-d", "/", "-D", "base"]).succeeds();
    same_run(&root, "modprobe", &["-d", "", "-D", "base"]);
    same_run(&root, "modprobe", &["-d", "/nowhere", "-D", "one"]).fails();
    same_run(&root, "modprobe", &["-S", "1.2.3", "-D", "one"]).fails();
}

#[test]
fn a_path_is_a_module_file() {
    let root = configured("options helper x=1\n");
    root.write("tmp/outside.ko", module("outside").build());
    root.write("tmp/helper.ko", module("helper").build());
    for path in ["/tmp/outside.ko", "./tmp/outside.ko", "/tmp/helper.ko"] {
        same_but_for_repeats(&root, &["-D", path]);
    }
    let inside = format!("/{}", root.module_path("kernel/lib/helper.ko"));
    same_but_for_repeats(&root, &["-D", &inside]).succeeds();
    root.write("tmp/empty.ko", "").write("tmp/short.ko", "short");
    for path in ["/tmp/empty.ko", "/tmp/short.ko"] {
        same_run(&root, "modprobe", &[path]).fails();
    }
    same_run(&root, "modprobe", &["-D", "/nowhere/x.ko"]).fails();
    same_run(&root, "modprobe", &["/nowhere/x.ko"]).fails();
}

#[test]
fn builtins_are_there_already() {
    let root = configured("");
    same_run(&root, "modprobe", &["inside"]).succeeds();
    same_run(&root, "modprobe", &["-v", "deep-inside"]).succeeds();
    same_run(&root, "modprobe", &["--first-time", "inside"]).fails();
    same_run(&root, "modprobe", &["-r", "inside"]).fails();
    same_run(&root, "modprobe", &["-ra", "inside", "deep-inside"]).fails();
    same_run(&root, "modprobe", &["-r", "--first-time", "inside"]).fails();
}

#[test]
fn what_is_loaded_is_not_loaded_again() {
    let root = configured("");
    root.load(&LoadedModule { users: Some(1), holders: &["helper"], ..LoadedModule::new("base") });
    root.load(&LoadedModule::new("helper"));
    same_run(&root, "modprobe", &["base"]).succeeds();
    same_run(&root, "modprobe", &["-a", "base", "helper"]).succeeds();
    same_run(&root, "modprobe", &["--first-time", "base"]).fails();
    same_run(&root, "modprobe", &["-D", "helper"]).succeeds();
    same_run(&root, "modprobe", &["-nv", "helper"]).succeeds();
    same_run(&root, "modprobe", &["-nv", "top"]);
    same_run(&root, "modprobe", &["-v", "extra"]).fails();
    same_run(&root, "modprobe", &["extra", "a=1"]).fails();
}

#[test]
fn loading_fails_by_name() {
    let root = configured("");
    for args in [vec!["base"], vec!["top"], vec!["-v", "helper"], vec!["-a", "base", "extra"], vec!["fs-top"]]
    {
        same_run(&root, "modprobe", &args).fails();
    }
}

#[test]
fn removing_what_is_not_loaded() {
    let root = configured("");
    same_run(&root, "modprobe", &["-r", "base"]).succeeds();
    same_run(&root, "modprobe", &["-r", "--first-time", "base"]).fails();
    same_run(&root, "modprobe", &["-rv", "base", "extra"]).succeeds();
    same_run(&root, "modprobe", &["-ra", "base", "extra"]).succeeds();
}

#[test]
fn removing_what_is_in_use() {
    let root = configured("remove extra echo removing $MODPROBE_MODULE\n");
    root.load(&LoadedModule { users: Some(2), holders: &["helper"], ..LoadedModule::new("base") });
    root.load(&LoadedModule { users: Some(3), ..LoadedModule::new("helper") });
    root.load(&LoadedModule { users: None, ..LoadedModule::new("my_dash") });
    root.load(&LoadedModule::new("extra"));
    for args in [
        vec!["-r", "base"],
        vec!["-r", "helper"],
        vec!["-r", "my_dash"],
        vec!["-r", "extra"],
        vec!["-rnv", "extra"],
        vec!["-rq", "base", "helper"],
        vec!["-ra", "base", "helper"],
        vec!["-ri", "extra"],
        vec!["-rnv", "--remove-holders", "base"],
    ] {
        same_run(&root, "modprobe", &args);
    }
}

#[test]
fn symbols_of_files_are_shown() {
    let root = configured("");
    let top = format!("/{}", root.module_path("kernel/drivers/top.ko"));
    let helper = format!("/{}", root.module_path("kernel/lib/helper.ko"));
    for file in [&top, &helper] {
        same_run(&root, "modprobe", &["--show-modversions", file]);
        same_run(&root, "modprobe", &["--dump-modversions", file]);
        same_run(&root, "modprobe", &["--show-exports", file]);
    }
    same_run(&root, "modprobe", &["--show-exports", "/nowhere.ko"]).fails();
    same_run(&root, "modprobe", &["--show-modversions", "/nowhere.ko"]).fails();
}

#[test]
fn wrong_and_missing_arguments() {
    let root = configured("");
    for args in [
        vec![],
        vec!["-Z"],
        vec!["--nonsense", "base"],
        vec!["-C"],
        vec!["-D"],
        vec!["-R"],
        vec!["-a"],
        vec!["-r"],
    ] {
        same_run(&root, "modprobe", &args).fails();
    }
    // Shortened, bundled, repeated, after arguments.
    same_run(&root, "modprobe", &["--show-dep", "base"]).succeeds();
    same_run(&root, "modprobe", &["base", "-D"]).succeeds();
    same_run(&root, "modprobe", &["-DD", "-D", "base"]).succeeds();
    same_run(&root, "modprobe", &["-D", "--", "base"]).succeeds();
    same_run(&root, "modprobe", &["-D", "--", "-base"]).fails();
    // Neither implies -r in kmod 34.2: see the matrix.
    for option in ["--remove-dependencies", "--remove-holders"] {
        same_run(&root, "modprobe", &["-r", option, "base"]).succeeds();
    }
}

#[test]
fn without_indexes_nothing_is_found() {
    let root = TestRoot::new();
    same_run(&root, "modprobe", &["-D", "base"]).fails();
    same_run(&root, "modprobe", &["base"]).fails();
    same_run(&root, "modprobe", &["-c"]);
}

#[test]
fn priorities_order_what_an_alias_finds() {
    let root = TestRoot::new();
    for name in ["third", "first", "second"] {
        add_ordered(
            &root,
            &format!("kernel/{name}.ko"),
            &module(name).alias("same").alias(format!("sa*{name}")),
        );
    }
    add_ordered(&root, "kernel/wild.ko", &module("wild").alias("s?me").alias("[r-t]ame").alias("*"));
    root.reference("depmod", &[]).succeeds();
    for name in ["same", "samefirst", "zzz", "tame"] {
        same_run(&root, "modprobe", &["-R", name]).succeeds();
    }
}
