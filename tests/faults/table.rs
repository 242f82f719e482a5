//! Trials as a table: system calls by faults.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{FAULTS, StateAfter, Trial};

/// The meaning of the signs in a table.
pub const LEGEND: &str = "= done, no message   ~ done, with a message   ! refused with the cause, nothing changed   \
                          + ended by a signal, all files whole   x wrong";

/// The table: a line for each system call, a column for each fault, and in each field the number of trials with each result.
pub fn table(trials: &[Trial]) -> String {
    let mut counts: BTreeMap<(&str, &str), BTreeMap<char, usize>> = BTreeMap::new();
    let mut calls: Vec<&str> = trials.iter().map(|trial| trial.call).collect();
    calls.sort_unstable();
    calls.dedup();
    for trial in trials {
        *counts.entry((trial.call, trial.fault)).or_default().entry(sign(trial)).or_default() += 1;
    }
    let mut text = format!("{:16}", "system call");
    for (fault, _) in FAULTS {
        let _ = write!(text, " {fault:>12}");
    }
    text.push('\n');
    for call in calls {
        let _ = write!(text, "{call:16}");
        for (fault, _) in FAULTS {
            let field = counts.get(&(call, fault)).map_or_else(
                || "-".to_owned(),
                |signs| {
                    let parts: Vec<String> =
                        signs.iter().map(|(sign, count)| format!("{count}{sign}")).collect();
                    parts.join(" ")
                },
            );
            let _ = write!(text, " {field:>12}");
        }
        text.push('\n');
    }
    text
}

/// The results of the trials, summed up over all calls and faults, and the number of each kind of defect.
pub fn summary(trials: &[Trial]) -> String {
    let count = |wanted: char| trials.iter().filter(|trial| sign(trial) == wanted).count();
    let mut text = format!(
        "{} trials: {} done, {} done with a message, {} refused, {} ended by a signal with all files whole, {} wrong\n",
        trials.len(),
        count('='),
        count('~'),
        count('!'),
        count('+'),
        count('x'),
    );
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for trial in trials {
        let mut seen: Vec<&str> = trial.defects.iter().map(super::Defect::kind).collect();
        for kind in &seen {
            kinds.entry(kind).or_default().1 += 1;
        }
        seen.sort_unstable();
        seen.dedup();
        for kind in seen {
            kinds.entry(kind).or_default().0 += 1;
        }
    }
    for (kind, (trials, times)) in kinds {
        let _ = writeln!(text, "  {kind}: {times} in {trials} trials");
    }
    let mixed = trials.iter().filter(|trial| trial.left == StateAfter::Mixed).count();
    let _ = writeln!(text, "  old files next to new ones, each whole: {mixed} trials");
    text
}

/// The trials with defects, a line each.
pub fn defects(trials: &[Trial]) -> String {
    let mut text = String::new();
    for trial in trials.iter().filter(|trial| !trial.defects.is_empty()) {
        let _ = writeln!(
            text,
            "{} {} of {} ({}): {}, left {:?}, {:?}; stderr: {}",
            trial.fault,
            trial.nth,
            trial.call,
            trial.path,
            trial.status,
            trial.left,
            trial.defects,
            trial.stderr.trim_end()
        );
    }
    text
}

fn sign(trial: &Trial) -> char {
    match () {
        () if !trial.defects.is_empty() => 'x',
        () if trial.died() => '+',
        () if !trial.status.success() => '!',
        () if trial.stderr.is_empty() => '=',
        () => '~',
    }
}
