//! What follows the line that a module could not be inserted: why, and what to do.
//!
//! The first line stays as scripts know it; these follow indented. Nothing is worked out before the
//! kernel has refused.

use std::path::Path;

use modutils::{
    Errno, Release, Root,
    diagnose::refusal::{self, Attempt, LogWatch},
    kernel::Force,
};

use crate::explain;

/// Watches the kernel's log while modules are loaded.
pub struct Watch<'a> {
    root: &'a Root,
    log: Option<LogWatch>,
}

impl<'a> Watch<'a> {
    /// From now on, if anything is to be loaded.
    pub fn begin(root: &'a Root, loads: bool) -> Self {
        Self { root, log: loads.then(|| LogWatch::begin(root)) }
    }

    /// Why the kernel refused a file with this number: lines to be put after the message.
    pub fn explain(&mut self, path: &Path, parameters: &[u8], force: Force, errno: Errno) -> String {
        let Ok(release) = Release::running() else { return String::new() };
        let log = self.log.as_mut().map(LogWatch::lines).unwrap_or_default();
        let attempt = Attempt::new(path, errno).parameters(parameters).force(force).log(log);
        explain::indented(&refusal::explain(self.root, &release, &attempt).lines())
    }
}
