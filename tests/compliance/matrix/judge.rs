//! Runs a case on both sides and judges: equal, or different as the case claims.

use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;

use testkit::Side;

use super::case::{Aspect, Case, Claim, Compare, Difference};
use super::release::MODULE_DIRECTORY;
use super::rows::Row;
use super::world::{self, Observed};

/// The observations of both sides for one command line.
pub(crate) struct BothSides {
    pub(crate) ours: Observed,
    pub(crate) theirs: Observed,
}

/// Runs one command line of a case.
pub(crate) fn run(case: &Case, argv: &[Vec<u8>]) -> BothSides {
    let ours = world::run(case, argv, Side::Ours);
    let theirs = match case.compare {
        Compare::OursAlone => ours.clone(),
        _ => world::run(case, argv, Side::Kmod34),
    };
    BothSides { ours, theirs }
}

/// What is wrong with a pair; empty if it is as the case expects.
pub(crate) fn judge(case: &Case, pair: &BothSides) -> Vec<String> {
    let mut differences = differences(case, pair);
    let Some(Difference { row, ours, theirs }) = &case.difference else {
        differences.extend(misjudged(case, &pair.theirs));
        return differences;
    };
    let refuted = |side: &str, claims: &[Claim], seen: &Observed| -> Vec<String> {
        claims
            .iter()
            .filter_map(|claim| refute(claim, seen))
            .map(|wrong| format!("{side}: {wrong}"))
            .collect()
    };
    if world::reference_is_under_test() {
        return if case.compare == Compare::OursAlone {
            Vec::new()
        } else {
            refuted("theirs", theirs, &pair.theirs)
        };
    }
    let mut wrong = [refuted("ours", ours, &pair.ours), refuted("theirs", theirs, &pair.theirs)].concat();
    if differences.is_empty() && case.compare != Compare::OursAlone {
        wrong.push(format!("both sides do the same, but row {row:?} expects a difference"));
    }
    wrong
}

/// Whether the reference shows what the case expects: success, or a failure or a complaint.
fn misjudged(case: &Case, theirs: &Observed) -> Option<String> {
    let succeeds = theirs.outcome.status.success();
    match case.aspect {
        Aspect::Works if !succeeds => Some(format!("the reference fails: {}", describe(theirs))),
        Aspect::Fails
            if succeeds
                && theirs.messages().is_empty()
                && theirs.complaints().is_empty()
                && theirs.log().is_empty()
                && !case.quiet =>
        {
            Some(format!("the reference does not fail: {}", describe(theirs)))
        }
        _ => None,
    }
}

fn differences(case: &Case, pair: &BothSides) -> Vec<String> {
    let compare = case.compare;
    let BothSides { ours, theirs } = pair;
    let mut found = Vec::new();
    let mut differ = |what: &str, a: String, b: String| {
        if a != b {
            found.push(format!("{what}\n{}", only_different(&a, &b)));
        }
    };
    differ("exit", ended(ours), ended(theirs));
    // A case of its own shows the difference; everywhere else ours must be what kmod means.
    let shows_it = case.difference.as_ref().is_some_and(|difference| difference.row == Row::SoftdepBlank);
    let theirs_meant = match shows_it || world::reference_is_under_test() {
        true => theirs.outcome.stdout.clone(),
        false => with_blank_before_post(&theirs.outcome.stdout),
    };
    let printed = |stream: &[u8]| shown(&stdout(compare, stream));
    differ("standard output", printed(&ours.outcome.stdout), printed(&theirs_meant));
    let messages = |seen| shown(stderr(compare, seen).as_bytes());
    differ("standard error", messages(ours), messages(theirs));
    differ("system calls", calls(ours), calls(theirs));
    differ("loaded", ours.loaded.join(" "), theirs.loaded.join(" "));
    differ("log", log(ours), log(theirs));
    differ("complaints of the configuration", ours.complaints().join("\n"), theirs.complaints().join("\n"));
    differ("files in /tmp", texts(ours), texts(theirs));
    found
}

/// What kmod prints as `softdep a pre: bpost: c`, with the blank.
fn with_blank_before_post(text: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| match String::from_utf8(line.to_vec()) {
        Ok(line) if line.starts_with("softdep ") => {
            line.replace("post:", " post:").replace("  post:", " post:").into_bytes()
        }
        _ => line.to_vec(),
    };
    text.split_inclusive(|byte| *byte == b'\n').flat_map(line).collect()
}

fn stdout(compare: Compare, all: &[u8]) -> Vec<u8> {
    let lines = || all.split_inclusive(|byte| *byte == b'\n');
    match compare {
        Compare::Exactly | Compare::OursAlone => all.to_vec(),
        Compare::HelpOnStdout | Compare::HelpAfterError => help(all),
        Compare::Version => features(lines().take(2).flatten().copied().collect()),
        Compare::Lines => {
            let mut sorted: Vec<&[u8]> = lines().collect();
            sorted.sort_unstable();
            sorted.concat()
        }
    }
}

