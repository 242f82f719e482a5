//! depmod's threads and its cache do not change its files and messages.

use std::fs;
use std::time::Duration;

use modutils_tests::{add_ordered, little_kernel, module};
use testkit::{Indexes, Run, TestRoot};

const CACHE: &str = "var/cache/modutils";

/// A tree with modules about which something is reported.
fn faulty() -> TestRoot {
    let root = little_kernel();
    for number in 0..40 {
        add_ordered(&root, &format!("kernel/n{number}.ko"), &module(format!("n{number}")).alias("same"));
        root.write_module_file(&format!("kernel/bad{number}.ko"), [0x7f, b'E', b'L', b'F', number]);
        root.write_module_file(&format!("kernel/cut{number}.ko.xz"), b"\xfd7zXZ\0\0");
    }
    root
}

fn run(root: &TestRoot, args: &[&str]) -> (Run, Indexes) {
    let run = root.ours("depmod", args).succeeds();
    (run, root.take_indexes())
}

#[test]
fn files_and_messages_are_the_same_whatever_the_number_of_threads() {
    let root = faulty();
    let (one, files) = run(&root, &["-j", "1", "-w"]);
    assert!(one.err().lines().count() >= 80, "{one:?}");
    for threads in ["2", "16"] {
        let (other, other_files) = run(&root, &["-j", threads, "-w"]);
        assert_eq!(other.err(), one.err());
        assert_eq!(other_files, files);
    }
    for wrong in ["0", "-1", "x"] {
        let run = root.ours("depmod", &["-j", wrong]).fails();
        assert!(run.err().contains("at least 1"), "{run:?}");
    }
}

#[test]
fn a_cached_run_writes_and_prints_the_same() {
    let root = faulty();
    std::thread::sleep(Duration::from_millis(3100));
    let (full, files) = run(&root, &["--no-cache"]);
    assert!(!root.exists(CACHE));
    for _ in 0..2 {
        let (cached, cached_files) = run(&root, &[]);
        assert_eq!((cached.err(), cached_files), (full.err(), files.clone()));
        assert_eq!(fs::read_dir(root.path().join(CACHE)).expect("the cache").count(), 1);
    }
    // The content of the cache is used: with a wrong checksum it would not be.
    let entry =
        fs::read_dir(root.path().join(CACHE)).expect("the cache").next().expect("one").expect("an entry");
    let mut bytes = fs::read(entry.path()).expect("a cache");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(entry.path(), bytes).expect("a damaged cache");
    let (damaged, damaged_files) = run(&root, &[]);
    assert_eq!((damaged.err(), damaged_files), (full.err(), files));
}

#[test]
fn other_directories_are_only_cached_on_request() {
    let root = little_kernel();
    root.create_dir("out");
    for args in [&["-b", "/"][..], &["-o", "/out"], &["-n"]] {
        root.ours("depmod", args).succeeds();
        assert!(!root.exists(CACHE), "{args:?}");
    }
    root.ours("depmod", &["-b", "/", "--cache", "/mine"]).succeeds();
    assert!(root.exists("mine") && !root.exists(CACHE));
    // The cache cannot be created: depmod runs without it.
    root.write("file", "");
    let run = root.ours("depmod", &["--cache", "/file/below"]).succeeds();
    assert_eq!(run.err(), "");
}

#[test]
fn quick_notices_a_module_replaced_by_an_older_file() {
    let root = little_kernel();
    add_ordered(&root, "kernel/old.ko", &module("old").alias("before"));
    std::thread::sleep(Duration::from_millis(3100));
    root.ours("depmod", &[]).succeeds();
    let made = root.indexes();
    root.ours("depmod", &["-A"]).succeeds();
    assert_eq!(root.indexes(), made);
    root.add_module("kernel/old.ko", &module("old").alias("behind"));
    let path = root.path().join(root.module_path("kernel/old.ko"));
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::options().write(true).open(path).expect("the module").set_modified(long_ago).expect("its time");
    root.ours("depmod", &["-A"]).succeeds();
    assert!(String::from_utf8_lossy(&root.indexes()["modules.alias"]).contains("behind"));
}
