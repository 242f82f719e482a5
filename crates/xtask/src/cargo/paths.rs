//! The paths of this machine stay out of what is shipped, so that two builds in different directories give the same bytes.
//!
//! rustc writes the path of a source file where it may panic. The checkout, the crates and the standard library get the
//! names that a build from the source archive has (`integration/packages/Makefile`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{process, workspace};

/// The name of the checkout in binaries.
const CHECKOUT: &str = "/usr/src/modutils";

/// Adds what replaces the paths to the flags of rustc, with which a command of cargo compiles for a target. `flags` are more of
/// them. As always with cargo, the variable RUSTFLAGS of the caller is instead of `flags`.
///
/// # Errors
/// When rustc does not run.
pub(crate) fn replace(cargo: &mut Command, triple: &str, flags: &str) -> Result<()> {
    replace_in(cargo, triple, flags, &workspace::root())
}

/// The same for another checkout.
///
/// # Errors
/// As [`replace`].
pub(crate) fn replace_in(cargo: &mut Command, triple: &str, flags: &str, checkout: &Path) -> Result<()> {
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
    let mut replaced = vec![(checkout.to_owned(), CHECKOUT.to_owned())];
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
        let replaced = super::replaced(Path::new("/a")).unwrap();
        let (path, name) = replaced.last().unwrap();
        assert!(path.ends_with("lib/rustlib/src/rust") && name.starts_with("/rustc/") && name.len() > 40);
    }
}
