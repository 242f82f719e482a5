//! The steps of a long build: their output goes to a log, and the progress is the number of lines that make has printed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::progress::Progress;

/// How much of the log an error shows.
const LAST_LINES: usize = 25;

/// Runs a step without output.
///
/// # Errors
/// Those of `work`.
pub(super) fn step(log: &Path, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let progress = Progress::new(&format!("kernel: {what}"));
    writeln!(open(log)?, "== {what}")?;
    work()?;
    progress.end("done");
    Ok(())
}

/// Runs a command whose output goes to the log, and counts its lines.
///
/// # Errors
/// When it can't be started or fails; with the end of the log.
pub(super) fn command(log: &Path, what: &str, command: &mut Command) -> Result<()> {
    let mut file = open(log)?;
    writeln!(file, "== {what}: {}", process::shown(command))?;
    let mut progress = Progress::new(&format!("kernel: {what}"));
    let mut lines = 0;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", process::shown(command)))?;
    let output = child.stdout.take().context("the command has an output")?;
    for line in BufReader::new(output).split(b'\n') {
        let mut line = line?;
        line.push(b'\n');
        file.write_all(&line)?;
        lines += 1;
        progress.update(|| format!("{lines} lines of output"));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{what} failed ({status}); {} ends with\n{}", log.display(), end_of(log));
    }
    progress.end(&format!("done, {lines} lines of output"));
    Ok(())
}

fn open(log: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(log).with_context(|| log.display().to_string())
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
