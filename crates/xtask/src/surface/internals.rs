//! The feature `internals` of the library is for its own tests, fuzz targets and benchmarks. The tools and the C library may
//! not use it, which the compiler does not notice: in a build of the whole workspace the feature is on for all packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;

use super::attributes::Conditions;
use super::metadata::{Packages, list};
use super::violation::{Rule, Violation};

/// The feature, and the module behind it.
const INTERNALS: &str = "internals";

/// Checks the packages that may not use the feature.
///
/// # Errors
/// When a source cannot be read, or there are no tools.
pub(super) fn check(packages: &Packages) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    if Conditions::of_default_features(&packages.features("modutils")).has_feature(INTERNALS) {
        let manifest = Path::new("crates/modutils/Cargo.toml");
        violations.push(violation(manifest, 1, "is on by default".to_owned()));
    }
    let mut is_checked = false;
    for package in packages.all() {
        let Some(manifest) = package["manifest_path"].as_str().map(Path::new) else { continue };
        let Ok(relative) = manifest.strip_prefix(packages.root()) else { continue };
        if !relative.starts_with("bins") && !relative.starts_with("crates/libkmod") {
            continue;
        }
        is_checked = true;
        let text = fs::read_to_string(manifest).with_context(|| manifest.display().to_string())?;
        for fault in enabled(package) {
            let line = text.lines().position(|line| line.contains(INTERNALS)).map_or(1, |line| line + 1);
            violations.push(violation(relative, line, fault));
        }
        for source in sources(manifest.parent().unwrap_or(manifest))? {
            let text = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
            let relative = source.strip_prefix(packages.root()).unwrap_or(&source);
            for line in named(&text).with_context(|| source.display().to_string())? {
                violations.push(violation(relative, line, "names it".to_owned()));
            }
        }
    }
    if !is_checked {
        bail!("no package in bins/");
    }
    Ok(violations)
}

fn violation(file: &Path, line: usize, text: String) -> Violation {
    let subject = format!("modutils::{INTERNALS}");
    Violation { rule: Rule::Internals, file: file.into(), line, subject, text }
}

/// How a package enables the feature.
fn enabled(package: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for dependency in list(&package["dependencies"]) {
        if dependency["name"] == "modutils"
            && list(&dependency["features"]).iter().any(|one| one == INTERNALS)
        {
            faults.push("is enabled by the dependency on modutils".to_owned());
        }
    }
    let suffix = format!("/{INTERNALS}");
    for (name, enables) in package["features"].as_object().into_iter().flatten() {
        if list(enables).iter().any(|one| one.as_str().is_some_and(|one| one.ends_with(&suffix))) {
            faults.push(format!("is enabled by the feature {name}"));
        }
    }
    faults
}

/// The lines of a source that contain the module's name, in the arguments of macros too. Nothing else has that name there.
fn named(source: &str) -> Result<Vec<usize>> {
    let tokens: TokenStream = source.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut lines = Vec::new();
    let mut pending = vec![tokens];
    while let Some(tokens) = pending.pop() {
        for token in tokens {
            match token {
                TokenTree::Group(group) => pending.push(group.stream()),
                TokenTree::Ident(name) if name == INTERNALS => lines.push(name.span().start().line),
                _ => {}
            }
        }
    }
    lines.sort_unstable();
    Ok(lines)
}

/// The sources of a package.
fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("target") {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(dependency_features: &str, features: &str) -> Value {
        let text = format!(
            r#"{{"dependencies": [{{"name": "modutils", "features": [{dependency_features}]}},
                {{"name": "other", "features": ["internals"]}}], "features": {{{features}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_package_enables_the_feature_by_its_dependency_or_by_one_of_its_own() {
        assert_eq!(enabled(&package(r#""zstd""#, r#""default": []"#)), [""; 0]);
        assert_eq!(enabled(&package(r#""zstd", "internals""#, "")).len(), 1);
        assert_eq!(enabled(&package("", r#""inside": ["modutils/internals"]"#)).len(), 1);
        assert_eq!(enabled(&package("", r#""inside": ["modutils?/internals"]"#)).len(), 1);
    }

    #[test]
    fn violations_are_found_in_the_packages_that_must_not_use_the_feature() {
        let workspace = tempfile::tempdir().unwrap();
        let root = workspace.path();
        let mut packages = Vec::new();
        for package in ["bins/tool", "crates/libkmod", "tests"] {
            let manifest = root.join(package).join("Cargo.toml");
            fs::create_dir_all(root.join(package).join("src/part")).unwrap();
            fs::write(&manifest, "[dependencies]\nmodutils = { features = [\"internals\"] }\n").unwrap();
            fs::write(root.join(package).join("src/part/mod.rs"), "\n\nuse modutils::internals::elf;\n")
                .unwrap();
            packages.push(format!(
                r#"{{"name": "{package}", "manifest_path": "{}", "dependencies":
                    [{{"name": "modutils", "features": ["internals"]}}]}}"#,
                manifest.display()
            ));
        }
        packages.push(
            r#"{"name": "modutils", "features": {"default": ["internals"], "internals": []}}"#.to_owned(),
        );
        let check = |packages: &[String]| {
            let list = packages.join(",");
            let text = format!(r#"{{"workspace_root": "{}", "packages": [{list}]}}"#, root.display());
            check(&Packages::parse(&text).unwrap())
        };
        let found = check(&packages).unwrap();
        let found: Vec<(&str, usize)> =
            found.iter().map(|one| (one.file.to_str().unwrap(), one.line)).collect();
        let expected = [
            ("crates/modutils/Cargo.toml", 1),
            ("bins/tool/Cargo.toml", 2),
            ("bins/tool/src/part/mod.rs", 3),
            ("crates/libkmod/Cargo.toml", 2),
            ("crates/libkmod/src/part/mod.rs", 3),
        ];
        assert_eq!(found, expected);
        assert!(check(&packages[2..]).is_err(), "nothing to check is no success");
    }

    #[test]
    fn a_source_names_the_module_in_paths_imports_and_macros() {
        let fine = "// modutils::internals\nuse modutils::{plan, Root};\nfn f() { show(\"internals\") }\n";
        assert_eq!(named(fine).unwrap(), [0; 0]);
        let faulty = "use modutils as m;\nuse m::{plan, internals::depmod};\n\nfn f() { print!(\"{}\", m::internals::X) }\n";
        assert_eq!(named(faulty).unwrap(), [2, 4]);
    }
}
