//! `cargo xtask bench`: compares our static binary with the packaged kmod, on the same trees, in one run.
//!
//! Each row is measured in pairs, one run of each side, in alternating order and with a warm page cache; the result is
//! the median of the pairs' ratios. A row fails only if it cannot be measured, whatever the speed of the machine.

mod cases;
mod chart;
mod figures;
mod growth;
mod instructions;
mod loading;
mod measure;
mod table;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use self::cases::BenchCase;
use self::growth::Growth;
use self::measure::{Runs, ToolCall};
use self::table::ResultRow;
use self::world::{BenchRoots, BenchSide, version};
use crate::binary;
use crate::cache::Cache;

/// The environment variable with the binary to measure, for the measuring process, which cannot load modules.
const BINARY_VARIABLE: &str = "MODUTILS_BENCH_BINARY";

/// The row about the number of modules.
const GROWTH: &str = "depmod's growth";

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
    /// Draw the growth there (default: growth.svg in the cache)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The static binary to measure (default: the one that `cargo xtask dist` builds, built now)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| row.contains(only.as_str()))
    }

    fn wants_case(&self, case: &BenchCase) -> bool {
        self.wants(&case.name)
            || (case.memory.is_some() && self.wants(&format!("peak memory of {}", case.name)))
    }

    /// How many pairs to measure in an emulated machine, which is slow.
    fn rounds(&self) -> usize {
        self.runs.unwrap_or(if self.quick { 2 } else { 6 })
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
/// When the trees or tools are unavailable, or a row cannot be measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    let Some(binary) = std::env::var_os(BINARY_VARIABLE).map(PathBuf::from) else {
        return confine(options);
    };
    let plan = Plan::of(options)?;
    let cache = Cache::open()?;
    let world = BenchRoots::new(&cache, &binary)?;
    plan.prepare(&cache, &world)?;
    let results = plan.measure(&world, options.runs(), || loading::rows(&cache, &binary, options.rounds()));
    if let Some(growth) = results.growth.as_ref().filter(|growth| !growth.points.is_empty()) {
        let path = options.svg.clone().unwrap_or_else(|| cache.root().join("growth.svg"));
        write(&path, &chart::draw(growth))?;
        println!("growth: {}", path.display());
    }
    if let Some(path) = &options.json {
        write(path, &(serde_json::to_string_pretty(&results.json()?)? + "\n"))?;
    }
    let failed = results.rows.iter().filter(|row| row.result.is_err()).count();
    if failed > 0 {
        bail!("{failed} rows could not be measured");
    }
    Ok(())
}

/// The measurements to make.
struct Plan {
    cases: Vec<BenchCase>,
    counts: Vec<(String, ToolCall)>,
    loading: bool,
    growth: bool,
}

/// The results of all measurements.
struct Results {
    rows: Vec<ResultRow>,
    growth: Option<Growth>,
}

impl Plan {
    /// The selected rows.
    fn of(options: &Options) -> Result<Plan> {
        let growth = options.wants(GROWTH);
        let cases: Vec<BenchCase> =
            cases::all().into_iter().filter(|case| options.wants_case(case)).collect();
        let mut counts = instructions::rows();
        counts.retain(|(name, _)| options.wants(name));
        let loading = loading::names().any(|name| options.wants(name));
        if cases.is_empty() && counts.is_empty() && !loading && !growth {
            let names = cases::all().into_iter().map(|case| case.name);
            let names = names.chain(instructions::rows().into_iter().map(|(name, _)| name));
            let names = names.chain(loading::names().map(str::to_owned));
            bail!("no such row; there are:\n{}\n{GROWTH}", names.collect::<Vec<_>>().join("\n"));
        }
        if !counts.is_empty() && !testkit::callgrind::is_installed() {
            eprintln!("bench: instructions are counted where callgrind is installed (the package valgrind)");
            counts.clear();
        }
        Ok(Plan { cases, counts, loading, growth })
    }

    /// Copies the required trees into the roots, and indexes them with both sides.
    fn prepare(&self, cache: &Cache, world: &BenchRoots) -> Result<()> {
        let mut trees: BTreeSet<&str> =
            self.cases.iter().flat_map(|case| case.trees.iter().copied()).collect();
        if self.growth || !self.counts.is_empty() {
            trees.insert(cases::PLAIN);
        }
        if !self.counts.is_empty() {
            trees.insert(cases::LOOKUP_TREE);
        }
        for tree in trees {
            eprintln!("bench: {tree}");
            world.add_tree(cache, tree)?;
            let depmod = ToolCall::new("depmod", &[&version(tree)]);
            measure::output(world, BenchSide::Ours, &depmod)?;
            // The packaged kmod cannot read gzip.
            if tree != cases::GZ {
                measure::output(world, BenchSide::Theirs, &depmod)?;
                world.check_indexes(tree)?;
            }
        }
        if !self.counts.is_empty() {
            instructions::prepare(world)?;
        }
        world::flush_writes()
    }

