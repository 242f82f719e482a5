//! `deny` in modutils.d: a block that applies to every way of requesting a module.

use modutils_tests::little_kernel;
use testkit::{LoadedModule, TestRoot};

fn denied(text: &str) -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root.write("etc/modutils.d/local.conf", text);
    root
}

/// The first message and the line below it.
#[track_caller]
fn refused(root: &TestRoot, args: &[&str], target: &str, why: &str) {
    let run = root.explained("modprobe", args).fails();
    let expected =
        format!("modprobe: ERROR: could not insert '{target}': Operation not permitted\n  {why}\n");
    assert_eq!((run.err(), run.out()), (expected, String::new()));
}

#[test]
fn it_applies_to_the_name_an_alias_a_file_and_commands() {
    let root = denied("# nothing here needs it\ndeny top  it is not to be trusted\n");
    let why = "/etc/modutils.d/local.conf line 2 denies it: it is not to be trusted";
    let file = format!("/{}", root.module_path("kernel/drivers/top.ko"));
    for args in
        [&["top"][..], &["fs-top"], &[&file], &["-i", "top"], &["-f", "top"], &["-D", "top"], &["-n", "top"]]
    {
        refused(&root, args, "top", why);
    }
    root.write("etc/modprobe.d/local.conf", "install top echo nevertheless\nalias by-config top\n");
    refused(&root, &["by-config"], "top", why);
}

#[test]
fn a_denied_dependency_prevents_all_loading() {
    let root = denied("deny help[e]r\n");
    refused(&root, &["top"], "top", "/etc/modutils.d/local.conf line 1 denies helper, which it needs");
    refused(&root, &["-D", "top"], "top", "/etc/modutils.d/local.conf line 1 denies helper, which it needs");
}

#[test]
fn a_denied_soft_dependency_is_skipped() {
    let root = denied("deny extra\n");
    let lines = root.ours("modprobe", &["-D", "top"]).succeeds().out();
    assert!(lines.contains("top.ko") && !lines.contains("extra.ko"), "{lines}");
    let run = root.ours("modprobe", &["-D", "-vv", "top"]).succeeds();
    assert!(run.err().contains("could not insert 'extra', which is not needed"), "{run:?}");
}

#[test]
fn loaded_and_built_in_modules_stay() {
    let root = denied("deny top\ndeny inside\n");
    root.load(&LoadedModule::new("top"));
    root.ours("modprobe", &["top"]).succeeds();
    root.ours("modprobe", &["inside"]).succeeds();
}

#[test]
fn the_kernel_command_line_denies_too_and_no_option_overrides_it() {
    let root = denied("");
    root.write("proc/cmdline", "quiet modutils.deny=helper,my-dash\n");
    root.write("tmp/empty.conf", "");
    refused(&root, &["-C", "/tmp/empty.conf", "my_dash"], "my_dash", "/proc/cmdline line 1 denies it");
}

#[test]
fn files_of_the_same_name_hide_each_other_as_in_modprobe_d() {
    let root = denied("deny top\n");
    root.write("usr/lib/modutils.d/vendor.conf", "deny helper\n");
    refused(&root, &["helper"], "helper", "/usr/lib/modutils.d/vendor.conf line 1 denies it");
    root.write("etc/modutils.d/vendor.conf", "");
    root.ours("modprobe", &["-D", "helper"]).succeeds();
}

#[test]
fn the_packaged_modprobe_ignores_it() {
    let root = denied("deny my-dash\n");
    let run = root.reference("modprobe", &["-D", "my-dash"]).succeeds();
    assert_eq!(run.own_messages(), "");
}
