//! Runs cargo and shows its progress: the crate being compiled, the number of finished tests. Its complete output is
//! printed only if it fails.

pub(crate) mod reproducible;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::process;
use crate::progress::Progress;
use crate::workspace;

/// The cargo that runs this program, in the checkout.
pub(crate) fn command() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace::root());
    if packages::is_offline() {
        cargo.env("CARGO_NET_OFFLINE", "true");
    }
    cargo
}

/// Where cargo puts its output.
pub(crate) fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace::root().join("target"), |dir| workspace::root().join(Path::new(&dir)))
}

/// Runs a command of cargo that builds or checks something.
///
/// # Errors
/// When it fails, with its output.
pub(crate) fn check(what: &str, command: &mut Command) -> Result<()> {
    let mut compiled = 0;
    let (status, output) = run_with_progress(what, command, |line| {
        let crate_at_work = line.trim_start();
        if crate_at_work.starts_with("Compiling ") || crate_at_work.starts_with("Checking ") {
            compiled += 1;
            return Some(format!("{compiled} crates, now {crate_at_work}"));
        }
        None
    })?;
    if !status.success() {
        bail!("{output}");
    }
    Ok(())
}

/// Runs `cargo test` and sums up how many tests of its test programs passed and failed. Prints the output if a test
/// failed.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn libtest(command: &mut Command) -> Result<(usize, usize)> {
    let (mut passed, mut failed) = (0, 0);
    let mut done = 0;
    command.arg("--no-fail-fast");
    let (status, output) = run_with_progress("tests", command, |line| {
        if let Some(result) = result_of(line) {
            passed += result.0;
            failed += result.1;
        }
        if line.trim_start().starts_with("Compiling ") {
            return Some(line.trim_start().to_owned());
        }
        let name = test_of(line)?;
        done += 1;
        Some(format!("{done} done, now at {name}"))
    })?;
    if !status.success() {
        // Lines about success do not help to find the failure.
        let is_about_failure = |line: &&str| {
            let is_good = test_of(line).is_some() && line.ends_with(" ok");
            !is_good && !line.trim_start().starts_with("Compiling ")
        };
        output.lines().filter(is_about_failure).for_each(|line| println!("{line}"));
        // A test program that did not build, or was killed, printed no result line.
        failed = failed.max(1);
    }
    Ok((passed, failed))
}

/// The names of the workspace's test programs, except those of one package.
///
/// # Errors
/// When `cargo metadata` fails.
pub(crate) fn test_programs_outside_of(package: &str) -> Result<Vec<String>> {
    let metadata = process::output(command().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]).into_iter().filter(|one| one["name"] != package);
    let targets = packages.flat_map(|package| list(&package["targets"]));
    let tests = targets.filter(|target| list(&target["kind"]).iter().any(|kind| kind == "test"));
    Ok(tests.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

/// Runs a command to its end, showing what `detail` makes of its lines; returns the output of both streams.
fn run_with_progress(
    what: &str,
    command: &mut Command,
    mut detail: impl FnMut(&str) -> Option<String>,
) -> Result<(ExitStatus, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let (sender, lines) = mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as _),
        child.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    for stream in streams.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    let mut progress = Progress::new(what);
    let mut output = String::new();
    let mut now = "starting".to_owned();
    loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => {
                if let Some(detail) = detail(&line) {
                    now = detail;
                }
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        progress.update(|| now.clone());
    }
    Ok((child.wait()?, output))
}

/// The name in libtest's `test NAME ... ok`.
fn test_of(line: &str) -> Option<&str> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    ["ok", "FAILED", "ignored"].iter().any(|word| result.starts_with(word)).then_some(name)
}

/// Reads libtest's `test result: ok. 3 passed; 0 failed; …`: how many passed and failed.
fn result_of(line: &str) -> Option<(usize, usize)> {
    let words: Vec<&str> = line.strip_prefix("test result: ")?.split([' ', ';']).collect();
    let before = |word: &str| {
        let place = words.iter().position(|one| *one == word)?;
        words.get(place.checked_sub(1)?)?.parse().ok()
    };
    Some((before("passed")?, before("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_result_line_of_libtest_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.52s";
        assert_eq!(result_of(line), Some((12, 3)));
        assert_eq!(result_of("test result is 12 passed"), None);
    }

    #[test]
    fn a_line_of_a_finished_test_is_recognised() {
        assert_eq!(test_of("test a::b ... ok"), Some("a::b"));
        assert_eq!(test_of("test a::b ... FAILED"), Some("a::b"));
        assert_eq!(test_of("test result: ok. 3 passed"), None);
    }

    #[test]
    fn the_output_of_a_failed_check_is_in_the_error() {
        let error =
            check("sh", Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        let output = error.to_string();
        assert!(output.contains("out\n") && output.contains("err\n"), "{output}");
    }
}
