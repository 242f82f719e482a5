//! depmod.d: which of several modules of one name counts, where modules are searched, and which never.

use modutils_tests::{add_ordered, little_kernel, module, same_depmod, text};
use testkit::{Indexes, Run, Side, TestRoot};

/// A kernel that has `base` in four directories besides `kernel`; an alias of each names its directory.
fn copies_of_base() -> TestRoot {
    let root = little_kernel();
    for dir in ["updates", "extra", "weak-updates", "updates/dkms"] {
        root.add_module(&format!("{dir}/base.ko"), &module("base").alias(format!("from-{dir}")));
    }
    root
}

/// The file of a module in modules.dep.
fn file_of<'a>(files: &'a Indexes, module: &str) -> &'a str {
    let is_it = |line: &&str| line.split(".ko:").next().unwrap_or(line).ends_with(&format!("/{module}"));
    let line = text(files, "modules.dep").lines().find(is_it).expect("the module has a line");
    line.split(':').next().expect("a path before the colon")
}

/// Compares both sides under this configuration and returns which file of `base` won.
#[track_caller]
fn winner(config: &str) -> String {
    let root = copies_of_base();
    root.write("etc/depmod.d/test.conf", config);
    let (_, files) = same_depmod(&root, &[]);
    file_of(&files, "base").to_owned()
}

#[test]
fn updates_comes_first_by_default() {
    assert!(winner("").starts_with("updates/"));
}

#[test]
fn search_puts_its_first_directory_first() {
    assert_eq!(winner("search extra updates built-in\n"), "extra/base.ko");
    assert_eq!(winner("search weak-updates extra\n"), "weak-updates/base.ko");
}

#[test]
fn built_in_covers_all_directories_that_are_not_listed() {
    assert_eq!(winner("search built-in extra updates weak-updates\n"), "kernel/lib/base.ko");
    assert_eq!(winner("search kernel built-in extra updates weak-updates\n"), "kernel/lib/base.ko");
}

#[test]
fn several_search_lines_add_up() {
    winner("search extra\nsearch weak-updates built-in\n");
    winner("search built-in\nsearch extra\n");
}

#[test]
fn a_search_path_may_be_deep_or_end_in_a_slash() {
    winner("search updates/dkms built-in\n");
    winner("search extra/ built-in\n");
    winner("search nothing/here built-in\n");
}

#[test]
fn override_wins_over_every_search() {
    assert_eq!(winner("override base * weak-updates\n"), "weak-updates/base.ko");
    assert_eq!(winner("search updates built-in\noverride base * extra\n"), "extra/base.ko");
}

#[test]
fn override_needs_a_kernel_version_that_matches() {
    assert_eq!(winner("override base ^[0-9]+[.] weak-updates\n"), "weak-updates/base.ko");
    assert!(winner("override base ^0[.]1 weak-updates\n").starts_with("updates/"));
}

/// docs/differences.md: "`override` with a malformed regular expression, or for a file that is not there". What
/// counts is the same.
#[track_caller]
fn same_but_for_a_warning(root: &TestRoot) -> Indexes {
    let indexes = |run: Run| {
        run.succeeds();
        root.take_indexes()
    };
    let theirs = indexes(root.reference("depmod", &[]));
    let run = root.ours("depmod", &[]);
    let warned = run.err().contains("depmod: WARNING: /etc/depmod.d/test.conf:");
    assert!(warned, "{run:?}");
    testkit::compare::same_indexes(&indexes(run), &theirs);
    theirs
}

#[test]
fn a_malformed_version_of_an_override_matches_no_kernel() {
    for version in ["[0-9", "(a"] {
        let root = little_kernel();
        root.add_module("extra/my-dash.ko", &module("my_dash"));
        root.write(
            "etc/depmod.d/test.conf",
            format!("search built-in extra\noverride my-dash {version} extra\n"),
        );
        assert_eq!(file_of(&same_but_for_a_warning(&root), "my-dash"), "kernel/drivers/my-dash.ko");
    }
}

#[test]
fn override_of_a_module_that_is_not_there_changes_nothing() {
    let root = little_kernel();
    root.add_module("extra/my-dash.ko", &module("my_dash"));
    root.write("etc/depmod.d/test.conf", "search extra\noverride nothing * weak-updates\n");
    assert_eq!(file_of(&same_but_for_a_warning(&root), "my-dash"), "extra/my-dash.ko");
}

#[test]
fn override_takes_the_spelling_of_the_file() {
    for name in ["my-dash", "my_dash"] {
        let root = little_kernel();
        root.add_module("extra/my-dash.ko", &module("my_dash").alias("from-extra"));
        root.write("etc/depmod.d/test.conf", format!("search built-in extra\noverride {name} * extra\n"));
        let (files, expected) = match name {
            "my-dash" => (same_depmod(&root, &[]).1, "extra/my-dash.ko"),
            _ => (same_but_for_a_warning(&root), "kernel/drivers/my-dash.ko"),
        };
        assert_eq!(file_of(&files, "my-dash"), expected);
    }
}

