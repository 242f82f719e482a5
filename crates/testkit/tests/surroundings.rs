//! The files and processes of a test do not depend on the process that started the test.
//!
//! Signals, umask and limits belong to a process, not to a thread: each of these tests starts itself again, with hostile
//! settings, and inspects that process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use testkit::surroundings::program;
use testkit::{FakeKernel, Side, SigningKey, Start, TestRoot, cache};

const NOBODY: u32 = 65534;

/// Signals that end a shell. The last two are POSIX's real-time signals.
const SIGNALS: [&str; 12] =
    ["HUP", "INT", "QUIT", "TERM", "PIPE", "USR1", "USR2", "ALRM", "XCPU", "VTALRM", "34", "64"];

/// Starts a program as nohup(1) and `&` without job control do, and worse.
const HOSTILE_START: &str =
    "trap '' HUP INT QUIT TERM PIPE USR1 USR2 ALRM TSTP TTIN TTOU XCPU XFSZ VTALRM 34 64
umask 077; cp \"$PROGRAM\" kmod; ulimit -S -f 64; ulimit -S -n 64; exec env --block-signal \"$@\" <&-";

/// Starts the test of this name again. Returns true in the process that was started that way.
fn is_started_with_hostile_settings(test: &str) -> bool {
    if std::env::var_os("MODUTILS_HOSTILE_START").is_some() {
        return true;
    }
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let directory = scratch.path().join("a directory with blanks");
    fs::create_dir(&directory).expect("a directory of our own");
    let nowhere = directory.join("nowhere");
    let reference = cache::reference("kmod34");
    let mut again = Command::new("sh");
    again.args(["-c", HOSTILE_START, "sh"]).arg(std::env::current_exe().expect("the test program"));
    again.args(["--exact", test, "--nocapture"]).current_dir(&directory);
    for (name, value) in [
        ("MODUTILS_HOSTILE_START", "1".as_ref()),
        ("MODUTILS_REFERENCE_KMOD34", reference.as_os_str()),
        ("MODUTILS_KMOD", directory.join("kmod").as_os_str()),
        ("PROGRAM", reference.join("usr/bin/true").as_os_str()),
        ("TMPDIR", directory.as_os_str()),
        ("HOME", nowhere.as_os_str()),
        ("LANG", "de_DE.UTF-8".as_ref()),
        ("LC_ALL", "de_DE.UTF-8".as_ref()),
        ("LANGUAGE", "de".as_ref()),
        ("MODPROBE_OPTIONS", "-n".as_ref()),
        ("OPENSSL_CONF", nowhere.as_os_str()),
        ("POSIXLY_CORRECT", "1".as_ref()),
    ] {
        again.env(name, value);
    }
    let output = again.output().expect("a shell");
    let streams = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && streams[0].contains("1 passed"), "{}\n{}", streams[0], streams[1]);
    false
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("a file that was made").permissions().mode() & 0o7777
}

#[test]
fn no_signal_is_ignored_or_blocked_in_child_processes() {
    if !is_started_with_hostile_settings("no_signal_is_ignored_or_blocked_in_child_processes") {
        return;
    }
    let root = TestRoot::new();
    let kernel = FakeKernel::new(root.path(), root.version());
    for signal in SIGNALS {
        let script = format!("kill -{signal} $$; echo survived");
        let plain = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let by_chroot = root.shell(&[], &script);
        let by_kernel = kernel.run(&Start::new("/bin/sh").args(["-c", &script]));
        let by_machine = program("sh").args(["-c", &script]).output().expect("a shell");
        // Rust's own runtime resets SIGPIPE, unless it is blocked.
        assert_eq!(plain.stdout, b"survived\n", "{signal}: this process should have hostile settings");
        let killed = [by_chroot.signal, by_kernel.status.signal(), by_machine.status.signal()];
        assert!(killed[0].is_some() && killed.iter().all(|one| *one == killed[0]), "{signal}: {killed:?}");
    }
}

#[test]
fn everyone_can_read_the_files_of_a_root() {
    if !is_started_with_hostile_settings("everyone_can_read_the_files_of_a_root") {
        return;
    }
    let root = TestRoot::new();
    let kernel = FakeKernel::new(root.path(), root.version());
    root.write("etc/modprobe.d/new/some.conf", "some\n").create_dir("srv/new");
    assert_eq!([mode(&root.path().join("srv/new")), mode(&root.path().join("srv"))], [0o755; 2]);
    let cat = Start::new("/bin/cat").arg("/etc/modprobe.d/new/some.conf").user(NOBODY);
    assert_eq!(kernel.run(&cat).stdout, b"some\n");
    // A binary under test that only its owner may run is not changed, and can still be run.
    let _ = root.invoke(Side::Ours, "kmod");
    assert!(kernel.run(&Start::new("/ours/kmod").user(NOBODY)).status.success());
    let own = std::env::var_os("MODUTILS_KMOD").expect("a binary under test");
    assert_eq!([mode(own.as_ref()), mode(&root.path().join("ours/kmod"))], [0o700, 0o755]);
}

#[test]
fn limits_are_as_high_as_allowed() {
    if !is_started_with_hostile_settings("limits_are_as_high_as_allowed") {
        return;
    }
    let root = TestRoot::new();
    root.write("tmp/large", vec![0; 1 << 20]);
    let run = root.shell(&[], "ulimit -S -f; ulimit -S -n");
    assert_eq!(run.lines(), ["unlimited", "1024"]);
}

#[test]
fn no_language_home_or_option_reaches_child_processes() {
    if !is_started_with_hostile_settings("no_language_home_or_option_reaches_child_processes") {
        return;
    }
    let names = |text: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| line.split('=').next());
        // The shell sets this one.
        let mut names: Vec<_> = names.filter(|name| *name != "PWD").map(str::to_owned).collect();
        names.sort();
        names
    };
    let root = TestRoot::new();
    assert_eq!(names(&root.shell(&[], "/bin/env").out()), ["PATH"]);
    let kernel = FakeKernel::new(root.path(), root.version());
    assert!(kernel.run(&Start::new("/bin/env")).stdout.is_empty());
    let output = program("env").output().expect("env");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(names(&text), ["HOME", "LC_ALL", "PATH"]);
    assert!(text.contains("LC_ALL=C\n") && !text.contains("nowhere"), "{text}");
    // Works without the configuration that the environment names, in a directory with blanks.
    let signature = SigningKey::new("Build time key of a test", "1").pkcs7(b"some", "sha256");
    assert!(!signature.is_empty());
}
