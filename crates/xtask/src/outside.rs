//! `cargo xtask outside`: the crate in tests/outside, which uses what the library makes public and nothing else, built
//! and run on a copy of a real module tree.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::{cargo, process, trees};

/// The tree that it runs on: its files are plain, so that the copy costs little to read.
pub(crate) const TREE: &str = "bookworm-cloud";

/// Builds and runs it.
///
/// # Errors
/// When it cannot be built, the tree cannot be had, or one of its checks fails.
pub(crate) fn run(cache: &Cache) -> Result<()> {
    let Some(tree) = trees::provide(cache, TREE)? else { bail!("the tree {TREE} cannot be had") };
    let target = cargo::target_directory().join("outside");
    let mut build = cargo::command();
    build.args(["build", "--locked", "--manifest-path", "tests/outside/Cargo.toml"]);
    cargo::check("the crate outside", build.arg("--target-dir").arg(&target))?;
    let copy = tempfile::tempdir().context("cannot make a directory for a copy of the tree")?;
    let modules = copy.path().join("modules");
    // Links to the kernel's sources lead out of the tree; modules and lists are all that counts.
    process::run(
        Command::new("cp").args(["--recursive", "--no-dereference"]).arg(tree.modules()).arg(&modules),
    )?;
    process::run(Command::new(target.join("debug/outside")).arg(&modules))
}
