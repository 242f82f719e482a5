//! The parts of an item that can be used by themselves: what is counted, and what each names.

use std::rc::Rc;
use std::{fmt, path::Path};

use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Fields, Generics, ImplItem, Signature, TraitItem};

use super::names::{Name, Names, segments};
use super::tree::{Implementation, Item, Library, is_public, join};

/// What is counted, in the order in which it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ItemKind {
    Module,
    Struct,
    Enum,
    Union,
    Trait,
    Alias,
    Function,
    Constant,
    Static,
    Macro,
    /// Something of another crate that is public here.
    Export,
    /// A public function of an inherent `impl`.
    Method,
    /// A public constant of an inherent `impl`.
    AssociatedConstant,
    /// A function, constant or type of a trait.
    TraitItem,
    Variant,
    /// A public field of a structure, or a field of a variant.
    Field,
}

impl ItemKind {
    /// Variants and fields are parts of one declaration, and are counted beside the items.
    pub(super) fn is_item(self) -> bool {
        !matches!(self, ItemKind::Variant | ItemKind::Field)
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ItemKind::Module => "module",
            ItemKind::Struct => "struct",
            ItemKind::Enum => "enum",
            ItemKind::Union => "union",
            ItemKind::Trait => "trait",
            ItemKind::Alias => "type alias",
            ItemKind::Function => "function",
            ItemKind::Constant => "constant",
            ItemKind::Static => "static",
            ItemKind::Macro => "macro",
            ItemKind::Export => "re-export",
            ItemKind::Method => "method",
            ItemKind::AssociatedConstant => "associated constant",
            ItemKind::TraitItem => "trait item",
            ItemKind::Variant => "variant",
            ItemKind::Field => "field",
        })
    }
}

/// A public item or part of one, with the types that it names.
#[derive(Debug)]
pub(super) struct Part {
    /// None for what is no item by itself: an implementation, a private source of an error.
    pub(super) kind: Option<ItemKind>,
    /// Its path from the crate's root.
    pub(super) path: String,
    pub(super) file: Rc<Path>,
    pub(super) line: usize,
    pub(super) is_hidden: bool,
    /// Whether other crates can neither build it by naming all fields nor match it without a wildcard.
    pub(super) may_grow: bool,
    pub(super) names: Vec<Name>,
}

impl Part {
    /// A part that names nothing.
    pub(super) fn new(kind: Option<ItemKind>, path: String, file: Rc<Path>, line: usize) -> Part {
        Part { kind, path, file, line, is_hidden: false, may_grow: true, names: Vec::new() }
    }
}

/// Collects parts of one item or implementation.
pub(super) struct Parts<'a> {
    library: &'a Library,
    module: usize,
    list: Vec<Part>,
}

impl<'a> Parts<'a> {
    /// The parts in the declaration of an item.
    pub(super) fn of_item(library: &'a Library, item: &'a Item, path: &str) -> Vec<Part> {
        let mut parts = Parts { library, module: item.module, list: Vec::new() };
        parts.item(item, path);
        if let Some(first) = parts.list.first_mut() {
            first.is_hidden = item.is_hidden;
        }
        parts.list
    }

    /// The public functions and constants of an inherent implementation.
    pub(super) fn of_inherent(
        library: &'a Library,
        implementation: &'a Implementation,
        path: &str,
    ) -> Vec<Part> {
        let mut parts = Parts { library, module: implementation.module, list: Vec::new() };
        let outer = &implementation.node.generics;
        for item in &implementation.node.items {
            parts.inherent(outer, item, path);
        }
        parts.list
    }

    /// What the first line of an implementation of a trait names, and the types that it chooses.
    pub(super) fn of_trait(library: &'a Library, implementation: &'a Implementation, name: String) -> Part {
        let mut parts = Parts { library, module: implementation.module, list: Vec::new() };
        let node = &implementation.node;
        parts.add(None, name, implementation.line, &[&node.generics], |names| {
            names.visit_generics(&node.generics);
            header(node, names);
            for item in &node.items {
                match item {
                    ImplItem::Type(item) => names.visit_type(&item.ty),
                    ImplItem::Macro(item) => names.called(&item.mac),
                    _ => {}
                }
            }
        });
        parts.list.remove(0)
    }

