//! What the release is made of, as a bill of materials in CycloneDX's JSON (version 1.5 of its specification), from
//! `cargo metadata` and the checksums of `Cargo.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::source::SHIPPED;
use crate::binary::Target;
use crate::{cargo, process, workspace};

/// Writes the bill of a target and returns its path.
///
/// # Errors
/// When cargo fails, or a file cannot be read or written.
pub(super) fn write(target: Target) -> Result<PathBuf> {
    let mut command = cargo::command();
    command.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target.triple()]);
    let metadata: Value = serde_json::from_str(&process::output(&mut command)?)?;
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock")).context("Cargo.lock")?;
    let bill = bill(&metadata, &checksums(&lock))?;
    let name = format!("modutils-{}-{}.cdx.json", env!("CARGO_PKG_VERSION"), target.name());
    let path = super::directory()?.join(name);
    fs::write(&path, serde_json::to_string_pretty(&bill)? + "\n")?;
    Ok(path)
}

/// The checksum of each crate of a lock file, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]\n").skip(1);
    blocks
        .filter_map(|block| {
            Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?))
        })
        .collect()
}

/// Whether a crate is in what is shipped, or was run to build it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Excluded,
    Required,
}

fn bill(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let by_id =
        |of: &Value| list(of).into_iter().map(|one| (text(&one["id"]), one)).collect::<BTreeMap<_, _>>();
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let is_macro = |id: &str| {
        packages.get(id).is_some_and(|package| {
            list(&package["targets"])
                .iter()
                .any(|target| list(&target["kind"]).contains(&json!("proc-macro")))
        })
    };
    // What is needed at run time goes first: a crate that is both is part of the product.
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let shipped = packages.iter().filter(|(_, package)| SHIPPED.contains(&text(&package["name"]).as_str()));
    let mut waiting: Vec<(String, Scope)> = shipped.map(|(id, _)| (id.clone(), Scope::Required)).collect();
    while let Some((id, scope)) = waiting.pop() {
        if scopes.get(&id).is_some_and(|known| *known >= scope) {
            continue;
        }
        scopes.insert(id.clone(), scope);
        for dependency in nodes.get(&id).map(|node| list(&node["deps"])).unwrap_or_default() {
            let to = text(&dependency["pkg"]);
            let kinds: Vec<Value> =
                list(&dependency["dep_kinds"]).iter().map(|kind| kind["kind"].clone()).collect();
            let is_normal = kinds.contains(&Value::Null);
            if !is_normal && !kinds.contains(&json!("build")) {
                continue;
            }
            let is_part = scope == Scope::Required && is_normal && !is_macro(&to);
            edges.entry(id.clone()).or_default().insert(to.clone());
            waiting.push((to, if is_part { Scope::Required } else { Scope::Excluded }));
        }
    }
    let reference = |id: &str| -> Result<String> {
        let package = packages.get(id).with_context(|| format!("no package {id}"))?;
        Ok(format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]).replace('+', "%2B")))
    };
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (id, scope) in &scopes {
        let package = packages.get(id).with_context(|| format!("no package {id}"))?;
        let (name, version) = (text(&package["name"]), text(&package["version"]));
        let kind = if SHIPPED.contains(&name.as_str()) && name == "kmod" { "application" } else { "library" };
        let mut component = json!({
            "type": kind,
            "bom-ref": reference(id)?,
            "name": name,
            "version": version,
            "scope": if *scope == Scope::Required { "required" } else { "excluded" },
            "purl": reference(id)?,
        });
        if let Some(licence) = package["license"].as_str() {
            // Older manifests have a slash for the choice.
            component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
        }
        if let Some(sum) = checksums.get(&(name, version)) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
        }
        if let Some(repository) = package["repository"].as_str() {
            component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
        }
        components.push(component);
        let needs =
            edges.get(id).into_iter().flatten().map(|to| reference(to)).collect::<Result<Vec<_>>>()?;
        dependencies.push(json!({ "ref": reference(id)?, "dependsOn": needs }));
    }
    let main = format!("modutils@{}", env!("CARGO_PKG_VERSION"));
    let roots: Vec<&Value> = components
        .iter()
        .filter(|component| SHIPPED.iter().any(|name| component["name"] == *name))
        .map(|component| &component["bom-ref"])
        .collect();
    dependencies.push(json!({ "ref": main, "dependsOn": roots }));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": main,
                "name": "modutils",
                "version": env!("CARGO_PKG_VERSION"),
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_and_what_only_builds_are_distinct_and_tests_are_absent() {
        let package = |name: &str, kind: &str| {
            json!({ "id": name, "name": name, "version": "1.0.0+x", "license": "MIT/Apache-2.0",
                    "targets": [{ "kind": [kind] }] })
        };
        let needs = |to: &str, kind: Value| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
        let node = |id: &str, deps: Vec<Value>| json!({ "id": id, "deps": deps });
        let metadata = json!({
            "packages": [package("kmod", "bin"), package("part", "lib"), package("derive", "proc-macro"),
                         package("both", "lib"), package("builder", "lib"), package("tester", "lib")],
            "resolve": { "nodes": [
                node("kmod", vec![needs("part", Value::Null), needs("derive", Value::Null),
                                  needs("builder", json!("build")), needs("tester", json!("dev"))]),
                node("derive", vec![needs("both", Value::Null)]),
                node("part", vec![needs("both", Value::Null)]),
                node("both", vec![]), node("builder", vec![]), node("tester", vec![]),
            ] },
        });
        let sums = checksums("[[package]]\nname = \"part\"\nversion = \"1.0.0+x\"\nchecksum = \"abc\"\n");
        let bill = bill(&metadata, &sums).unwrap();
        let scope = |name: &str| {
            let components = bill["components"].as_array().unwrap();
            components.iter().find(|one| one["name"] == name).map(|one| one["scope"].clone())
        };
        for name in ["kmod", "part", "both"] {
            assert_eq!(scope(name), Some(json!("required")), "{name}");
        }
        for name in ["derive", "builder"] {
            assert_eq!(scope(name), Some(json!("excluded")), "{name}");
        }
        assert_eq!(scope("tester"), None);
        let text = bill.to_string();
        assert!(text.contains("pkg:cargo/part@1.0.0%2Bx") && text.contains("\"content\":\"abc\""), "{text}");
        assert!(text.contains("MIT OR Apache-2.0"), "{text}");
    }
}
