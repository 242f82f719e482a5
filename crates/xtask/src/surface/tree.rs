//! The modules of a crate as its sources declare them, before any name is resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use syn::spanned::Spanned;
use syn::{Attribute, ForeignItem, Ident, ItemImpl, ItemMod, ItemUse, Meta, UseTree, Visibility};

use super::attributes::Conditions;

/// A crate: every module that is compiled with its default features, and what these contain. Modules and items are identified
/// by their index in the lists; the first module is the crate's root.
pub(super) struct Library {
    pub(super) modules: Vec<Module>,
    pub(super) items: Vec<Item>,
    pub(super) implementations: Vec<Implementation>,
    pub(super) invocations: Vec<MacroCall>,
    /// The bodies of `macro_rules!`, by name.
    pub(super) macros: BTreeMap<String, proc_macro2::TokenStream>,
    pub(super) conditions: Conditions,
    /// The crates that it depends on, as its sources write their names.
    pub(super) dependencies: BTreeSet<String>,
}

/// A module: in a separate file or inline.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) parent: Option<usize>,
    /// Where its contents are.
    pub(super) file: Rc<Path>,
    /// Where it is declared.
    pub(super) declared: (Rc<Path>, usize),
    pub(super) is_public: bool,
    pub(super) is_hidden: bool,
    pub(super) items: Vec<usize>,
    pub(super) children: Vec<usize>,
    pub(super) imports: Vec<Import>,
}

/// One name, or a glob, of a `use` declaration.
pub(super) struct Import {
    /// What it is called here; none for a glob.
    pub(super) name: Option<String>,
    pub(super) path: Vec<String>,
    /// `::path`, which begins with the name of a crate.
    pub(super) is_absolute: bool,
    /// Whether it is the first name of its declaration.
    pub(super) is_first: bool,
    pub(super) line: usize,
    pub(super) is_public: bool,
    pub(super) is_hidden: bool,
}

/// A named item that is not a module.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) module: usize,
    pub(super) node: syn::Item,
    pub(super) line: usize,
    pub(super) is_public: bool,
    pub(super) is_hidden: bool,
}

/// An `impl` block.
pub(super) struct Implementation {
    pub(super) module: usize,
    pub(super) node: ItemImpl,
    pub(super) line: usize,
}

/// A macro called in the place of an item.
pub(super) struct MacroCall {
    pub(super) module: usize,
    pub(super) name: String,
    pub(super) tokens: proc_macro2::TokenStream,
    pub(super) line: usize,
}