/// The names of the features, compiled in or not.
fn features(text: Vec<u8>) -> Vec<u8> {
    String::from_utf8_lossy(&text).replace(['+', '-'], "±").into_bytes()
}

/// Whether help is printed; its text is our own.
fn help(text: &[u8]) -> Vec<u8> {
    if text.is_empty() { Vec::new() } else { b"(help)".to_vec() }
}

fn stderr(compare: Compare, seen: &Observed) -> String {
    let messages = seen.messages();
    if compare == Compare::HelpAfterError {
        let first = messages.lines().next().unwrap_or_default();
        let more = if messages.lines().count() > 1 { " (help)" } else { "" };
        return format!("{first}{more}");
    }
    messages
}

/// Whether a cause follows a message: an indented line.
fn explains(messages: &str) -> bool {
    messages.lines().skip(1).any(|line| line.starts_with("  "))
}

/// The records, one for each line.
fn log(seen: &Observed) -> String {
    seen.log().join("\n")
}

fn refute(claim: &Claim, seen: &Observed) -> Option<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (holds, is) = match claim {
        Claim::Exit(code) => (seen.outcome.status.code() == Some(*code), ended(seen)),
        Claim::Reports(what) => (seen.messages().contains(what), seen.messages()),
        Claim::Is(what) => (seen.messages() == *what, seen.messages()),
        Claim::DoesNotFail => (seen.outcome.status.code().is_none_or(|code| code == 0), ended(seen)),
        Claim::Complains(what) => {
            (seen.complaints().iter().any(|line| line == what), seen.complaints().join("; "))
        }
        Claim::Logs(what) => (seen.log().iter().any(|line| line.contains(what)), seen.log().join("; ")),
        Claim::LogsNothing => (seen.log().is_empty(), seen.log().join("; ")),
        Claim::Explains => (explains(&seen.messages()), seen.messages()),
        Claim::Silent => (seen.messages().is_empty(), seen.messages()),
        Claim::Prints(what) => {
            let printed = text(&seen.outcome.stdout);
            (printed == text(&super::case::unescape(&what.replace('@', MODULE_DIRECTORY))), printed)
        }
        Claim::PrintsLine(line) => (text(&seen.outcome.stdout).contains(line), text(&seen.outcome.stdout)),
        Claim::Loaded(names) => (seen.loaded.join(" ") == *names, seen.loaded.join(" ")),
    };
    (!holds).then(|| format!("claimed {claim:?}, but it is {is:?}"))
}

fn ended(seen: &Observed) -> String {
    match (seen.outcome.status.code(), seen.outcome.status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    }
}

/// The lines that only one side has, in order; all lines if only the order differs.
fn only_different(ours: &str, theirs: &str) -> String {
    let lines =
        |text: &str| -> Vec<String> { text.lines().map(|line| line.trim_start().to_owned()).collect() };
    let (a, b) = (lines(ours), lines(theirs));
    let lacking = |these: &[String], those: &[String], sign: &str| -> String {
        let same_lines =
            these.iter().all(|line| those.contains(line)) && those.iter().all(|line| these.contains(line));
        let differing = these.iter().filter(|line| same_lines || !those.contains(line));
        differing.map(|line| format!("  {sign} {line}\n")).collect()
    };
    let text = lacking(&a, &b, "ours:  ") + &lacking(&b, &a, "theirs:");
    text.trim_end().to_owned()
}

fn calls(seen: &Observed) -> String {
    let mut calls: Vec<String> = seen.calls().iter().map(ToString::to_string).collect();
    // The number of attempts of a waiting tool depends on timing.
    calls.dedup_by(|next, previous| next == previous && next.ends_with("EAGAIN"));
    calls.join("\n          ")
}

fn texts(seen: &Observed) -> String {
    seen.files.iter().map(|(name, bytes)| format!("{name}: {}", shown(bytes))).collect::<Vec<_>>().join("; ")
}

fn shown(bytes: &[u8]) -> String {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| line.escape_ascii().to_string());
    lines.collect::<Vec<_>>().join("\n          ")
}

/// One side as text.
pub(crate) fn describe(seen: &Observed) -> String {
    let mut text = ended(seen);
    let mut add = |what: &str, value: String| {
        if !value.is_empty() {
            let _ = write!(text, "\n  {what}: {value}");
        }
    };
    add("stdout", shown(&seen.outcome.stdout));
    add("stderr", shown(seen.messages().as_bytes()));
    add("calls", calls(seen));
    add("log", seen.log().join("\n          "));
    add("loaded", seen.loaded.join(" "));
    add("files", texts(seen));
    text
}
