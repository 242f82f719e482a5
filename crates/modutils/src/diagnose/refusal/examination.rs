//! What is asked of a module, and what came out.

use super::cause::{Gap, Note};
use crate::{ModuleName, diagnose::Finding, kernel::Force};

/// What is asked of a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The parameters to give it.
    pub parameters: &'a [u8],
    /// The checks that the kernel is asked to skip.
    pub force: Force,
    /// Whether it is loaded alone, as insmod does it: what it needs must be loaded by then.
    pub alone: bool,
    /// Whether the module was made by the kernel's own build.
    pub is_of_build: bool,
    /// Whether it is one of many: what keeps any module out is then examined once, for all.
    pub of_tree: bool,
}

/// By what the needed symbols were verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// By the kernel's own list or image.
    pub listed: u64,
    /// By the module that exports them.
    pub exported: u64,
    /// By other modules of the build that need them likewise.
    pub agreed: u64,
    /// Only by the module itself, which the kernel's build made and with which the others agree.
    pub of_build: u64,
    /// Not at all.
    pub unverified: u64,
}

impl Counts {
    /// Adds another's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.listed += other.listed;
        self.exported += other.exported;
        self.agreed += other.agreed;
        self.of_build += other.of_build;
        self.unverified += other.unverified;
    }

    /// All that were verified.
    pub fn verified(&self) -> u64 {
        self.listed + self.exported + self.agreed + self.of_build
    }
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// What the kernel would refuse it for.
    pub findings: Vec<Finding>,
    /// What would have to be known.
    pub gaps: Vec<Gap>,
    /// What is worth telling all the same.
    pub notes: Vec<Note>,
    /// How many symbols were verified.
    pub counts: Counts,
    /// The modules that export what it needs.
    pub dependencies: Vec<ModuleName>,
}
