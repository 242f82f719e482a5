//! A progress bar on the terminal, for work that takes longer than half a second.
//!
//! The workers only add to a counter; a separate thread draws, at most ten times a second. When the work ends,
//! the bar is erased.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long work must take before a bar is shown.
const DELAY: Duration = Duration::from_millis(500);
/// The time between two drawings.
const PERIOD: Duration = Duration::from_millis(100);
/// The number of characters in the bar.
const WIDTH: usize = 30;
/// Carriage return, then erase to the end of the line.
const CLEAR: &[u8] = b"\r\x1b[K";

/// Where a bar is drawn.
type Screen = Box<dyn Write + Send>;

/// A counter and its bar. Dropping it erases the bar.
pub struct Progress {
    shared: Arc<Shared>,
    drawer: Option<JoinHandle<()>>,
}

struct Shared {
    what: &'static str,
    all: usize,
    done: AtomicUsize,
    ended: Mutex<bool>,
    wake: Condvar,
}

impl Progress {
    /// For `all` units of work, with `what` as the plural of their name. It only counts if standard error is no
    /// terminal, or one that cannot erase.
    pub fn new(what: &'static str, all: usize) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let screen: Option<Screen> =
            (io::stderr().is_terminal() && !is_dumb).then(|| Box::new(io::stderr()) as Screen);
        Self::drawn_on(screen, DELAY, what, all)
    }

    fn drawn_on(screen: Option<Screen>, delay: Duration, what: &'static str, all: usize) -> Self {
        let (done, ended, wake) = (AtomicUsize::new(0), Mutex::new(false), Condvar::new());
        let shared = Arc::new(Shared { what, all, done, ended, wake });
        let drawer = screen.map(|screen| {
            let shared = shared.clone();
            thread::Builder::new().name("progress".into()).spawn(move || shared.draw(screen, delay))
        });
        // If the thread cannot be started, only the bar is missing.
        Self { shared, drawer: drawer.and_then(Result::ok) }
    }

    /// Counts one unit, from any thread.
    pub fn step(&self) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.wake.notify_all();
        if let Some(drawer) = self.drawer.take() {
            // A drawing thread that panicked is no reason to fail.
            let _ = drawer.join();
        }
    }
}

impl Shared {
    fn draw(&self, mut screen: Screen, delay: Duration) {
        let mut pause = delay;
        let mut drawn = false;
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let waited = self.wake.wait_timeout_while(ended, pause, |ended| !*ended);
            ended = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *ended {
                break;
            }
            drawn = true;
            pause = PERIOD;
            let line = line(self.what, self.done.load(Ordering::Relaxed), self.all);
            // The work does not depend on the bar.
            let _ = screen.write_all(&[CLEAR, line.as_bytes()].concat());
        }
        if drawn {
            let _ = screen.write_all(CLEAR);
        }
    }
}

/// The bar, as `[#####     ] 120 of 240 modules`.
fn line(what: &str, done: usize, all: usize) -> String {
    let filled = done.min(all).saturating_mul(WIDTH).checked_div(all).unwrap_or(WIDTH);
    format!("[{:<WIDTH$}] {done} of {all} {what}", "#".repeat(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_filled_as_far_as_the_work_is_done() {
        assert_eq!(line("modules", 0, 0), format!("[{}] 0 of 0 modules", "#".repeat(WIDTH)));
        assert_eq!(line("modules", 1, 2), format!("[{}{}] 1 of 2 modules", "#".repeat(15), " ".repeat(15)));
        assert!(line("modules", 5, 4).starts_with(&format!("[{}]", "#".repeat(WIDTH))));
    }

    #[test]
    fn a_bar_is_drawn_during_the_work_and_erased_after_it() {
        let (mut reader, writer) = io::pipe().unwrap();
        let progress = Progress::drawn_on(Some(Box::new(writer)), Duration::ZERO, "modules", 3);
        progress.step();
        // The work lasts until the bar has been seen.
        let mut seen = vec![0; CLEAR.len() + line("modules", 1, 3).len()];
        io::Read::read_exact(&mut reader, &mut seen).unwrap();
        drop(progress);
        io::Read::read_to_end(&mut reader, &mut seen).unwrap();
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.starts_with("\r\x1b[K[") && seen.contains(" of 3 modules"), "{seen:?}");
        assert!(seen.ends_with("\r\x1b[K"), "{seen:?}");
    }

    #[test]
    fn short_work_shows_no_bar() {
        let (mut reader, writer) = io::pipe().unwrap();
        let day = Duration::from_secs(86_400);
        drop(Progress::drawn_on(Some(Box::new(writer)), day, "modules", 3));
        let mut seen = String::new();
        io::Read::read_to_string(&mut reader, &mut seen).unwrap();
        assert_eq!(seen, "");
    }

    #[test]
    fn work_without_a_terminal_is_only_counted() {
        let progress = Progress::new("modules", 2);
        progress.step();
        assert_eq!(progress.shared.done.load(Ordering::Relaxed), 1);
    }
}
