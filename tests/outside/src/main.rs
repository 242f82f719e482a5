//! What two real programs wrote for themselves, because there was no library: an initramfs generator that
//! resolves modules, and a profiler that maps the names of loaded modules to files. Both are done here with
//! the public surface of `modutils` alone, on a copy of a real module tree, and every result is checked.
//!
//! `outside MODULE_DIRECTORY`: a directory with module files and the lists of the kernel's build. It is written to.

mod generator;
mod indexes;
mod profiler;
mod refusals;
mod result;
mod shared;

use std::{path::Path, process::ExitCode};

use result::CheckResult;

/// A check of one consumer.
type Check = fn(&Path) -> CheckResult;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("outside MODULE_DIRECTORY");
        return ExitCode::FAILURE;
    };
    let directory = Path::new(&directory);
    // In this order: the first one writes the indexes that the others read.
    let checks: [(&str, Check); 5] = [
        ("indexes", indexes::check),
        ("generator", generator::check),
        ("profiler", profiler::check),
        ("shared", shared::check),
        ("refusals", refusals::check),
    ];
    let mut failed = false;
    for (name, check) in checks {
        match check(directory) {
            Ok(line) => println!("ok    {name}: {line}"),
            Err(error) => {
                failed = true;
                println!("FAILED {name}: {error}");
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
