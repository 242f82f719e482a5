//! The rules, and a violation of one.

use std::fmt;
use std::path::Path;
use std::rc::Rc;

/// What a violation is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// A public signature names the standard library, `bstr` and the crate's own types only.
    Outside,
    /// A public enum, and a structure of public fields, is `#[non_exhaustive]`.
    Exhaustive,
    /// What is public and hidden is behind a feature that is off by default.
    Hidden,
    /// The tools and the C library do not use the feature `internals`.
    Internals,
    /// Nothing public is declared by a macro, and every name can be resolved.
    Unseen,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Outside => "types of other crates in public signatures",
            Rule::Exhaustive => "public types that cannot grow",
            Rule::Hidden => "hidden items that everyone can use",
            Rule::Internals => "uses of the feature internals",
            Rule::Unseen => "blind spots of this check",
        })
    }
}

/// Where a rule is violated, and how.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    pub(super) file: Rc<Path>,
    pub(super) line: usize,
    /// The item's path, or what else it is about.
    pub(super) subject: String,
    pub(super) text: String,
}
