//! Symbols that are exported, and by whom.

use std::{collections::HashMap, path::PathBuf};

use bstr::BString;

use crate::ModuleName;

/// Who exports a symbol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The kernel itself.
    Kernel,
    /// A module.
    Module(ModuleName),
}

/// A symbol that is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownExport {
    /// By whom.
    pub owner: Owner,
    /// The CRC of its type; `None` in a kernel without CONFIG_MODVERSIONS.
    pub crc: Option<u32>,
    /// Whether it is for modules with a GPL-compatible licence only.
    pub gpl_only: bool,
    /// The namespace that a user must import.
    pub namespace: Option<BString>,
    /// Whether the module that exports it has a licence that is not compatible with the GPL.
    pub by_proprietary: bool,
}

/// The kernel's own list of what it exports.
#[derive(Clone, Debug, Default)]
pub struct KernelTable {
    /// The file it was read from.
    pub source: PathBuf,
    /// By name. Those of modules may be there as well.
    pub offers: HashMap<BString, KnownExport>,
    /// Whether the list has all that the kernel knows of its exports: CRCs where that has any, licences and namespaces.
    /// A `System.map` has nothing but names.
    pub has_crcs: bool,
}
