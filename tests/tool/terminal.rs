//! Output that only a terminal gets.

use modutils_tests::little_kernel;
use testkit::{LoadedModule, Side, TestRoot};

fn indexed() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root
}

/// The output on a terminal, with the line ends of a pipe.
fn shown(root: &TestRoot, tool: &str, args: &[&str], environment: &[(&str, &str)]) -> String {
    let mut call = root.invoke(Side::Ours, tool).args(args);
    for (name, value) in environment {
        call = call.env(name, value);
    }
    call.run_in_terminal().out().replace("\r\n", "\n")
}

#[test]
fn colour_needs_a_capable_terminal_and_can_be_disabled() {
    let root = indexed();
    let plain = root.ours("kmod", &["params", "top"]).succeeds().out();
    assert!(!plain.contains('\x1b'));
    let coloured = shown(&root, "kmod", &["params", "top"], &[("TERM", "xterm")]);
    assert!(coloured.contains("\x1b[1mtop") && coloured.contains("\x1b[32mdepth"), "{coloured:?}");
    for environment in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")], &[]] {
        assert_eq!(shown(&root, "kmod", &["params", "top"], environment), plain, "{environment:?}");
    }
}

#[test]
fn only_the_cause_of_a_message_has_colour() {
    let root = indexed();
    let stderr = shown(&root, "modprobe", &["hepler"], &[("TERM", "xterm")]);
    let expected = "not found in directory ";
    let (first, cause) = stderr.split_once('\n').expect("two lines");
    assert!(first.contains(expected) && !first.contains('\x1b'), "{stderr:?}");
    assert_eq!(cause, "\x1b[33m  Did you mean helper?\x1b[0m\n");
}

#[test]
fn output_that_kmod_prints_too_has_no_colour() {
    let root = indexed();
    root.load(&LoadedModule::new("top"));
    for (tool, args) in
        [("modinfo", &["top"][..]), ("modprobe", &["-D", "top"]), ("modprobe", &["-c"]), ("lsmod", &[])]
    {
        let there = shown(&root, tool, args, &[("TERM", "xterm")]);
        assert_eq!(there, root.ours(tool, args).out(), "{tool} {args:?}");
    }
}

#[test]
fn short_tasks_show_no_progress_on_a_terminal() {
    let root = indexed();
    assert_eq!(shown(&root, "depmod", &[], &[("TERM", "xterm")]), "");
    let check = ["check", "--all", "--verbose"];
    assert_eq!(shown(&root, "kmod", &check, &[("TERM", "xterm")]), root.ours("kmod", &check).out());
}