/// Returns the text of a file; `None` if it does not exist.
pub(super) type Reader<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Library {
    /// Reads the sources that can be reached from the crate's first file.
    ///
    /// # Errors
    /// When a file is missing or cannot be parsed.
    pub(super) fn read(
        root: &Path,
        conditions: Conditions,
        dependencies: BTreeSet<String>,
        reader: Reader,
    ) -> Result<Library> {
        let mut library = Library {
            modules: Vec::new(),
            items: Vec::new(),
            implementations: Vec::new(),
            invocations: Vec::new(),
            macros: BTreeMap::new(),
            conditions,
            dependencies,
        };
        let file: Rc<Path> = root.into();
        library.modules.push(Module {
            name: String::new(),
            parent: None,
            file: file.clone(),
            declared: (file.clone(), 1),
            is_public: true,
            is_hidden: false,
            items: Vec::new(),
            children: Vec::new(),
            imports: Vec::new(),
        });
        let directory = root.parent().context("the crate's first file has no directory")?;
        library.add_file(0, &file, directory, reader)?;
        Ok(library)
    }

    /// The module's path from the crate's root, `a::b`; empty for the root.
    pub(super) fn module_path(&self, module: usize) -> String {
        let module = &self.modules[module];
        module.parent.map_or_else(String::new, |parent| join(&self.module_path(parent), &module.name))
    }

    /// Adds the contents of a file to a module whose submodules are in `directory`.
    fn add_file(&mut self, module: usize, file: &Rc<Path>, directory: &Path, reader: Reader) -> Result<()> {
        let text = reader(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let parsed =
            syn::parse_file(&text).with_context(|| format!("{} cannot be parsed", file.display()))?;
        if self.conditions.removes(&parsed.attrs) {
            return Ok(());
        }
        self.modules[module].is_hidden |= self.conditions.hides(&parsed.attrs);
        self.add_items(module, parsed.items, directory, reader)
    }

    fn add_items(
        &mut self,
        module: usize,
        items: Vec<syn::Item>,
        directory: &Path,
        reader: Reader,
    ) -> Result<()> {
        for item in items {
            let line = item.span().start().line;
            match item {
                syn::Item::Mod(item) => self.add_module(module, item, directory, reader)?,
                syn::Item::Use(item) => self.add_use(module, &item),
                syn::Item::ExternCrate(item) => self.add_extern_crate(module, &item),
                syn::Item::Impl(node) => {
                    if !self.conditions.removes(&node.attrs) {
                        self.implementations.push(Implementation { module, node, line });
                    }
                }
                syn::Item::Macro(item) => self.add_macro(module, item, line),
                node => match header(&node) {
                    Some((attributes, visibility, name)) => {
                        if !self.conditions.removes(attributes) {
                            let item = Item {
                                name: name.to_string(),
                                module,
                                line: name.span().start().line,
                                is_public: is_public(visibility),
                                is_hidden: self.conditions.hides(attributes),
                                node,
                            };
                            self.add_item(item);
                        }
                    }
                    None if is_private_foreign(&node) => {}
                    None => bail!(
                        "{}:{line}: an item that is not understood",
                        self.modules[module].file.display()
                    ),
                },
            }
        }
        Ok(())
    }

    /// Adds an item, but one that another target has in the place of one that is there already.
    fn add_item(&mut self, item: Item) {
        let is_same = |other: &usize| {
            let other = &self.items[*other];
            other.name == item.name
                && std::mem::discriminant(&other.node) == std::mem::discriminant(&item.node)
        };
        // Constants without a name are assertions.
        if item.name == "_" || self.modules[item.module].items.iter().any(is_same) {
            return;
        }
        self.modules[item.module].items.push(self.items.len());
        self.items.push(item);
    }

    fn add_module(&mut self, parent: usize, item: ItemMod, directory: &Path, reader: Reader) -> Result<()> {
        if self.conditions.removes(&item.attrs) {
            return Ok(());
        }
        let name = item.ident.to_string();
        let module = self.modules.len();
        self.modules[parent].children.push(module);
        self.modules.push(Module {
            name: name.clone(),
            parent: Some(parent),
            file: self.modules[parent].file.clone(),
            declared: (self.modules[parent].file.clone(), item.ident.span().start().line),
            is_public: is_public(&item.vis),
            is_hidden: self.conditions.hides(&item.attrs),
            items: Vec::new(),
            children: Vec::new(),
            imports: Vec::new(),
        });
        if let Some((_, items)) = item.content {
            return self.add_items(module, items, &directory.join(name), reader);
        }
        let (flat, nested) = (directory.join(format!("{name}.rs")), directory.join(&name).join("mod.rs"));
        let file: Rc<Path> = match self.named_file(parent, &item.attrs) {
            Some(path) => path.into(),
            None if reader(&flat).is_some() => flat.into(),
            None => nested.into(),
        };
        let is_owner = file.ends_with("mod.rs");
        let own = if is_owner { file.parent().map(Path::to_owned) } else { Some(directory.join(name)) };
        self.modules[module].file = file.clone();
        self.add_file(module, &file, &own.context("a module's file has no directory")?, reader)
    }

    /// The file that `#[path = "…"]` names.
    fn named_file(&self, parent: usize, attributes: &[Attribute]) -> Option<PathBuf> {
        let metas = self.conditions.expand(attributes);
        let path = metas.iter().find_map(|meta| match meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => Some(&pair.value),
            _ => None,
        })?;
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = path else { return None };
        Some(self.modules[parent].file.parent()?.join(path.value()))
    }

    fn add_extern_crate(&mut self, module: usize, item: &syn::ItemExternCrate) {
        if self.conditions.removes(&item.attrs) {
            return;
        }
        let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
        self.modules[module].imports.push(Import {
            name: Some(name.to_string()),
            path: vec![item.ident.to_string()],
            is_absolute: true,
            is_first: true,
            line: item.ident.span().start().line,
            is_public: is_public(&item.vis),
            is_hidden: self.conditions.hides(&item.attrs),
        });
    }

    fn add_use(&mut self, module: usize, item: &ItemUse) {
        if self.conditions.removes(&item.attrs) {
            return;
        }
        let is_hidden = self.conditions.hides(&item.attrs);
        for (place, (name, path, line)) in names_of(&item.tree).into_iter().enumerate() {
            self.modules[module].imports.push(Import {
                name,
                path,
                is_absolute: item.leading_colon.is_some(),
                is_first: place == 0,
                line,
                is_public: is_public(&item.vis),
                is_hidden,
            });
        }
    }

    fn add_macro(&mut self, module: usize, item: syn::ItemMacro, line: usize) {
        if self.conditions.removes(&item.attrs) {
            return;
        }
        let Some(name) = &item.ident else {
            let called = item.mac.path.segments.last().map(|segment| segment.ident.to_string());
            let name = called.unwrap_or_default();
            self.invocations.push(MacroCall { module, name, tokens: item.mac.tokens, line });
            return;
        };
        let name = name.to_string();
        self.macros.insert(name.clone(), item.mac.tokens.clone());
        // Wherever it is defined, an exported macro is an item of the crate's root.
        if self.conditions.has(&item.attrs, "macro_export") {
            let is_hidden = self.conditions.hides(&item.attrs);
            let node = syn::Item::Macro(item);
            self.add_item(Item { name, module: 0, node, line, is_public: true, is_hidden });
        }
    }
}

