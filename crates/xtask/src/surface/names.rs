//! The types and traits that a part of a signature names, each with what it means.

use std::collections::BTreeSet;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{GenericParam, Generics};

use super::resolve::Resolved;
use super::tree::Library;

/// A crate that has macros and no types: what it derives are traits of the standard library.
const MACROS_ONLY: &str = "thiserror";

/// A type or trait that a signature names.
#[derive(Debug)]
pub(super) struct Name {
    /// The path as it is written.
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) meaning: Referent,
}

/// What the name refers to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Referent {
    /// An item of this crate.
    Own(usize),
    /// Something of another crate.
    Outside(String),
    /// A macro in the place of a type, which is not expanded.
    Macro,
    /// A name that cannot be resolved: a macro may have declared it.
    Unknown,
}

/// Collects the names of what it visits.
pub(super) struct Names<'a> {
    library: &'a Library,
    module: usize,
    /// The generic parameters in scope.
    parameters: BTreeSet<String>,
    found: Vec<Name>,
}

impl<'a> Names<'a> {
    pub(super) fn new(library: &'a Library, module: usize, generics: &[&Generics]) -> Names<'a> {
        let parameters =
            generics.iter().flat_map(|generics| &generics.params).filter_map(|param| match param {
                GenericParam::Type(param) => Some(param.ident.to_string()),
                GenericParam::Const(param) => Some(param.ident.to_string()),
                GenericParam::Lifetime(_) => None,
            });
        Names { library, module, parameters: parameters.collect(), found: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Name> {
        self.found
    }

    /// The items of this crate among the names, in their order.
    pub(super) fn own(self) -> Vec<usize> {
        let own = self.found.into_iter().filter_map(|name| match name.meaning {
            Referent::Own(item) => Some(item),
            _ => None,
        });
        own.collect()
    }

    /// Adds what the code that a derive macro writes names: the trait.
    pub(super) fn derive(&mut self, path: &syn::Path) {
        let segments = segments(path);
        let meanings = self.library.resolve(self.module, &segments, path.leading_colon.is_some());
        for meaning in meanings {
            if let Resolved::Outside(crate_name) = meaning
                && crate_name != MACROS_ONLY
            {
                self.add(format!("derive({})", segments.join("::")), path, Referent::Outside(crate_name));
            }
        }
    }

    /// Adds a macro that is called in the place of a type or item.
    pub(super) fn called(&mut self, called: &syn::Macro) {
        self.add(format!("{}!", segments(&called.path).join("::")), &called.path, Referent::Macro);
    }

    fn add(&mut self, text: String, path: &syn::Path, meaning: Referent) {
        self.found.push(Name { text, line: path.span().start().line, meaning });
    }

    fn path(&mut self, path: &syn::Path) {
        let segments = segments(path);
        let is_absolute = path.leading_colon.is_some();
        let Some(first) = segments.first() else { return };
        if !is_absolute && (self.parameters.contains(first) || first == "Self") {
            return;
        }
        let meanings = self.library.resolve(self.module, &segments, is_absolute);
        let is_resolved = !meanings.is_empty();
        let is_type = |meaning: &Resolved| match meaning {
            Resolved::Item(item) => self.library.is_type(*item),
            Resolved::Outside(name) => name != MACROS_ONLY,
            Resolved::Primitive => true,
            Resolved::Module(_) => false,
        };
        match meanings.into_iter().find(is_type) {
            Some(Resolved::Item(item)) => self.add(segments.join("::"), path, Referent::Own(item)),
            Some(Resolved::Outside(name)) => self.add(segments.join("::"), path, Referent::Outside(name)),
            Some(_) => {}
            // A constant as an argument of a type looks like a type.
            None if is_resolved => {}
            None => self.add(segments.join("::"), path, Referent::Unknown),
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path);
        visit::visit_path(self, path);
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        match &path.qself {
            // `<T>::Item` does not begin with a name.
            Some(of) if of.position == 0 => {
                self.visit_type(&of.ty);
                visit::visit_path(self, &path.path);
            }
            _ => visit::visit_type_path(self, path),
        }
    }

    fn visit_type_macro(&mut self, called: &'ast syn::TypeMacro) {
        self.called(&called.mac);
    }

    // Values, patterns, attributes and `pub(in …)` name no types of the signature.
    fn visit_expr(&mut self, _: &'ast syn::Expr) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// The names in a path, without arguments.
pub(super) fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}
