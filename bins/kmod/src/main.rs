//! The kernel-module tools in one binary: the name it is called by selects the tool.
//!
//! Each tool is a file or directory with a function `run`: parse the options, plan, act, print. Only
//! [`report`] prints, logs and chooses the exit code.

#![cfg_attr(
    not(all(feature = "closure", feature = "commands", feature = "diagnose")),
    allow(dead_code, unused_imports, reason = "some helpers serve only commands that this build lacks")
)]

#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod allocator;
mod cause;
mod cli;
mod depmod;
mod explain;
mod help;
mod insmod;
mod json;
mod kmod;
mod lsmod;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod memory;
mod modinfo;
mod modprobe;
mod parameters;
mod progress;
mod report;
mod rmmod;
mod startup;
mod status;
mod style;
mod version;
mod visible;

use std::{ffi::OsString, path::Path, process::ExitCode};

#[cfg(all(target_arch = "x86_64", target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// How the process was called.
pub struct Invocation {
    /// The program's name as the caller wrote it; getopt's messages begin with it.
    pub program: OsString,
    /// The arguments after it.
    pub arguments: Vec<OsString>,
    /// Whether the program's name was an argument of `kmod`.
    pub is_command: bool,
}

fn main() -> ExitCode {
    startup::restore_sigpipe();
    startup::keep_stderr_closed();
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| "kmod".into());
    let name = Path::new(&program).file_name().unwrap_or_default().to_owned();
    let invocation = Invocation { program, arguments: arguments.collect(), is_command: false };
    // Any other name is `kmod`.
    tool(name.as_encoded_bytes()).unwrap_or(kmod::run)(&invocation)
}

/// The function of a tool.
type Run = fn(&Invocation) -> ExitCode;

/// The tools besides `kmod`, which runs them, too.
const TOOLS: [(&str, Run); 6] = [
    ("depmod", depmod::run),
    ("insmod", insmod::run),
    ("lsmod", lsmod::run),
    ("modinfo", modinfo::run),
    ("modprobe", modprobe::run),
    ("rmmod", rmmod::run),
];

/// The tool of this name.
fn tool(name: &[u8]) -> Option<Run> {
    TOOLS.iter().find(|(tool, _)| tool.as_bytes() == name).map(|(_, run)| *run)
}
