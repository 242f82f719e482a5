//! What the kernel logs while a module is loaded.
//!
//! Its log is opened and wound to its end before a module is given to the kernel, and read afterwards.
//! Whoever may not read it, or has none, does without.

use std::fs::File;

use bstr::BString;

use crate::{
    Root,
    kernel::log::{end_of_log, new_lines},
};

/// Watches the kernel's log while modules are loaded, for [`Attempt::log`](super::Attempt::log).
#[derive(Debug)]
pub struct LogWatch {
    log: Option<File>,
    lines: Vec<BString>,
}

impl LogWatch {
    /// Watches from now on. Where the log cannot be read, there will be no lines.
    pub fn begin(root: &Root) -> Self {
        Self { log: end_of_log(root), lines: Vec::new() }
    }

    /// What the kernel has logged since. Where several modules are loaded at once, their lines are mixed.
    pub fn lines(&mut self) -> &[BString] {
        if let Some(log) = &mut self.log {
            self.lines.extend(new_lines(log));
        }
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_log_there_are_no_lines() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        assert!(LogWatch::begin(&root).lines().is_empty());
    }
}
