//! What follows the line that a module could not be inserted: why, and what to do.
//!
//! The first line stays as scripts know it; these follow indented. Nothing is worked out before the
//! kernel has refused.

use std::path::Path;

use bstr::BString;
use modutils::{
    Errno, Release, Root,
    diagnose::refusal::{self, Attempt},
    kernel::{Force, LogMark},
};

/// Watches the kernel's log while modules are loaded.
pub struct Watch<'a> {
    root: &'a Root,
    mark: Option<LogMark>,
    /// What the kernel has said since: of several modules that load at once, their words come mixed.
    log: Vec<BString>,
}

impl<'a> Watch<'a> {
    /// From now on, if anything is to be loaded.
    pub fn begin(root: &'a Root, loads: bool) -> Self {
        Self { root, mark: loads.then(|| LogMark::set(root)).flatten(), log: Vec::new() }
    }

    /// Why the kernel refused a file with this number: lines to be put after the message.
    pub fn explain(&mut self, path: &Path, parameters: &[u8], force: Force, errno: Errno) -> String {
        self.log.extend(self.mark.as_mut().map(LogMark::lines).unwrap_or_default());
        let Ok(release) = Release::running() else { return String::new() };
        let attempt = Attempt { path, parameters, force, errno, log: &self.log };
        indented(&refusal::explain(self.root, &release, &attempt))
    }
}

/// Lines of our own after a message.
pub fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
