//! Who gets the cause below a message: people and the journal, others on request.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;

use modutils_tests::little_kernel;
use serde_json::json;
use testkit::surroundings::program;
use testkit::{Errno, FakeKernel, ModuleBuilder, Side, Start, TestRoot};

const MESSAGE: &str = "modprobe: FATAL: Module hepler not found in directory @\n";
const MISSPELLED: &str = "modinfo: WARNING: no field '@'\n  Did you mean license?\n";
const CAUSE: &str = "  Did you mean helper?\n";

fn indexed() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root
}

/// The message of a name that is not found.
fn message(root: &TestRoot) -> String {
    let directory = format!("/{}", root.module_path(""));
    MESSAGE.replace('@', directory.trim_end_matches('/'))
}

/// What modprobe prints for it into a pipe, with these variables.
fn piped(root: &TestRoot, environment: &[(&str, &str)]) -> String {
    let call = root.invoke(Side::Ours, "modprobe").args(["hepler"]);
    environment.iter().fold(call, |call, (name, value)| call.env(name, value)).run().fails().err()
}

#[test]
fn a_pipe_gets_the_message_alone_and_the_cause_on_request() {
    let root = indexed();
    let message = message(&root);
    let explained = message.clone() + CAUSE;
    assert_eq!(piped(&root, &[]), message);
    for (value, expected) in [
        ("always", &explained),
        ("never", &message),
        ("auto", &message),
        ("", &message),
        ("yes", &message),
        ("ALWAYS", &message),
    ] {
        assert_eq!(piped(&root, &[("MODUTILS_EXPLAIN", value)]), *expected, "{value:?}");
    }
}

#[test]
fn a_terminal_gets_the_cause_unless_it_is_declined() {
    let root = indexed();
    let shown = |value: &str| {
        let call = root.invoke(Side::Ours, "modprobe").args(["hepler"]).env("MODUTILS_EXPLAIN", value);
        call.run_in_terminal().out().replace("\r\n", "\n")
    };
    let message = message(&root);
    for value in ["", "auto", "always"] {
        assert_eq!(shown(value), message.clone() + CAUSE, "{value:?}");
    }
    assert_eq!(shown("never"), message);
}

#[test]
fn a_line_in_modutils_d_decides_where_the_variable_does_not() {
    let root = indexed();
    let message = message(&root);
    let explained = message.clone() + CAUSE;
    root.write("etc/modutils.d/local.conf", "explain always\n");
    assert_eq!(piped(&root, &[]), explained);
    assert_eq!(piped(&root, &[("MODUTILS_EXPLAIN", "never")]), message);
    assert_eq!(piped(&root, &[("MODUTILS_EXPLAIN", "auto")]), message);
    // Tools that read no other configuration read it, too.
    let run = root.ours("modinfo", &["hepler"]).fails();
    assert_eq!(run.err(), "modinfo: ERROR: Module hepler not found.\n".to_owned() + CAUSE);
    root.write("etc/modutils.d/local.conf", "explain never\n");
    assert_eq!(piped(&root, &[]), message);
    assert_eq!(piped(&root, &[("MODUTILS_EXPLAIN", "always")]), explained);
    let in_terminal = root.invoke(Side::Ours, "modprobe").args(["hepler"]).run_in_terminal();
    assert_eq!(in_terminal.out().replace("\r\n", "\n"), message);
    root.write("etc/modutils.d/local.conf", "explain sometimes\n");
    let bad = "/etc/modutils.d/local.conf line 1: ignoring bad line starting with 'explain'";
    let printed = piped(&root, &[]);
    assert!(printed.contains(bad) && printed.ends_with(&message), "{printed}");
}

/// What modinfo prints into a file, where `journal` names the device and inode of that file or of another.
fn into_a_file(root: &TestRoot, journal: impl Fn(u64, u64) -> String) -> String {
    root.write("tmp/stderr", "");
    let path = root.path().join("tmp/stderr");
    let metadata = path.metadata().expect("a file that was just written");
    let journal = journal(metadata.dev(), metadata.ino());
    let script = format!("JOURNAL_STREAM={journal} exec /ours/modinfo hepler 2>>/tmp/stderr");
    root.shell(&[Side::Ours], &script).fails();
    std::fs::read_to_string(path).expect("text")
}

#[test]
fn the_journal_gets_the_cause_and_another_file_does_not() {
    let root = indexed();
    let message = "modinfo: ERROR: Module hepler not found.\n";
    let explained = message.to_owned() + CAUSE;
    assert_eq!(into_a_file(&root, |device, inode| format!("{device}:{inode}")), explained);
    assert_eq!(into_a_file(&root, |device, inode| format!("{device}:{}", inode + 1)), message);
    assert_eq!(into_a_file(&root, |device, inode| format!("{}:{inode}", device + 1)), message);
    assert_eq!(into_a_file(&root, |_, _| "nonsense".into()), message);
}

#[test]
fn commands_that_kmod_does_not_have_explain_to_everyone_who_did_not_decline() {
    let root = indexed();
    for (command, line) in [
        ("graph", "kmod: ERROR: Module hepler not found.\n".to_owned()),
        ("params", "kmod: ERROR: Module hepler not found.\n".to_owned()),
        ("blocked", "kmod: ERROR: Module hepler not found.\n".to_owned()),
        ("check", message(&root).replace("modprobe: FATAL", "kmod: ERROR")),
    ] {
        let call = || root.invoke(Side::Ours, "kmod").args([command, "hepler"]);
        assert_eq!(call().run().fails().err(), line.clone() + CAUSE, "{command}");
        assert_eq!(call().env("MODUTILS_EXPLAIN", "never").run().fails().err(), line, "{command}");
    }
}

