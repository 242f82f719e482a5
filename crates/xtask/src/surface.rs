//! `cargo xtask surface`: counts and checks what other crates can use of the library, from the sources only.
//!
//! A public item is what can be reached from outside with default features: every module, type, trait, function, constant,
//! static and macro with a public path, counted once however many paths it has; each re-export of another crate's item; the
//! public functions and constants of inherent implementations; each item of a trait. A type without a public path that a
//! public signature names counts too, with its functions. Variants, public fields and `pub use` declarations are counted
//! separately. Nothing counts that is `#[doc(hidden)]`, `#[cfg(test)]` or behind a feature that is off by default.
//!
//! [`violation::Rule`] lists what is checked. rustdoc's JSON would know all of this, but only nightly writes it: here names are
//! resolved as far as signatures need it, and a name that cannot be resolved is a violation, not a pass.

mod allowed;
mod attributes;
mod internals;
mod macros;
mod metadata;
mod names;
mod parts;
mod reach;
mod resolve;
mod rules;
#[cfg(test)]
mod tests;
mod tree;
mod violation;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use attributes::Conditions;
use metadata::Packages;
use parts::{ItemKind, Part};
use reach::PublicSurface;
use tree::Library;
use violation::{Rule, Violation};

/// The library's first file.
const ROOT: &str = "crates/modutils/src/lib.rs";

/// The options of `cargo xtask surface`.
#[derive(Args)]
pub(crate) struct Options {
    /// List every public item with its kind
    #[arg(long)]
    list: bool,
    /// Print violations without failing
    #[arg(long)]
    report: bool,
}

/// Prints the counts and the violations.
///
/// # Errors
/// When a source cannot be read, or something violates a rule.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (surface, violations) = examine()?;
    if options.list {
        list(&surface);
    }
    count(&surface);
    match failure(&violations) {
        Some(text) if options.report => println!("\n{text}"),
        Some(text) => bail!("{text}"),
        None => println!("no violations"),
    }
    Ok(())
}

/// Checks the surface, and prints nothing.
///
/// # Errors
/// When a source cannot be read, or something violates a rule.
pub(crate) fn check() -> Result<()> {
    match failure(&examine()?.1) {
        Some(text) => bail!("{text}"),
        None => Ok(()),
    }
}

fn examine() -> Result<(PublicSurface, Vec<Violation>)> {
    let packages = Packages::read()?;
    let conditions = Conditions::of_default_features(&packages.features("modutils"));
    let dependencies = packages.dependencies("modutils");
    let reader = |path: &Path| fs::read_to_string(packages.root().join(path)).ok();
    let library = Library::read(Path::new(ROOT), conditions, dependencies, &reader)?;
    let surface = PublicSurface::of(&library);
    let mut violations = rules::check(&library, &surface, rules::CLOSED);
    violations.extend(internals::check(&packages)?);
    violations.sort();
    Ok((surface, violations))
}

/// All violations and their number by rule; `None` without violations.
fn failure(violations: &[Violation]) -> Option<String> {
    if violations.is_empty() {
        return None;
    }
    let mut text = String::new();
    let mut numbers: BTreeMap<Rule, usize> = BTreeMap::new();
    for Violation { rule, file, line, subject, text: fault } in violations {
        text.push_str(&format!("{}:{line}: {subject}: {fault}\n", file.display()));
        *numbers.entry(*rule).or_default() += 1;
    }
    let numbers: Vec<String> = numbers.iter().map(|(rule, number)| format!("{number} {rule}")).collect();
    text.push_str(&numbers.join(", "));
    Some(text)
}

fn list(surface: &PublicSurface) {
    let mut parts: Vec<(&str, ItemKind)> = counted(surface).collect();
    parts.sort_unstable();
    for (path, kind) in parts {
        println!("{kind:20} {path}");
    }
    println!();
}

/// Prints the numbers by kind and by module.
fn count(surface: &PublicSurface) {
    let mut by_kind: BTreeMap<ItemKind, usize> = BTreeMap::new();
    let mut by_topic: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, kind) in counted(surface) {
        *by_kind.entry(kind).or_default() += 1;
        if kind.is_item() {
            *by_topic.entry(topic(surface, path)).or_default() += 1;
        }
    }
    for (kind, number) in &by_kind {
        println!("{number:5} {kind}");
    }
    let total =
        |of: fn(ItemKind) -> bool| by_kind.iter().filter(|(kind, _)| of(**kind)).map(|one| *one.1).sum();
    let (items, others): (usize, usize) = (total(ItemKind::is_item), total(|kind| !kind.is_item()));
    let declarations = surface.declarations;
    println!(
        "{items} public items; beside them {others} variants and fields, {declarations} `pub use` declarations"
    );
    let topics: Vec<String> = by_topic.iter().map(|(topic, number)| format!("{topic} {number}")).collect();
    println!("{}", topics.join(", "));
    if !surface.unnamed.is_empty() {
        let unnamed: Vec<&str> = surface.unnamed.iter().map(String::as_str).collect();
        println!("without a public path, but in public signatures: {}", unnamed.join(", "));
    }
}

fn counted(surface: &PublicSurface) -> impl Iterator<Item = (&str, ItemKind)> {
    surface.parts.iter().filter_map(|part: &Part| Some((part.path.as_str(), part.kind?)))
}

/// The module at the crate's root that a path leads through.
fn topic<'a>(surface: &PublicSurface, path: &'a str) -> &'a str {
    let first = path.split("::").next().unwrap_or(path);
    let is_module = |part: &Part| part.kind == Some(ItemKind::Module) && part.path == first;
    if surface.parts.iter().any(is_module) { first } else { "root" }
}
