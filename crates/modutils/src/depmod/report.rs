//! What a run did.

use std::path::{Path, PathBuf};

use super::omission::{Omission, Omissions};

/// What a [`Run`](super::Run) did: which files it wrote, and what they lack.
#[derive(Debug)]
pub struct Report {
    outcome: RunOutcome,
    written: Vec<PathBuf>,
    omissions: Omissions,
}

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunOutcome {
    /// All files were written.
    Written,
    /// The files that are there are those of these modules, and stay
    /// ([`Run::quick`](super::Run::quick)).
    Current,
}

impl Report {
    pub(super) fn written_to(directory: &Path, names: &[&str], omissions: Omissions) -> Self {
        let written = names.iter().map(|name| directory.join(name)).collect();
        Self { outcome: RunOutcome::Written, written, omissions }
    }

    pub(super) fn current(omissions: Omissions) -> Self {
        Self { outcome: RunOutcome::Current, written: Vec::new(), omissions }
    }

    /// How it ended.
    pub fn outcome(&self) -> RunOutcome {
        self.outcome
    }

    /// The files that were written, in the order in which they replaced the old ones.
    pub fn written(&self) -> &[PathBuf] {
        &self.written
    }

    /// What was not read, and why: modules that are damaged and listed without their facts, lists of
    /// the kernel's build that are not there.
    pub fn omissions(&self) -> &[Omission] {
        self.omissions.as_slice()
    }

    /// Whether everything that is there was read. Where files were written, it was.
    pub fn is_complete(&self) -> bool {
        !self.omissions.has_unread()
    }
}