    fn item(&mut self, item: &'a Item, path: &str) {
        let line = item.line;
        match &item.node {
            syn::Item::Struct(node) => {
                let derives = self.library.conditions.derives(&node.attrs);
                self.add(Some(ItemKind::Struct), path.to_owned(), line, &[&node.generics], |names| {
                    names.visit_generics(&node.generics);
                    derives.iter().for_each(|derive| names.derive(derive));
                });
                let all_public = node.fields.iter().all(|field| is_public(&field.vis));
                // A structure without fields is a name for what it does.
                let is_open = all_public && !node.fields.is_empty();
                self.set_may_grow(!is_open || self.library.conditions.has(&node.attrs, "non_exhaustive"));
                self.fields(path, &node.fields, &node.generics, is_error(&derives), false);
            }
            syn::Item::Enum(node) => {
                let derives = self.library.conditions.derives(&node.attrs);
                self.add(Some(ItemKind::Enum), path.to_owned(), line, &[&node.generics], |names| {
                    names.visit_generics(&node.generics);
                    derives.iter().for_each(|derive| names.derive(derive));
                });
                self.set_may_grow(self.library.conditions.has(&node.attrs, "non_exhaustive"));
                for variant in &node.variants {
                    if self.library.conditions.removes(&variant.attrs) {
                        continue;
                    }
                    let path = join(path, &variant.ident.to_string());
                    self.add(Some(ItemKind::Variant), path.clone(), line_of(&variant.ident), &[], |_| {});
                    self.hide_if(&variant.attrs);
                    self.fields(&path, &variant.fields, &node.generics, is_error(&derives), true);
                }
            }
            syn::Item::Union(node) => {
                let generics = &node.generics;
                self.add(Some(ItemKind::Union), path.to_owned(), line, &[generics], |names| {
                    names.visit_generics(generics);
                });
                let fields = Fields::Named(node.fields.clone());
                self.fields(path, &fields, generics, false, false);
            }
            syn::Item::Trait(node) => {
                self.add(Some(ItemKind::Trait), path.to_owned(), line, &[&node.generics], |names| {
                    names.visit_generics(&node.generics);
                    node.supertraits.iter().for_each(|bound| names.visit_type_param_bound(bound));
                });
                for item in &node.items {
                    self.trait_item(&node.generics, item, path);
                }
            }
            syn::Item::Type(node) => {
                self.add(Some(ItemKind::Alias), path.to_owned(), line, &[&node.generics], |names| {
                    names.visit_generics(&node.generics);
                    names.visit_type(&node.ty);
                });
            }
            syn::Item::Fn(node) => self.function(ItemKind::Function, &node.sig, &[], path.to_owned()),
            syn::Item::Const(node) => {
                self.add(Some(ItemKind::Constant), path.to_owned(), line, &[], |names| {
                    names.visit_type(&node.ty);
                });
            }
            syn::Item::Static(node) => {
                self.add(Some(ItemKind::Static), path.to_owned(), line, &[], |names| {
                    names.visit_type(&node.ty);
                });
            }
            _ => self.add(Some(ItemKind::Macro), path.to_owned(), line, &[], |_| {}),
        }
    }

    /// The fields of a structure or variant. Of the private ones, the source of an error is still reachable, and
    /// `#[from]` makes an implementation that names its type.
    fn fields(&mut self, path: &str, fields: &Fields, generics: &Generics, is_error: bool, all_public: bool) {
        for (place, field) in fields.iter().enumerate() {
            if self.library.conditions.removes(&field.attrs) {
                continue;
            }
            let name = field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
            let conditions = &self.library.conditions;
            let is_source = name == "source"
                || ["from", "source"].iter().any(|attribute| conditions.has(&field.attrs, attribute));
            let kind = (all_public || is_public(&field.vis)).then_some(ItemKind::Field);
            if kind.is_some() || (is_error && is_source) {
                let line = field.ident.as_ref().map_or_else(|| field.ty.span().start().line, line_of);
                self.add(kind, join(path, &name), line, &[generics], |names| names.visit_type(&field.ty));
                self.hide_if(&field.attrs);
            }
        }
    }

