//! Digests for the keys of cache entries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::process;

/// Twelve hexadecimal digits of the SHA-256 of the parts.
///
/// # Errors
/// When `sha256sum` cannot be run.
pub(crate) fn hash(parts: &[&[u8]]) -> Result<String> {
    let file = tempfile::NamedTempFile::new()?;
    let framed = parts.iter().flat_map(|part| [part.len().to_string().into_bytes(), part.to_vec()]);
    fs::write(file.path(), framed.collect::<Vec<_>>().join(&b'\n'))?;
    let sum = process::output(Command::new("sha256sum").arg(file.path()))?;
    Ok(sum.chars().take(12).collect())
}

/// The files below `dir`, sorted, with their contents.
pub(super) fn contents(dir: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let files = crate::trees::files_below(dir, "")?;
    files.into_iter().map(|path| Ok((path.clone(), fs::read(&path)?))).collect()
}
