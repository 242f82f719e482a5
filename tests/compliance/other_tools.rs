//! lsmod, rmmod, insmod and kmod, as far as they go without a kernel to change.

use std::fs::File;
use std::process::Output;

use modutils_tests::{little_kernel, same_run};
use testkit::surroundings::program;
use testkit::{LoadedModule, ModuleBuilder, Side, TestRoot};

fn running() -> TestRoot {
    let root = little_kernel();
    root.reference("depmod", &[]).succeeds();
    root.load(&LoadedModule {
        users: Some(2),
        holders: &["helper"],
        size: 123_456_789,
        ..LoadedModule::new("base")
    });
    root.load(&LoadedModule { users: Some(0), ..LoadedModule::new("helper") });
    root.load(&LoadedModule { users: None, ..LoadedModule::new("a_module_with_a_long_name") });
    root.load(&LoadedModule { state: Some("coming"), ..LoadedModule::new("extra") });
    root
}

#[test]
fn lsmod_lists_what_is_loaded() {
    let root = running();
    let run = same_run(&root, "lsmod", &[]).succeeds();
    assert_eq!(run.lines().len(), 5);
    same_run(&root, "kmod", &["list"]).succeeds();
    same_run(&TestRoot::new(), "lsmod", &[]).succeeds();
    same_run(&root, "lsmod", &["more"]).fails();
    same_run(&root, "lsmod", &["--nonsense"]).fails();
    root.remove("proc/modules");
    same_run(&root, "lsmod", &[]);
}

#[test]
fn rmmod_reports_why_it_does_not_remove() {
    let root = running();
    for args in [
        vec!["base"],
        vec!["base.ko"],
        vec!["nothing"],
        vec!["inside"],
        vec!["a-module-with-a-long-name"],
        vec!["extra"],
        vec!["helper"],
        vec!["-f", "base"],
        vec!["nothing", "base", "neither"],
        vec!["/nowhere/helper.ko"],
        vec![],
        vec!["-Z"],
        vec!["-v", "helper"],
    ] {
        same_run(&root, "rmmod", &args).fails();
    }
}

#[test]
fn insmod_reports_why_it_does_not_load() {
    let root = running();
    root.write("tmp/one.ko", ModuleBuilder::new("one").build());
    root.write("tmp/empty.ko", "").write("tmp/short.ko", "short").write("tmp/text.ko", "longer");
    for args in [
        vec!["/tmp/one.ko"],
        vec!["/tmp/one.ko", "a=1", "b=two words"],
        vec!["-f", "/tmp/one.ko"],
        vec!["/tmp/empty.ko"],
        vec!["/tmp/short.ko"],
        vec!["/tmp/text.ko"],
        vec!["/nowhere.ko"],
        vec!["tmp"],
        vec!["-"],
        vec![],
        vec!["-Z"],
    ] {
        same_run(&root, "insmod", &args).fails();
    }
}

#[test]
fn static_nodes_are_printed_in_each_format() {
    let root = running();
    for args in [
        vec!["static-nodes"],
        vec!["static-nodes", "-f", "human"],
        vec!["static-nodes", "--format=tmpfiles"],
        vec!["static-nodes", "--format", "devname"],
    ] {
        same_run(&root, "kmod", &args);
    }
    for wrong in [["static-nodes", "-f", "nonsense"], ["static-nodes", "-Z", "-Z"]] {
        let (ours, theirs) = (root.ours("kmod", &wrong).fails(), root.reference("kmod", &wrong).fails());
        // The help that follows is each side's own.
        assert_eq!(ours.own_messages().lines().next(), theirs.own_messages().lines().next());
    }
    let devname = root.module_path("modules.devname");
    root.write(
        &devname,
        "# header\nfuse fuse c10:229\nloop loop-control b7:1\nx a/b/c c1:2\nbad line\nalso bad x1:2\n",
    );
    for format in ["human", "tmpfiles", "devname"] {
        same_run(&root, "kmod", &["static-nodes", "-f", format]);
    }
    root.reference("kmod", &["static-nodes", "-f", "tmpfiles", "-o", "/tmp/theirs/a/b"]);
    root.ours("kmod", &["static-nodes", "-f", "tmpfiles", "-o", "/tmp/ours/a/b"]);
    assert_eq!(root.read("tmp/ours/a/b"), root.read("tmp/theirs/a/b"));
    root.remove(&devname);
    let run = same_run(&root, "kmod", &["static-nodes"]).succeeds();
    assert!(run.err().contains("not found - ignoring"), "{run:?}");
}

#[test]
fn kmod_knows_its_commands() {
    let root = TestRoot::new();
    for args in [vec!["nonsense"], vec![], vec!["-Z"]] {
        let (ours, theirs) = (root.ours("kmod", &args), root.reference("kmod", &args));
        assert_eq!(ours.code, theirs.code);
        // The help that follows is each side's own.
        assert_eq!(ours.own_messages().lines().next(), theirs.own_messages().lines().next());
    }
}

/// Runs a tool with a standard output that takes nothing.
fn into_full(root: &TestRoot, side: Side, args: &[&str]) -> Output {
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    // Brings the side's tools into the root.
    root.invoke(side, "kmod");
    let tool = format!("/{}/{}", side.dir(), args[0]);
    let mut command = program("chroot");
    command.arg(root.path()).arg(tool).args(&args[1..]).stdout(full);
    command.output().expect("chroot(8)")
}

/// A deliberate difference: kmod does not notice.
#[test]
fn a_full_standard_output_is_an_error_of_ours_alone() {
    let root = running();
    for args in [&["depmod", "-n"][..], &["modprobe", "-c"], &["lsmod"]] {
        let (ours, theirs) = (into_full(&root, Side::Ours, args), into_full(&root, Side::Kmod34, args));
        let expected =
            format!("{}: ERROR: could not write standard output: No space left on device\n", args[0]);
        assert_eq!((ours.status.code(), String::from_utf8_lossy(&ours.stderr)), (Some(1), expected.into()));
        assert_eq!(theirs.status.code(), Some(0), "{args:?}: {theirs:?}");
    }
}
