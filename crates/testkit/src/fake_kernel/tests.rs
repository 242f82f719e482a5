//! The fake kernel, exercised by the packaged kmod 34.2.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::*;
use crate::{Crc, ModuleBuilder, Side, TestRoot};

const RELEASE: &str = "6.12.0-fake";

/// `lower` exports what `upper` needs; `alone` needs nothing.
fn root() -> TestRoot {
    let root = TestRoot::with_version(RELEASE);
    let module = |name: &str| ModuleBuilder::new(name).modinfo("vermagic", format!("{RELEASE} SMP "));
    root.add_module("kernel/lower.ko", &module("lower").export("low", Crc::Absolute(1)));
    root.add_module("kernel/upper.ko", &module("upper").modinfo("depends", "lower").needs("low", 1));
    root.add_module("kernel/alone.ko.xz", &module("alone").compressed(Compression::Xz));
    root.add_module("kernel/foreign.ko", &ModuleBuilder::new("foreign").modinfo("vermagic", "5.0.0 SMP "));
    root.reference("depmod", &[RELEASE]).succeeds();
    root
}

fn run(root: &TestRoot, kernel: &FakeKernel, line: &str) -> Outcome {
    // Installs the packaged tools in the root.
    let _ = root.invoke(Side::Kmod34, "kmod");
    let mut words = line.split(' ');
    let tool = words.next().expect("a tool");
    kernel.run(&Start::new(format!("/kmod34/{tool}")).args(words))
}

fn calls(outcome: &Outcome) -> Vec<String> {
    outcome.calls.iter().map(ToString::to_string).collect()
}

fn errors(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

#[test]
fn a_chain_loads_in_order_and_proc_and_sys_show_it() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    let outcome = run(&root, &kernel, "modprobe upper depth=2");
    assert_eq!(errors(&outcome), "");
    let lower = format!("finit_module(\"/lib/modules/{RELEASE}/kernel/lower.ko\", \"\", 0x0) = 0");
    let upper = format!("finit_module(\"/lib/modules/{RELEASE}/kernel/upper.ko\", \"depth=2\", 0x0) = 0");
    assert_eq!(calls(&outcome), [lower, upper]);
    assert_eq!(kernel.loaded_names(), ["upper", "lower"]);
    assert_eq!(root.read("sys/module/upper/initstate"), b"live\n");
    assert_eq!(root.read("sys/module/lower/refcnt"), b"1\n");
    assert!(root.exists("sys/module/lower/holders/upper"));
    let listing = String::from_utf8(run(&root, &kernel, "lsmod").stdout).expect("text");
    let names: Vec<&str> = listing.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(names, ["Module", "upper", "lower"]);
    assert!(listing.ends_with("1 upper\n"), "{listing}");
}

#[test]
fn removal_removes_unused_modules_and_keeps_used_ones() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    kernel.loaded("lower", &[]).loaded("upper", &["lower"]);
    let outcome = run(&root, &kernel, "rmmod lower");
    assert_eq!((outcome.status.code(), calls(&outcome)), (Some(1), vec![]));
    let outcome = run(&root, &kernel, "modprobe -r upper");
    let both = ["delete_module(\"upper\", O_NONBLOCK) = 0", "delete_module(\"lower\", O_NONBLOCK) = 0"];
    assert_eq!(calls(&outcome), both);
    assert!(!root.exists("sys/module/upper") && root.read("proc/modules").is_empty());
    kernel.loaded("lower", &[]).refuse_removal("lower", Errno::EPERM);
    let outcome = run(&root, &kernel, "rmmod lower");
    assert_eq!(calls(&outcome), ["delete_module(\"lower\", O_NONBLOCK) = EPERM"]);
}

#[test]
fn errors_are_the_kernels_or_the_ones_the_test_sets() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    let fails = |line: &str, message: &str| {
        let outcome = run(&root, &kernel, line);
        assert_eq!(outcome.status.code(), Some(1));
        assert!(errors(&outcome).contains(message), "{}", errors(&outcome));
    };
    let directory = format!("/lib/modules/{RELEASE}/kernel");
    fails(&format!("insmod {directory}/upper.ko"), "Unknown symbol in module");
    fails(&format!("insmod {directory}/foreign.ko"), "Invalid module format");
    kernel.refuse_load("lower", Errno::EPERM);
    fails("modprobe lower", "Operation not permitted");
    let forced = run(&root, &kernel, &format!("insmod -f {directory}/foreign.ko"));
    assert_eq!(calls(&forced), [format!("finit_module(\"{directory}/foreign.ko\", \"\", 0x3) = 0")]);
}

