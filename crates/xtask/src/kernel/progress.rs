//! Shows how far a long build is: what it does, how many of make's lines it has printed, how long it has taken.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// How often a line appears where it can't be rewritten in place.
const PAUSE: Duration = Duration::from_secs(30);

/// How much of the log an error shows.
const LAST_LINES: usize = 25;

/// Does something that has no output.
///
/// # Errors
/// Those of `work`.
pub(super) fn step(log: &Path, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut shown = Shown::new(what);
    writeln!(open(log)?, "== {what}")?;
    work()?;
    shown.end();
    Ok(())
}

/// Runs a command whose output goes to the log, and counts its lines.
///
/// # Errors
/// When it can't be started or fails; with the end of the log.
pub(super) fn command(log: &Path, what: &str, command: &mut Command) -> Result<()> {
    let mut file = open(log)?;
    writeln!(file, "== {what}: {}", process::shown(command))?;
    let mut shown = Shown::new(what);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", process::shown(command)))?;
    let output = child.stdout.take().context("the command has an output")?;
    for line in BufReader::new(output).split(b'\n') {
        let mut line = line?;
        line.push(b'\n');
        file.write_all(&line)?;
        shown.line();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{what} failed ({status}); {} ends with\n{}", log.display(), end_of(log));
    }
    shown.end();
    Ok(())
}

/// What the user sees of a step.
struct Shown<'a> {
    what: &'a str,
    start: Instant,
    last: Instant,
    lines: u32,
    pause: Duration,
}

impl Shown<'_> {
    fn new(what: &str) -> Shown<'_> {
        let terminal = std::io::stderr().is_terminal();
        let pause = if terminal { Duration::from_millis(200) } else { PAUSE };
        let shown = Shown { what, start: Instant::now(), last: Instant::now(), lines: 0, pause };
        if terminal {
            shown.print("\r");
        }
        shown
    }

    fn line(&mut self) {
        self.lines += 1;
        if self.last.elapsed() >= self.pause {
            self.last = Instant::now();
            self.print(if std::io::stderr().is_terminal() { "\r" } else { "\n" });
        }
    }

    fn end(&mut self) {
        self.print("\n");
    }

    fn print(&self, end: &str) {
        let seconds = self.start.elapsed().as_secs();
        eprint!("kernel: {:32} {:5} lines {seconds:4} s{end}", self.what, self.lines);
    }
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
