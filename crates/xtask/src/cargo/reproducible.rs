//! Two builds in different directories and at different times give the same bytes.
//!
//! rustc writes the path of a source file where it may panic. The checkout, the crates and the standard library get the
//! names that a build from the source archive has (`integration/packages/Makefile`). The C compiler writes the time where a
//! source asks for it, as mimalloc's does; with SOURCE_DATE_EPOCH in its environment, that one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{process, workspace};

/// The name of the checkout in binaries.
const CHECKOUT: &str = "/usr/src/modutils";

/// Prepares a command of cargo that compiles for a target. `flags` are more flags of rustc; as always with cargo, the variable
/// RUSTFLAGS of the caller is instead of them.
///
/// # Errors
/// When rustc does not run.
pub(crate) fn prepare(cargo: &mut Command, triple: &str, flags: &str) -> Result<()> {
    prepare_in(cargo, triple, flags, &workspace::root())
}

/// The same for another checkout.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_in(cargo: &mut Command, triple: &str, flags: &str, checkout: &Path) -> Result<()> {
    if std::env::var_os("SOURCE_DATE_EPOCH").is_none() {
        cargo.env("SOURCE_DATE_EPOCH", time()?);
    }
    let replaced = replaced(checkout)?;
    match std::env::var("RUSTFLAGS").ok().filter(|set| !set.trim().is_empty()) {
        Some(set) => cargo.env("RUSTFLAGS", joined(&set, &replaced)),
        None => {
            let variable = variable(triple);
            let set = std::env::var(&variable).unwrap_or_default();
            cargo.env(variable, joined(&format!("{flags} {set}"), &replaced))
        }
    };
    Ok(())
}

/// The time of this version, in seconds: that of its entry in the changelog of the recipe for Debian, whose tools take it, too.
///
/// # Errors
/// When it has none.
pub(crate) fn time() -> Result<String> {
    let changelog = workspace::root().join("integration/packages/debian/changelog");
    let text = std::fs::read_to_string(changelog).context("debian/changelog")?;
    let mut lines = text.lines().filter(|line| line.starts_with(" -- "));
    let (_, time) =
        lines.next().and_then(|line| line.split_once(">  ")).context("a time in debian/changelog")?;
    Ok(process::output(Command::new("date").args(["--utc", "+%s", "--date", time]))?.trim().to_owned())
}

/// The triple of this machine's own programs.
///
/// # Errors
/// When rustc does not run.
pub(crate) fn host() -> Result<String> {
    Ok(line(&process::output(Command::new("rustc").arg("-vV"))?, "host: ")?.to_owned())
}

/// The variable by which cargo takes flags for a target.
fn variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUSTFLAGS", triple.replace('-', "_").to_uppercase())
}

fn joined(flags: &str, replaced: &[(PathBuf, String)]) -> String {
    let mut words: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    for (path, name) in replaced {
        let word = format!("--remap-path-prefix={}={name}", path.display());
        // The variable has no way to quote a blank: such a path stays.
        if !word.contains(char::is_whitespace) {
            words.push(word);
        }
    }
    words.join(" ")
}

/// Directories and the names they get. Of several that fit, rustc takes the last.
fn replaced(checkout: &Path) -> Result<Vec<(PathBuf, String)>> {
    let checkout = std::fs::canonicalize(checkout).with_context(|| checkout.display().to_string())?;
    let mut replaced = vec![(checkout, CHECKOUT.to_owned())];
    let vendored = format!("{CHECKOUT}/vendor");
    for registry in registries(&cargo_home()?) {
        replaced.push((registry, vendored.clone()));
    }
    let about = process::output(Command::new("rustc").arg("-vV"))?;
    let root = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    // Where rustup has the sources of the standard library, rustc names these, and otherwise this.
    let sources = Path::new(root.trim()).join("lib/rustlib/src/rust");
    replaced.push((sources, format!("/rustc/{}", line(&about, "commit-hash: ")?)));
    Ok(replaced)
}

fn line<'a>(text: &'a str, key: &str) -> Result<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("rustc: no {key}"))
}

fn cargo_home() -> Result<PathBuf> {
    let home = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let in_home = || home("HOME").map(|home| Path::new(&home).join(".cargo"));
    home("CARGO_HOME").map(PathBuf::from).or_else(in_home).context("neither CARGO_HOME nor HOME is set")
}

/// The directories in which cargo has unpacked crates.
fn registries(home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(home.join("registry/src")) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_added_to_the_flags_that_are_set() {
        let replaced = [("/a".into(), "/b".to_owned()), ("/with blank".into(), "/c".to_owned())];
        assert_eq!(joined(" -C x  -C y ", &replaced), "-C x -C y --remap-path-prefix=/a=/b");
    }

    #[test]
    fn the_standard_library_has_the_name_that_its_packaged_objects_have() {
        let replaced = super::replaced(Path::new("/")).unwrap();
        let (path, name) = replaced.last().unwrap();
        assert!(path.ends_with("lib/rustlib/src/rust") && name.starts_with("/rustc/") && name.len() > 40);
    }
}
