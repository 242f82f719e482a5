//! Shows the progress of a long task: in place on a terminal, elsewhere as a line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is printed if it cannot be rewritten in place.
const PAUSE: Duration = Duration::from_secs(15);

/// How often it is rewritten on a terminal.
const PAUSE_ON_TERMINAL: Duration = Duration::from_millis(200);

/// The progress of a task, printed to standard error.
pub(crate) struct Progress {
    what: String,
    start: Instant,
    last: Instant,
    on_terminal: bool,
    /// The width of the terminal's current line.
    width: usize,
}

impl Progress {
    /// Starts; nothing is printed before the first pause has passed.
    pub(crate) fn new(what: &str) -> Progress {
        let now = Instant::now();
        let on_terminal = std::io::stderr().is_terminal();
        Progress { what: what.to_owned(), start: now, last: now, on_terminal, width: 0 }
    }

    /// Prints the progress, unless it was printed a moment ago.
    pub(crate) fn update(&mut self, detail: impl FnOnce() -> String) {
        let pause = if self.on_terminal { PAUSE_ON_TERMINAL } else { PAUSE };
        if self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let line = self.line(&detail());
        if self.on_terminal {
            // A line that wraps could not be overwritten.
            let line: String = line.chars().take(100).collect();
            eprint!("\r{line:width$}", width = self.width);
            self.width = line.chars().count();
        } else {
            eprintln!("{line}");
        }
    }

    /// Prints the result.
    pub(crate) fn end(mut self, detail: &str) {
        self.clear();
        eprintln!("{}", self.line(detail));
    }

    fn line(&self, detail: &str) -> String {
        format!("{}: {detail} ({} s)", self.what, self.start.elapsed().as_secs())
    }

    fn clear(&mut self) {
        if self.width > 0 {
            eprint!("\r{:width$}\r", "", width = self.width);
            self.width = 0;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
