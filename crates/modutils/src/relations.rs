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
    ///
    /// In a damaged index two may need each other: then neither stands for the other.
    fn reduced(closures: &HashMap<ModuleName, Vec<ModuleName>>) -> Self {
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let mut number = |name| {
            *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                names.len().saturating_sub(1)
            })
        };
        let lists: Vec<(usize, Vec<usize>)> = closures
            .iter()
            .map(|(module, closure)| (number(module), closure.iter().map(&mut number).collect()))
            .collect();
        let mut sorted: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
        for (module, closure) in &lists {
            if let Some(place) = sorted.get_mut(*module) {
                place.clone_from(closure);
                place.sort_unstable();
            }
        }
        let all = |module: usize| sorted.get(module).map_or(&[][..], Vec::as_slice);
        // For each module, the last one for which another one stands for it.
        let mut implied_for = vec![usize::MAX; names.len()];
        let mut nodes: BTreeMap<ModuleName, Node> = BTreeMap::new();
        for (module, closure) in &lists {
            for &other in closure {
                // What it stands for, what stands for it does, too.
                if implied_for.get(other) == Some(module) {
                    continue;
                }
                for &one in all(other).iter().filter(|one| all(**one).binary_search(&other).is_err()) {
                    if let Some(place) = implied_for.get_mut(one) {
                        *place = *module;
                    }
                }
            }
            let direct =
                closure.iter().filter(|&&one| one != *module && implied_for.get(one) != Some(module));
            let to = direct.filter_map(|&one| Some((Relation::Needs, (*names.get(one)?).clone()))).collect();
            if let Some(name) = names.get(*module) {
                nodes.insert((*name).clone(), Node { to, builtin: false, found: true });
            }
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

    proptest::proptest! {
        #[test]
        fn an_arrow_stays_unless_another_one_needs_what_it_leads_to(
            edges in proptest::collection::vec((0..9_usize, 0..9_usize), 0..30),
        ) {
            // Whatever is needed, directly or not, also in circles.
            let mut closures = vec![std::collections::BTreeSet::new(); 9];
            for _ in 0..9 {
                for &(from, to) in &edges {
                    let all = closures[to].clone();
                    closures[from].extend(all);
                    closures[from].insert(to);
                }
            }
            let letter = |number: &usize| format!("m{number}");
            let words = closures.iter().map(|all| all.iter().map(letter).collect::<Vec<_>>().join(" "));
            let lines: Vec<(String, String)> = (0..).map(|number| letter(&number)).zip(words).collect();
            let lines: Vec<(&str, &str)> = lines.iter().map(|(name, all)| (&**name, &**all)).collect();
            let needs = |one: usize, other: usize| closures[one].contains(&other);
            let mut expected = Vec::new();
            for (from, all) in closures.iter().enumerate() {
                for &to in all {
                    let implied = all.iter().any(|&other| needs(other, to) && !needs(to, other));
                    if from != to && !implied {
                        expected.push(format!("m{from}>m{to}"));
                    }
                }
            }
            proptest::prop_assert_eq!(arrows(&relations(&lines)), expected);
        }
    }

    /// By the fourth power of their number once.
    #[test]
    fn a_long_chain_is_reduced_soon() {
        let modules = (0..1500).map(|number| name(&format!("m{number}")));
        let modules: Vec<ModuleName> = modules.collect();
        let of = |place: usize| modules[place + 1..].to_vec();
        let closures = modules.iter().cloned().enumerate().map(|(place, module)| (module, of(place)));
        assert_eq!(arrows(&Relations::reduced(&closures.collect())).len(), 1499);
    }

    #[test]
    fn a_circle_is_walked_once_and_has_a_root() {
        let relations = relations(&[("a", "b a"), ("b", "a"), ("c", "")]);
        assert_eq!(arrows(&relations), ["a>b", "b>a"]);
        assert_eq!(relations.roots(), [name("c"), name("a")]);
    }
}