    /// Measures and prints row by row.
    fn measure(&self, world: &BenchRoots, runs: Runs, loading: impl FnOnce() -> Vec<ResultRow>) -> Results {
        let mut rows = Vec::new();
        let mut add = |row: ResultRow| {
            println!("{}", row.line());
            rows.push(row);
        };
        println!("{}", ResultRow::head());
        self.cases.iter().flat_map(|case| measured(world, case, runs)).for_each(&mut add);
        self.counts.iter().map(|(name, call)| counted(world, name, call)).for_each(&mut add);
        if self.loading {
            loading().into_iter().for_each(&mut add);
        }
        let growth = self.growth.then(|| {
            let mut growth = Growth::default();
            for modules in growth::SIZES {
                let name = format!("{GROWTH}, {modules} modules");
                match growth::measure(world, modules, runs) {
                    Ok(pairs) => {
                        add(ResultRow::of_times(&name, None, &pairs));
                        growth.add(modules, &pairs);
                    }
                    Err(error) => add(ResultRow::failed(&name, None, error)),
                }
            }
            for (side, name) in [(BenchSide::Ours, "ours"), (BenchSide::Theirs, "kmod 34.2")] {
                println!("{GROWTH} of {name}: {}", growth.describe(side).unwrap_or_default());
            }
            growth
        });
        Results { rows, growth }
    }
}

impl Results {
    /// The results as JSON.
    fn json(&self) -> Result<serde_json::Value> {
        let rows: Vec<_> = self.rows.iter().map(ResultRow::json).collect();
        let growth = self.growth.as_ref().map(Growth::json);
        Ok(json!({ "machine": machine()?, "rows": rows, "growth": growth }))
    }
}

/// Finds or builds the binary, and restarts this program without the capability to load modules, in case a tool tries to.
fn confine(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => fs::canonicalize(binary).with_context(|| binary.display().to_string())?,
        None => binary::build_static()?,
    };
    let mut again = Command::new("setpriv");
    again.args(["--bounding-set=-sys_module", "--inh-caps=-sys_module"]);
    again.arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(BINARY_VARIABLE, binary);
    Err(again.exec()).context("setpriv, of the package util-linux, is missing")
}

/// The rows of a case.
fn measured(world: &BenchRoots, case: &BenchCase, runs: Runs) -> Vec<ResultRow> {
    let pairs = match pairs(world, case, runs) {
        Ok(pairs) => pairs,
        Err(error) => return vec![ResultRow::failed(&case.name, case.limit, error)],
    };
    let mut rows = vec![ResultRow::of_times(&case.name, case.limit, &pairs)];
    rows.extend(case.memory.map(|limit| ResultRow::of_memory(&case.name, limit, &pairs)));
    rows
}

fn pairs(world: &BenchRoots, case: &BenchCase, runs: Runs) -> Result<Vec<figures::CostPair>> {
    let [ours, theirs] = (case.calls)(world)?;
    let outputs = [
        measure::output(world, BenchSide::Ours, &ours)?,
        measure::output(world, BenchSide::Theirs, &theirs)?,
    ];
    if case.same_output && outputs[0] != outputs[1] {
        bail!("the outputs of both sides differ");
    }
    measure::pairs(world, [&ours, &theirs], runs, |side| case.before.act(world, side))
}

/// The row of a command's instructions.
fn counted(world: &BenchRoots, name: &str, call: &ToolCall) -> ResultRow {
    let count = |side| instructions::count(world, side, call);
    match count(BenchSide::Ours).and_then(|ours| Ok([ours, count(BenchSide::Theirs)?])) {
        Ok(counts) => ResultRow::of_counts(name, counts),
        Err(error) => ResultRow::failed(name, None, error),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The machine of the measurement.
fn machine() -> Result<serde_json::Value> {
    let processors = std::thread::available_parallelism()?.get();
    let information = fs::read_to_string("/proc/cpuinfo")?;
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(json!({ "processors": processors, "model": model.map(|(_, name)| name), "kernel": kernel.trim_end() }))
}
