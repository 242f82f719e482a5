//! `cargo xtask faults`: how the tools behave when one of their system calls fails, as a table.

use anyhow::Result;
use clap::Args;

use crate::cache::Cache;
use crate::{binary, cargo, process, reference, trees};

/// The options of `cargo xtask faults`.
#[derive(Args)]
pub(crate) struct Options {
    /// Test the packaged kmod 34.2 instead of our tools
    #[arg(long)]
    reference: bool,
    /// Only the ladders of address space
    #[arg(long, conflicts_with = "reference")]
    memory: bool,
    /// Only depmod killed at any moment, and with lookups beside it
    #[arg(long, conflicts_with_all = ["reference", "memory"])]
    rewrites: bool,
}

/// Makes each system call of depmod, insmod, modprobe and rmmod in turn fail, transfer less than asked, or end the
/// process, and prints the state afterwards; then runs the tools under one limit of address space after the other, kills
/// depmod at any moment, and looks up beside it.
///
/// # Errors
/// When the reference is unavailable, the binary cannot be built, or one of our tools did wrong.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    // Both run with the reference's C library and shell.
    reference::provide(&cache, "kmod34")?;
    trees::provide(&cache, "trixie-cloud")?;
    let mut command = cargo::command();
    command
        .args(["run", "--quiet", "--package", "modutils-tests", "--bin", "faults", "--"])
        .args(options.reference.then_some("--reference"))
        .args(options.memory.then_some("--memory"))
        .args(options.rewrites.then_some("--rewrites"))
        .env("MODUTILS_CACHE", cache.root())
        .env("MODUTILS_KMOD", binary::build_static()?);
    process::run(&mut command)
}
