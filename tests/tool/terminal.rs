//! Output that only a terminal gets.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use modutils_tests::{add_ordered, little_kernel, module};
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

/// A title for the window, a cleared screen, and text that pretends to be another line.
const FORGED: &[u8] = b"a\x1b]0;title\x07b\x1b[2J\rc\xc2\x9b1m";
const SHOWN: &str = "a\\x1b]0;title\\x07b\\x1b[2J\\rc\\u{9b}1m";

fn forged() -> TestRoot {
    let root = little_kernel();
    add_ordered(&root, "kernel/forged.ko", &module("forged").modinfo("author", FORGED).alias(FORGED));
    root
}

#[test]
fn control_characters_of_a_module_are_shown_on_a_terminal_and_passed_through_a_pipe() {
    let root = forged();
    root.ours("depmod", &[]).succeeds();
    let args = ["-F", "author", "forged"];
    assert_eq!(root.ours("modinfo", &args).succeeds().stdout, [FORGED, b"\n"].concat());
    assert_eq!(shown(&root, "modinfo", &args, &[]), format!("{SHOWN}\n"));
    assert!(
        shown(&root, "modinfo", &["forged"], &[("TERM", "xterm")])
            .contains(&format!("author:         {SHOWN}\n"))
    );
    root.write(
        "etc/modprobe.d/f.conf",
        [b"options forged ", FORGED, b"\nsoftdep top pre: x\x1b[2J\n"].concat(),
    );
    assert!(shown(&root, "modprobe", &["-c"], &[]).contains(&format!("options forged {SHOWN}\n")));
    assert!(root.ours("modprobe", &["-c"]).stdout.windows(FORGED.len()).any(|bytes| bytes == FORGED));
    // Our own commands have colours, and no other escape sequence.
    for args in
        [&["graph", "top"][..], &["params", "forged"], &["blocked", "forged"], &["graph", "--format=dot"]]
    {
        let shown = shown(&root, "kmod", args, &[("TERM", "xterm")]);
        let sequences = shown.split('\x1b').skip(1);
        assert!(
            sequences.into_iter().all(|after| after.starts_with('[') && after[1..4].contains('m')),
            "{shown:?}"
        );
        assert!(!shown.contains(['\x07', '\r']), "{shown:?}");
    }
}

/// Sequences that are those of our own styles, and characters by which a name looks like another.
const DISGUISED: &str = "a\x1b[31mred\x1b[0m\x1b[1m\x1b[2m\u{202e}b\u{200b}\u{2066}\u{feff}c";
const UNDISGUISED: &str = "a\\x1b[31mred\\x1b[0m\\x1b[1m\\x1b[2m\\u{202e}b\\u{200b}\\u{2066}\\u{feff}c";

#[test]
fn foreign_text_has_no_colour_even_if_it_has_that_of_our_own() {
    let root = little_kernel();
    let odd = module("odd").modinfo("parm", format!("p:{DISGUISED}")).modinfo("parmtype", "p:int");
    add_ordered(&root, "kernel/odd.ko", &odd.modinfo("author", DISGUISED));
    root.ours("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/d.conf", format!("blacklist {DISGUISED}\ninstall odd echo {DISGUISED}\n"));
    root.write("etc/modutils.d/d.conf", format!("deny odd {DISGUISED}\n"));
    let file = format!("/{}", root.module_path("kernel/odd.ko"));
    let calls: [(&str, &[&str]); 7] = [
        ("kmod", &["params", &file]),
        ("kmod", &["params", "odd"]),
        ("kmod", &["blocked"]),
        ("kmod", &["blocked", "odd"]),
        ("kmod", &["status", "odd"]),
        ("modinfo", &["odd"]),
        ("modprobe", &["-D", DISGUISED]),
    ];
    for (tool, args) in calls {
        let shown = shown(&root, tool, args, &[("TERM", "xterm")]);
        assert!(shown.contains(UNDISGUISED), "{tool} {args:?}: {shown:?}");
        assert!(!shown.contains("31mred\x1b") && !shown.contains("\x1b[31mred"), "{tool}: {shown:?}");
        assert!(!shown.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}']), "{tool}: {shown:?}");
    }
    // Through a pipe, the bytes are the module's, as with kmod.
    for (tool, args) in [("modinfo", &["odd"][..]), ("modprobe", &["-c"])] {
        assert!(root.ours(tool, args).succeeds().out().contains(DISGUISED), "{tool}");
    }
    // Commands that kmod does not have print lines that are their own.
    let through_a_pipe = root.ours("kmod", &["params", "odd"]).succeeds().out();
    assert!(through_a_pipe.contains("\\x1b[31mred\\x1b[0m") && !through_a_pipe.contains('\x1b'));
}

#[test]
fn control_characters_are_shown_in_messages_whoever_reads_them() {
    let root = forged();
    let messages = root.ours("depmod", &[]).succeeds().err();
    assert!(
        messages.contains("a\\x1b]0;title\\x07b\\x1b[2J\\rc") && !messages.contains('\x1b'),
        "{messages:?}"
    );
    let run = root.ours("modprobe", &["un\x1b[2Jknown"]).fails();
    assert!(run.err().contains("Module un\\x1b[2Jknown not found") && !run.err().contains('\x1b'), "{run:?}");
}

#[test]
fn a_message_is_one_line_of_the_log() {
    let root = forged();
    root.ours("depmod", &[]);
    root.create_dir("dev");
    let log = UnixDatagram::bind(root.path().join("dev/log")).expect("a socket");
    log.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    // The lines of a cause are messages of their own.
    let call = root.invoke(Side::Ours, "modprobe").args(["-s", "un\nknown\x1b[2J"]);
    call.env("MODUTILS_EXPLAIN", "never").run().fails();
    let mut bytes = [0; 4096];
    let len = log.recv(&mut bytes).expect("a message");
    let text = String::from_utf8_lossy(&bytes[..len]).trim_end_matches(['\n', '\0']).to_owned();
    assert!(text.contains("Module un\\nknown\\x1b[2J not found"), "{text:?}");
    assert!(!text.contains(char::is_control), "{text:?}");
    log.set_nonblocking(true).expect("a socket");
    assert!(log.recv(&mut bytes).is_err(), "a second message");
}