#[test]
fn external_directories_are_scanned_for_kernels_that_match() {
    let outside = |config: &str| -> Vec<String> {
        let root = little_kernel();
        root.write("opt/modules/deep/outside.ko", module("outside").needs("base_fn", 0x0b).build());
        root.write("etc/depmod.d/test.conf", config);
        let (_, files) = same_depmod(&root, &[]);
        text(&files, "modules.dep")
            .lines()
            .filter(|line| line.contains("outside"))
            .map(str::to_owned)
            .collect()
    };
    let line = vec!["/opt/modules/deep/outside.ko: kernel/lib/base.ko".to_owned()];
    let none: Vec<String> = Vec::new();
    assert_eq!(outside("external * /opt/modules\nsearch external built-in\n"), line);
    assert_eq!(outside("external ^0[.] /opt/modules\nsearch external built-in\n"), none);
    assert_eq!(outside("external * /nowhere\nsearch external built-in\n"), none);
    // A relative one is taken from the current directory.
    assert_eq!(outside("external * opt/modules\nsearch external built-in\n").len(), 1);
    let root = little_kernel();
    root.write("opt/modules/deep/outside.ko", module("outside").build());
    root.write("etc/depmod.d/test.conf", "external * modules\nsearch external built-in\n");
    let listed = |side: Side| {
        assert_eq!(root.invoke(side, "depmod").dir("/opt").run().code, Some(0));
        text(&root.take_indexes(), "modules.dep").to_owned()
    };
    assert!(listed(Side::Ours).contains("/opt/modules/deep/outside.ko:"));
    assert_eq!(listed(Side::Ours), listed(Side::Kmod34));
}

/// kmod 34.2 scans them regardless of `search`; the keyword only sets their position.
#[test]
fn external_directories_need_no_keyword_in_search() {
    for search in ["", "search updates built-in\n", "search updates\n"] {
        let root = little_kernel();
        root.write("opt/modules/outside.ko", module("outside").build());
        root.write("opt/modules/base.ko", module("base").alias("from-outside").build());
        root.write("etc/depmod.d/test.conf", format!("external * /opt/modules\n{search}"));
        let (_, files) = same_depmod(&root, &[]);
        assert!(text(&files, "modules.dep").contains("/opt/modules/outside.ko:"), "{search}");
    }
}

#[test]
fn external_keeps_its_position_in_search() {
    for (search, expected) in [
        ("search external updates built-in\n", "/opt/base.ko"),
        ("search updates external built-in\n", "updates/base.ko"),
    ] {
        let root = copies_of_base();
        root.remove(&root.module_path("updates/dkms/base.ko"));
        root.write("opt/base.ko", module("base").alias("from-outside").build());
        root.write("etc/depmod.d/test.conf", format!("external * /opt\n{search}"));
        let (_, files) = same_depmod(&root, &[]);
        assert_eq!(file_of(&files, "base"), expected);
    }
}

#[test]
fn excluded_names_are_skipped_at_every_depth() {
    let root = little_kernel();
    for path in ["build/one.ko", "source/two.ko", "kernel/secret/three.ko", "kernel/lib/build/four.ko"] {
        add_ordered(&root, path, &module("x"));
    }
    root.write("etc/depmod.d/test.conf", "exclude secret extra.ko\n");
    let (_, files) = same_depmod(&root, &[]);
    let dep = text(&files, "modules.dep");
    assert_eq!(dep.lines().count(), 4, "{dep}");
}

#[test]
fn empty_and_unknown_lines_are_skipped() {
    let config = "# a comment\n\n   \nnonsense here\nsearch\noverride base\noverride base *\nexternal\nexternal *\n\
                  exclude\ninclude /etc/other.conf\nmake_map_files yes\nsearch extra built-in\n";
    assert_eq!(winner(config), "extra/base.ko");
}

#[test]
fn lines_continue_after_a_backslash_and_blanks_do_not_count() {
    assert_eq!(winner("search \\\n  extra \\\n built-in\n"), "extra/base.ko");
    assert_eq!(winner("  search\t extra   built-in"), "extra/base.ko");
    winner("  # not a comment\nsearch extra built-in\n");
}

#[test]
fn a_file_masks_those_of_its_name_in_later_directories() {
    let dirs = ["etc/depmod.d", "run/depmod.d", "usr/local/lib/depmod.d", "usr/lib/depmod.d", "lib/depmod.d"];
    for (number, dir) in dirs.iter().enumerate() {
        let root = copies_of_base();
        for later in &dirs[number + 1..] {
            root.write(&format!("{later}/a.conf"), "search weak-updates\n");
        }
        root.write(&format!("{dir}/a.conf"), "search extra\n");
        let (_, files) = same_depmod(&root, &[]);
        assert_eq!(file_of(&files, "base"), "extra/base.ko", "{dir}");
    }
}

#[test]
fn files_of_all_directories_are_read_in_the_order_of_their_names() {
    let root = copies_of_base();
    root.write("lib/depmod.d/a.conf", "search extra\n");
    root.write("etc/depmod.d/b.conf", "search weak-updates\n");
    root.write("run/depmod.d/.c.conf", "search updates\n");
    root.write("run/depmod.d/c.other", "search updates\n");
    same_depmod(&root, &[]);
}

#[test]
fn a_link_to_dev_null_masks_too() {
    let root = copies_of_base();
    root.write("lib/depmod.d/a.conf", "search extra\n");
    root.symlink("/dev/null", "etc/depmod.d/a.conf");
    let (_, files) = same_depmod(&root, &[]);
    assert!(file_of(&files, "base").starts_with("updates/"));
}

#[test]
fn config_replaces_the_directories() {
    let root = copies_of_base();
    root.write("etc/depmod.d/a.conf", "search extra built-in\n");
    root.write("tmp/other.txt", "search weak-updates built-in\n");
    root.write("tmp/dir/one.conf", "search weak-updates built-in\n");
    root.write("tmp/dir/two.txt", "search extra\n");
    for args in [
        vec!["-C", "/tmp/other.txt"],
        vec!["-C", "/tmp/dir"],
        vec!["--config=/tmp/dir", "-C", "/tmp/other.txt"],
    ] {
        let (_, files) = same_depmod(&root, &args);
        assert_eq!(file_of(&files, "base"), "weak-updates/base.ko", "{args:?}");
    }
    let (_, files) = same_depmod(&root, &["-C", "/nowhere"]);
    assert!(file_of(&files, "base").starts_with("updates/"));
}
