//! A malicious file can contain anything; these tests limit the time and memory that a tool spends on it.
//!
//! Every run has bounds of memory (address space) and of processor time. The time only detects a tool that would never
//! end: the machine may be slow.

mod configuration;
mod indexes;
mod modules;
mod names;
mod trees;

use testkit::{Run, Side, TestRoot};

/// Seconds of processor time.
const SECONDS: u32 = 20;

/// Runs one of our tools with an address space of so many MiB. It must exit with 0 or 1.
#[track_caller]
fn bounded(root: &TestRoot, mebibytes: u32, tool: &str, args: &[&str]) -> Run {
    let quoted = |arg: &&str| format!(" '{}'", arg.replace('\'', "'\\''"));
    let args: String = args.iter().map(quoted).collect();
    let script = format!(
        "ulimit -c 0; ulimit -t {SECONDS}; ulimit -v {}; export MODUTILS_EXPLAIN=always; exec /ours/{tool}{args} </dev/null",
        mebibytes * 1024
    );
    let run = Run {
        command: tool.to_owned() + &args.chars().take(200).collect::<String>(),
        ..root.shell(&[Side::Ours], &script)
    };
    assert!(matches!(run.code, Some(0 | 1)) && !run.err().contains("panicked"), "{run:?}");
    run
}
