//! What an installation wrote, kept beside its documents, so that a later one overwrites nothing else, and
//! `--uninstall` removes nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The name of the record's file, in the directory of the documents.
pub(super) const NAME: &str = "installed-files";

/// Files and links by their path in the installed system, each with what it holds: `sha256 SUM` or `link TARGET`.
pub(super) type Record = BTreeMap<PathBuf, String>;

/// Reads a record; there is none before the first installation.
///
/// # Errors
/// When it cannot be read, or is not one.
pub(super) fn read(file: &Path) -> Result<Record> {
    if !file.exists() {
        return Ok(Record::new());
    }
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let entry = |line: &str| {
        let (path, content) = line.split_once('\t')?;
        Some((path.into(), content.to_owned()))
    };
    let entries = text.lines().map(|line| entry(line).with_context(|| format!("{}: {line}", file.display())));
    entries.collect()
}

/// Writes a record.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(file: &Path, record: &Record) -> Result<()> {
    let lines = record.iter().map(|(path, content)| format!("{}\t{content}\n", path.display()));
    fs::write(file, lines.collect::<String>()).with_context(|| file.display().to_string())
}

/// What a file or link holds; `None` where there is nothing.
///
/// # Errors
/// When it cannot be read.
pub(super) fn content(path: &Path) -> Result<Option<String>> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(None) };
    if metadata.is_symlink() {
        return Ok(Some(format!("link {}", fs::read_link(path)?.display())));
    }
    let line = process::output(Command::new("sha256sum").arg("--").arg(path))?;
    Ok(Some(format!("sha256 {}", line.split_whitespace().next().unwrap_or_default())))
}

/// Those of the paths at which there is something that the record does not account for.
///
/// # Errors
/// When something cannot be read.
pub(super) fn foreign(destdir: &Path, paths: &[PathBuf], record: &Record) -> Result<Vec<PathBuf>> {
    let mut foreign = Vec::new();
    for path in paths {
        let there = content(&destdir.join(path.strip_prefix("/").unwrap_or(path)))?;
        if there.is_some() && there.as_ref() != record.get(path) {
            foreign.push(path.clone());
        }
    }
    Ok(foreign)
}

/// Removes what the record accounts for and returns how many that were, and the paths that hold something else now,
/// which stay.
///
/// # Errors
/// When a file cannot be read or removed.
pub(super) fn remove(destdir: &Path, record: &Record) -> Result<(usize, Vec<PathBuf>)> {
    let (mut removed, mut kept) = (0, Vec::new());
    for (path, content) in record {
        let place = destdir.join(path.strip_prefix("/").unwrap_or(path));
        match self::content(&place)? {
            Some(there) if there == *content => {
                fs::remove_file(&place).with_context(|| place.display().to_string())?;
                removed += 1;
            }
            Some(_) => kept.push(path.clone()),
            None => {}
        }
    }
    Ok((removed, kept))
}
