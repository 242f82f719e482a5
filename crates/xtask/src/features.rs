//! The features of the library: each alone, and none, must compile without warnings and pass the library's tests; and the
//! table in its README must give what each costs.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::{cargo, workspace};

const README: &str = "crates/modutils/README.md";

/// Every feature but the private `internals`, and first none.
const FEATURES: [&str; 8] = ["", "gzip", "xz", "zstd", "signature", "depmod", "kernel", "diagnose"];

/// The features of the binary, and first none.
const OF_BINARY: [&str; 4] = ["", "closure", "commands", "diagnose"];

/// Lints the library and the binary with each of their features alone and with none.
///
/// # Errors
/// When one of them has a warning, or when `Cargo.toml` or the README has other features than those checked here.
pub(crate) fn lint() -> Result<()> {
    let of = |package, target, features: &'static [&'static str]| {
        features.iter().map(move |feature| (package, target, *feature))
    };
    for (package, target, feature) in
        of("modutils", "--lib", &FEATURES).chain(of("kmod", "--bins", &OF_BINARY))
    {
        let mut clippy = cargo::command();
        clippy.args(["clippy", "--package", package, target, "--no-default-features", "--features", feature]);
        cargo::check("clippy", clippy.args(["--", "--deny", "warnings"]))
            .with_context(|| format!("{package} with {}", described(feature)))?;
    }
    documented()
}

/// Runs the library's tests with each feature alone and with none: how many passed and failed.
///
/// # Errors
/// When cargo cannot be started.
pub(crate) fn test() -> Result<(usize, usize)> {
    let mut sum = (0, 0);
    for feature in FEATURES {
        let mut test = cargo::command();
        test.args(["test", "--package", "modutils", "--lib", "--no-default-features", "--features", feature]);
        let (passed, failed) = cargo::libtest(&mut test)?;
        println!("      {}: {passed} passed, {failed} failed", described(feature));
        sum.0 += passed;
        sum.1 += failed;
    }
    Ok(sum)
}

/// Checks that the README's table has each feature with the number of crates that it costs.
fn documented() -> Result<()> {
    let readme = std::fs::read_to_string(workspace::root().join(README)).context(README)?;
    let rows = rows(&readme);
    let all = FEATURES.map(|feature| (feature, if feature.is_empty() { "none" } else { feature }));
    let everything = FEATURES[1..].join(",");
    for (features, name) in all.into_iter().chain([(everything.as_str(), "all")]) {
        let counted = dependencies(features)?;
        match rows.iter().find(|(row, _)| row == name) {
            Some((_, documented)) if *documented == counted => {}
            Some((_, documented)) => bail!("{README}: {name} costs {counted} crates, not {documented}"),
            None => bail!("{README}: no row for {name}, which costs {counted} crates"),
        }
    }
    match rows.len() == FEATURES.len() + 1 {
        true => Ok(()),
        false => {
            bail!("{README}: the table has {} rows, and there are {} features", rows.len(), FEATURES.len())
        }
    }
}

/// The first and the last column of the table's rows.
fn rows(readme: &str) -> Vec<(String, usize)> {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let rows = readme.lines().filter(|line| line.starts_with('|')).map(cells);
    rows.filter_map(|cells: Vec<String>| Some((cells.first()?.clone(), cells.last()?.parse().ok()?)))
        .collect()
}

/// How many crates are compiled for the library with these features, besides itself.
fn dependencies(features: &str) -> Result<usize> {
    let mut tree = cargo::command();
    tree.args(["tree", "--package", "modutils", "--no-default-features", "--features", features]);
    tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    // The table is about one machine, whatever this one is.
    tree.args(["--target", "x86_64-unknown-linux-gnu"]);
    let output = tree.output().context("cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // A crate whose row was shown before is marked with an asterisk.
    let crates: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(crates.len().saturating_sub(1))
}

fn described(feature: &str) -> String {
    if feature.is_empty() { "no features".to_owned() } else { format!("the feature {feature} alone") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_that_end_with_a_number_count() {
        let table = "| feature | what | crates |\n|---|---|---|\n| `a` | x | 3 |\ntext 4\n| all | | 12 |\n";
        assert_eq!(rows(table), [("a".to_owned(), 3), ("all".to_owned(), 12)]);
    }

    #[test]
    fn the_features_of_the_manifest_are_checked() {
        let manifest = std::fs::read_to_string(workspace::root().join("crates/modutils/Cargo.toml")).unwrap();
        let section = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
        let names = section.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
        let checked: Vec<&str> = names.filter(|name| !["default", "internals"].contains(name)).collect();
        assert_eq!(checked, FEATURES[1..]);
    }
}
