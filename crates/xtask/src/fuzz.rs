//! `cargo xtask fuzz`: the fuzz targets of `tests/fuzz`, each for its share of the time, on all processors.
//!
//! cargo-fuzz builds them with stable Rust: without a sanitizer it needs no unstable flag, and the library has no
//! unsafe code for one to watch. We run the programs it makes ourselves, to count their executions and their
//! processor time. What they learn is kept in the cache, in `fuzz/`: `corpus/` grows and is then reduced to the inputs
//! that reach something no other does, `seeds/` is rewritten from testkit, `findings/` keeps the inputs that a target
//! failed on, `logs/` its output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use wait4::Wait4;

use crate::cache::Cache;
use crate::packages::{self, CXX, OPENSSL};
use crate::{cargo, process, workspace};

/// How long each target runs in `cargo xtask test --full`.
const SMOKE: Duration = Duration::from_secs(30);

/// The target triple of the fuzz targets: cargo-fuzz names it, so that its flags leave build scripts alone.
const TARGET_TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// The options of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Options {
    /// For how many minutes to fuzz, all targets together
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Run only this target
    #[arg(long)]
    target: Option<String>,
}

/// The result of running one target.
#[derive(Clone)]
struct TargetResult {
    target: String,
    executions: Option<u64>,
    /// The places in the program that its inputs reach.
    coverage: Option<u64>,
    seconds: f64,
    corpus: usize,
    /// The inputs it failed on, or the log that shows why it ended.
    findings: Vec<PathBuf>,
}

/// Builds the targets, runs them, one at a time on each processor, and prints a table.
///
/// # Errors
/// When a target cannot be built, or has a finding.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut targets = targets()?;
    if let Some(name) = &options.target {
        targets.retain(|target| target == name);
    }
    let count = u32::try_from(targets.len().max(1))?;
    let at_once = u32::try_from(processors()?)?.min(count);
    let outcomes = run_each(&targets, Duration::from_secs(options.minutes * 60) * at_once / count)?;
    let findings: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    if findings > 0 {
        bail!("findings: {findings}");
    }
    Ok(())
}

/// Runs each target for a short time; returns how many passed and how many failed.
///
/// # Errors
/// When they cannot be built.
pub(crate) fn smoke() -> Result<(usize, usize)> {
    let outcomes = run_each(&targets()?, SMOKE)?;
    let passed = outcomes.iter().filter(|outcome| outcome.findings.is_empty()).count();
    Ok((passed, outcomes.len() - passed))
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let directory = workspace::root().join("tests/fuzz/fuzz_targets");
    let files = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut targets = Vec::new();
    for file in files {
        let path = file?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

fn run_each(targets: &[String], share: Duration) -> Result<Vec<TargetResult>> {
    if targets.is_empty() {
        bail!("no such target; there are: {}", self::targets()?.join(", "));
    }
    packages::need(&[CXX, OPENSSL])?;
    let place = Cache::open()?.root().join("fuzz");
    let programs = build()?;
    write_seeds(&place.join("seeds"))?;
    println!(
        "{:16} {:>12} {:>9} {:>9} {:>7} {:>9}",
        "target", "executions", "coverage", "CPU s", "corpus", "findings"
    );
    let waiting = Mutex::new(targets.iter());
    let work = || -> Result<Vec<TargetResult>> {
        let mut outcomes = Vec::new();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(target) = next else { return Ok(outcomes) };
            let outcome = run_one(target, &programs.join(target), &place, share)?;
            println!("{outcome}");
            outcomes.push(outcome);
        }
    };
    let workers: Vec<Result<Vec<TargetResult>>> = thread::scope(|scope| -> Result<_> {
        let workers: Vec<_> = (0..processors()?).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))).collect()
    })?;
    let outcomes = workers.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let executions: u64 = outcomes.iter().filter_map(|outcome| outcome.executions).sum();
    let seconds: f64 = outcomes.iter().map(|outcome| outcome.seconds).sum();
    println!("{:16} {executions:>12} {:>9} {seconds:>9.1}", "all", "");
    for finding in outcomes.iter().flat_map(|outcome| &outcome.findings) {
        println!("finding: {}", finding.display());
    }
    Ok(outcomes)
}

fn processors() -> Result<usize> {
    Ok(thread::available_parallelism()?.get())
}

/// Builds all targets and returns the directory of the programs.
fn build() -> Result<PathBuf> {
    if process::output(cargo::command().args(["fuzz", "--version"])).is_err() {
        eprintln!("cargo: installing cargo-fuzz");
        process::run(cargo::command().args(["install", "--quiet", "--locked", "cargo-fuzz"]))?;
    }
    let directory = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace::root().join("target"), PathBuf::from)
        .join("fuzz");
    let mut build = cargo::command();
    build.args([
        "fuzz",
        "build",
        "--fuzz-dir",
        "tests/fuzz",
        "--sanitizer",
        "none",
        "--target",
        TARGET_TRIPLE,
    ]);
    process::run(build.arg("--target-dir").arg(&directory).current_dir(workspace::root()))?;
    Ok(directory.join(TARGET_TRIPLE).join("release"))
}

