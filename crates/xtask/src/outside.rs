//! `cargo xtask outside`: builds the crate in tests/outside, which uses only the public surface of the library, and
//! runs it on a copy of a real module tree.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::{cargo, process, trees};

/// The tree that it runs on: its files are uncompressed, so that they are cheap to read.
pub(crate) const TREE: &str = "bookworm-cloud";

/// Builds and runs it.
///
/// # Errors
/// When it cannot be built, the tree is unavailable, or one of its checks fails.
pub(crate) fn run(cache: &Cache) -> Result<()> {
    let Some(tree) = trees::provide(cache, TREE)? else { bail!("the tree {TREE} is unavailable") };
    let target = cargo::target_directory().join("outside");
    let mut build = cargo::command();
    build.args(["build", "--locked", "--manifest-path", "tests/outside/Cargo.toml"]);
    cargo::check("the crate outside", build.arg("--target-dir").arg(&target))?;
    let copy = tempfile::tempdir().context("cannot make a directory for a copy of the tree")?;
    let modules = copy.path().join("modules");
    // Links to the kernel's sources point outside the tree, and only modules and lists are needed.
    process::run(
        Command::new("cp").args(["--recursive", "--no-dereference"]).arg(tree.modules()).arg(&modules),
    )?;
    process::run(Command::new(target.join("debug/outside")).arg(&modules))
}
