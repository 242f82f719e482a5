//! A kernel with CONFIG_RUST in the cache.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::trees::KernelTree;

/// A kernel with CONFIG_RUST in the cache.
pub(crate) struct RustKernel {
    /// Its boot files and its own modules.
    pub(crate) tree: KernelTree,
    /// The directory that external modules are built against.
    pub(super) external: PathBuf,
    /// The key of its cache entry.
    pub(super) key: String,
}

impl RustKernel {
    /// Opens a finished entry of the cache.
    ///
    /// # Errors
    /// When its version cannot be read.
    pub(super) fn open(root: PathBuf, key: String) -> Result<RustKernel> {
        let release = root.join("external/include/config/kernel.release");
        let version = fs::read_to_string(&release).with_context(|| release.display().to_string())?;
        let external = root.join("external");
        Ok(RustKernel { tree: KernelTree { root, version: version.trim().to_owned() }, external, key })
    }
}
