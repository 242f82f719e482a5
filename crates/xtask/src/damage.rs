//! `cargo xtask damage`: damaged modules, indexes and texts for the tools to read, more of them than the tests try.
//!
//! What is damaged, and what the tools must not do, is in `tests/damage`; a seed decides it all.

use anyhow::Result;
use clap::Args;

use crate::cache::Cache;
use crate::packages::{self, VALGRIND};
use crate::{binary, cargo, process, reference, trees};

/// The options of `cargo xtask damage`.
#[derive(Args)]
pub(crate) struct Options {
    /// How many damaged files
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    runs: usize,
    /// What decides the damage; the clock, unless it is given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Repeat this one case of the seed, and leave its files
    #[arg(long, value_name = "NUMBER", requires = "seed")]
    only: Option<usize>,
    /// Have the packaged kmod read the same files, and show what it does
    #[arg(long)]
    reference: bool,
    /// Only the table of what inputs cost that are made to cost much
    #[arg(long, conflicts_with_all = ["seed", "only"])]
    cost: bool,
}

/// Runs the static binary on damaged files and prints a table of what it did, then on inputs that are made to cost much.
///
/// # Errors
/// When it did something wrong: the message names each case and how to repeat it; or when an input cost too much.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    reference::provide(&cache, "kmod34")?;
    if !options.cost {
        damage(options, &cache)?;
    }
    if options.only.is_none() {
        cost(&cache)?;
    }
    Ok(())
}

/// Measures what inputs cost that amplify, in three sizes, and prints a table.
fn cost(cache: &Cache) -> Result<()> {
    packages::need(&[VALGRIND])?;
    let mut command = cargo::command();
    command
        .args(["run", "--quiet", "--package", "modutils-tests", "--bin", "cost"])
        .env("MODUTILS_CACHE", cache.root())
        .env("MODUTILS_KMOD", binary::build_static()?);
    process::run(&mut command)
}

fn damage(options: &Options, cache: &Cache) -> Result<()> {
    for name in trees::names() {
        trees::provide(cache, name)?;
    }
    let mut tests = cargo::command();
    tests
        .args(["test", "--quiet", "--package", "modutils-tests", "--test", "damage", "clocks_seed"])
        .args(["--", "--nocapture"])
        .env("MODUTILS_KMOD", binary::build_static()?)
        .env("MODUTILS_CACHE", cache.root())
        .env("MODUTILS_DAMAGE_RUNS", options.runs.to_string());
    for (variable, value) in [("SEED", options.seed), ("ONLY", options.only.map(|only| only as u64))] {
        if let Some(value) = value {
            tests.env(format!("MODUTILS_DAMAGE_{variable}"), value.to_string());
        }
    }
    if options.reference {
        tests.env("MODUTILS_DAMAGE_REFERENCE", "1");
    }
    process::run(&mut tests)
}