#[test]
fn a_document_has_the_cause_wherever_standard_error_leads() {
    let root = indexed();
    let run = root.ours("modprobe", &["-n", "--json", "hepler"]).fails();
    assert_eq!(run.err(), message(&root));
    let document: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a document");
    let text = message(&root).trim_end().trim_start_matches("modprobe: FATAL: ").to_owned();
    let expected = json!([{ "level": "fatal", "text": text, "cause": ["Did you mean helper?"] }]);
    assert_eq!((&document["messages"], &document["steps"]), (&expected, &json!([])));
    // With --all it is a warning.
    let run = root.ours("modprobe", &["-n", "-a", "--json", "hepler", "top"]).fails();
    let document: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a document");
    assert_eq!(document["messages"][0]["level"], json!("warning"));
    assert!(!document["steps"].as_array().expect("a list").is_empty());
    // Nothing went wrong.
    let run = root.ours("modprobe", &["-n", "--json", "top"]).succeeds();
    let document: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a document");
    assert_eq!(document.get("messages"), None);
}

/// A refusal: the message that scripts match, and nothing that they do not expect.
#[test]
fn a_refused_module_is_one_line_in_a_pipe() {
    let root = TestRoot::with_version("6.12.0-fake");
    root.write("tmp/other.ko", ModuleBuilder::new("other").modinfo("license", "GPL").build());
    let kernel = FakeKernel::new(root.path(), "6.12.0-fake");
    kernel.refuse_load("other", Errno::ENOEXEC);
    let _ = root.invoke(Side::Ours, "insmod");
    let insmod = || Start::new(format!("/{}/insmod", Side::Ours.dir())).args(["/tmp/other.ko"]);
    let stderr = |start: Start| String::from_utf8(kernel.run(&start).stderr).expect("text");
    let line = "insmod: ERROR: could not insert module /tmp/other.ko: Invalid module format\n";
    assert_eq!(stderr(insmod()), line);
    let explained = stderr(insmod().env("MODUTILS_EXPLAIN", "always"));
    assert!(
        explained.starts_with(line) && explained.lines().skip(1).all(|line| line.starts_with("  ")),
        "{explained}"
    );
    assert!(explained.lines().count() > 1, "{explained}");
}

/// Without a log daemon, in an initramfs or a container, syslog(3) leads to the console, a line for each record.
#[test]
fn without_a_log_daemon_the_console_gets_the_messages() {
    let root = indexed();
    let path = root.path().join("dev/console");
    assert!(program("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    let pipe = File::options().read(true).write(true).open(path).expect("a pipe");
    let console = |tool: &dyn Fn() -> testkit::Run| {
        assert_eq!(tool().fails().err(), "");
        // Bytes of our own end the text: a pipe that is open for writing never ends.
        (&pipe).write_all(b"\0").expect("a pipe has room");
        let mut text = Vec::new();
        BufReader::new(&pipe).read_until(0, &mut text).expect("a pipe that is open for reading");
        let text = String::from_utf8(text).expect("text").replace('\0', "");
        // glibc ends lines for a raw terminal, and kmod's own text has a newline as well.
        text.lines().filter(|line| !line.is_empty()).map(|line| line.to_owned() + "\n").collect::<String>()
    };
    let line = message(&root);
    let theirs = console(&|| root.reference("modprobe", &["-s", "hepler"]));
    assert_eq!(theirs, line);
    let ours = console(&|| root.ours("modprobe", &["-s", "hepler"]));
    assert_eq!(ours, theirs.clone() + "modprobe:   Did you mean helper?\n");
    let declined =
        || root.invoke(Side::Ours, "modprobe").args(["-s", "hepler"]).env("MODUTILS_EXPLAIN", "never");
    assert_eq!(console(&|| declined().run()), theirs);
}

#[test]
fn a_dry_run_reports_parameters_that_the_module_does_not_have() {
    let root = TestRoot::new();
    let module = ModuleBuilder::new("loop").modinfo("license", "GPL").modinfo("parm", "max_loop:Maximum");
    root.add_module("kernel/loop.ko", &module.modinfo("parmtype", "max_loop:int"));
    root.ours("depmod", &[]).succeeds();
    let line = format!("insmod /{}\n", root.module_path("kernel/loop.ko"));
    let [wrong, right] = ["max_lop=8", "max_loop=8"].map(|word| ["-n", "-v", "loop", word]);
    let step = |word: &str| line.replace('\n', &format!(" {word}\n"));
    let run = root.explained("modprobe", &wrong).succeeds();
    assert_eq!(run.out(), step("max_lop=8"));
    assert_eq!(
        run.err(),
        "modprobe: WARNING: unknown parameters for 'loop'\n  It has no parameter max_lop (is max_loop meant?): the kernel \
         ignores that.\n"
    );
    // For a script it is as it was.
    assert_eq!(root.ours("modprobe", &wrong).succeeds().err(), "");
    assert_eq!(root.explained("modprobe", &right).succeeds().err(), "");
}

#[test]
fn modinfo_reports_a_misspelled_field() {
    let root = indexed();
    let field = |name: &str| root.explained("modinfo", &["-F", name, "helper"]).succeeds();
    let run = field("licence");
    assert_eq!((run.out(), run.err()), (String::new(), MISSPELLED.replace('@', "licence")));
    for name in ["license", "LICENSE", "firmware", "anything"] {
        assert_eq!(field(name).err(), "", "{name}");
    }
    assert_eq!(root.ours("modinfo", &["-F", "licence", "helper"]).succeeds().err(), "");
}
