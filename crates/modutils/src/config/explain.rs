//! An `explain` line of modutils.d(5): when a tool prints the cause of a failure.

use super::{Origin, modutils_d};
use crate::Root;

/// When a tool prints the cause below an error message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explain {
    /// Where a person or the journal reads the message. A program that reads it from a pipe or a file
    /// compares it with what kmod prints.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Explain {
    /// The setting of this name, as an `explain` line has it.
    pub fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"auto" => Some(Self::Auto),
            b"always" => Some(Self::Always),
            b"never" => Some(Self::Never),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// What modutils.d configures: the last line counts, and without any it is [`Explain::Auto`]. It is
    /// needed only after a failure, and by tools that read no other configuration. What cannot be read
    /// configures nothing.
    pub fn configured(root: &Root) -> Self {
        let (lines, _) = modutils_d::load(root, &mut |_| ());
        lines.explains.last().map_or_else(Self::default, |line| line.when)
    }
}

/// `explain WHEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainLine {
    /// The setting.
    pub when: Explain,
    /// Its location.
    pub origin: Origin,
}
