//! The stages of a test run: the line of each, and the count at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::mirror;
use crate::scenarios::{ScenarioResult, ScenarioVerdict};
use crate::{cargo, process};

/// A test that was skipped, wholly or in part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Skip {
    /// The test.
    name: String,
    /// What is unavailable, and why.
    cause: String,
}

/// How many tests passed and failed, and which were skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: Vec<Skip>,
    /// Tests that passed, but skipped a part.
    pub(crate) partly: Vec<Skip>,
}

impl Count {
    /// Removes from the passed tests the ones that report they were skipped, in lines of `whole` or `part`, the test's name and
    /// the cause, with tabs between them.
    pub(crate) fn count_skipped(&mut self, lines: &str) {
        for line in lines.lines() {
            let mut fields = line.splitn(3, '\t');
            let (Some(kind), Some(name), Some(cause)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let skip = Skip { name: name.to_owned(), cause: cause.to_owned() };
            if kind == "whole" {
                // libtest counts a test that returns as passed.
                self.passed = self.passed.saturating_sub(1);
                self.skipped.push(skip);
            } else {
                self.partly.push(skip);
            }
        }
    }
}

impl From<Vec<ScenarioResult>> for Count {
    /// Each scenario counts as a test.
    fn from(outcomes: Vec<ScenarioResult>) -> Count {
        let mut count = Count::default();
        for outcome in outcomes {
            match outcome.verdict {
                ScenarioVerdict::Passed => count.passed += 1,
                ScenarioVerdict::Failed => count.failed += 1,
                ScenarioVerdict::Skipped(cause) => count.skipped.push(Skip { name: outcome.name, cause }),
            }
        }
        count
    }
}

/// The stages that have been run.
pub(crate) struct Stages {
    start: Instant,
    /// Whether a skipped test counts as failed.
    full: bool,
    total: Count,
    failed: Vec<&'static str>,
    omitted: Vec<String>,
}

impl Stages {
    pub(crate) fn new(full: bool) -> Stages {
        Stages {
            start: Instant::now(),
            full,
            total: Count::default(),
            failed: Vec::new(),
            omitted: Vec::new(),
        }
    }

    /// Runs a stage without tests.
    pub(crate) fn check(&mut self, name: &'static str, stage: impl FnOnce() -> Result<()>) {
        self.value(name, stage);
    }

    /// Runs a stage that returns a value; `None` if it failed.
    pub(crate) fn value<T>(&mut self, name: &'static str, stage: impl FnOnce() -> Result<T>) -> Option<T> {
        let mut value = None;
        self.tests(name, || {
            value = Some(stage()?);
            Ok(Count::default())
        });
        value
    }

    /// Runs a stage of tests.
    pub(crate) fn tests(&mut self, name: &'static str, stage: impl FnOnce() -> Result<Count>) {
        println!("      {name} …");
        let start = Instant::now();
        let result = stage();
        let elapsed = start.elapsed();
        let mut count = result.unwrap_or_else(|error| {
            println!("{error:#}");
            // A stage that could not finish counts as one failure: the last line must not show zero failures.
            Count { failed: 1, ..Count::default() }
        });
        if self.full {
            let skips =
                std::mem::take(&mut count.skipped).into_iter().chain(std::mem::take(&mut count.partly));
            for skip in skips {
                println!("      {} would be skipped, which --full does not allow: {}", skip.name, skip.cause);
                count.failed += 1;
            }
        }
        self.add(name, elapsed, count);
    }

    /// Counts a stage that could not be run as one failure.
    pub(crate) fn not_run(&mut self, name: &'static str, cause: &str) {
        println!("      not run: {name}: {cause}");
        self.add(name, Duration::ZERO, Count { failed: 1, ..Count::default() });
    }

    /// Lists at the end what was not requested.
    pub(crate) fn omit(&mut self, what: &str, how: &str) {
        self.omitted.push(format!("{what}: {how}"));
    }

    fn add(&mut self, name: &'static str, elapsed: Duration, count: Count) {
        let word = if count.failed == 0 { "ok" } else { "FAIL" };
        let seconds = elapsed.as_secs_f64();
        let tests = match (count.passed + count.failed, count.skipped.len()) {
            (0, 0) => String::new(),
            (_, 0) => format!("   {} passed, {} failed", count.passed, count.failed),
            (_, skipped) => format!("   {} passed, {} failed, {skipped} skipped", count.passed, count.failed),
        };
        println!("{word:4}  {name:44} {seconds:7.1} s{tests}");
        if count.failed > 0 {
            self.failed.push(name);
        }
        self.total.passed += count.passed;
        self.total.failed += count.failed;
        self.total.skipped.extend(count.skipped);
        self.total.partly.extend(count.partly);
    }

    /// The last lines: what was skipped and omitted, what it took, and the count.
    ///
    /// # Errors
    /// When a stage failed.
    pub(crate) fn finish(self, cache: Option<&Cache>) -> Result<()> {
        println!();
        for (title, skips) in [("skipped", &self.total.skipped), ("without a part", &self.total.partly)] {
            let mut by_cause: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for skip in skips {
                by_cause.entry(&skip.cause).or_default().push(&skip.name);
            }
            for (cause, names) in by_cause {
                println!("{title}: {cause}");
                names.iter().for_each(|name| println!("    {name}"));
            }
        }
        for one in &self.omitted {
            println!("omitted: {one}");
        }
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{}", self.cost(cache));
        let Count { passed, failed, skipped, .. } = &self.total;
        println!("{passed} passed, {failed} failed, {} skipped", skipped.len());
        if *failed > 0 {
            bail!("{} failed", self.failed.join(", "));
        }
        Ok(())
    }

    /// The time, what was downloaded, and the size of the cache.
    fn cost(&self, cache: Option<&Cache>) -> String {
        let seconds = self.start.elapsed().as_secs();
        let mut text = format!("{} min {} s", seconds / 60, seconds % 60);
        if let Some(cache) = cache {
            let downloaded = mirror::received() as f64 / 1e6;
            text.push_str(&format!(", {downloaded:.0} MB downloaded from the mirror"));
            for (what, directory) in [("cache", cache.root()), ("target", &cargo::target_directory())] {
                if let Some(size) = process::disk_usage(directory) {
                    text.push_str(&format!(", {what} {size:.1} GB"));
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_breaks_counts_as_a_failure_and_fails_the_run() {
        let mut stages = Stages::new(false);
        stages.tests("fine", || Ok(Count { passed: 2, ..Count::default() }));
        stages.check("broken", || bail!("no"));
        stages.not_run("never begun", "broken");
        assert_eq!((stages.total.passed, stages.total.failed), (2, 2));
        assert_eq!(stages.failed, ["broken", "never begun"]);
        assert!(stages.finish(None).is_err());
    }

    #[test]
    fn a_skipped_test_does_not_pass_and_with_full_it_fails() {
        let count = || {
            let mut count = Count { passed: 3, ..Count::default() };
            count.count_skipped("whole\ta::b\tno tree\npart\tc\tno other tree\n");
            assert_eq!((count.passed, count.skipped.len(), count.partly.len()), (2, 1, 1));
            Ok(count)
        };
        let mut stages = Stages::new(false);
        stages.tests("tests", count);
        assert_eq!((stages.total.passed, stages.total.failed, stages.total.skipped.len()), (2, 0, 1));
        assert!(stages.finish(None).is_ok());
        let mut stages = Stages::new(true);
        stages.tests("tests", count);
        assert_eq!((stages.total.passed, stages.total.failed, stages.total.skipped.len()), (2, 2, 0));
        assert!(stages.finish(None).is_err());
    }
}
