//! modprobe's lookups, configuration and printing, and what it says when it cannot load or remove.
//!
//! The tests lack the capability to load modules, so every insertion fails, on both sides for the same reason.

use modutils_tests::{add_ordered, little_kernel, module, same_run};
use testkit::compare::{same, same_lines, same_text, without_repeats};
use testkit::{Loaded, Run, Side, TestRoot};

/// The little kernel, indexed by the packaged depmod, with this configuration.
fn configured(config: &str) -> TestRoot {
    let root = little_kernel();
    root.reference("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/test.conf", config);
    root
}

/// Like [`same_run`], but the lines in which ours tells why a module was not found do not count (behaviour.md D,
/// "Module X not found in directory D").
#[track_caller]
fn same_but_for_causes(root: &TestRoot, args: &[&str]) -> Run {
    let theirs = root.reference("modprobe", args);
    let ours = root.ours("modprobe", args);
    let expected = theirs.own_messages();
    let kept: String =
        ours.own_messages().split_inclusive('\n').filter(|line| expected.contains(*line)).collect();
    same(&Run { stderr: kept.into_bytes(), ..ours }, &theirs);
    theirs
}

/// Like [`same_run`], the lines of standard output in any order: written to a pipe, what kmod itself prints comes after
/// what its commands print.
#[track_caller]
fn same_in_any_order(root: &TestRoot, args: &[&str]) -> Run {
    let (ours, theirs) = (root.ours("modprobe", args), root.reference("modprobe", args));
    same_lines("standard output", &ours.stdout, &theirs.stdout);
    assert_eq!((ours.code, ours.own_messages()), (theirs.code, theirs.own_messages()));
    theirs
}

/// Like [`same_run`], each line of standard output once (behaviour.md D, "-D listing a module twice").
#[track_caller]
fn same_but_for_repeats(root: &TestRoot, args: &[&str]) -> Run {
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
    same_but_for_causes(&root, &["-D", "-a", "nothing", "base"]);
    same_but_for_causes(&root, &["-D", "-a", "base", "nothing"]);
}

#[test]
fn options_from_everywhere_stand_in_their_order() {
    let root = configured(
        "options base a=1\noptions helper b=\"two words\"\noptions base c\noptions nick d=4\nalias nick base\n",
    );
    root.write(
        "proc/cmdline",
        "quiet base.e=5 helper.f \"base.g=x y\" libata.force=1 base.h.i=1 -- base.z=1\n",
    );
    for args in
        [vec!["-D", "helper"], vec!["-D", "base"], vec!["-D", "nick"], vec!["-D", "base", "j=6", "k=a b"]]
    {
        same_run(&root, "modprobe", &args).succeeds();
    }
}

#[test]
fn not_found_says_where_it_was_looked_for() {
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
        same_but_for_causes(&root, &args).fails();
    }
}

