//! The kernel release of every case, and its module directory.

/// The release that `uname` reports.
pub(crate) const RELEASE: &str = "6.12.0-fake";
/// The directory of the modules inside the root. Cases write it as `@`.
pub(crate) const MODULE_DIRECTORY: &str = "/lib/modules/6.12.0-fake/kernel";
