//! Many at once, and little of everything: locks, limits, and what is not what it seems.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use modutils_tests::{add_ordered, little_kernel, module};
use testkit::{Compression, Run, Section, Side, TestRoot};

/// Runs one of our tools with a limit of the shell.
fn limited(root: &TestRoot, limit: &str, call: &str) -> Run {
    root.shell(&[Side::Ours], &format!("ulimit -c 0; ulimit {limit}; exec /ours/{call} </dev/null"))
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The cache is larger than each of the indexes here, and no file may be as large.
#[test]
fn a_cache_that_cannot_be_written_changes_nothing() {
    let root = little_kernel();
    let needy = (0..4000)
        .fold(module("needy"), |module, number| module.needs(format!("some_function{number}"), None));
    add_ordered(&root, "kernel/needy.ko", &needy);
    root.ours("depmod", &["--no-cache"]).succeeds();
    let expected = root.take_indexes();
    // What has changed in the last moments is not cached.
    std::thread::sleep(Duration::from_millis(3100));
    for (limit, cached) in [("-f 64", 0), ("-f unlimited", 1)] {
        limited(&root, limit, "depmod --cache /var/cache/m").succeeds();
        assert_eq!(root.take_indexes(), expected, "{limit}");
        assert_eq!(names(&root.path().join("var/cache/m")).len(), cached, "{limit}");
    }
}

#[test]
fn a_tree_that_is_too_deep_to_be_read_leaves_the_old_indexes() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let old = root.indexes();
    // Deeper than a path can be long: made in two parts.
    let deep = |start: &str, levels| format!("{start}{}", format!("/{}", "d".repeat(60)).repeat(levels));
    let (upper, lower) = (deep(&root.module_path("kernel"), 50), deep("tmp/lower", 50));
    root.create_dir(&upper).create_dir(&lower);
    let path = |name: &str| root.path().join(name);
    fs::rename(path("tmp/lower"), path(&upper).join("lower")).expect("a short path to a deep directory");
    let run = root.ours("depmod", &[]).fails();
    assert!(run.err().contains("File name too long") && run.err().contains("nothing is written"), "{run:?}");
    assert_eq!(root.indexes(), old);
}

/// Readers of the directory may lock it as they like; runs of depmod wait for each other.
#[test]
fn fifty_runs_at_once_all_end_well_whoever_locks_the_directory() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let alone = root.take_indexes();
    let directory = root.path().join(root.module_path(""));
    let reader = File::open(&directory).expect("the module directory");
    reader.lock_shared().expect("a lock");
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(|| root.ours("depmod", &["--no-cache"]))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a run")).collect()
    });
    for run in runs {
        assert_eq!(run.succeeds().err(), "");
    }
    assert_eq!(root.indexes(), alone);
    assert!(names(&directory).iter().all(|name| !name.contains("lock") && !name.contains("tmp")));
}

/// Each of them fits, two do not.
#[test]
fn large_modules_are_read_one_at_a_time() {
    let root = TestRoot::new();
    let large = module("large").modinfo("license", "GPL").section(Section::new(".data", vec![0; 200 << 20]));
    let bytes = large.compressed(Compression::Zstd).build();
    let paths: Vec<String> = (0..4).map(|number| format!("/tmp/large{number}.ko.zst")).collect();
    for path in &paths {
        root.write(&path[1..], &bytes);
    }
    let run = limited(&root, "-v 655360", &format!("modinfo -F license {}", paths.join(" "))).succeeds();
    assert_eq!(run.out(), "GPL\n".repeat(4));
}

#[test]
fn a_link_out_of_the_base_directory_is_reported() {
    let root = little_kernel();
    let version = root.version().to_owned();
    root.create_dir("image/lib").symlink("/lib/modules", "image/lib/modules");
    root.create_dir("whole/usr/lib/modules").symlink("usr/lib", "whole/lib");
    root.create_dir(&format!("whole/usr/lib/modules/{version}"));
    let message =
        format!("/image/lib/modules/{version} is /lib/modules/{version}: a link leads out of /image");
    let run = root.ours("depmod", &["-b", "/image", &version]).succeeds();
    assert!(run.err().contains(&message), "{run:?}");
    let run = root.ours("depmod", &["-o", "/image", &version]).succeeds();
    assert!(run.err().contains(&message), "{run:?}");
    for args in [&["-b", "/whole", version.as_str()][..], &["-b", "/", &version], &[]] {
        let run = root.ours("depmod", args).succeeds();
        assert!(!run.err().contains("a link leads"), "{run:?}");
    }
}

/// Scripts ignore SIGPIPE where they care for what a program does after nobody reads it any more.
#[test]
fn a_caller_that_ignores_sigpipe_gets_an_error_instead_of_a_death() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let expected = root.take_indexes();
    // The inner shell writes until the reader has gone.
    let gone = "(trap '' PIPE; while printf 'x\n' 2>/dev/null; do :; done)";
    for (setup, call, code) in [
        ("trap '' PIPE", "depmod", "0"),
        ("trap '' PIPE", "depmod -n", "1"),
        ("trap '' PIPE", "modprobe -c", "1"),
        (":", "depmod", "0"),
        (":", "depmod -n", "141"),
        (":", "modprobe -c", "141"),
    ] {
        let script = format!("{setup}; {{ {gone}; /ours/{call} 2>/tmp/err; echo $? >/tmp/code; }} | :");
        root.shell(&[Side::Ours], &script);
        let read = |name| fs::read_to_string(root.path().join(name)).expect(name);
        assert_eq!(read("tmp/code").trim(), code, "{setup}; {call}: {}", read("tmp/err"));
        assert_eq!(read("tmp/err").contains("standard output: Broken pipe"), code == "1", "{setup}; {call}");
        if call == "depmod" {
            assert_eq!(root.take_indexes(), expected, "{setup}");
            root.ours("depmod", &[]).succeeds();
        }
    }
}
