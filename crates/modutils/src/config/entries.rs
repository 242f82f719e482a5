//! The lines of a configuration as it is kept: of each directive the fields, and where it was read.

use bstr::BString;

use super::{Origin, by_name::NamedLine};
use crate::Alias;

/// `alias PATTERN MODULE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasLine {
    /// What is matched against a name asked for.
    pub pattern: Alias,
    /// The module meant.
    pub module: Alias,
    /// Its location.
    pub origin: Origin,
}

/// `options MODULE OPTION...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsLine {
    /// A module, or an alias by which it is asked for.
    pub name: Alias,
    /// The options, as written except for tabs, which become blanks.
    pub options: BString,
    /// Its location.
    pub origin: Origin,
}

/// `blacklist MODULE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlacklistLine {
    /// The module.
    pub module: Alias,
    /// Its location.
    pub origin: Origin,
}

/// `install PATTERN COMMAND` or `remove PATTERN COMMAND`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// What is matched against a module's name.
    pub pattern: Alias,
    /// The command, for the shell.
    pub command: BString,
    /// Its location.
    pub origin: Origin,
}

/// `softdep PATTERN pre: NAME... post: NAME...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftdepLine {
    /// What is matched against a module's name.
    pub pattern: Alias,
    /// Names to load before it.
    pub pre: Vec<BString>,
    /// Names to load after it.
    pub post: Vec<BString>,
    /// Its location.
    pub origin: Origin,
}

/// `weakdep PATTERN NAME...`: for initramfs builders, nothing is loaded because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeakdepLine {
    /// What is matched against a module's name.
    pub pattern: Alias,
    /// Names that it may want.
    pub names: Vec<BString>,
    /// The same as one text, a blank between two names. Where more than one blank stood before the
    /// names, one is left.
    pub text: BString,
    /// Its location.
    pub origin: Origin,
}

/// What a line is found by.
macro_rules! named_lines {
    ($($line:ident by $field:ident),*) => {
        $(impl NamedLine for $line {
            fn name(&self) -> &[u8] {
                self.$field.as_bytes()
            }
        })*
    };
}

named_lines!(
    AliasLine by pattern,
    OptionsLine by name,
    BlacklistLine by module,
    CommandLine by pattern,
    SoftdepLine by pattern,
    WeakdepLine by pattern
);