#[test]
fn quiet_says_nothing() {
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

#[test]
fn configured_aliases_hide_modules_of_their_name() {
    let root = configured("alias base extra\nalias my-dash base\n");
    for name in ["base", "my_dash", "my-dash"] {
        same_but_for_repeats(&root, &["-D", name]);
        same_run(&root, "modprobe", &["-R", name]).succeeds();
    }
}

#[test]
fn a_blacklist_stops_aliases_and_with_b_names() {
    let root = configured("blacklist top\nblacklist my-dash\nblacklist base\n");
    let alias = "pci:v00008086d0000100Esv0sd0bc02sc00i00";
    for args in [
        vec!["-D", "top"],
        vec!["-D", alias],
        vec!["-R", alias],
        vec!["-bD", "top"],
        vec!["-bD", "helper"],
        vec!["-b", "top"],
        vec!["-bR", "top"],
        vec!["-R", "top"],
        vec![alias],
        vec!["-abD", "top", "extra", "my_dash"],
        vec!["--use-blacklist", "-D", "fs-top"],
    ] {
        same_but_for_repeats(&root, &args);
    }
}

#[test]
fn the_kernel_command_line_blacklists() {
    let root = configured("");
    root.write("proc/cmdline", "quiet modprobe.blacklist=top,my_dash modprobe.blacklist=extra\n");
    for args in
        [vec!["-bD", "top"], vec!["-bD", "extra"], vec!["-bD", "my_dash"], vec!["-D", "fs-top"], vec!["-c"]]
    {
        same_but_for_repeats(&root, &args);
    }
}

/// behaviour.md D, "modprobe.blacklist=a-b": kmod compares it as it stands, to no effect.
#[test]
fn the_kernel_command_line_blacklists_names_with_dashes() {
    let root = configured("");
    root.write("proc/cmdline", "modprobe.blacklist=my-dash\n");
    assert_ne!(root.reference("modprobe", &["-bD", "my_dash"]).succeeds().out(), "");
    assert_eq!(root.ours("modprobe", &["-bD", "my_dash"]).succeeds().out(), "");
}

#[test]
fn install_and_remove_commands_are_shown() {
    let config = "install base echo installing $CMDLINE_OPTS; true\nremove base echo removing\ninstall he* echo glob\n\
                  install nowhere echo no such module\n";
    let root = configured(config);
    for args in [
        vec!["-D", "base"],
        vec!["-D", "base", "x=1"],
        vec!["-D", "helper"],
        vec!["-iD", "base"],
        vec!["-iD", "helper"],
        vec!["-D", "nowhere"],
        vec!["-R", "nowhere"],
    ] {
        same_but_for_repeats(&root, &args);
    }
}

#[test]
fn install_commands_run_with_their_options() {
    let config = "options base from=config\ninstall base echo \"[$CMDLINE_OPTS] $MODPROBE_MODULE\"\n\
                  install extra exit 3\ninstall top echo \\t one \\\n two\n";
    let root = configured(config);
    let run = same_run(&root, "modprobe", &["base", "a=1", "b=2 3"]).succeeds();
    assert!(run.out().contains("base"), "{run:?}");
    same_in_any_order(&root, &["-v", "base"]).succeeds();
    same_run(&root, "modprobe", &["extra"]).fails();
    same_run(&root, "modprobe", &["-q", "extra"]).fails();
    same_run(&root, "modprobe", &["-nv", "extra"]).succeeds();
}

/// behaviour.md D, "-n without -v".
#[test]
fn dry_runs_print_what_would_be_done_with_ours() {
    let root = configured("install extra echo installing\nremove extra echo removing\n");
    root.load(&Loaded::new("my_dash"));
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
fn install_commands_may_call_modprobe() {
    let root = configured("install base modprobe -qD extra; echo \"$MODPROBE_OPTIONS\"\n");
    root.write("tmp/c.conf", "install base echo \"<$MODPROBE_OPTIONS>\"; echo $MODPROBE_MODULE\n");
    same_run(&root, "modprobe", &["base"]).succeeds();
    for args in [
        vec!["-C", "/tmp/c.conf", "base"],
        vec!["-vC", "/tmp/c.conf", "base"],
        vec!["-q", "-C", "/tmp/c.conf", "base"],
    ] {
        same_in_any_order(&root, &args).succeeds();
    }
}

/// behaviour.md D, "install command killed by a signal".
#[test]
fn an_install_command_killed_by_a_signal_fails_with_ours() {
    let root = configured("install base kill -9 $$\n");
    root.reference("modprobe", &["base"]).succeeds();
    root.ours("modprobe", &["base"]).fails();
}

/// behaviour.md D, "any softdep disables the module's install command".
#[test]
fn a_softdep_leaves_the_install_command_alone_with_ours() {
    let root = configured("softdep base pre: extra\ninstall base echo installed\ninstall extra true\n");
    assert!(!root.reference("modprobe", &["-D", "base"]).out().contains("echo installed"));
    assert!(root.ours("modprobe", &["-D", "base"]).out().contains("install echo installed"));
}

#[test]
fn softdeps_come_before_and_after() {
    let root = configured(
        "softdep base pre: extra post: my_dash\nsoftdep helper pre: nothing inside post: fs-inside\n",
    );
    for name in ["base", "helper", "top"] {
        same_but_for_repeats(&root, &["-D", name]).succeeds();
    }
    let circle =
        configured("softdep base pre: extra\nsoftdep extra pre: base\nsoftdep my_dash post: my_dash\n");
    for name in ["base", "extra", "my-dash"] {
        same_but_for_repeats(&circle, &["-D", name]).succeeds();
    }
}

/// behaviour.md D, "several softdep lines for one module": kmod takes the first.
#[test]
fn several_softdeps_are_merged_with_ours() {
    let root = configured("softdep base pre: extra\nsoftdep base pre: my_dash\n");
    let of = |run: Run| {
        run.succeeds()
            .lines()
            .iter()
            .filter_map(|line| line.rsplit('/').next().map(|l| l.trim().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(root.reference("modprobe", &["-D", "base"])), ["extra.ko", "base.ko"]);
    assert_eq!(of(root.ours("modprobe", &["-D", "base"])), ["extra.ko", "my-dash.ko", "base.ko"]);
}

#[test]
fn ignoring_install_skips_softdeps_too() {
    let root = configured("softdep base pre: extra\ninstall helper echo helping\n");
    for args in [vec!["-iD", "base"], vec!["--ignore-install", "-D", "top"], vec!["-iD", "helper"]] {
        same_but_for_repeats(&root, &args).succeeds();
    }
}

#[test]
fn configuration_is_printed_as_it_stands() {
    let config = "# comment\nalias a-b[c-d]* base\noptions my-dash x=1   y=2\ninstall foo-bar /bin/true  two\n\
                  remove foo-bar echo \\\n more\nblacklist my-dash\nsoftdep base pre: a b\nsoftdep base pre: d\n\
                  softdep helper post: d-e\nweakdep base x y-z\n";
    let root = configured(config);
    root.write("proc/cmdline", "base.x=1 modprobe.blacklist=q,r helper.y\n");
    let run = same_run(&root, "modprobe", &["-c"]).succeeds();
    assert!(run.out().contains("softdep base pre: d"), "{run:?}");
    same_run(&root, "modprobe", &["--show-config"]);
    same_run(&root, "modprobe", &["--showconfig"]);
}

/// kmod forgets the blank between the two lists: `pre: a bpost: c`. Not in behaviour.md yet; ours prints what can be
/// read back.
#[test]
fn a_softdep_with_both_lists_is_printed_readably_by_ours() {
    let root = configured("softdep base pre: a b post: c\n");
    assert!(root.reference("modprobe", &["-c"]).out().contains("softdep base pre: a bpost: c\n"));
    assert!(root.ours("modprobe", &["-c"]).out().contains("softdep base pre: a b post: c\n"));
}

/// kmod's library tells of bad lines in its own words; ours does as modprobe, with file and line.
#[test]
fn bad_lines_of_the_configuration_are_named_and_passed_over() {
    let config = "  # no comment\nnonsense\noptions\nalias lonely\nalias bad[ base\nconfig x\ninclude y\nblacklist\n\
                  install\ninstall lonely\nsoftdep\nsoftdep lonely\noptions base good=1\n";
    let root = configured(config);
    for args in [["-c", "--"], ["-D", "base"]] {
        let (ours, theirs) = (root.ours("modprobe", &args), root.reference("modprobe", &args));
        same_text("standard output", &ours.stdout, &theirs.stdout);
        assert_eq!(ours.code, theirs.code);
        for line in 1..=11 {
            assert!(ours.err().contains(&format!("test.conf line {line}:")), "line {line}: {ours:?}");
        }
    }
}

#[test]
fn configuration_files_mask_and_sort() {
    let root = configured("");
    root.write("lib/modprobe.d/one.conf", "options base one=lib\n");
    root.write("usr/lib/modprobe.d/one.conf", "options base one=usr-lib\n");
    root.write("usr/local/lib/modprobe.d/one.conf", "options base one=usr-local-lib\n");
    root.write("run/modprobe.d/two.conf", "options base two=run\n");
    root.write("lib/modprobe.d/two.conf", "options base two=lib\n");
    root.write("etc/modprobe.d/b.conf", "options base b=etc\n");
    root.write("lib/modprobe.d/zz.conf", "options base zz=lib\nsoftdep extra pre: base\n");
    root.write("etc/modprobe.d/.hidden.conf", "options base hidden=1\n");
    root.write("etc/modprobe.d/no.other", "options base other=1\n");
    root.write("etc/modprobe.d/sub/x.conf", "options base sub=1\n");
    root.write("etc/modprobe.conf", "options base old=1\n");
    root.symlink("/dev/null", "etc/modprobe.d/masked.conf");
    root.write("lib/modprobe.d/masked.conf", "options base masked=1\n");
    for args in [vec!["-D", "base"], vec!["-D", "top"], vec!["-c"]] {
        same_but_for_repeats(&root, &args).succeeds();
    }
}

/// modules.softdep sorts among the configuration files by its name. kmod takes the first line of a module, ours all of
/// them in order (behaviour.md D, "several softdep lines for one module").
#[test]
fn the_softdeps_of_modules_sort_as_the_file_they_stand_in() {
    let before = ["my-dash.ko", "extra.ko"];
    let after = ["extra.ko", "my-dash.ko"];
    for (file, theirs, ours) in [("a.conf", &before[..1], before), ("zz.conf", &after[..1], after)] {
        let root = configured("");
        root.write(&format!("etc/modprobe.d/{file}"), "softdep top pre: my_dash\n");
        let soft = |run: Run| -> Vec<String> {
            let names = run
                .succeeds()
                .lines()
                .into_iter()
                .filter_map(|line| Some(line.trim().rsplit_once('/')?.1.to_owned()));
            names.filter(|name| before.contains(&name.as_str())).collect()
        };
        assert_eq!(soft(root.reference("modprobe", &["-D", "top"])), theirs, "{file}");
        assert_eq!(soft(root.ours("modprobe", &["-D", "top"])), ours, "{file}");
    }
}

#[test]
fn config_replaces_the_directories() {
    let root = configured("options base from=etc\n");
    root.write("tmp/one.txt", "options base from=file\n");
    root.write("tmp/dir/a.conf", "options base from=dir-a\n");
    root.write("tmp/dir/b.txt", "options base from=dir-b\n");
    for args in [
        vec!["-C", "/tmp/one.txt", "-D", "base"],
        vec!["-C", "/tmp/dir", "-D", "base"],
        vec!["-C", "/tmp/dir", "--config=/tmp/one.txt", "-D", "base"],
        vec!["-C", "/nowhere", "-D", "base"],
        vec!["-C", "/dev/null", "-c"],
    ] {
        same_run(&root, "modprobe", &args);
    }
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
    same_but_for_causes(&root, &["-d", "/nowhere", "-D", "one"]).fails();
    same_but_for_causes(&root, &["-S", "1.2.3", "-D", "one"]).fails();
}

#[test]
fn modprobe_options_stand_before_the_arguments() {
    let root = configured("");
    root.write("tmp/one.txt", "options base \"from=file\"\n");
    for options in ["-D", "-D -a", "--show-depends -C /tmp/one.txt", "-D -C '/tmp/one.txt'", "-R", "-q", ""] {
        let ask =
            |side: Side| root.invoke(side, "modprobe").env("MODPROBE_OPTIONS", options).args(["base"]).run();
        same(&ask(Side::Ours), &ask(Side::Kmod34));
    }
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
    root.load(&Loaded { users: Some(1), holders: &["helper"], ..Loaded::new("base") });
    root.load(&Loaded::new("helper"));
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
    root.load(&Loaded { users: Some(2), holders: &["helper"], ..Loaded::new("base") });
    root.load(&Loaded { users: Some(3), ..Loaded::new("helper") });
    root.load(&Loaded { users: None, ..Loaded::new("my_dash") });
    root.load(&Loaded::new("extra"));
    for args in [
        vec!["-r", "base"],
        vec!["-r", "helper"],
        vec!["-r", "my_dash"],
        vec!["-r", "extra"],
        vec!["-rnv", "extra"],
        vec!["-rq", "base", "helper"],
        vec!["-ra", "base", "helper"],
        vec!["-ri", "extra"],
        vec!["--remove-holders", "base"],
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
    same_but_for_causes(&root, &["-D", "--", "-base"]).fails();
    // Neither implies -r in kmod 34.2.
    for option in ["--remove-dependencies", "--remove-holders"] {
        same_run(&root, "modprobe", &[option, "base"]).fails();
        same_run(&root, "modprobe", &["-r", option, "base"]).succeeds();
    }
}

#[test]
fn without_indexes_nothing_is_found() {
    let root = TestRoot::new();
    same_but_for_causes(&root, &["-D", "base"]).fails();
    same_but_for_causes(&root, &["base"]).fails();
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
