//! Why the kernel refused to load a module.

use std::path::Path;

use modutils::{
    Errno, Release, Root,
    diagnose::refusal::{self, Attempt, LogWatch},
    kernel::Force,
};

use super::indented;

/// Watches the kernel's log while modules are loaded, so that a refusal can be diagnosed from it.
pub struct LoadWatch<'a> {
    root: &'a Root,
    log: Option<LogWatch>,
}

impl<'a> LoadWatch<'a> {
    /// Starts to watch, unless nothing will be loaded.
    pub fn begin(root: &'a Root, loads: bool) -> Self {
        Self { root, log: loads.then(|| LogWatch::begin(root)) }
    }

    /// Why the kernel refused a file with this error number: lines to append to the message.
    pub fn cause(&mut self, path: &Path, parameters: &[u8], force: Force, errno: Errno) -> String {
        let Ok(release) = Release::running() else { return String::new() };
        let log = self.log.as_mut().map(LogWatch::lines).unwrap_or_default();
        let attempt = Attempt::new(path, errno).parameters(parameters).force(force).log(log);
        indented(&refusal::explain(self.root, &release, &attempt).lines())
    }
}