/// Writes the seeds that are made from testkit.
fn write_seeds(directory: &Path) -> Result<()> {
    let mut seeds = cargo::command();
    seeds.args(["run", "--quiet", "--package", "modutils-tests", "--example", "fuzz-seeds", "--"]);
    process::run(seeds.arg(directory).current_dir(workspace::root()))
}

fn run_one(target: &str, program: &Path, place: &Path, time: Duration) -> Result<TargetResult> {
    let [corpus, findings] = ["corpus", "findings"].map(|kind| place.join(kind).join(target));
    let logs = place.join("logs");
    for directory in [&corpus, &findings, &logs] {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    let known = files(&findings)?;
    let log = logs.join(format!("{target}.log"));
    let mut command = Command::new(program);
    command
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        // With the memory of a target limited, a backtrace of its panic would not end.
        .env("RUST_BACKTRACE", "0")
        // A hang is a finding. An input that took long is none: the machine may have been busy with other work.
        .args(["-rss_limit_mb=1024", "-timeout=300", "-report_slow_units=300", "-print_final_stats=1"])
        .arg(format!("-max_len={}", max_length(target)))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg(&corpus);
    let seeds = [place.join("seeds").join(target), workspace::root().join("tests/fuzz/seeds").join(target)];
    command.args(seeds.iter().filter(|directory| directory.is_dir()));
    let output = File::create(&log).with_context(|| log.display().to_string())?;
    command.stdout(output.try_clone()?).stderr(output);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let used = child.wait4()?;
    let mut found = files(&findings)?;
    found.retain(|file| !known.contains(file));
    if !used.status.success() && found.is_empty() {
        found.push(log.clone());
    }
    if found.is_empty() {
        minimise(program, &corpus, target)?;
    }
    let output = fs::read(&log)?;
    Ok(TargetResult {
        target: target.to_owned(),
        executions: executions(&String::from_utf8_lossy(&output)),
        coverage: coverage(&String::from_utf8_lossy(&output)),
        seconds: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        corpus: files(&corpus)?.len(),
        findings: found,
    })
}

/// Keeps only those inputs of a corpus that add coverage: libFuzzer's merge into an empty directory, which then takes
/// the place of the old one.
fn minimise(program: &Path, corpus: &Path, target: &str) -> Result<()> {
    let parent = corpus.parent().context("a corpus without a directory around it")?;
    let merged = tempfile::Builder::new().prefix(".merge").tempdir_in(parent)?;
    let mut merge = Command::new(program);
    merge.args(["-merge=1", "-rss_limit_mb=1024", "-timeout=300", "-verbosity=0"]);
    merge.arg(format!("-max_len={}", max_length(target))).arg(merged.path()).arg(corpus);
    process::output(&mut merge).with_context(|| format!("the corpus of {target} cannot be minimised"))?;
    if files(merged.path())?.is_empty() && !files(corpus)?.is_empty() {
        bail!("the corpus of {target} would be empty");
    }
    let merged = merged.keep();
    fs::remove_dir_all(corpus).and_then(|()| fs::rename(&merged, corpus)).context("cannot replace the corpus")
}

/// The maximal length of an input: enough for a module with every kind of content.
fn max_length(target: &str) -> usize {
    if target.starts_with("module") { 16 << 10 } else { 4 << 10 }
}

/// Reads libFuzzer's `stat::number_of_executed_units: 123`.
fn executions(output: &str) -> Option<u64> {
    let line = output.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

/// Reads the last of libFuzzer's lines `#123 DONE cov: 45 ft: 67 …`.
fn coverage(output: &str) -> Option<u64> {
    let (_, after) = output.lines().rev().find_map(|line| line.split_once(" cov: "))?;
    after.split_whitespace().next()?.parse().ok()
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

impl std::fmt::Display for TargetResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, executions, coverage, seconds, corpus, findings } = self;
        let findings = findings.len();
        let [executions, coverage] = [executions, coverage]
            .map(|count| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string()));
        write!(f, "{target:16} {executions:>12} {coverage:>9} {seconds:>9.1} {corpus:>7} {findings:>9}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_only_from_the_final_statistics() {
        let output =
            "#4\tNEW cov: 3\nstat::number_of_executed_units: 71178\nstat::new_units_added:          1\n";
        assert_eq!(executions(output), Some(71178));
        assert_eq!(executions("#4\tNEW cov: 3\n"), None);
        assert_eq!(coverage("#4\tNEW    cov: 3 ft: 4\n#9\tDONE   cov: 17 ft: 20\nDone 9 runs\n"), Some(17));
        assert_eq!(coverage("INFO: Seed: 1\n"), None);
    }

    #[test]
    fn every_target_is_declared_and_every_text_seed_has_a_target() {
        let directory = workspace::root().join("tests/fuzz");
        let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        for target in &targets {
            assert!(
                manifest.contains(&format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"")),
                "{target}"
            );
        }
        for seeds in files(&directory.join("seeds")).unwrap() {
            let name = seeds.file_name().unwrap().to_string_lossy().into_owned();
            assert!(targets.contains(&name), "{name}");
        }
    }
}
