//! Which module needs which, as a graph for people and programs to look at.
//!
//! `modules.dep` lists for each module all that it needs, also by way of others. Here an arrow stands
//! only where no other way leads there: what is omitted follows from what is shown. Soft dependencies
//! are arrows of their own kind, with the names in them resolved as modprobe does.
//!
//! ```
//! use modutils::{Context, ModuleName, relations::{Relation, Relations}};
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! # let lines = [("top", "top.ko: mid.ko base.ko"), ("mid", "mid.ko: base.ko"), ("base", "base.ko:")];
//! # std::fs::write(directory.join("modules.dep.bin"), testkit::index(lines))?;
//!
//! let context = Context::builder().directory(directory).without_configuration().build()?;
//! let relations = Relations::of_tree(&context)?;
//! let [top, mid, base] = ["top", "mid", "base"].map(ModuleName::new);
//!
//! // It needs `base` as well, and that follows.
//! assert_eq!(relations.node(&top).map(|node| &node.to), Some(&[(Relation::Needs, mid)].into()));
//! assert_eq!(relations.reached(&[top.clone()]).len(), 3);
//! assert_eq!(relations.reversed().roots(), [base]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "kernel")]
mod loaded;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bstr::BString;

use crate::{
    Context, ModuleName, Result,
    config::ModprobeConfig,
    glob::{fnmatch, is_wildcard},
    index::Trie,
    lookup,
};

/// What an arrow from one module to another means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Relation {
    /// It needs the other.
    Needs,
    /// The other is loaded before it, where it can be.
    Before,
    /// The other is loaded after it, where it can be.
    After,
    /// The other may be of use to it: nothing is loaded for that.
    Weak,
}

/// A module in the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Where arrows lead.
    pub to: BTreeSet<(Relation, ModuleName)>,
    /// Whether it is part of the kernel.
    pub builtin: bool,
    /// Whether the tree, or the kernel, has it; others are only named by soft dependencies.
    pub found: bool,
}

/// The modules with what leads from one to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    nodes: BTreeMap<ModuleName, Node>,
}