/// Whether something is public, and not within the crate only.
pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Two parts of a path; the first may be empty.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }
}

/// Attributes, visibility and name of an item that has all of them.
fn header(item: &syn::Item) -> Option<(&[Attribute], &Visibility, &Ident)> {
    match item {
        syn::Item::Const(item) => Some((&item.attrs, &item.vis, &item.ident)),
        syn::Item::Enum(item) => Some((&item.attrs, &item.vis, &item.ident)),
        syn::Item::Fn(item) => Some((&item.attrs, &item.vis, &item.sig.ident)),
        syn::Item::Static(item) => Some((&item.attrs, &item.vis, &item.ident)),
        syn::Item::Struct(item) => Some((&item.attrs, &item.vis, &item.ident)),
        syn::Item::Trait(item) => Some((&item.attrs, &item.vis, &item.ident)),
        syn::Item::Type(item) => Some((&item.attrs, &item.vis, &item.ident)),
        syn::Item::Union(item) => Some((&item.attrs, &item.vis, &item.ident)),
        _ => None,
    }
}

/// An `extern` block of which nothing can be seen from outside.
fn is_private_foreign(item: &syn::Item) -> bool {
    let syn::Item::ForeignMod(block) = item else { return false };
    block.items.iter().all(|item| match item {
        ForeignItem::Fn(item) => !is_public(&item.vis),
        ForeignItem::Static(item) => !is_public(&item.vis),
        ForeignItem::Type(item) => !is_public(&item.vis),
        _ => false,
    })
}

/// The names of a `use` declaration, each with its full path and its line.
fn names_of(tree: &UseTree) -> Vec<(Option<String>, Vec<String>, usize)> {
    let mut names = Vec::new();
    let mut pending = vec![(Vec::new(), tree)];
    while let Some((prefix, tree)) = pending.pop() {
        let followed_by = |name: &Ident| {
            let mut path = prefix.clone();
            // `a::{self}` is `a`.
            if name != "self" || path.is_empty() {
                path.push(name.to_string());
            }
            path
        };
        match tree {
            UseTree::Path(tree) => pending.push((followed_by(&tree.ident), &tree.tree)),
            UseTree::Group(group) => {
                pending.extend(group.items.iter().rev().map(|tree| (prefix.clone(), tree)));
            }
            UseTree::Name(tree) => {
                let path = followed_by(&tree.ident);
                names.push((path.last().cloned(), path, tree.ident.span().start().line));
            }
            UseTree::Rename(tree) => {
                let name = Some(tree.rename.to_string());
                names.push((name, followed_by(&tree.ident), tree.ident.span().start().line));
            }
            UseTree::Glob(tree) => names.push((None, prefix, tree.star_token.span().start().line)),
        }
    }
    names
}
