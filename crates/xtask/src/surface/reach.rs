//! Which items can be reached from outside: by a path, or as a type that a public signature names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::rc::Rc;

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::names::{Names, Referent};
use super::parts::{self, ItemKind, Part, Parts};
use super::resolve::Resolved;
use super::tree::{Implementation, Import, Library, join};

/// Everything that other crates can use, and what is hidden.
#[derive(Default)]
pub(super) struct PublicSurface {
    /// What can be used, implementations among it.
    pub(super) parts: Vec<Part>,
    /// The items without a public path that are in public signatures all the same, by their paths within the crate.
    pub(super) unnamed: BTreeSet<String>,
    /// What is public and `#[doc(hidden)]`: path, file and line.
    pub(super) hidden: Vec<(String, Rc<Path>, usize)>,
    /// The `pub use` declarations of public modules.
    pub(super) declarations: usize,
    /// Re-exports of other crates' items: path, crate, file and line.
    pub(super) exports: Vec<(String, String, Rc<Path>, usize)>,
}

impl PublicSurface {
    pub(super) fn of(library: &Library) -> PublicSurface {
        let mut walk = ReachabilityWalk {
            library,
            surface: PublicSurface::default(),
            counted: BTreeSet::new(),
            paths: BTreeMap::new(),
            pending: VecDeque::new(),
        };
        walk.modules();
        walk.signatures();
        let mut surface = walk.surface;
        let (hidden, parts) = surface.parts.into_iter().partition(|part| part.is_hidden);
        surface.parts = parts;
        surface.hidden.extend(hidden.into_iter().map(|part: Part| (part.path, part.file, part.line)));
        surface
    }
}

/// A walk over the crate that reaches items through other items.
struct ReachabilityWalk<'a> {
    library: &'a Library,
    surface: PublicSurface,
    /// The modules that have a path.
    counted: BTreeSet<usize>,
    /// The items found, and their paths.
    paths: BTreeMap<usize, String>,
    /// Those whose signatures have not been read yet.
    pending: VecDeque<usize>,
}