impl Relations {
    /// Those of all modules of a tree.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn of_tree(context: &Context) -> Result<Self> {
        let mut closures = HashMap::new();
        for (key, _) in context.indexes().dep()?.map(Trie::entries).transpose()?.unwrap_or_default() {
            let module = ModuleName::new(&key);
            let line = context.indexes().dependency_line(&module)?;
            let dependencies = line.map(|line| line.dependencies).unwrap_or_default();
            let names = dependencies.iter().filter_map(|path| ModuleName::from_path(path)).collect();
            closures.insert(module, names);
        }
        let mut relations = Self::reduced(&closures);
        let builtin = context.indexes().builtin()?.map(Trie::entries).transpose()?.unwrap_or_default();
        for (key, _) in builtin {
            let node = relations.nodes.entry(ModuleName::new(&key)).or_default();
            node.builtin = true;
            node.found = true;
        }
        relations.add_soft(context, context.modprobe_config())?;
        Ok(relations)
    }

    /// The modules, by name.
    pub fn nodes(&self) -> impl Iterator<Item = (&ModuleName, &Node)> {
        self.nodes.iter()
    }

    /// A module.
    pub fn node(&self, module: &ModuleName) -> Option<&Node> {
        self.nodes.get(module)
    }

    /// The same with all arrows turned round.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let turned = |node: &Node| Node { to: BTreeSet::new(), ..node.clone() };
        let mut nodes: BTreeMap<ModuleName, Node> =
            self.nodes.iter().map(|(name, node)| (name.clone(), turned(node))).collect();
        for (from, node) in &self.nodes {
            for (relation, to) in &node.to {
                nodes.entry(to.clone()).or_default().to.insert((*relation, from.clone()));
            }
        }
        Self { nodes }
    }

    /// What arrows lead to from some modules on, these included.
    pub fn reached(&self, from: &[ModuleName]) -> BTreeSet<ModuleName> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<&ModuleName> = from.iter().collect();
        while let Some(module) = waiting.pop() {
            if reached.insert(module.clone()) {
                waiting.extend(
                    self.nodes.get(module).into_iter().flat_map(|node| node.to.iter().map(|(_, to)| to)),
                );
            }
        }
        reached
    }

    /// The modules that no arrow leads to, and one of each circle that none leads into: from these all
    /// are reached.
    pub fn roots(&self) -> Vec<ModuleName> {
        let targets: HashSet<&ModuleName> =
            self.nodes.values().flat_map(|node| node.to.iter().map(|(_, to)| to)).collect();
        let mut roots: Vec<ModuleName> =
            self.nodes.keys().filter(|name| !targets.contains(name)).cloned().collect();
        let mut reached = self.reached(&roots);
        for name in self.nodes.keys() {
            if !reached.contains(name) {
                roots.push(name.clone());
                reached.extend(self.reached(std::slice::from_ref(name)));
            }
        }
        roots
    }

    /// Arrows from modules to everything they need, without the arrows that others imply.
    fn reduced(closures: &HashMap<ModuleName, Vec<ModuleName>>) -> Self {
        let needs = |module: &ModuleName, other: &ModuleName| {
            closures.get(module).is_some_and(|closure| closure.contains(other))
        };
        let mut nodes: BTreeMap<ModuleName, Node> = BTreeMap::new();
        for (module, closure) in closures {
            // In a damaged index two may need each other: then neither stands for the other.
            let is_implied =
                |one: &ModuleName| closure.iter().any(|other| needs(other, one) && !needs(one, other));
            let direct = closure.iter().filter(|one| !is_implied(one) && *one != module);
            let to = direct.map(|one| (Relation::Needs, one.clone())).collect();
            nodes.insert(module.clone(), Node { to, builtin: false, found: true });
        }
        Self { nodes }
    }

    fn add_soft(&mut self, context: &Context, config: &ModprobeConfig) -> Result<()> {
        let mut meaning: HashMap<BString, Vec<ModuleName>> = HashMap::new();
        let softdeps = config.softdeps.iter().flat_map(|line| {
            let before = line.pre.iter().map(|name| (Relation::Before, name));
            let after = line.post.iter().map(|name| (Relation::After, name));
            before.chain(after).map(|(relation, name)| (line.pattern.as_bytes(), relation, name))
        });
        let weakdeps = config
            .weakdeps
            .iter()
            .flat_map(|line| line.names.iter().map(|name| (line.pattern.as_bytes(), Relation::Weak, name)));
        for (pattern, relation, name) in softdeps.chain(weakdeps) {
            if !meaning.contains_key(name) {
                meaning.insert(name.clone(), meant(context, name)?);
            }
            let meant = meaning.get(name).map(Vec::as_slice).unwrap_or_default();
            for from in self.matching(pattern) {
                for to in meant.iter().filter(|to| **to != from) {
                    self.nodes.entry(to.clone()).or_default();
                    if let Some(node) = self.nodes.get_mut(&from) {
                        node.to.insert((relation, to.clone()));
                    }
                }
            }
        }
        Ok(())
    }

    /// The modules that a pattern of the configuration stands for.
    fn matching(&self, pattern: &[u8]) -> Vec<ModuleName> {
        if pattern.iter().copied().any(is_wildcard) {
            let found =
                self.nodes.iter().filter(|(name, node)| node.found && fnmatch(pattern, name.as_bytes()));
            return found.map(|(name, _)| name.clone()).collect();
        }
        let name = ModuleName::new(pattern);
        if self.nodes.contains_key(&name) { vec![name] } else { Vec::new() }
    }
}

/// The modules that a name in a soft dependency means; one that means none stands for itself.
fn meant(context: &Context, name: &[u8]) -> Result<Vec<ModuleName>> {
    let candidates = lookup::lookup(context, name)?;
    let names: Vec<ModuleName> = candidates.into_iter().map(|candidate| candidate.module).collect();
    Ok(if names.is_empty() { vec![ModuleName::new(name)] } else { names })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ModuleName {
        ModuleName::new(name)
    }

    fn relations(closures: &[(&str, &str)]) -> Relations {
        let list = |names: &str| names.split_whitespace().map(name).collect();
        Relations::reduced(&closures.iter().map(|(module, needs)| (name(module), list(needs))).collect())
    }

    fn arrows(relations: &Relations) -> Vec<String> {
        let of = |(from, node): (&ModuleName, &Node)| {
            node.to.iter().map(|(_, to)| format!("{from}>{to}")).collect::<Vec<_>>()
        };
        relations.nodes().flat_map(of).collect()
    }

    #[test]
    fn an_arrow_that_others_make_needless_is_left_out() {
        let relations = relations(&[("a", "b c d"), ("b", "c d"), ("c", "d"), ("d", ""), ("e", "d c")]);
        assert_eq!(arrows(&relations), ["a>b", "b>c", "c>d", "e>c"]);
        assert_eq!(arrows(&relations.reversed()), ["b>a", "c>b", "c>e", "d>c"]);
        assert_eq!(relations.roots(), [name("a"), name("e")]);
        assert_eq!(relations.reached(&[name("b")]), [name("b"), name("c"), name("d")].into());
    }

    #[test]
    fn a_circle_is_walked_once_and_has_a_root() {
        let relations = relations(&[("a", "b a"), ("b", "a"), ("c", "")]);
        assert_eq!(arrows(&relations), ["a>b", "b>a"]);
        assert_eq!(relations.roots(), [name("c"), name("a")]);
    }
}
