//! A package as the index of an archive describes it.

/// A package in an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// Its path on the mirror.
    pub(super) file: String,
    pub(super) sha256: String,
    /// Its size in bytes, if the index has it.
    pub(super) size: Option<u64>,
}

impl Package {
    /// The last component of its path.
    pub(super) fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}
