//! modprobe.d, the kernel command line and MODPROBE_OPTIONS: what counts, in which order, and how it is printed.

use modutils_tests::same_run;
use testkit::compare::{same, same_lines, same_text};
use testkit::{Run, Side, TestRoot};

use crate::modprobe_basic::{configured, same_but_for_repeats};

/// Like [`same_run`], the lines of standard output in any order: written to a pipe, what kmod itself prints comes after
/// what its commands print.
#[track_caller]
fn same_in_any_order(root: &TestRoot, args: &[&str]) -> Run {
    let (ours, theirs) = (root.ours("modprobe", args), root.reference("modprobe", args));
    same_lines("standard output", &ours.stdout, &theirs.stdout);
    assert_eq!((ours.code, ours.own_messages()), (theirs.code, theirs.own_messages()));
    theirs
}

#[test]
fn options_from_all_sources_keep_their_order() {
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

/// docs/differences.md: "modprobe.blacklist=a-b": kmod compares it unchanged, without effect.
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

/// docs/differences.md: "an install or remove command is killed by a signal".
#[test]
fn an_install_command_killed_by_a_signal_fails_with_ours() {
    let root = configured("install base kill -9 $$\n");
    root.reference("modprobe", &["base"]).succeeds();
    root.ours("modprobe", &["base"]).fails();
}

/// docs/differences.md: "a module with a softdep and an install command".
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

/// docs/differences.md: "several softdep lines for one module": kmod takes the first.
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
fn configuration_is_printed_unchanged() {
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

/// kmod forgets the blank between the two lists: `pre: a bpost: c`. Ours prints what can be
/// read back.
#[test]
fn a_softdep_with_both_lists_is_printed_readably_by_ours() {
    let root = configured("softdep base pre: a b post: c\n");
    assert!(root.reference("modprobe", &["-c"]).out().contains("softdep base pre: a bpost: c\n"));
    assert!(root.ours("modprobe", &["-c"]).out().contains("softdep base pre: a b post: c\n"));
}

/// kmod's library reports bad lines in its own words; ours does as modprobe, with file and line.
#[test]
fn bad_lines_of_the_configuration_are_reported_and_skipped() {
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
/// them in order (docs/differences.md: "several softdep lines for one module").
#[test]
fn the_softdeps_of_modules_sort_as_their_file() {
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
fn modprobe_options_come_before_the_arguments() {
    let root = configured("");
    root.write("tmp/one.txt", "options base \"from=file\"\n");
    for options in ["-D", "-D -a", "--show-depends -C /tmp/one.txt", "-D -C '/tmp/one.txt'", "-R", "-q", ""] {
        let ask =
            |side: Side| root.invoke(side, "modprobe").env("MODPROBE_OPTIONS", options).args(["base"]).run();
        same(&ask(Side::Ours), &ask(Side::Kmod34));
    }
}
