//! Says how far something long is: in place on a terminal, elsewhere in a line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line appears where it cannot be rewritten in place.
const PAUSE: Duration = Duration::from_secs(15);

/// How often it is rewritten on a terminal.
const PAUSE_ON_TERMINAL: Duration = Duration::from_millis(200);

/// Something that takes its time. It goes to standard error.
pub(crate) struct Progress {
    what: String,
    start: Instant,
    last: Instant,
    on_terminal: bool,
    /// The width of what stands on the terminal's line now.
    width: usize,
}

impl Progress {
    /// Begins; nothing is printed before the first pause is over.
    pub(crate) fn new(what: &str) -> Progress {
        let now = Instant::now();
        let on_terminal = std::io::stderr().is_terminal();
        Progress { what: what.to_owned(), start: now, last: now, on_terminal, width: 0 }
    }

    /// Prints how far it is, if that was not done just now.
    pub(crate) fn update(&mut self, detail: impl FnOnce() -> String) {
        let pause = if self.on_terminal { PAUSE_ON_TERMINAL } else { PAUSE };
        if self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let line = self.line(&detail());
        if self.on_terminal {
            // What does not fit would leave its beginning on the line above.
            let line: String = line.chars().take(100).collect();
            eprint!("\r{line:width$}", width = self.width);
            self.width = line.chars().count();
        } else {
            eprintln!("{line}");
        }
    }

    /// Prints how it ended.
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
