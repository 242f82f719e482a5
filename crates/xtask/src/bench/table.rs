//! The results: a table as text, and JSON.

use anyhow::Result;
use serde_json::{Value, json};

use super::figures::{CostPair, Summary};

/// The unit of a row's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    Seconds,
    Bytes,
    Instructions,
}

/// A row: what was measured, or why it wasn't.
pub(super) struct ResultRow {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) limit: Option<f64>,
    pub(super) result: Result<Measurement>,
}

/// The numbers of a row.
pub(super) struct Measurement {
    pub(super) pairs: usize,
    pub(super) summary: Summary,
    /// The processor's time, where that is meaningful.
    pub(super) cpu: Option<Summary>,
}

impl ResultRow {
    /// The row of a case's times.
    pub(super) fn of_times(name: &str, limit: Option<f64>, pairs: &[CostPair]) -> ResultRow {
        let cpu = Summary::of(pairs, |cost| cost.cpu).filter(|cpu| cpu.ratio.is_finite());
        ResultRow::new(name, Unit::Seconds, limit, Summary::of(pairs, |cost| cost.wall), cpu, pairs.len())
    }

    /// The row of a case's peak memory.
    pub(super) fn of_memory(name: &str, limit: f64, pairs: &[CostPair]) -> ResultRow {
        let summary = Summary::of(pairs, |cost| cost.peak);
        ResultRow::new(
            &format!("peak memory of {name}"),
            Unit::Bytes,
            Some(limit),
            summary,
            None,
            pairs.len(),
        )
    }

    /// The row of instructions, which are counted once.
    pub(super) fn of_counts(name: &str, [ours, theirs]: [f64; 2]) -> ResultRow {
        let ratio = ours / theirs;
        let summary = Summary { ours, theirs, ratio, quartiles: (ratio, ratio) };
        ResultRow::new(name, Unit::Instructions, None, Some(summary), None, 1)
    }

    /// A row that could not be measured.
    pub(super) fn failed(name: &str, limit: Option<f64>, error: anyhow::Error) -> ResultRow {
        ResultRow { name: name.to_owned(), unit: Unit::Seconds, limit, result: Err(error) }
    }

    fn new(
        name: &str,
        unit: Unit,
        limit: Option<f64>,
        summary: Option<Summary>,
        cpu: Option<Summary>,
        pairs: usize,
    ) -> ResultRow {
        let result = summary
            .map(|summary| Measurement { pairs, summary, cpu })
            .ok_or_else(|| anyhow::anyhow!("no pairs"));
        ResultRow { name: name.to_owned(), unit, limit, result }
    }

    /// The header of the table.
    pub(super) fn head() -> String {
        format!(
            "{:44} {:>5} {:>11} {:>11}  {:>6} {:15} {:>6} {:>5}  {:>8}",
            "", "pairs", "ours", "kmod 34.2", "ratio", "(quartiles)", "limit", "holds", "cpu"
        )
    }

    /// The row as text.
    pub(super) fn line(&self) -> String {
        let measured = match &self.result {
            Ok(measured) => measured,
            Err(error) => return format!("{:44} not measured: {error:#}", self.name),
        };
        let Summary { ours, theirs, ratio, quartiles } = measured.summary;
        let [ours, theirs] = [ours, theirs].map(|value| self.unit.show(value));
        let quartiles = format!("({:.3}–{:.3})", quartiles.0, quartiles.1);
        let (limit, holds) = match self.limit {
            Some(limit) => (format!("{limit:.2}"), if ratio <= limit { "yes" } else { "NO" }),
            None => (String::new(), ""),
        };
        let cpu = measured.cpu.map(|cpu| format!("{:.3}", cpu.ratio)).unwrap_or_default();
        let line = format!(
            "{:44} {:>5} {ours:>11} {theirs:>11}  {ratio:>6.3} {quartiles:15} {limit:>6} {holds:>5}  {cpu:>8}",
            self.name, measured.pairs
        );
        line.trim_end().to_owned()
    }

    /// The row as JSON.
    pub(super) fn json(&self) -> Value {
        let unit = match self.unit {
            Unit::Seconds => "s",
            Unit::Bytes => "B",
            Unit::Instructions => "instructions",
        };
        let mut row = json!({ "name": self.name, "unit": unit, "limit": self.limit });
        match &self.result {
            Ok(measured) => {
                let Summary { ours, theirs, ratio, quartiles } = measured.summary;
                row["pairs"] = json!(measured.pairs);
                row["ours"] = json!(ours);
                row["kmod"] = json!(theirs);
                row["ratio"] = json!(ratio);
                row["ratio_quartiles"] = json!([quartiles.0, quartiles.1]);
                row["holds"] = json!(self.limit.map(|limit| ratio <= limit));
                row["cpu_ratio"] = json!(measured.cpu.map(|cpu| cpu.ratio));
            }
            Err(error) => row["error"] = json!(format!("{error:#}")),
        }
        row
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => format!("{:.2} ms", value * 1e3),
            Unit::Bytes => format!("{:.1} MiB", value / 1_048_576.0),
            Unit::Instructions => format!("{:.3} M", value / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Cost;

    fn pairs() -> Vec<CostPair> {
        let cost = |wall, peak| Cost { wall, cpu: wall, peak };
        vec![CostPair { ours: cost(0.1, 2e6), theirs: cost(0.4, 4e6) }; 3]
    }

    #[test]
    fn a_row_shows_whether_its_limit_holds() {
        for (limit, word, holds) in [(0.30, " yes ", true), (0.20, " NO ", false)] {
            let row = ResultRow::of_times("depmod", Some(limit), &pairs());
            assert!(row.line().contains(word) && row.line().contains("0.250"), "{}", row.line());
            assert_eq!(row.json()["holds"], json!(holds));
            assert_eq!((row.json()["ours"].clone(), row.json()["kmod"].clone()), (json!(0.1), json!(0.4)));
        }
        let row = ResultRow::of_memory("depmod", 1.0, &pairs());
        assert_eq!((row.json()["unit"].clone(), row.json()["ratio"].clone()), (json!("B"), json!(0.5)));
    }

    #[test]
    fn a_row_that_could_not_be_measured_shows_why() {
        let row = ResultRow::failed("depmod -j 1", None, anyhow::anyhow!("unknown option"));
        assert!(row.line().ends_with("not measured: unknown option"));
        assert_eq!(row.json()["error"], json!("unknown option"));
    }
}
