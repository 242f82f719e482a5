//! `cargo xtask faults`: how the tools behave when one of their system calls fails, as a table.

use anyhow::Result;
use clap::Args;

use crate::cache::Cache;
use crate::{binary, cargo, process, reference};

/// The options of `cargo xtask faults`.
#[derive(Args)]
pub(crate) struct Options {
    /// Test the packaged kmod 34.2 instead of our tools
    #[arg(long)]
    reference: bool,
}

/// Makes each system call of depmod, insmod, modprobe and rmmod in turn fail, transfer less than asked, or end the
/// process, and prints the state afterwards.
///
/// # Errors
/// When the reference is unavailable or the binary cannot be built.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    // Both run with the reference's C library and shell.
    reference::provide(&cache, "kmod34")?;
    let mut command = cargo::command();
    command
        .args(["run", "--quiet", "--package", "modutils-tests", "--bin", "faults", "--"])
        .args(options.reference.then_some("--reference"))
        .env("MODUTILS_CACHE", cache.root())
        .env("MODUTILS_KMOD", binary::build_static()?);
    process::run(&mut command)
}
