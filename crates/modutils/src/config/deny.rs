//! A `deny` line of modutils.d(5): a module that is not to be loaded, whoever asks for it.

use bstr::BString;

use super::Origin;
use crate::{Alias, ModuleName, glob::fnmatch};

/// `deny PATTERN REASON...`, or a module of `modutils.deny=` on the kernel command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyLine {
    /// What is matched against a module's name.
    pub pattern: Alias,
    /// Why, in words for people; empty where nobody wrote it.
    pub reason: BString,
    /// Its location.
    pub origin: Origin,
}

impl DenyLine {
    /// Whether it concerns a module.
    pub fn denies(&self, module: &ModuleName) -> bool {
        fnmatch(self.pattern.as_bytes(), module.as_bytes())
    }
}
