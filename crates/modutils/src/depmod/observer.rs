//! What a caller can watch of a run.

use std::path::Path;

use bstr::BStr;

use crate::Notice;

/// Watches a [`Run`](super::Run). Every method does nothing unless it is implemented; `()` is an
/// observer that looks at nothing. What a run does and returns depends on
/// [`is_interrupted`](Observer::is_interrupted) alone.
pub trait Observer: Sync {
    /// A message for people.
    fn notice(&self, notice: Notice) {
        drop(notice);
    }

    /// So many modules are about to be read.
    fn reading(&self, modules: usize) {
        let _ = modules;
    }

    /// One of them was read. Called by any thread.
    fn module_read(&self) {}

    /// All of them were read; messages about them follow.
    fn all_read(&self) {}

    /// The module in one file needs a symbol that the module in another exports, and is the first
    /// symbol by which it needs that module ([`Run::report_needs`](super::Run::report_needs)).
    fn symbol_needed(&self, user: &Path, symbol: &BStr, owner: &Path) {
        let _ = (user, symbol, owner);
    }

    /// The output directory is about to be locked and written to: a program may hold back the signals that would end
    /// it.
    fn before_publication(&self) {}

    /// Whether to stop. It is asked while the lock is waited for, for each module and between the steps of writing; up
    /// to the moment when the first file is replaced, a run that is interrupted leaves the old files.
    fn is_interrupted(&self) -> bool {
        false
    }

    /// The files are written, or the old ones are as they were; nothing is locked any more.
    fn after_publication(&self) {}
}

impl Observer for () {}
