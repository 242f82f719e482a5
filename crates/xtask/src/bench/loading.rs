//! Loading real modules: a scenario does that in an emulated machine with two processors, and reports how long each side
//! took. The machine's clock has hundredths of seconds.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::figures::{Cost, CostPair};
use super::table::ResultRow;
use crate::cache::Cache;
use crate::guest::Tools;
use crate::scenarios::{self, ExtraModules, ScenarioRun};
use crate::{trees, workspace};

/// The scenario, and the rows of its times: the name, our label, and the limit.
const SCENARIO: &str = "load-many";
const ROWS: [(&str, &str, Option<f64>); 2] = [
    ("loading 60 modules in QEMU, in sequence", "in sequence", Some(1.0)),
    ("loading 60 modules in QEMU, -j 2", "-j 2", None),
];
const PACKAGED: &str = "packaged";

/// The kernel, and another one for the scenarios' other modules.
const KERNEL: &str = "trixie-cloud";
const OTHER: &str = "bookworm-cloud";

/// The rows' names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(name, ..)| *name)
}

/// Boots the machine and measures this many rounds.
pub(super) fn rows(cache: &Cache, binary: &Path, rounds: usize) -> Vec<ResultRow> {
    let report = report(cache, binary, rounds);
    let row = |&(name, label, limit): &(&str, &str, Option<f64>)| match &report {
        Ok(line) => match pairs(line, label) {
            Some(pairs) => ResultRow::of_times(name, limit, &pairs),
            None => ResultRow::failed(
                name,
                limit,
                anyhow::anyhow!("the scenario reports no times for {label}: {line}"),
            ),
        },
        Err(error) => ResultRow::failed(name, limit, anyhow::anyhow!("{error:#}")),
    };
    ROWS.iter().map(row).collect()
}

/// Runs the scenario and returns what it reports.
fn report(cache: &Cache, binary: &Path, rounds: usize) -> Result<String> {
    let tree = |name: &str| trees::provide(cache, name)?.context("no such tree");
    let (kernel, other) = (tree(KERNEL)?, tree(OTHER)?);
    let outcomes = scenarios::run(
        cache,
        &ScenarioRun {
            workspace: &workspace::root(),
            tree: &kernel,
            extra: ExtraModules::Variants(Ok(&other)),
            tools: Tools::Ours(binary),
            only: Some(SCENARIO),
            // The kernel passes unknown parameters to init's environment.
            parameters: &format!("rounds={rounds}"),
            accelerator: "tcg",
        },
    )?;
    let outcome = outcomes.into_iter().find(|outcome| outcome.name == SCENARIO).context("it did not run")?;
    if !outcome.passed() {
        bail!("the scenario {SCENARIO} failed");
    }
    outcome.log.into_iter().find(|line| line.starts_with("= ")).context("the scenario reports nothing")
}

/// The pairs of a label's times and the packaged kmod's.
fn pairs(report: &str, label: &str) -> Option<Vec<CostPair>> {
    let times = |label: &str| -> Option<Vec<f64>> {
        let (_, rest) = report.split_once(label)?;
        rest.split(',').next()?.split_whitespace().map(|word| word.parse().ok()).collect()
    };
    let cost = |wall| Cost { wall, ..Cost::default() };
    let (ours, theirs) = (times(label)?, times(PACKAGED)?);
    let pairs = ours
        .into_iter()
        .zip(theirs)
        .map(|(ours, theirs)| CostPair { ours: cost(ours), theirs: cost(theirs) });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_that_the_scenario_reports_are_paired() {
        let report = "= 71 modules, seconds in sequence 1.50 2.00, -j 2 1.00 1.25, packaged 2.00 2.50";
        let walls = |label| -> Vec<(f64, f64)> {
            pairs(report, label).unwrap().iter().map(|pair| (pair.ours.wall, pair.theirs.wall)).collect()
        };
        assert_eq!(walls("in sequence"), [(1.5, 2.0), (2.0, 2.5)]);
        assert_eq!(walls("-j 2"), [(1.0, 2.0), (1.25, 2.5)]);
        assert!(pairs(report, "-j 3").is_none());
    }
}
