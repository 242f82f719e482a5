//! The modules of a tree, read, and who of them needs whom.

use std::{collections::HashSet, num::NonZeroUsize};

use super::{
    cache::CachedFacts,
    cycles::Cycles,
    facts::{self, Facts, Reading},
    graph::{Check, Graph},
    index_room,
    omission::Omissions,
    order::Order,
    same_place::Place,
    symbols::{Provider, SymbolTable},
    tree::TreeFile,
};
use crate::{Sink, file::OneLarge, stamp::Stamp, threads::Pool};

/// What is known of a tree once all its modules are read.
#[derive(Debug)]
pub struct Analysis<'a> {
    /// The modules, in module order. Others refer to them by their index.
    pub files: &'a [TreeFile],
    /// Their facts.
    pub facts: &'a [Facts<'a>],
    /// For each, all modules it needs, in the order of its line in `modules.dep`.
    pub dependencies: Vec<Vec<u32>>,
    /// The symbols that modules export, sorted, each with the module.
    pub exported: Vec<(&'a [u8], u32)>,
}

/// What an analysis looks at besides the modules.
#[derive(Clone, Debug)]
pub struct Checks<'a> {
    /// The kernel's own symbols with their CRCs, as far as they are known.
    pub kernel_symbols: &'a [(Vec<u8>, u64)],
    /// A byte before symbols' names that is no part of them.
    pub symbol_prefix: Option<u8>,
    /// What to report about needed symbols.
    pub check: Check,
}

/// Reads all modules, or takes from the cache what it has of them. What is wrong with one is an
/// omission, in module order; the others are read all the same. With the facts comes, where it has
/// one, the stamp of the file that they are of. `go_on` is called for each module, by any thread; once it returns
/// `false`, no other one is read, and nothing counts.
pub fn read_facts<'a>(
    files: &[TreeFile],
    place: Option<&Place>,
    known: &CachedFacts<'a>,
    threads: NonZeroUsize,
    go_on: &(dyn Fn() -> bool + Sync),
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> (Vec<Facts<'a>>, Vec<Option<Stamp>>) {
    let known: Vec<Option<(&Facts<'a>, Stamp)>> = files.iter().map(|file| known.facts(file)).collect();
    let unknown = files.iter().zip(&known).filter_map(|(file, known)| known.is_none().then_some(file));
    let unknown: Vec<&TreeFile> = unknown.collect();
    let pool = Pool::of(worthwhile(threads, unknown.len()));
    let large = OneLarge::default();
    let read = pool.map(unknown, OneLarge::scratch, |scratch, file| match go_on() {
        true => large.read(scratch, |scratch| facts::read(file, place, scratch)),
        false => Reading::default(),
    });
    let mut read = read.into_iter();
    let all = known.into_iter().map(|known| {
        if let Some((facts, stamp)) = known {
            go_on();
            return (facts.clone(), Some(stamp));
        }
        let Reading { facts, omissions: faults, stamp } = read.next().unwrap_or_default();
        // What is reported of a module is reported in every run.
        let stamp = stamp.filter(|_| faults.is_empty());
        faults.into_iter().for_each(|fault| omissions.report(fault, sink));
        (facts, stamp)
    });
    let (mut facts, mut stamps): (Vec<_>, Vec<_>) = all.unzip();
    index_room::fit(files, &mut facts, &mut stamps, omissions, sink);
    (facts, stamps)
}

/// So many threads as are worth starting for so many modules, of those allowed.
fn worthwhile(threads: NonZeroUsize, modules: usize) -> NonZeroUsize {
    threads.min(NonZeroUsize::new(modules / 16).unwrap_or(NonZeroUsize::MIN))
}

/// Finds out who needs whom, and in which order.
///
/// # Errors
/// The cycles, where there are any.
pub fn analyse<'a>(
    files: &'a [TreeFile],
    facts: &'a [Facts<'a>],
    checks: &Checks<'a>,
    sink: &mut Sink,
) -> Result<Analysis<'a>, Cycles> {
    let table = SymbolTable::new(checks.kernel_symbols, facts, checks.symbol_prefix);
    let graph = Graph::from_symbols(files, facts, &table, checks.check, sink);
    let Ok(order) = Order::of(&graph) else { return Err(Cycles::of(&graph)) };
    Ok(Analysis { files, facts, dependencies: order.dependencies(&graph), exported: table.of_modules() })
}

/// Calls `found` for each module that a module needs, itself included: with the user, the bare name of
/// the symbol that comes first, and who provided it, in module order and then as needed (`depmod
/// --verbose`).
pub fn for_each_need(
    files: &[TreeFile],
    facts: &[Facts<'_>],
    checks: &Checks<'_>,
    mut found: impl FnMut(&TreeFile, &[u8], &TreeFile),
) {
    let table = SymbolTable::new(checks.kernel_symbols, facts, checks.symbol_prefix);
    for (user, facts) in files.iter().zip(facts) {
        let mut seen = HashSet::new();
        for (symbol, _) in facts.needs.iter() {
            let Some(Provider::Module(index)) = table.find(symbol).map(|offer| offer.owner) else { continue };
            if let Some(owner) = files.get(index as usize).filter(|_| seen.insert(index)) {
                found(user, table.bare(symbol), owner);
            }
        }
    }
}
