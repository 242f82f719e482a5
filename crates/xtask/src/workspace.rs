//! Where the checkout is.

use std::path::{Path, PathBuf};

/// The root of the checkout that this program was built from.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let crates = manifest.as_deref().and_then(Path::parent);
    crates.and_then(Path::parent).map_or_else(|| ".".into(), Path::to_owned)
}
