//! What depmod does with its options and arguments, and with directories that lack something.

use std::os::unix::fs::MetadataExt;

use modutils_tests::{add_ordered, little_kernel, module, same_depmod, same_dry_run, same_run, text};
use testkit::compare::{same, same_indexes, without_repeats};
use testkit::surroundings::program;
use testkit::{Crc, Indexes, Run, Side, TestRoot};

/// Runs both sides and compares their messages and the files in a directory, which is emptied between the runs.
#[track_caller]
fn same_in(root: &TestRoot, dir: &str, args: &[&str]) -> Indexes {
    let run = |side: Side| -> (Run, Indexes) {
        let run = root.run(side, "depmod", args);
        let files = root.indexes_in(dir);
        for name in files.keys() {
            root.remove(&format!("{dir}/{name}"));
        }
        (run, files)
    };
    let ((their_run, their_files), (our_run, our_files)) = (run(Side::Kmod34), run(Side::Ours));
    same(&our_run, &their_run);
    same_indexes(&our_files, &their_files);
    their_files
}

#[test]
fn the_default_is_the_running_kernel() {
    let root = little_kernel();
    let (_, files) = same_depmod(&root, &[]);
    assert!(
        text(&files, "modules.dep")
            .contains("kernel/drivers/top.ko: kernel/lib/helper.ko kernel/lib/base.ko")
    );
    assert_eq!(same_depmod(&root, &["-a"]).1, files);
    assert_eq!(same_depmod(&root, &[root.version()]).1, files);
    assert_eq!(same_depmod(&root, &["-a", root.version()]).1, files);
}

#[test]
fn dry_run_prints_the_text_files_and_writes_none() {
    let root = little_kernel();
    for option in ["-n", "--show", "--dry-run"] {
        let (ours, theirs) = (root.ours("depmod", &[option]), root.reference("depmod", &[option]));
        same_dry_run(&ours, &theirs);
        assert!(ours.out().contains("extra extra/node c10:200"), "{ours:?}");
        assert!(root.indexes().is_empty());
    }
}

#[test]
fn verbose_prints_what_depends_on_what() {
    let root = little_kernel();
    let own = module("own").export("_own_fn", Crc::Section(1)).needs("own_fn", 1).needs("_own_fn", 1);
    add_ordered(&root, "kernel/own.ko", &own);
    for args in [vec!["-v"], vec!["-nv"], vec!["-nv", "-P", "_"]] {
        same_verbose(&root, &args);
    }
}

#[test]
fn a_base_directory_is_shown_as_it_is_written() {
    let root = little_kernel();
    for base in ["/", ".", "//"] {
        same_verbose(&root, &["-nv", "-b", base]);
        same_verbose(&root, &["-nv", "-b", base, "-m", "lib/modules"]);
    }
}

#[test]
fn missing_inputs_are_warned_of() {
    for missing in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        let root = TestRoot::new();
        add_ordered(&root, "kernel/only.ko", &module("only").alias("x"));
        root.write_module_file("modules.builtin", "kernel/b.ko\n")
            .write_module_file("modules.builtin.modinfo", "b.x=y\0");
        root.remove(&root.module_path(missing));
        let (run, _) = same_depmod(&root, &[]);
        assert!(run.err().contains(missing), "{run:?}");
    }
}

#[test]
fn a_module_directory_without_anything_gets_empty_indexes() {
    let root = TestRoot::new();
    same_depmod(&root, &[]);
}

#[test]
fn a_missing_module_directory_is_an_error() {
    let root = TestRoot::new();
    for args in [vec!["1.2.3-nothing"], vec!["-n", "1.2.3"], vec!["-b", "/nowhere", "1.2"]] {
        let run = same_run(&root, "depmod", &args);
        assert_eq!(run.code, Some(1), "{run:?}");
    }
}

/// A deliberate difference: kmod opens the directory twice and reports twice that it is missing.
#[test]
fn ours_reports_a_missing_module_directory_once() {
    let root = TestRoot::new();
    let run = |side: Side| root.run(side, "depmod", &["-A", "1.2.3"]).fails();
    let (ours, theirs) = (run(Side::Ours), run(Side::Kmod34));
    let reports = |run: &Run| run.own_messages().matches("could not open directory").count();
    assert_eq!((reports(&ours), reports(&theirs)), (1, 2));
    same(&ours, &Run { stderr: without_repeats(&theirs.stderr), ..theirs });
}

