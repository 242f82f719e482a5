//! The rules, and what violates them.

use std::fmt;
use std::path::Path;
use std::rc::Rc;

use super::macros;
use super::names::Named;
use super::parts::Kind;
use super::reach::Surface;
use super::resolve::STANDARD;
use super::tree::Library;

/// The crates beside the standard library whose types public signatures may name.
const ALLOWED: [&str; 1] = ["bstr"];

/// Public enums, and structures of public fields, that cannot grow: path and reason.
pub(super) type Closed = [(&'static str, &'static str)];

/// Those of `modutils`.
pub(super) const CLOSED: &Closed = &[
    ("Level", "the levels are those of syslog"),
    ("depmod::devname::BadLine", "a line, and what is wrong with it"),
    ("depmod::devname::Device", "the columns of modules.devname are fixed"),
    ("depmod::devname::Node", "the columns of modules.devname are fixed"),
];

/// What a violation is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// A public signature names the standard library, `bstr` and the crate's own types only.
    Outside,
    /// A public enum, and a structure of public fields, is `#[non_exhaustive]`.
    Exhaustive,
    /// What is public and hidden is behind a feature that is off by default.
    Hidden,
    /// The tools and the C library do not use the feature `internals`.
    Internals,
    /// Nothing public is declared by a macro, and every name can be resolved.
    Unseen,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::Outside => "types of other crates in public signatures",
            Rule::Exhaustive => "public types that cannot grow",
            Rule::Hidden => "hidden items that everyone can use",
            Rule::Internals => "uses of the feature internals",
            Rule::Unseen => "blind spots of this check",
        })
    }
}

/// Where a rule is violated, and how.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    pub(super) file: Rc<Path>,
    pub(super) line: usize,
    /// The item's path, or what else it is about.
    pub(super) subject: String,
    pub(super) text: String,
}

/// Checks a crate's surface.
pub(super) fn check(library: &Library, surface: &Surface, closed: &Closed) -> Vec<Violation> {
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

/// Whether what comes from a crate may be public.
pub(super) fn is_allowed(crate_name: &str) -> bool {
    STANDARD.contains(&crate_name) || ALLOWED.contains(&crate_name)
}

fn outside(surface: &Surface, violations: &mut Vec<Violation>) {
    for part in &surface.parts {
        for name in &part.names {
            let (rule, text) = match &name.meaning {
                Named::Own(_) => continue,
                Named::Outside(crate_name) if is_allowed(crate_name) => continue,
                Named::Outside(crate_name) => {
                    (Rule::Outside, format!("names {}, of the crate {crate_name}", name.text))
                }
                Named::Macro => (Rule::Unseen, format!("{} is not expanded", name.text)),
                Named::Unknown => (Rule::Unseen, format!("{} cannot be resolved", name.text)),
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

fn exhaustive(library: &Library, surface: &Surface, closed: &Closed, violations: &mut Vec<Violation>) {
    let is_closed = |path: &str| closed.iter().any(|(closed, _)| *closed == path);
    let open = surface.parts.iter().filter(|part| !part.may_grow && part.kind.is_some());
    let open: Vec<_> = open.collect();
    for part in open.iter().filter(|part| !is_closed(&part.path)) {
        let what = if part.kind == Some(Kind::Enum) { "an enum" } else { "a struct of public fields" };
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
