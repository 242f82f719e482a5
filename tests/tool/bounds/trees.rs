//! Module trees that are deep, or have very many paths to a file.

use modutils_tests::little_kernel;

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
