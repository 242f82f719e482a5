//! depmod where kmod fails, guesses or keeps silent.

use modutils_tests::{add_ordered, little_kernel, module, text};
use testkit::{Arch, Compression, Crc, Run, Side, TestRoot, VersionTables};

fn dep_lines(root: &TestRoot) -> Vec<String> {
    let text = String::from_utf8(root.read(&root.module_path("modules.dep"))).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_file_that_cannot_be_replaced_is_an_error_and_all_old_files_stay() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let mut before = root.indexes();
    // Nobody can rename a file over a directory that holds something, not even root.
    let blocked = root.module_path("modules.alias");
    root.remove(&blocked).create_dir(&format!("{blocked}/inside"));
    before.remove("modules.alias");
    add_ordered(&root, "kernel/new.ko", &module("new").alias("new-*"));
    let run = root.ours("depmod", &[]).fails();
    assert!(run.err().contains("modules.alias"), "{run:?}");
    std::fs::remove_dir_all(root.path().join(&blocked)).expect("the directory in the way");
    assert_eq!(root.indexes(), before);
}

#[test]
fn no_temporary_file_is_left() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let entries = std::fs::read_dir(root.path().join(root.module_path(""))).expect("the module directory");
    let names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    let known = |name: &String| name == "kernel" || name.starts_with("modules.");
    assert!(names.iter().all(known), "{names:?}");
}

#[test]
fn an_alias_that_is_not_ascii_gives_a_warning_and_is_not_in_the_trie() {
    let root = TestRoot::new();
    let alias = b"caf\xc3\xa9-*".as_slice();
    add_ordered(&root, "kernel/odd.ko", &module("odd").alias(alias).alias("plain-*"));
    let run = root.ours("depmod", &[]).succeeds();
    assert!(run.err().contains("odd"), "{run:?}");
    assert_eq!(root.ours("modprobe", &["-R", "plain-x"]).succeeds().out(), "odd\n");
    root.ours("modprobe", &["-R", "caf"]).fails();
}

#[test]
fn a_directory_is_not_entered_from_within_itself() {
    let root = little_kernel();
    root.symlink("..", &root.module_path("kernel/loop"));
    root.symlink("/lib/modules", &root.module_path("kernel/lib/all"));
    let run = root.ours("depmod", &[]).succeeds();
    assert_eq!(dep_lines(&root).len(), 5, "{run:?}");
}

#[test]
fn without_modules_order_modules_are_sorted_by_path() {
    let root = TestRoot::new();
    for name in ["m", "c", "x", "a", "k"] {
        root.add_module(&format!("kernel/{name}.ko"), &module(name).alias("same"));
    }
    root.ours("depmod", &[]).succeeds();
    assert_eq!(root.ours("modprobe", &["-R", "same"]).succeeds().out(), "a\nc\nk\nm\nx\n");
}

#[test]
fn concurrent_runs_wait_for_each_other() {
    let root = little_kernel();
    for number in 0..100 {
        let module = module(format!("m{number}")).alias(format!("alias-{number}-*"));
        add_ordered(&root, &format!("kernel/many/m{number}.ko"), &module);
    }
    root.ours("depmod", &[]).succeeds();
    let alone = root.take_indexes();
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| root.ours("depmod", &[]))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a run")).collect()
    });
    for run in runs {
        run.succeeds();
    }
    assert_eq!(root.indexes(), alone);
}

#[test]
fn gzip_modules_are_indexed_like_plain_ones() {
    let indexes = |compression: Compression| {
        let root = TestRoot::new();
        let user = module("user").needs("fn", 1).alias("u-*").compressed(compression);
        let exporter = module("exporter").export("fn", Crc::Section(1)).compressed(compression);
        add_ordered(&root, &format!("kernel/user{}", compression.suffix()), &user);
        add_ordered(&root, &format!("kernel/exporter{}", compression.suffix()), &exporter);
        root.ours("depmod", &[]).succeeds();
        root.indexes()
    };
    let (gzip, plain) = (indexes(Compression::Gzip), indexes(Compression::Plain));
    assert_eq!(text(&gzip, "modules.dep").replace(".ko.gz", ".ko"), text(&plain, "modules.dep"));
    assert!(text(&plain, "modules.dep").contains("user.ko: kernel/exporter.ko"));
    for name in ["modules.alias", "modules.alias.bin", "modules.symbols", "modules.symbols.bin"] {
        assert_eq!(gzip[name], plain[name], "{name}");
    }
}

/// kmod 34.2 refuses a frame without a content size: a stream from a pipe.
#[test]
fn zstd_frames_need_no_content_size() {
    let root = TestRoot::new();
    let bytes = testkit::compress::zstd_without_size(&module("streamed").alias("s-*").build());
    root.write_module_file("kernel/streamed.ko.zst", bytes);
    root.ours("depmod", &[]).succeeds();
    assert_eq!(root.ours("modprobe", &["-R", "s-x"]).succeeds().out(), "streamed\n");
    root.reference("modinfo", &["/lib/modules/streamed.ko.zst"]).fails();
}

#[test]
fn disagreeing_crcs_of_long_names_are_reported() {
    let long = "_RNvXs_NtCs1234567890abc_6kernel5printNtB4_9RawFormatterNtNtCs1234567890ab_4core3fmt5Write9write_str";
    for tables in [VersionTables::Extended, VersionTables::Both] {
        let root = TestRoot::new();
        add_ordered(&root, "kernel/exporter.ko", &module("exporter").export(long, Crc::Section(1)));
        let user = module("user").needs(long, 2).version_tables(tables);
        add_ordered(&root, "kernel/user.ko", &user);
        root.write("tmp/symvers", "0x00000001\tother\tvmlinux\tEXPORT_SYMBOL\t\n");
        let run = root.ours("depmod", &["-e", "-E", "/tmp/symvers"]).succeeds();
        assert!(run.err().contains("disagrees about version of symbol"), "{run:?}");
        assert!(dep_lines(&root).contains(&"kernel/user.ko: kernel/exporter.ko".to_owned()));
    }
}

/// kmod 34.2 aborts on such a file.
#[test]
fn modules_with_very_many_sections_are_read() {
    for arch in [Arch::X86_64, Arch::S390x, Arch::Armhf] {
        let root = TestRoot::new();
        let exporter = module("exporter").arch(arch).empty_sections(65_500).export("fn", Crc::Section(1));
        add_ordered(&root, "kernel/exporter.ko", &exporter.alias("many-*"));
        add_ordered(&root, "kernel/user.ko", &module("user").arch(arch).needs("fn", 1));
        root.ours("depmod", &[]).succeeds();
        assert!(dep_lines(&root).contains(&"kernel/user.ko: kernel/exporter.ko".to_owned()), "{arch:?}");
        assert_eq!(root.ours("modprobe", &["-R", "many-x"]).succeeds().out(), "exporter\n");
        let reference = root.run(Side::Kmod34, "depmod", &[]);
        assert_ne!(reference.code, Some(0), "{reference:?}");
    }
}