    fn trait_item(&mut self, outer: &Generics, item: &TraitItem, path: &str) {
        let kind = Some(ItemKind::TraitItem);
        match item {
            TraitItem::Fn(item) if !self.library.conditions.removes(&item.attrs) => {
                let path = join(path, &item.sig.ident.to_string());
                self.function(ItemKind::TraitItem, &item.sig, &[outer], path);
                self.hide_if(&item.attrs);
            }
            TraitItem::Const(item) if !self.library.conditions.removes(&item.attrs) => {
                let path = join(path, &item.ident.to_string());
                self.add(kind, path, line_of(&item.ident), &[outer], |names| names.visit_type(&item.ty));
                self.hide_if(&item.attrs);
            }
            TraitItem::Type(item) if !self.library.conditions.removes(&item.attrs) => {
                let path = join(path, &item.ident.to_string());
                self.add(kind, path, line_of(&item.ident), &[outer, &item.generics], |names| {
                    names.visit_generics(&item.generics);
                    item.bounds.iter().for_each(|bound| names.visit_type_param_bound(bound));
                });
                self.hide_if(&item.attrs);
            }
            TraitItem::Macro(item) => self.called(path, &item.mac),
            _ => {}
        }
    }

    fn inherent(&mut self, outer: &Generics, item: &ImplItem, path: &str) {
        match item {
            ImplItem::Fn(item) if is_public(&item.vis) && !self.library.conditions.removes(&item.attrs) => {
                let path = join(path, &item.sig.ident.to_string());
                self.function(ItemKind::Method, &item.sig, &[outer], path);
                self.hide_if(&item.attrs);
            }
            ImplItem::Const(item)
                if is_public(&item.vis) && !self.library.conditions.removes(&item.attrs) =>
            {
                let (path, line) = (join(path, &item.ident.to_string()), line_of(&item.ident));
                let kind = Some(ItemKind::AssociatedConstant);
                self.add(kind, path, line, &[outer], |names| names.visit_type(&item.ty));
                self.hide_if(&item.attrs);
            }
            ImplItem::Macro(item) => self.called(path, &item.mac),
            _ => {}
        }
    }

    fn called(&mut self, path: &str, called: &syn::Macro) {
        let line = called.path.span().start().line;
        self.add(None, path.to_owned(), line, &[], |names| names.called(called));
    }

    fn function(&mut self, kind: ItemKind, signature: &Signature, outer: &[&Generics], path: String) {
        let mut generics = outer.to_vec();
        generics.push(&signature.generics);
        self.add(Some(kind), path, line_of(&signature.ident), &generics, |names| {
            outer.iter().for_each(|generics| names.visit_generics(generics));
            names.visit_signature(signature);
        });
    }

    fn add(
        &mut self,
        kind: Option<ItemKind>,
        path: String,
        line: usize,
        generics: &[&Generics],
        visit: impl FnOnce(&mut Names),
    ) {
        let mut names = Names::new(self.library, self.module, generics);
        visit(&mut names);
        let file = self.library.modules[self.module].file.clone();
        self.list.push(Part { names: names.finish(), ..Part::new(kind, path, file, line) });
    }

    fn hide_if(&mut self, attributes: &[syn::Attribute]) {
        if let Some(last) = self.list.last_mut() {
            last.is_hidden = self.library.conditions.hides(attributes);
        }
    }

    fn set_may_grow(&mut self, may_grow: bool) {
        if let Some(last) = self.list.last_mut() {
            last.may_grow = may_grow;
        }
    }
}

/// Visits the trait and the type of an implementation.
pub(super) fn header(node: &syn::ItemImpl, names: &mut Names) {
    if let Some((path, _)) = &node.trait_ {
        names.visit_path(path);
    }
    names.visit_type(&node.self_ty);
}

fn is_error(derives: &[syn::Path]) -> bool {
    derives.iter().any(|path| segments(path).last().is_some_and(|name| name == "Error"))
}

fn line_of(name: &syn::Ident) -> usize {
    name.span().start().line
}
