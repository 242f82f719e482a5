//! The matrix: every option, directive and variable of the loading tools × {works, fails, combined}, on ours and on
//! the packaged kmod 34.2, in identical fresh roots, compared in output, messages, exit code, system calls, log,
//! files and loaded modules.
//!
//! Cases are data, in a file for each tool or theme. The first case in which an option works is repeated in each
//! spelling the option has. With `MODUTILS_MATRIX=FILE-PREFIX` the findings are written to `PREFIX-TOOL.txt`, with
//! `MODUTILS_MATRIX_SHOW` what the reference does in each case is printed, and with `MODUTILS_MATRIX_ONLY` only cases
//! run whose name contains that text.

#[path = "matrix/cases.rs"]
mod cases;
mod judge;
mod surface;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cases::case::Aspect;
use cases::{Case, Row, Step, case, cases, release, root, rows};
use surface::ToolOption;

#[test]
fn insmod_does_as_the_reference() {
    check("insmod");
}

#[test]
fn rmmod_does_as_the_reference() {
    check("rmmod");
}

#[test]
fn lsmod_does_as_the_reference() {
    check("lsmod");
}

#[test]
fn kmod_does_as_the_reference() {
    check("kmod");
}

#[test]
fn modprobe_does_as_the_reference() {
    check("modprobe");
}

#[test]
fn no_cell_of_the_matrix_is_empty() {
    let cases = cases();
    let filled: BTreeSet<_> = cases.iter().map(|case| (case.tool, case.option, case.aspect)).collect();
    let mut missing = Vec::new();
    for row in surface::surface() {
        for aspect in Aspect::ALL {
            if !filled.contains(&(row.tool, row.name, aspect)) {
                missing.push(format!("{} {} {aspect:?}", row.tool, row.name));
            }
        }
    }
    let known: BTreeSet<_> = surface::surface().iter().map(|row| (row.tool, row.name)).collect();
    let unknown: Vec<_> =
        filled.iter().filter(|(tool, option, _)| !known.contains(&(*tool, *option))).collect();
    assert!(missing.is_empty(), "{} empty cells:\n{}", missing.len(), missing.join("\n"));
    assert!(unknown.is_empty(), "cases of nothing: {unknown:?}");
}

#[test]
fn each_deliberate_difference_has_a_case() {
    let shown: BTreeSet<Row> =
        cases().iter().filter_map(|case| Some(case.difference.as_ref()?.row)).collect();
    let missing: Vec<Row> = Row::ALL.into_iter().filter(|row| !shown.contains(row)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn no_two_cases_have_one_name() {
    let mut names = BTreeSet::new();
    let twice: Vec<String> =
        cases().iter().map(Case::name).filter(|name| !names.insert(name.clone())).collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}

/// Runs a tool's cases, prints how many there are of each option, and fails with everything that is wrong.
fn check(tool: &str) {
    let surface = surface::surface();
    let only = std::env::var("MODUTILS_MATRIX_ONLY").unwrap_or_default();
    let cases: Vec<Case> =
        cases().into_iter().filter(|case| case.tool == tool && case.name().contains(&only)).collect();
    let runs = with_spellings(&cases, &surface);
    let findings = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    // More threads than processors: some cases wait.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((case, argv)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let number = next.load(Ordering::Relaxed);
                    if let Some(text) = examine(case, argv) {
                        findings.lock().expect("no panic").insert((case.name(), number), text);
                    }
                }
            });
        }
    });
    println!("{}", counts(tool, &surface, &cases, runs.len()));
    let findings: Vec<String> = findings.into_inner().expect("no panic").into_values().collect();
    let text = findings.join("\n\n");
    if let Ok(prefix) = std::env::var("MODUTILS_MATRIX") {
        let head =
            format!("{} of {} runs of {tool} are not as they should be\n\n", findings.len(), runs.len());
        std::fs::write(format!("{prefix}-{tool}.txt"), head + &text).expect("MODUTILS_MATRIX can be written");
    }
    assert!(findings.is_empty(), "{} of {} runs:\n\n{text}", findings.len(), runs.len());
}

/// Each case, and the first working one of each option in each spelling.
fn with_spellings<'a>(cases: &'a [Case], surface: &[ToolOption]) -> Vec<(&'a Case, Vec<Vec<u8>>)> {
    let mut seen = BTreeSet::new();
    let mut runs = Vec::new();
    for case in cases {
        runs.push((case, case.argv.clone()));
        let row = surface.iter().find(|row| row.tool == case.tool && row.name == case.option);
        if let Some(row) = row
            && case.aspect == Aspect::Works
            && seen.insert(case.option)
        {
            runs.extend(surface::spellings(row, surface, &case.argv).into_iter().map(|argv| (case, argv)));
        }
    }
    runs
}

fn examine(case: &Case, argv: &[Vec<u8>]) -> Option<String> {
    let pair = judge::run(case, argv);
    let case = &Case { argv: argv.to_vec(), ..case.clone() };
    if std::env::var_os("MODUTILS_MATRIX_SHOW").is_some() {
        println!("=== {}\n$ {}\n{}\n", case.name(), case.line(), judge::describe(&pair.theirs));
    }
    let wrong = judge::judge(case, &pair);
    (!wrong.is_empty()).then(|| {
        format!("=== {}\n$ {}\n{}\nsetup: {}", case.name(), case.line(), wrong.join("\n"), setup(case))
    })
}

fn setup(case: &Case) -> String {
    let shorten = |text: String| if text.len() > 400 { format!("{}…", &text[..300]) } else { text };
    let step = |step: &Step| match step {
        Step::File(path, bytes) => format!("{path}: {}", shorten(bytes.escape_ascii().to_string())),
        Step::Env(name, value) => format!("{name}={}", shorten(value.escape_ascii().to_string())),
        other => format!("{other:?}"),
    };
    case.steps.iter().map(step).collect::<Vec<_>>().join("; ")
}

fn counts(tool: &str, surface: &[ToolOption], cases: &[Case], runs: usize) -> String {
    let mut text =
        format!("{tool}: {} cases, {runs} runs on each side (works/fails/combined)\n", cases.len());
    for row in surface.iter().filter(|row| row.tool == tool) {
        let of =
            |aspect| cases.iter().filter(|case| case.option == row.name && case.aspect == aspect).count();
        let [works, fails, combined] = Aspect::ALL.map(of);
        text.push_str(&format!("  {:<24} {works}/{fails}/{combined}\n", row.name));
    }
    text
}
