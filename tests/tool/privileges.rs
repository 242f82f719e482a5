//! A caller with fewer privileges than the program, and the environment of install commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use modutils_tests::little_kernel;
use testkit::surroundings::program;
use testkit::{FakeKernel, Outcome, Side, Start, TestRoot};

const NOBODY: u32 = 65534;

/// A root whose modprobe is called `/suid/modprobe`, too, and is set-user-ID there.
fn root() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    root.write("etc/modprobe.d/some.conf", "install probe /bin/env\n");
    let modprobe = root.path().join("suid/modprobe");
    root.create_dir("suid");
    // By a program: a file that we had open for writing could not be run while another test starts one.
    let copied = Command::new("cp").arg(root.path().join("ours/kmod")).arg(&modprobe).status();
    assert!(copied.expect("cp").success());
    fs::set_permissions(&modprobe, fs::Permissions::from_mode(0o4755)).expect("a file of our own");
    root
}

fn run(root: &TestRoot, program: &str, user: Option<u32>) -> Outcome {
    let start = Start::new(program)
        .arg("probe")
        .env("PATH", "/nowhere:/bin")
        .env("HOME", "/home")
        .env("LD_LIBRARY_PATH", "/nowhere")
        .env("IFS", "x")
        .env("BASH_ENV", "/nowhere")
        .env("MODPROBE_MODULE", "other")
        .env("MODPROBE_OPTIONS", "-b");
    let start = user.into_iter().fold(start, Start::user);
    FakeKernel::new(root.path(), root.version()).run(&start)
}

/// The variables of the command's environment, except `PWD`, which the shell sets.
fn environment(outcome: &Outcome) -> Vec<String> {
    assert!(outcome.status.success(), "{outcome:?}");
    let text = String::from_utf8(outcome.stdout.clone()).expect("UTF-8");
    let mut lines: Vec<String> =
        text.lines().filter(|line| !line.starts_with("PWD=")).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn commands_get_the_callers_environment_without_misleading_variables() {
    let outcome = run(&root(), "/ours/modprobe", None);
    let expected = [
        "HOME=/home",
        "MODPROBE_MODULE=probe",
        "MODPROBE_OPTIONS=-b",
        "MODUTILS_DEPTH=1",
        "PATH=/nowhere:/bin",
    ];
    assert_eq!(environment(&outcome), expected);
}

#[test]
fn the_environment_of_an_unprivileged_caller_is_ignored() {
    let root = root();
    let outcome = run(&root, "/suid/modprobe", Some(NOBODY));
    // Without an effective set-user-ID bit, these would be the caller's.
    let expected = ["MODPROBE_MODULE=probe", "MODUTILS_DEPTH=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
    assert_eq!(environment(&outcome), expected, "is the file system mounted with nosuid?");
    let same_user = run(&root, "/ours/modprobe", Some(NOBODY));
    assert!(environment(&same_user).contains(&"MODPROBE_OPTIONS=-b".to_owned()));
}

/// As with system(3): the keyboard's signals are for the command, and modprobe reports what became of it.
#[test]
fn an_interrupt_ends_the_command_and_not_modprobe() {
    let root = root();
    root.write("etc/modprobe.d/some.conf", "install probe /bin/touch /tmp/begun; exec /bin/sleep 60\n");
    let _ = root.invoke(Side::Ours, "modprobe");
    let mut modprobe = program("chroot");
    modprobe.arg(root.path()).args(["/ours/modprobe", "probe"]);
    let child = modprobe.process_group(0).stderr(Stdio::piped()).spawn().expect("chroot(8)");
    while !root.exists("tmp/begun") {
        thread::sleep(Duration::from_millis(10));
    }
    let interrupt = format!("kill -INT -{}", child.id());
    assert!(program("sh").args(["-c", &interrupt]).status().expect("a shell").success());
    let outcome = child.wait_with_output().expect("a child");
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.contains("killed by signal 2"), "{stderr}");
}
