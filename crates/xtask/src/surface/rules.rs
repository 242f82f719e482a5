//! The checks of the rules.

use super::allowed::is_allowed;
use super::macros;
use super::names::Referent;
use super::parts::ItemKind;
use super::reach::PublicSurface;
use super::tree::Library;
use super::violation::{Rule, Violation};

/// Public enums, and structures of public fields, that cannot grow: path and reason.
pub(super) type ClosedTypes = [(&'static str, &'static str)];

/// Those of `modutils`.
pub(super) const CLOSED: &ClosedTypes = &[
    ("Level", "the levels are those of syslog"),
    ("depmod::devname::BadLine", "a line, and what is wrong with it"),
    ("depmod::devname::Device", "the columns of modules.devname are fixed"),
    ("depmod::devname::Node", "the columns of modules.devname are fixed"),
];

/// Checks a crate's surface.
pub(super) fn check(library: &Library, surface: &PublicSurface, closed: &ClosedTypes) -> Vec<Violation> {
    let mut violations = Vec::new();
    outside(surface, &mut violations);
    exhaustive(library, surface, closed, &mut violations);
    for (path, file, line) in &surface.hidden {
        let text = "#[doc(hidden)] without a feature that is off by default".to_owned();
        violations.push(Violation {
            rule: Rule::Hidden,
            file: file.clone(),
            line: *line,
            subject: path.clone(),
            text,
        });
    }
    macros::check(library, &mut violations);
    violations.sort();
    violations.dedup();
    violations
}

fn outside(surface: &PublicSurface, violations: &mut Vec<Violation>) {
    for part in &surface.parts {
        for name in &part.names {
            let (rule, text) = match &name.meaning {
                Referent::Own(_) => continue,
                Referent::Outside(crate_name) if is_allowed(crate_name) => continue,
                Referent::Outside(crate_name) => {
                    (Rule::Outside, format!("names {}, of the crate {crate_name}", name.text))
                }
                Referent::Macro => (Rule::Unseen, format!("{} is not expanded", name.text)),
                Referent::Unknown => (Rule::Unseen, format!("{} cannot be resolved", name.text)),
            };
            violations.push(Violation {
                rule,
                file: part.file.clone(),
                line: name.line,
                subject: part.path.clone(),
                text,
            });
        }
    }
    for (path, crate_name, file, line) in &surface.exports {
        if !is_allowed(crate_name) {
            violations.push(Violation {
                rule: Rule::Outside,
                file: file.clone(),
                line: *line,
                subject: path.clone(),
                text: format!("re-exports what is the crate {crate_name}'s"),
            });
        }
    }
}

fn exhaustive(
    library: &Library,
    surface: &PublicSurface,
    closed: &ClosedTypes,
    violations: &mut Vec<Violation>,
) {
    let is_closed = |path: &str| closed.iter().any(|(closed, _)| *closed == path);
    let open = surface.parts.iter().filter(|part| !part.may_grow && part.kind.is_some());
    let open: Vec<_> = open.collect();
    for part in open.iter().filter(|part| !is_closed(&part.path)) {
        let what = if part.kind == Some(ItemKind::Enum) { "an enum" } else { "a struct of public fields" };
        violations.push(Violation {
            rule: Rule::Exhaustive,
            file: part.file.clone(),
            line: part.line,
            subject: part.path.clone(),
            text: format!("{what} without #[non_exhaustive]"),
        });
    }
    for (path, _) in closed.iter().filter(|(path, _)| !open.iter().any(|part| part.path == *path)) {
        violations.push(Violation {
            rule: Rule::Exhaustive,
            file: library.modules[0].file.clone(),
            line: 1,
            subject: (*path).to_owned(),
            text: "is listed as one that cannot grow, but there is no such enum or struct".to_owned(),
        });
    }
}