#[test]
fn a_kernel_may_decompress_and_may_lack_finit_module() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    let outcome = run(&root, &kernel, "modprobe alone x=1");
    assert!(calls(&outcome)[0].starts_with("init_module(\"alone\" of "), "{:?}", calls(&outcome));
    run(&root, &kernel, "modprobe -r alone");
    kernel.decompresses(Compression::Xz);
    let outcome = run(&root, &kernel, "modprobe alone");
    let path = format!("/lib/modules/{RELEASE}/kernel/alone.ko.xz");
    assert_eq!(calls(&outcome), [format!("finit_module({path:?}, \"\", 0x4) = 0")]);
    kernel.finit_fails(Errno::ENOSYS);
    let outcome = run(&root, &kernel, "modprobe lower");
    assert_eq!(outcome.calls.len(), 2);
    assert!(matches!(outcome.calls[1], Call::Init { result: Ok(()), .. }));
}

#[test]
fn children_are_supervised_too() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    root.write(
        "etc/modprobe.d/a.conf",
        "install alone /kmod34/modprobe lower && /kmod34/modprobe -i alone\n",
    );
    let outcome = run(&root, &kernel, "modprobe alone");
    assert_eq!(errors(&outcome), "");
    assert_eq!(kernel.loaded_names(), [OsString::from("alone"), "lower".into()]);
}

#[test]
fn a_scheduled_change_happens_while_the_tool_waits() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    kernel.loaded("lower", &[]).users("lower", 1).users_after(Duration::from_millis(200), "lower", 0);
    let start = Instant::now();
    let outcome = run(&root, &kernel, "modprobe -r -w 5000 lower");
    assert_eq!(outcome.status.code(), Some(0));
    assert!(start.elapsed() >= Duration::from_millis(200) && kernel.loaded_names().is_empty());
}

#[test]
fn streams_can_be_closed_or_broken() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    let _ = root.invoke(Side::Kmod34, "kmod");
    let outcome = kernel.run(&Start::new("/bin/sh").args(["-c", "echo x >&2 || echo closed"]).closed(2));
    assert_eq!(outcome.stdout, b"closed\n");
    let outcome = kernel.run(&Start::new("/bin/cat").arg("/proc/cmdline").broken_pipe());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&outcome.status), Some(libc::SIGPIPE));
}

#[test]
fn a_close_that_fails_has_closed() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    let pipe = Start::new("/bin/sh").args(["-c", "echo whole | /bin/cat"]);
    for nth in 0.. {
        let target = TargetCall::Named("close", nth);
        let run = kernel.trace(&pipe, Some(Fault { target, effect: FaultEffect::Fails(Errno::EIO) }));
        if run.faulted_call.is_none() {
            assert!(nth > 3, "{run:?}");
            break;
        }
        // The reader waited for ever if the pipe's other end stayed open.
        assert!(run.outcome.status.code().is_some(), "{nth}: {run:?}");
    }
}

#[test]
fn a_call_can_fail_transfer_less_or_kill_the_process() {
    let root = root();
    let kernel = FakeKernel::new(root.path(), RELEASE);
    let echo = |target, effect| {
        kernel.trace(&Start::new("/bin/sh").args(["-c", "/bin/echo whole"]), Some(Fault { target, effect }))
    };
    let writes = TargetCall::Named("write", 0);
    let failed = echo(writes, FaultEffect::Fails(Errno::ENOSPC));
    assert!(errors(&failed.outcome).contains("No space left"), "{failed:?}");
    assert_eq!(failed.faulted_call, Some(("write", String::new())));
    let short = echo(writes, FaultEffect::Short);
    assert_eq!(
        (short.outcome.status.code(), &short.outcome.stdout[..]),
        (Some(0), &b"whole\n"[..]),
        "{short:?}"
    );
    assert_eq!(short.trace.iter().filter(|name| **name == "write").count(), 2, "{short:?}");
    let killed = echo(writes, FaultEffect::Signal(Signal::SIGKILL));
    assert_eq!(
        (killed.outcome.status.code(), &killed.outcome.stdout[..]),
        (Some(137), &b""[..]),
        "{killed:?}"
    );
    let not_injected = echo(TargetCall::Nth(100_000), FaultEffect::Short);
    assert!(not_injected.faulted_call.is_none() && not_injected.outcome.stdout == b"whole\n");
}
