//! What the attributes of an item decide: whether it is compiled, hidden from the documentation, or may grow.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Lit, Meta, Token};

/// What is known of a build with default features. Whatever else a `cfg` asks for (a target, a C library) may hold or not.
#[derive(Default)]
pub(super) struct Conditions {
    features: BTreeSet<String>,
}

impl Conditions {
    /// The conditions of a crate with these features, as `cargo metadata` lists them.
    pub(super) fn of_default_features(features: &BTreeMap<String, Vec<String>>) -> Conditions {
        let mut enabled = BTreeSet::new();
        let mut pending = vec!["default"];
        while let Some(feature) = pending.pop() {
            if let Some(enables) = features.get(feature)
                && enabled.insert(feature.to_owned())
            {
                pending.extend(enables.iter().map(String::as_str));
            }
        }
        Conditions { features: enabled }
    }

    pub(super) fn has_feature(&self, feature: &str) -> bool {
        self.features.contains(feature)
    }

    /// Whether a `cfg` removes the item. One that cannot be decided keeps it.
    pub(super) fn removes(&self, attributes: &[Attribute]) -> bool {
        let predicates = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        predicates
            .filter_map(|attribute| attribute.parse_args().ok())
            .any(|meta| self.holds(&meta) == Some(false))
    }

    /// The attributes, with those of a `cfg_attr` that holds or cannot be decided.
    pub(super) fn expand(&self, attributes: &[Attribute]) -> Vec<Meta> {
        let mut expanded = Vec::new();
        let mut pending: Vec<Meta> =
            attributes.iter().rev().map(|attribute| attribute.meta.clone()).collect();
        while let Some(meta) = pending.pop() {
            if !meta.path().is_ident("cfg_attr") {
                expanded.push(meta);
                continue;
            }
            let mut arguments = arguments(&meta).into_iter();
            if arguments.next().is_some_and(|predicate| self.holds(&predicate) != Some(false)) {
                pending.extend(arguments.rev());
            }
        }
        expanded
    }

    /// `#[doc(hidden)]`.
    pub(super) fn hides(&self, attributes: &[Attribute]) -> bool {
        let docs = self.expand(attributes).into_iter().filter(|meta| meta.path().is_ident("doc"));
        docs.flat_map(|meta| arguments(&meta)).any(|argument| argument.path().is_ident("hidden"))
    }

    /// An attribute without arguments, such as `#[non_exhaustive]`.
    pub(super) fn has(&self, attributes: &[Attribute], name: &str) -> bool {
        self.expand(attributes).iter().any(|meta| meta.path().is_ident(name))
    }

    /// The paths in `#[derive(…)]`.
    pub(super) fn derives(&self, attributes: &[Attribute]) -> Vec<syn::Path> {
        let derives = self.expand(attributes).into_iter().filter(|meta| meta.path().is_ident("derive"));
        derives.flat_map(|meta| arguments(&meta)).map(|argument| argument.path().clone()).collect()
    }

    /// Whether a predicate of `cfg` holds; none if that depends on more than features.
    fn holds(&self, predicate: &Meta) -> Option<bool> {
        match predicate {
            Meta::Path(path) => path.is_ident("test").then_some(false),
            Meta::NameValue(pair) if pair.path.is_ident("feature") => match &pair.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(feature) => Some(self.has_feature(&feature.value())),
                    _ => None,
                },
                _ => None,
            },
            Meta::NameValue(_) => None,
            Meta::List(list) => {
                let each: Vec<Option<bool>> =
                    arguments(predicate).iter().map(|one| self.holds(one)).collect();
                if list.path.is_ident("not") {
                    each.first().copied().flatten().map(|holds| !holds)
                } else if list.path.is_ident("all") {
                    all(&each)
                } else if list.path.is_ident("any") {
                    let opposite: Vec<Option<bool>> =
                        each.iter().map(|one| one.map(|holds| !holds)).collect();
                    all(&opposite).map(|holds| !holds)
                } else {
                    None
                }
            }
        }
    }
}

/// Whether all hold: not if one does not, whatever the undecided ones are.
fn all(each: &[Option<bool>]) -> Option<bool> {
    if each.contains(&Some(false)) { Some(false) } else { each.iter().all(Option::is_some).then_some(true) }
}

fn arguments(meta: &Meta) -> Vec<Meta> {
    let Meta::List(list) = meta else { return Vec::new() };
    let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    parsed.map_or_else(|_| Vec::new(), |arguments| arguments.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions() -> Conditions {
        let features =
            [("default", vec!["zstd", "depmod"]), ("zstd", vec!["dep:zstd"]), ("depmod", vec!["graph"])];
        let others = [("graph", vec![]), ("internals", vec![])];
        let owned = features.into_iter().chain(others).map(|(name, enables)| {
            (name.to_owned(), enables.into_iter().map(str::to_owned).collect::<Vec<_>>())
        });
        Conditions::of_default_features(&owned.collect())
    }

    fn attributes(text: &str) -> Vec<Attribute> {
        let item: syn::ItemStruct = syn::parse_str(&format!("{text} struct A;")).unwrap();
        item.attrs
    }

    #[test]
    fn an_item_is_removed_only_where_default_features_decide_so() {
        let removes = |text| conditions().removes(&attributes(text));
        for kept in [
            "#[cfg(feature = \"zstd\")]",
            "#[cfg(feature = \"graph\")]",
            "#[cfg(not(test))]",
            "#[cfg(any(feature = \"internals\", feature = \"zstd\"))]",
            "#[cfg(target_env = \"gnu\")]",
            "#[cfg(not(target_env = \"gnu\"))]",
            "#[cfg(any(target_os = \"linux\", feature = \"internals\"))]",
        ] {
            assert!(!removes(kept), "{kept}");
        }
        for removed in [
            "#[cfg(test)]",
            "#[cfg(feature = \"internals\")]",
            "#[cfg(not(feature = \"zstd\"))]",
            "#[cfg(all(target_os = \"linux\", feature = \"internals\"))]",
            "#[cfg(any(test, feature = \"internals\"))]",
            "#[cfg(unix)] #[cfg(test)]",
        ] {
            assert!(removes(removed), "{removed}");
        }
    }

    #[test]
    fn attributes_count_among_others_and_in_cfg_attr() {
        let conditions = conditions();
        assert!(conditions.hides(&attributes("#[doc = \"text\"] #[doc(inline, hidden)]")));
        assert!(!conditions.hides(&attributes("/// hidden\n#[doc(inline)]")));
        assert!(
            conditions.has(&attributes("#[cfg_attr(feature = \"zstd\", non_exhaustive)]"), "non_exhaustive")
        );
        assert!(!conditions.has(&attributes("#[cfg_attr(test, non_exhaustive)]"), "non_exhaustive"));
        let derives = conditions.derives(&attributes("#[derive(Clone, thiserror::Error)] #[derive(Debug)]"));
        assert_eq!(derives.len(), 3);
    }
}
