//! Module trees that are deep, or have very many paths to a file.

use modutils_tests::{little_kernel, module};
use testkit::Compression;

use super::bounded;

/// Deeper than a path may be long, by parts that are each short enough.
#[test]
fn a_very_deep_directory_is_walked_up_to_the_path_limit() {
    let root = little_kernel();
    let mut directory = root.path().join(root.module_path("kernel"));
    for _ in 0..1500 {
        directory.push("d");
        if std::fs::create_dir(&directory).is_err() {
            break;
        }
    }
    let run = bounded(&root, 100, "depmod", &["-n"]).succeeds();
    assert!(run.out().contains("kernel/drivers/top.ko: "), "{run:?}");
}

/// Thirty directories, each with two links to the next: a billion ways to the last one.
#[test]
fn a_directory_with_very_many_paths_is_not_entered_by_all_of_them() {
    let root = little_kernel();
    for level in 0..30 {
        let next = format!("/{}", root.module_path(&format!("kernel/l{}", level + 1)));
        root.create_dir(&root.module_path(&format!("kernel/l{}", level + 1)));
        for link in ["a", "b"] {
            root.symlink(&next, &root.module_path(&format!("kernel/l{level}/{link}")));
        }
    }
    let run = bounded(&root, 100, "depmod", &["-n"]).succeeds();
    assert!(run.out().contains("kernel/drivers/top.ko: "), "{run:?}");
    let reported = run.err().matches(": links lead here by more than 16 ways").count();
    assert!((1..=30).contains(&reported), "{run:?}");
}

/// The aliases of a few modules would fill an index: the others' have to be there all the same.
#[test]
fn modules_whose_aliases_have_no_room_are_named_and_the_others_indexed() {
    let root = little_kernel();
    let packed = |entries: usize| {
        let module = module("many").modinfo_raw(b"alias=a\0".repeat(entries));
        Compression::Zstd.compress(&module.build())
    };
    for number in 0..8 {
        root.write_module_file(&format!("kernel/many{number}.ko.zst"), packed(60_000 + number));
    }
    let run = bounded(&root, 600, "depmod", &["--no-cache"]).succeeds();
    let omitted =
        "section .modinfo: the aliases are omitted: those of all modules may need more than 128 MiB";
    // Each takes 30 MiB at most: four of them have room.
    for number in 0..8 {
        let line = format!("kernel/many{number}.ko.zst: {omitted}");
        assert_eq!(run.err().contains(&line), number >= 4, "{number}: {run:?}");
    }
    assert_eq!(
        root.ours("modprobe", &["-R", "top-alias"]).code,
        root.reference("modprobe", &["-R", "top-alias"]).code
    );
    let names = root.ours("modprobe", &["-R", "a"]).succeeds().out();
    assert_eq!(names.lines().collect::<std::collections::BTreeSet<_>>().len(), 4, "{names}");
    root.ours("modprobe", &["-D", "top"]).succeeds();
}
