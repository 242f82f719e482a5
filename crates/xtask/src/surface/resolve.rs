//! What a name or path means in a module: through declarations, imports, renames and globs, down to the crates that the
//! compiler knows by itself.

use std::collections::BTreeSet;

use super::tree::{Import, Library};

/// What a path resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// A module of this crate.
    Module(usize),
    /// An item of this crate, or something that belongs to it, such as a variant.
    Item(usize),
    /// Something of another crate.
    Outside(String),
    /// A type of the language.
    Primitive,
}

/// The names that need no import.
const PRELUDE: [&str; 39] = [
    "AsMut",
    "AsRef",
    "AsyncFn",
    "AsyncFnMut",
    "AsyncFnOnce",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "Iterator",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Sized",
    "String",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
];

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16", "u32",
    "u64", "u8", "usize",
];

/// The crates of the standard library.
pub(super) const STANDARD: [&str; 3] = ["std", "core", "alloc"];

impl Library {
    /// Whether an item's name is that of a type or trait.
    pub(super) fn is_type(&self, item: usize) -> bool {
        use syn::Item::{Enum, Struct, Trait, Type, Union};
        matches!(self.items[item].node, Enum(_) | Struct(_) | Trait(_) | Type(_) | Union(_))
    }

    /// What a path means in a module: several things if a type and a function have the same name, nothing if it cannot be
    /// resolved.
    pub(super) fn resolve(&self, module: usize, path: &[String], is_absolute: bool) -> Vec<Resolved> {
        self.follow(module, path, is_absolute, &mut BTreeSet::new())
    }

    /// What a name that a module declares or imports means; not the names that every module knows.
    pub(super) fn declared(&self, module: usize, name: &str) -> Vec<Resolved> {
        self.in_scope(module, name, &mut BTreeSet::new())
    }

    /// The same as `resolve`; a name of a module that is visited already is not followed again.
    fn follow(
        &self,
        module: usize,
        path: &[String],
        is_absolute: bool,
        visited: &mut BTreeSet<(usize, String)>,
    ) -> Vec<Resolved> {
        let Some((first, mut rest)) = path.split_first() else { return Vec::new() };
        if is_absolute {
            return vec![Resolved::Outside(first.clone())];
        }
        let mut found = match first.as_str() {
            "crate" | "$crate" => vec![Resolved::Module(0)],
            "self" => vec![Resolved::Module(module)],
            "super" => {
                let mut above = self.modules[module].parent;
                while let Some((first, others)) = rest.split_first()
                    && first == "super"
                {
                    above = above.and_then(|module| self.modules[module].parent);
                    rest = others;
                }
                above.map(Resolved::Module).into_iter().collect()
            }
            name => {
                let declared = self.in_scope(module, name, visited);
                if declared.is_empty() { self.known_everywhere(name) } else { declared }
            }
        };
        for name in rest {
            let next = found.iter().flat_map(|meaning| match meaning {
                Resolved::Module(module) => self.in_scope(*module, name, visited),
                // What belongs to an item or to another crate's module comes from where that comes from.
                other => vec![other.clone()],
            });
            found = next.collect();
        }
        found
    }

    /// What a name declared or imported in a module means.
    fn in_scope(&self, module: usize, name: &str, visited: &mut BTreeSet<(usize, String)>) -> Vec<Resolved> {
        if !visited.insert((module, name.to_owned())) {
            return Vec::new();
        }
        let here = &self.modules[module];
        let items = here
            .items
            .iter()
            .filter(|item| self.items[**item].name == name)
            .map(|item| Resolved::Item(*item));
        let children = here.children.iter().filter(|child| self.modules[**child].name == name);
        let mut found: Vec<Resolved> = items.chain(children.map(|child| Resolved::Module(*child))).collect();
        for import in here.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            for meaning in self.follow(module, &import.path, import.is_absolute, visited) {
                if !found.contains(&meaning) {
                    found.push(meaning);
                }
            }
        }
        if found.is_empty() {
            let globs = here.imports.iter().filter(|import| import.name.is_none());
            found = globs.flat_map(|glob| self.through(module, glob, name, visited)).collect();
        }
        visited.remove(&(module, name.to_owned()));
        found
    }

    /// What a name means through a glob. The contents of other crates are not known here, so a glob of one has every name
    /// that nothing else explains.
    fn through(
        &self,
        module: usize,
        glob: &Import,
        name: &str,
        visited: &mut BTreeSet<(usize, String)>,
    ) -> Vec<Resolved> {
        let from = self.follow(module, &glob.path, glob.is_absolute, visited);
        let through = from.into_iter().flat_map(|meaning| match meaning {
            Resolved::Module(module) => self.in_scope(module, name, visited),
            Resolved::Outside(crate_name) if self.known_everywhere(name).is_empty() => {
                vec![Resolved::Outside(crate_name)]
            }
            _ => Vec::new(),
        });
        through.collect()
    }

    /// Crates, the prelude and the language's own types.
    fn known_everywhere(&self, name: &str) -> Vec<Resolved> {
        if STANDARD.contains(&name) || self.dependencies.contains(name) {
            return vec![Resolved::Outside(name.to_owned())];
        }
        if PRELUDE.contains(&name) {
            return vec![Resolved::Outside("std".to_owned())];
        }
        if PRIMITIVES.contains(&name) { vec![Resolved::Primitive] } else { Vec::new() }
    }
}
