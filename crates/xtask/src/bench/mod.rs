//! `cargo xtask bench`: our static binary beside the packaged kmod, on the same trees, in one run.
//!
//! Each row is measured in pairs, one run of each side, in alternating order and with a warm page cache; what counts is
//! the median of the pairs' ratios. A row fails only when it can't be measured: how fast a machine is decides nothing.

mod cases;
mod figures;
mod measure;
mod table;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use self::cases::Case;
use self::measure::{Call, Runs};
use self::table::Row;
use self::world::{Side, World, version};
use crate::cache::Cache;
use crate::{dist, process};

/// Names the binary to measure to the process that measures, which can't load modules.
const CONFINED: &str = "MODUTILS_BENCH_BINARY";

/// The options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Measure only rows whose names contain this (may be given several times)
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Fewer pairs: for a first look
    #[arg(long)]
    quick: bool,
    /// This many pairs of each row
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Write the results there, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The static binary to measure (default: the one that `cargo xtask dist` builds, built now)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| row.contains(only.as_str()))
    }

    fn wants_case(&self, case: &Case) -> bool {
        self.wants(&case.name)
            || (case.memory.is_some() && self.wants(&format!("peak memory of {}", case.name)))
    }

    fn runs(&self) -> Runs {
        match self.runs {
            Some(number) => Runs::Exactly(number.max(1)),
            None => Runs::For(Duration::from_secs(if self.quick { 3 } else { 12 })),
        }
    }
}

/// Measures and prints.
///
/// # Errors
/// When the trees or tools can't be had, or a row can't be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    let Some(binary) = std::env::var_os(CONFINED).map(PathBuf::from) else { return confine(options) };
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| options.wants_case(case)).collect();
    if cases.is_empty() {
        let names: Vec<String> = cases::all().into_iter().map(|case| case.name).collect();
        bail!("no such row; there are:\n{}", names.join("\n"));
    }
    let cache = Cache::open()?;
    let world = World::new(&cache, &binary)?;
    prepare(&cache, &world, &cases)?;
    println!("{}", Row::head());
    let mut rows = Vec::new();
    for case in &cases {
        for row in measured(&world, case, options) {
            println!("{}", row.line());
            rows.push(row);
        }
    }
    if let Some(path) = &options.json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "machine": machine()?, "rows": rows }))?;
        fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    let failed = rows.iter().filter(|row| row.result.is_err()).count();
    if failed > 0 {
        bail!("{failed} rows could not be measured");
    }
    Ok(())
}

/// Finds or builds the binary, and goes on as a process that can't load modules, whatever a tool does by mistake.
fn confine(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => fs::canonicalize(binary).with_context(|| binary.display().to_string())?,
        None => dist::static_binary()?,
    };
    let mut again = Command::new("setpriv");
    again.args(["--bounding-set=-sys_module", "--inh-caps=-sys_module"]);
    again.arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(CONFINED, binary);
    Err(again.exec()).context("setpriv, of the package util-linux, is missing")
}

/// Brings the trees that the cases need, and has both sides index them.
fn prepare(cache: &Cache, world: &World, cases: &[Case]) -> Result<()> {
    let trees: BTreeSet<&str> = cases.iter().flat_map(|case| case.trees.iter().copied()).collect();
    for tree in &trees {
        eprintln!("bench: {tree}");
        world.bring(cache, tree)?;
        let depmod = Call::new("depmod", &[&version(tree)]);
        measure::output(world, Side::Ours, &depmod)?;
        // The packaged one can't read gzip.
        if *tree != cases::GZ {
            measure::output(world, Side::Theirs, &depmod)?;
            world.check_indexes(tree)?;
        }
    }
    // What is still to be written would be written while we measure.
    process::run(&mut Command::new("sync"))
}

/// The rows of a case.
fn measured(world: &World, case: &Case, options: &Options) -> Vec<Row> {
    let pairs = match pairs(world, case, options.runs()) {
        Ok(pairs) => pairs,
        Err(error) => return vec![Row::failed(&case.name, case.limit, error)],
    };
    let mut rows = vec![Row::of_times(&case.name, case.limit, &pairs)];
    rows.extend(case.memory.map(|limit| Row::of_memory(&case.name, limit, &pairs)));
    rows
}

fn pairs(world: &World, case: &Case, runs: Runs) -> Result<Vec<figures::Pair>> {
    let [ours, theirs] = (case.calls)(world)?;
    let said = [measure::output(world, Side::Ours, &ours)?, measure::output(world, Side::Theirs, &theirs)?];
    if case.same_output && said[0] != said[1] {
        bail!("the sides print different things");
    }
    measure::pairs(world, [&ours, &theirs], runs, |side| case.before.act(world, side))
}

/// What the figures hold for.
fn machine() -> Result<serde_json::Value> {
    let processors = std::thread::available_parallelism()?.get();
    let information = fs::read_to_string("/proc/cpuinfo")?;
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(json!({ "processors": processors, "model": model.map(|(_, name)| name), "kernel": kernel.trim_end() }))
}
