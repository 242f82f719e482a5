//! The workspace's packages, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{cargo, process};

/// The packages of the workspace.
pub(super) struct Packages {
    packages: Vec<Value>,
    /// The directory of the workspace, as the packages' paths begin with it.
    root: PathBuf,
}

impl Packages {
    /// Asks cargo.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn read() -> Result<Packages> {
        let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
        let metadata = process::output(cargo::command().args(arguments))?;
        Packages::parse(&metadata)
    }

    /// Reads what cargo prints.
    ///
    /// # Errors
    /// When that is malformed.
    pub(super) fn parse(metadata: &str) -> Result<Packages> {
        let metadata: Value = serde_json::from_str(metadata).context("cargo metadata")?;
        let root = metadata["workspace_root"].as_str().context("cargo metadata without workspace_root")?;
        Ok(Packages { packages: list(&metadata["packages"]), root: root.into() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn all(&self) -> &[Value] {
        &self.packages
    }

    fn named(&self, name: &str) -> Option<&Value> {
        self.packages.iter().find(|package| package["name"] == name)
    }

    /// The features of a package, each with what it enables.
    pub(super) fn features(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let features = self.named(name).and_then(|package| package["features"].as_object());
        let strings =
            |value: &Value| list(value).iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        features.into_iter().flatten().map(|(name, enables)| (name.clone(), strings(enables))).collect()
    }

    /// The names by which a package's sources know the crates that it depends on.
    pub(super) fn dependencies(&self, name: &str) -> BTreeSet<String> {
        let dependencies = self.named(name).map_or_else(Vec::new, |package| list(&package["dependencies"]));
        let needed = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
        let names =
            needed.filter_map(|dependency| dependency["rename"].as_str().or(dependency["name"].as_str()));
        names.map(|name| name.replace('-', "_")).collect()
    }
}

/// The elements of an array; none of anything else.
pub(super) fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_and_features_of_dependencies_are_those_of_the_manifest() {
        let packages = Packages::read().unwrap();
        let dependencies = packages.dependencies("modutils");
        assert!(dependencies.contains("cms") && dependencies.contains("bstr"), "{dependencies:?}");
        assert!(!dependencies.contains("proptest"), "a dependency of tests is none of the library");
        assert!(packages.features("xtask").is_empty());
    }
}
