//! Which module needs which: the one's undefined symbols, the other's exports.

use super::{
    TreeFile,
    facts::Facts,
    few_notices::few,
    rows::SymbolUse,
    symbols::{ProvidedSymbol, Provider, SymbolTable},
};
use crate::{Notice, Sink};

/// The direct dependencies of all modules, by their indexes in module order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    direct: Vec<Vec<u32>>,
}

/// Which faults of the needed symbols are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// None.
    Nothing,
    /// Symbols that nobody provides.
    Unknown,
    /// These, and those whose CRC is not the one that the module was built against.
    UnknownAndVersions,
}

impl Check {
    /// What is wrong with an offer for a need.
    fn fault(self, need: SymbolUse, offer: Option<ProvidedSymbol>) -> Option<&'static [u8]> {
        let disagrees = |offer: ProvidedSymbol| offer.crc != need.crc.unwrap_or_default();
        match offer {
            _ if self == Self::Nothing || need.weak => None,
            None => Some(b"needs unknown symbol"),
            Some(offer) if self == Self::UnknownAndVersions && disagrees(offer) => {
                Some(b"disagrees about version of symbol")
            }
            Some(_) => None,
        }
    }
}

impl Graph {
    /// A graph from each module's direct dependencies. Indexes without a module count for nothing.
    pub fn new(mut direct: Vec<Vec<u32>>) -> Self {
        let len = direct.len();
        for dependencies in &mut direct {
            dependencies.retain(|&index| (index as usize) < len);
        }
        Self { direct }
    }

    /// Finds who provided what each module needs; each dependency is listed once, at the place where it is
    /// first needed.
    pub fn from_symbols(
        files: &[TreeFile],
        facts: &[Facts<'_>],
        table: &SymbolTable<'_>,
        check: Check,
        sink: &mut Sink,
    ) -> Self {
        // For each module, the last one that was found to need it: detects repetitions quickly.
        let mut needed_by = vec![u32::MAX; facts.len()];
        let modules = (0_u32..).zip(files.iter().zip(facts));
        let direct = modules.map(|(user, (file, facts))| {
            few(file.path.as_os_str().as_encoded_bytes(), sink, |sink| {
                let mut dependencies = Vec::new();
                for (name, need) in facts.needs.iter() {
                    let offer = table.find(name);
                    if let Some(fault) = check.fault(need, offer) {
                        sink(about(file, fault, name));
                    }
                    let Some(Provider::Module(index)) = offer.map(|offer| offer.owner) else { continue };
                    let Some(last) = needed_by.get_mut(index as usize) else { continue };
                    if *last != user {
                        *last = user;
                        dependencies.push(index);
                    }
                }
                dependencies
            })
        });
        Self::new(direct.collect())
    }

    /// How many modules there are.
    pub fn len(&self) -> usize {
        self.direct.len()
    }

    #[cfg(feature = "internals")]
    /// Whether there is no module.
    pub fn is_empty(&self) -> bool {
        self.direct.is_empty()
    }

    /// The direct dependencies of a module, in the order in which they are first needed.
    pub fn direct(&self, module: u32) -> &[u32] {
        self.direct.get(module as usize).map_or(&[], Vec::as_slice)
    }

    /// For each module, by how many others it is directly needed.
    pub fn users(&self) -> Vec<u32> {
        let mut users = vec![0_u32; self.len()];
        for &dependency in self.direct.iter().flatten() {
            if let Some(count) = users.get_mut(dependency as usize) {
                *count = count.saturating_add(1);
            }
        }
        users
    }
}

fn about(file: &TreeFile, what: &[u8], symbol: &[u8]) -> Notice {
    let path = file.path.as_os_str().as_encoded_bytes();
    Notice::warning([path, b" ", what, b" ", symbol].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModuleName;

    fn file(name: &str) -> TreeFile {
        TreeFile {
            name: ModuleName::new(name),
            path: format!("/m/{name}.ko").into(),
            listed: format!("{name}.ko").into(),
        }
    }

    fn facts(exports: &[(&str, u64)], needs: &[(&str, u64, bool)]) -> Facts<'static> {
        let mut facts = Facts::default();
        for (name, crc) in exports {
            facts.exports.push(name.as_bytes(), SymbolUse { crc: Some(*crc), weak: false });
        }
        for (name, crc, weak) in needs {
            facts.needs.push(name.as_bytes(), SymbolUse { crc: (*crc != 0).then_some(*crc), weak: *weak });
        }
        facts
    }

    fn graph(facts: &[Facts<'_>], kernel: &[(Vec<u8>, u64)], check: Check) -> (Graph, Vec<String>) {
        let files: Vec<_> = ["a", "b", "c"].iter().map(|name| file(name)).take(facts.len()).collect();
        let table = SymbolTable::new(kernel, facts, None);
        let mut notices = Vec::new();
        let graph = Graph::from_symbols(&files, facts, &table, check, &mut |notice: Notice| {
            notices.push(notice.message.to_string());
        });
        (graph, notices)
    }

    #[test]
    fn dependencies_stand_once_in_the_order_of_first_need() {
        let modules = [
            facts(&[("x", 1), ("same", 1)], &[]),
            facts(&[("y", 2), ("same", 2)], &[]),
            facts(&[], &[("same", 0, false), ("kernel", 0, false), ("x", 0, true), ("y", 0, false)]),
        ];
        let (graph, notices) = graph(&modules, &[], Check::Nothing);
        assert_eq!(graph.direct(2), [1, 0], "the later module's export of one name counts");
        assert_eq!(graph.users(), [1, 1, 0]);
        assert!(notices.is_empty());
    }

    #[test]
    fn a_module_counts_before_the_kernel() {
        let modules = [facts(&[("x", 1)], &[]), facts(&[], &[("x", 1, false)])];
        let (graph, _) = graph(&modules, &[(b"x".to_vec(), 9)], Check::Nothing);
        assert_eq!(graph.direct(1), [0]);
    }

    #[test]
    fn unknown_symbols_and_other_versions_are_told_unless_weak() {
        let modules = [
            facts(&[("x", 1)], &[]),
            facts(
                &[],
                &[("x", 2, false), ("k", 0, false), (".k", 5, false), ("no", 0, false), ("nowk", 0, true)],
            ),
        ];
        let kernel = [(b"k".to_vec(), 5)];
        let unknown = "/m/b.ko needs unknown symbol no";
        assert_eq!(graph(&modules, &kernel, Check::Unknown).1, [unknown]);
        let (_, notices) = graph(&modules, &kernel, Check::UnknownAndVersions);
        let expected = [
            "/m/b.ko disagrees about version of symbol x",
            "/m/b.ko disagrees about version of symbol k",
            unknown,
        ];
        assert_eq!(notices, expected);
    }

    #[test]
    fn what_linker_and_loader_provide_is_not_unknown() {
        let modules = [facts(&[], &[(".TOC.", 0, false), ("__this_module", 0, false)])];
        assert!(graph(&modules, &[], Check::Unknown).1.is_empty());
    }

    #[test]
    fn a_thousand_unknown_symbols_of_a_module_are_named() {
        let mut needy = facts(&[], &[]);
        for number in 0..1500 {
            needy.needs.push(format!("s{number}").as_bytes(), SymbolUse { crc: None, weak: false });
        }
        let (_, notices) = graph(&[facts(&[], &[]), needy], &[], Check::Unknown);
        assert_eq!(notices.len(), 1001);
        assert_eq!(notices.last().unwrap(), "/m/b.ko: 500 more messages are omitted");
    }
}