impl ReachabilityWalk<'_> {
    /// Follows public modules and re-exports, the shortest paths first.
    fn modules(&mut self) {
        let mut visited = BTreeSet::new();
        let mut modules = VecDeque::from([(0, String::new())]);
        while let Some((module, path)) = modules.pop_front() {
            if !visited.insert(module) {
                continue;
            }
            let library = self.library;
            let here = &library.modules[module];
            for item in here.items.iter().filter(|item| library.items[**item].is_public) {
                self.reach(*item, join(&path, &library.items[*item].name));
            }
            for import in here.imports.iter().filter(|import| import.is_public) {
                self.import(module, import, &path, &mut modules);
            }
            for child in here.children.iter().filter(|child| library.modules[**child].is_public) {
                self.module(*child, join(&path, &library.modules[*child].name), &mut modules);
            }
        }
    }

    /// A module that is public, by its own name or another one.
    fn module(&mut self, module: usize, path: String, modules: &mut VecDeque<(usize, String)>) {
        let module_here = &self.library.modules[module];
        let (file, line) = module_here.declared.clone();
        if module_here.is_hidden {
            return self.surface.hidden.push((path, file, line));
        }
        if self.counted.insert(module) {
            self.surface.parts.push(Part::new(Some(ItemKind::Module), path.clone(), file, line));
            modules.push_back((module, path));
        }
    }

    fn import(
        &mut self,
        module: usize,
        import: &Import,
        path: &str,
        modules: &mut VecDeque<(usize, String)>,
    ) {
        let file = &self.library.modules[module].file;
        let written = import.path.join("::");
        let path = import.name.as_ref().map_or_else(|| path.to_owned(), |name| join(path, name));
        if import.is_hidden {
            let path = if import.name.is_some() { path } else { join(&path, "*") };
            return self.surface.hidden.push((path, file.clone(), import.line));
        }
        self.surface.declarations += usize::from(import.is_first);
        for meaning in self.library.resolve(module, &import.path, import.is_absolute) {
            match meaning {
                // A glob over an enum names its variants, which are counted there.
                Resolved::Item(_) if import.name.is_none() => {}
                Resolved::Item(item) => self.reach(item, path.clone()),
                Resolved::Module(other) if import.name.is_some() => self.module(other, path.clone(), modules),
                Resolved::Module(other) => modules.push_front((other, path.clone())),
                Resolved::Outside(name) => {
                    let path = if import.name.is_some() { path.clone() } else { join(&path, &written) };
                    let part = Part::new(Some(ItemKind::Export), path.clone(), file.clone(), import.line);
                    self.surface.parts.push(part);
                    self.surface.exports.push((path, name, file.clone(), import.line));
                }
                Resolved::Primitive => {}
            }
        }
    }

    fn reach(&mut self, item: usize, path: String) {
        if let Entry::Vacant(entry) = self.paths.entry(item) {
            entry.insert(path);
            self.pending.push_back(item);
        }
    }

    /// Reads the signatures of what was found until nothing new is found.
    fn signatures(&mut self) {
        let library = self.library;
        let subjects: Vec<Vec<usize>> =
            library.implementations.iter().map(|one| self.subjects(one)).collect();
        let mut done = vec![false; library.implementations.len()];
        loop {
            while let Some(item) = self.pending.pop_front() {
                let path = self.paths.get(&item).cloned().unwrap_or_default();
                let mut parts = Parts::of_item(library, &library.items[item], &path);
                if library.items[item].is_hidden {
                    parts.truncate(1);
                }
                // A private alias is no public item, but its target is.
                if !library.items[item].is_public {
                    parts.iter_mut().for_each(|part| part.kind = None);
                }
                parts.into_iter().for_each(|part| self.add(part));
            }
            for (place, implementation) in library.implementations.iter().enumerate() {
                let subjects = &subjects[place];
                if done[place] || subjects.iter().any(|item| !self.paths.contains_key(item)) {
                    continue;
                }
                let is_hidden = subjects.iter().any(|item| library.items[*item].is_hidden);
                done[place] = true;
                if is_hidden {
                    continue;
                }
                if let Some((name, _)) = &implementation.node.trait_ {
                    let text = |span: proc_macro2::Span| span.source_text().unwrap_or_default();
                    let subject = implementation.node.self_ty.span();
                    let title = format!("impl {} for {}", text(name.span()), text(subject));
                    let part = Parts::of_trait(library, implementation, title);
                    self.add(part);
                } else if let Some(subject) = subjects.first() {
                    let path = self.paths.get(subject).cloned().unwrap_or_default();
                    let parts = Parts::of_inherent(library, implementation, &path);
                    parts.into_iter().for_each(|part| self.add(part));
                }
            }
            if self.pending.is_empty() {
                return;
            }
        }
    }

    /// The items of this crate in the first line of an implementation: it is public when all of them are.
    fn subjects(&self, implementation: &Implementation) -> Vec<usize> {
        let node = &implementation.node;
        let mut names = Names::new(self.library, implementation.module, &[&node.generics]);
        parts::header(node, &mut names);
        let mut subjects = Vec::new();
        let mut named = VecDeque::from(names.own());
        while let Some(item) = named.pop_front() {
            match &self.library.items[item].node {
                // An implementation for an alias is one for its target.
                syn::Item::Type(alias) => {
                    let module = self.library.items[item].module;
                    let mut names = Names::new(self.library, module, &[&alias.generics]);
                    names.visit_type(&alias.ty);
                    named.extend(names.own());
                }
                _ => subjects.push(item),
            }
        }
        subjects
    }

    /// Adds a part, and what it names.
    fn add(&mut self, part: Part) {
        for name in part.names.iter().filter(|_| !part.is_hidden) {
            if let Referent::Own(item) = name.meaning
                && !self.paths.contains_key(&item)
            {
                let named = &self.library.items[item];
                let path = join(&self.library.module_path(named.module), &named.name);
                if named.is_public {
                    self.surface.unnamed.insert(path.clone());
                }
                self.reach(item, path);
            }
        }
        self.surface.parts.push(part);
    }
}