#[test]
fn a_version_starts_with_two_numbers() {
    let root = little_kernel();
    for version in ["abc", "6", "x.1", "6.", ".1", "", "1x.2"] {
        let run = same_run(&root, "depmod", &[version]);
        assert_eq!(run.code, Some(1), "{run:?}");
    }
    let odd = TestRoot::with_version("7.0whatever");
    same_depmod(&odd, &["7.0whatever"]);
}

#[test]
fn files_given_must_be_absolute() {
    let root = little_kernel();
    let run = same_run(&root, "depmod", &["-n", root.version(), "kernel/lib/base.ko"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let run = same_run(&root, "depmod", &["-n", "kernel/lib/base.ko"]);
    assert_eq!(run.code, Some(1), "{run:?}");
}

#[test]
fn only_the_files_given_are_indexed() {
    let root = little_kernel();
    root.write("opt/outside.ko", module("outside").needs("base_fn", 0x0b).alias("o").build());
    let inside = |path: &str| format!("/{}", root.module_path(path));
    let (base, helper) = (inside("kernel/lib/base.ko"), inside("kernel/lib/helper.ko"));
    let (_, files) = same_depmod(&root, &[root.version(), &helper, &base]);
    assert_eq!(text(&files, "modules.dep").lines().count(), 2);
    same_depmod(&root, &[root.version(), &helper]);
    same_depmod(&root, &[root.version(), "/opt/outside.ko", &base]);
    same_depmod(&root, &["-a", root.version(), &base]);
    // One that is not there.
    same_depmod(&root, &[root.version(), &base, "/nowhere/x.ko"]);
}

/// A deliberate difference: kmod's message has one line more, about its hash table.
#[test]
fn a_file_given_twice_is_an_error() {
    let root = little_kernel();
    let base = format!("/{}", root.module_path("kernel/lib/base.ko"));
    let run = |side: Side| root.run(side, "depmod", &[root.version(), &base, &base]).fails();
    let (ours, theirs) = (run(Side::Ours), run(Side::Kmod34));
    assert!(root.indexes().is_empty());
    let stderr = theirs.err();
    let (about_table, message): (Vec<&str>, Vec<&str>) =
        stderr.lines().partition(|line| line.contains("hash_add_unique"));
    assert_eq!((about_table.len(), message.len()), (1, 1), "{theirs:?}");
    same(&ours, &Run { stderr: format!("{}\n", message[0]).into(), ..theirs.clone() });
}

#[test]
fn basedir_moves_the_module_directory() {
    let root = little_kernel();
    let dir = format!("base/lib/modules/{}", root.version());
    root.write(&format!("{dir}/kernel/one.ko"), module("one").alias("one-*").build());
    root.write(&format!("{dir}/modules.order"), "kernel/one.ko\n");
    for args in [["-b", "/base"], ["-b", "/base/"], ["-b", "base"], ["--basedir", "/base/../base"]] {
        let files = same_in(&root, &dir, &[args[0], args[1], root.version()]);
        assert!(text(&files, "modules.alias").contains("alias one-* one"), "{args:?}");
    }
}

#[test]
fn moduledir_replaces_lib_modules() {
    let root = TestRoot::new();
    let dir = format!("opt/mods/{}", root.version());
    root.write(&format!("{dir}/kernel/one.ko"), module("one").alias("one-*").build());
    for args in [vec!["-m", "/opt/mods"], vec!["--moduledir=opt/mods"], vec!["-b", "/opt", "-m", "/mods"]] {
        let files = same_in(&root, &dir, &args);
        assert!(text(&files, "modules.alias").contains("alias one-* one"), "{args:?}");
    }
}

#[test]
fn outdir_takes_the_files_below_it() {
    let root = little_kernel();
    let dir = format!("out/lib/modules/{}", root.version());
    root.create_dir(&dir);
    let files = same_in(&root, &dir, &["-o", "/out"]);
    assert!(text(&files, "modules.dep").starts_with("kernel/"));
    same_in(&root, &dir, &["--outdir=out", root.version()]);
    assert!(root.indexes().is_empty());
    // Its directories are made.
    root.reference("depmod", &["-o", "/new/theirs"]).succeeds();
    root.ours("depmod", &["-o", "/new/ours"]).succeeds();
    let made = |side: &str| root.indexes_in(&format!("new/{side}/lib/modules/{}", root.version()));
    same_indexes(&made("ours"), &made("theirs"));
}

#[test]
fn quick_does_nothing_unless_a_module_is_newer() {
    let root = little_kernel();
    let age = |path: &str, seconds: u64| {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
        let file = std::fs::File::options().write(true).open(root.path().join(path)).expect("a file");
        file.set_modified(time).expect("a time");
    };
    for side in [Side::Kmod34, Side::Ours] {
        root.run(side, "depmod", &["-A"]).succeeds();
        assert!(!root.indexes().is_empty(), "{side:?} writes where nothing was");
        for path in
            ["kernel/lib/base.ko", "kernel/lib/helper.ko", "kernel/drivers/top.ko", "kernel/drivers/extra.ko"]
        {
            age(&root.module_path(path), 1000);
        }
        age(&root.module_path("kernel/drivers/my-dash.ko"), 1000);
        let dep = root.module_path("modules.dep");
        let inode = || root.path().join(&dep).metadata().expect("modules.dep").ino();
        let first = inode();
        root.run(side, "depmod", &["-A"]).succeeds();
        assert_eq!(inode(), first, "{side:?} left it alone");
        age(&dep, 2000);
        root.run(side, "depmod", &["--quick"]).succeeds();
        assert_ne!(inode(), first, "{side:?} wrote it again");
        root.take_indexes();
    }
}

/// docs/differences.md: "depmod -A after a module was deleted".
#[test]
fn quick_notices_a_deleted_module() {
    for (side, noticed) in [(Side::Kmod34, false), (Side::Ours, true)] {
        let root = little_kernel();
        root.run(side, "depmod", &[]).succeeds();
        root.remove(&root.module_path("kernel/drivers/extra.ko"));
        root.run(side, "depmod", &["-A"]).succeeds();
        let dep = String::from_utf8(root.read(&root.module_path("modules.dep"))).expect("UTF-8");
        assert_eq!(!dep.contains("extra.ko"), noticed, "{side:?}");
    }
}

/// A module that needs what nobody has, beside needs that are met.
fn unresolved() -> TestRoot {
    let root = little_kernel();
    let lost = module("lost")
        .needs("nobody_has_this", 0x55)
        .needs("base_fn", 0x0b)
        .needs("kernel_fn", 0x77)
        .needs_weak("nobody_has_this_either", None);
    add_ordered(&root, "kernel/drivers/lost.ko", &lost);
    root.write(
        "tmp/System.map",
        "c1 T kernel_fn\nc2 r __ksymtab_kernel_fn\nc3 R __ksymtab__printk\nc4 T base_fn\n",
    );
    let symvers = "0x00000077\tkernel_fn\tvmlinux\tEXPORT_SYMBOL\t\n0x00000001\t_printk\tvmlinux\tEXPORT_SYMBOL_GPL\tNS\n\
                   0x0000000b\tbase_fn\tkernel/lib/base\tEXPORT_SYMBOL\t\n";
    root.write("tmp/Module.symvers", symvers);
    let wrong = symvers.replace("0x00000077", "0x00000078");
    root.write("tmp/wrong.symvers", wrong);
    root
}

#[test]
fn errsyms_reports_what_is_unresolved() {
    let root = unresolved();
    for args in [
        ["-e", "-F", "/tmp/System.map"],
        ["-e", "-E", "/tmp/Module.symvers"],
        ["-ae", "-E", "/tmp/wrong.symvers"],
    ] {
        let (run, _) = same_depmod(&root, &args);
        assert!(run.err().contains("nobody_has_this"), "{run:?}");
        assert!(!run.err().contains("_either"), "{run:?}");
    }
    let (run, _) = same_depmod(&root, &["-e", "-E", "/tmp/wrong.symvers"]);
    assert!(run.err().contains("disagrees about version of symbol"), "{run:?}");
}

#[test]
fn errsyms_wants_to_know_the_kernels_symbols() {
    let root = unresolved();
    for args in [vec!["-e"], vec!["-e", "-E", "/nowhere"], vec!["-e", "-F", "/nowhere"]] {
        same_depmod(&root, &args);
    }
    let both = ["-e", "-F", "/tmp/System.map", "-E", "/tmp/Module.symvers"];
    same_depmod(&root, &both);
    same_depmod(&root, &["-E", "/tmp/Module.symvers"]);
}

#[test]
fn a_symbol_prefix_is_removed() {
    let root = TestRoot::new();
    let exporter = module("exporter").export("_one", Crc::Section(1)).export("two", Crc::Section(2));
    add_ordered(&root, "kernel/exporter.ko", &exporter);
    add_ordered(&root, "kernel/user.ko", &module("user").needs("one", 1).needs("_two", 2));
    for args in [vec!["-P", "_"], vec!["--symbol-prefix=_"], vec![]] {
        same_depmod(&root, &args);
    }
    for bad in ["", "__"] {
        same_run(&root, "depmod", &["-n", "-P", bad]);
    }
}

#[test]
fn warn_reports_duplicates() {
    let root = TestRoot::new();
    let one = module("one").alias("same").export("same_fn", Crc::Section(1)).needs("user_fn", 1);
    let two = module("two").alias("same").alias("same").export("same_fn", Crc::Section(2));
    let user = module("user").needs("same_fn", 2).needs("same_fn", 2).export("user_fn", Crc::Section(1));
    add_ordered(&root, "kernel/one.ko", &one);
    add_ordered(&root, "kernel/two.ko", &two);
    add_ordered(&root, "kernel/user.ko", &user);
    same_depmod(&root, &[]);
    let (run, _) = same_depmod(&root, &["-w"]);
    assert!(run.err().contains("duplicate"), "{run:?}");
}

/// A deliberate difference: kmod leaves the files that it has replaced before.
#[test]
fn an_output_that_cannot_be_replaced_leaves_all_old_ones_of_ours() {
    for (side, replaced) in [(Side::Kmod34, true), (Side::Ours, false)] {
        let root = little_kernel();
        root.run(side, "depmod", &[]).succeeds();
        let mut before = root.indexes();
        before.remove("modules.alias");
        let blocked = root.module_path("modules.alias");
        root.remove(&blocked).create_dir(&format!("{blocked}/inside"));
        add_ordered(&root, "kernel/new.ko", &module("new").alias("new-*"));
        let run = root.run(side, "depmod", &[]).fails();
        assert!(run.err().contains("modules.alias") && run.err().contains(": Is a directory"), "{run:?}");
        std::fs::remove_dir_all(root.path().join(&blocked)).expect("the directory in the way");
        assert_eq!(text(&root.indexes(), "modules.dep").contains("new.ko"), replaced, "{side:?}");
        assert_eq!(root.indexes() == before, !replaced, "{side:?}");
    }
}

/// A deliberate difference: kmod has an empty `modules.dep` replace the old one. The disk is full by a limit to the
/// size of files.
#[test]
fn an_output_that_cannot_be_written_leaves_all_old_ones_of_ours() {
    for (side, message) in [(Side::Kmod34, "Output is truncated"), (Side::Ours, ".tmp: File too large\n")] {
        let root = little_kernel();
        root.run(side, "depmod", &[]).succeeds();
        let before = root.indexes();
        add_ordered(&root, "kernel/new.ko", &module("new").alias("new-*"));
        let script = "trap '' XFSZ; ulimit -f 0; exec /usr/sbin/chroot \"$0\" \"$1\"";
        let mut shell = program("sh");
        shell.args(["-c", script]).arg(root.path()).arg(format!("/{}/depmod", side.dir()));
        let output = shell.output().expect("a shell");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{side:?}: {stderr}");
        assert!(stderr.contains(message), "{side:?}: {stderr}");
        assert_eq!(root.indexes() == before, side == Side::Ours, "{side:?}");
        assert_eq!(text(&root.indexes(), "modules.dep").is_empty(), side == Side::Kmod34);
    }
}

#[test]
fn options_that_are_wrong_end_it() {
    let root = little_kernel();
    for args in [vec!["--nonsense"], vec!["-Z"], vec!["-b"], vec!["--basedir"], vec!["--sh=x"]] {
        let run = same_run(&root, "depmod", &args);
        assert_eq!(run.code, Some(1), "{run:?}");
    }
}

#[test]
fn links_and_build_directories_are_as_kernels_are_installed() {
    let root = little_kernel();
    root.symlink("/usr/src/linux", &root.module_path("build"));
    root.symlink("kernel/lib", &root.module_path("linked"));
    root.symlink("../drivers/extra.ko", &root.module_path("kernel/lib/extra-link.ko"));
    root.write_module_file("kernel/lib/readme.txt", "no module");
    root.write_module_file("kernel/lib/odd.ko.bak", "no module");
    root.remove(&root.module_path("linked"));
    same_depmod(&root, &[]);
}

/// Compares what `-v` prints, in the order of lines that a hash leaves to each side.
#[track_caller]
pub(crate) fn same_verbose(root: &TestRoot, args: &[&str]) {
    let (ours, theirs) = (root.ours("depmod", args), root.reference("depmod", args));
    assert_eq!(ours.code, theirs.code);
    testkit::compare::same_lines("standard output", &ours.stdout, &theirs.stdout);
}
