//! Comparing the runs of two sides, with messages that show where they differ.

use std::collections::BTreeSet;

use crate::root::Indexes;
use crate::run::Run;

/// Asserts that two runs have the same standard output, the same standard error and the same exit code.
///
/// Of standard error, only the tools' own messages count ([`Run::own_messages`]).
///
/// # Panics
/// When they did not, showing the first lines that differ.
#[track_caller]
pub fn same(ours: &Run, theirs: &Run) {
    let mut differences = String::new();
    if (ours.code, ours.signal) != (theirs.code, theirs.signal) {
        let ended = |run: &Run| match (run.code, run.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {signal:?}"),
        };
        differences.push_str(&format!("ours: {}, theirs: {}\n", ended(ours), ended(theirs)));
    }
    if ours.stdout != theirs.stdout {
        differences.push_str(&difference("standard output", &ours.stdout, &theirs.stdout));
    }
    let (messages, expected) = (ours.own_messages(), theirs.own_messages());
    if messages != expected {
        differences.push_str(&difference("standard error", messages.as_bytes(), expected.as_bytes()));
    }
    assert!(differences.is_empty(), "{}\n{}\ndiffer:\n{differences}", ours.command, theirs.command);
}

/// Asserts that two texts are equal.
///
/// # Panics
/// When they are not, showing the first lines that differ.
#[track_caller]
pub fn same_text(what: &str, ours: &[u8], theirs: &[u8]) {
    assert!(ours == theirs, "{}", difference(what, ours, theirs));
}

/// Asserts that two texts have the same lines, in any order.
///
/// # Panics
/// When they do not, showing lines that only one of them has.
#[track_caller]
pub fn same_lines(what: &str, ours: &[u8], theirs: &[u8]) {
    let (a, b) = (sorted_lines(ours), sorted_lines(theirs));
    assert!(a == b, "{}", difference(&format!("{what}, sorted"), &a, &b));
}

/// Asserts that depmod wrote the same files, byte for byte except for the lines of modules.symbols, which kmod writes in
/// hash order (docs/differences.md: "lines of modules.symbols").
///
/// # Panics
/// When a file is missing or differs, naming every such file.
#[track_caller]
pub fn same_indexes(ours: &Indexes, theirs: &Indexes) {
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut differences = String::new();
    for name in names {
        match (ours.get(name), theirs.get(name)) {
            (Some(a), Some(b)) if name == "modules.symbols" => {
                let (a, b) = (sorted_lines(a), sorted_lines(b));
                if a != b {
                    differences.push_str(&difference("modules.symbols, sorted", &a, &b));
                }
            }
            (Some(a), Some(b)) if a != b => differences.push_str(&difference(name, a, b)),
            (Some(_), Some(_)) => {}
            (Some(_), None) => differences.push_str(&format!("only we write {name}\n")),
            (None, _) => differences.push_str(&format!("we do not write {name}\n")),
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// A text without repeated lines, in order: kmod's `-D` lists modules more than once (docs/differences.md:
/// "-D and a module that is needed twice").
pub fn without_repeats(text: &[u8]) -> Vec<u8> {
    let mut seen = BTreeSet::new();
    text.split_inclusive(|byte| *byte == b'\n')
        .filter(|line| seen.insert(line.to_vec()))
        .flatten()
        .copied()
        .collect()
}

fn sorted_lines(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines.concat()
}

/// Describes a difference: of texts the first lines, of anything else the first byte.
fn difference(what: &str, ours: &[u8], theirs: &[u8]) -> String {
    if ours.contains(&0) || theirs.contains(&0) {
        let at = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
        let around = |bytes: &[u8]| {
            let part = &bytes[at.saturating_sub(32)..bytes.len().min(at + 64)];
            part.escape_ascii().to_string()
        };
        return format!(
            "{what}: first difference at byte {at} of {} (ours) and {} (theirs)\n- {}\n+ {}\n",
            ours.len(),
            theirs.len(),
            around(ours),
            around(theirs),
        );
    }
    let a: Vec<&[u8]> = ours.split(|byte| *byte == b'\n').collect();
    let b: Vec<&[u8]> = theirs.split(|byte| *byte == b'\n').collect();
    let differing: Vec<usize> = (0..a.len().max(b.len())).filter(|&at| a.get(at) != b.get(at)).collect();
    let mut text = format!(
        "{what}: {} of {} (ours) and {} (theirs) lines differ; ours -, theirs +\n",
        differing.len(),
        a.len(),
        b.len(),
    );
    for &at in differing.iter().take(5) {
        for (mark, line) in [('-', a.get(at)), ('+', b.get(at))] {
            if let Some(line) = line {
                text.push_str(&format!("{:>6} {mark} {}\n", at + 1, line.escape_ascii()));
            }
        }
    }
    text
}
