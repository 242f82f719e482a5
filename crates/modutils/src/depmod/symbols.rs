//! Who provided which symbol.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::facts::Facts;
use crate::formats::symbol::{PROVIDED, without_dot};

/// Who provided a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The kernel itself.
    Kernel,
    /// The module of that index, in module order.
    Module(u32),
}

/// A symbol offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvidedSymbol {
    /// By whom.
    pub owner: Provider,
    /// Its CRC; zero where there is none, as in the comparison of the packaged depmod.
    pub crc: u64,
}

/// All symbols offered, by name.
#[derive(Debug)]
pub struct SymbolTable<'a> {
    provided: HashMap<&'a [u8], ProvidedSymbol, RandomState>,
    prefix: Option<u8>,
}

impl<'a> SymbolTable<'a> {
    /// The symbols of the kernel, as far as they are known, and of all modules, in module order. A
    /// module's symbol counts before the kernel's of that name, and a later module's before an
    /// earlier one's. One byte `prefix` at the front of a name is no part of it (`-P`).
    pub fn new(kernel: &'a [(Vec<u8>, u64)], modules: &'a [Facts<'_>], prefix: Option<u8>) -> Self {
        let exports: usize = modules.iter().map(|facts| facts.exports.len()).sum();
        let room = exports.saturating_add(kernel.len()).saturating_add(PROVIDED.len());
        let mut table =
            Self { provided: HashMap::with_capacity_and_hasher(room, RandomState::default()), prefix };
        for name in PROVIDED {
            table.provided.insert(name, ProvidedSymbol { owner: Provider::Kernel, crc: 0 });
        }
        for (name, crc) in kernel {
            table.provided.insert(table.bare(name), ProvidedSymbol { owner: Provider::Kernel, crc: *crc });
        }
        for (index, facts) in (0..).zip(modules) {
            for (name, need) in facts.exports.iter() {
                let offer =
                    ProvidedSymbol { owner: Provider::Module(index), crc: need.crc.unwrap_or_default() };
                table.provided.insert(table.bare(name), offer);
            }
        }
        table
    }

    /// Who provided a symbol, by the name that a module needs it by.
    pub fn find(&self, name: &[u8]) -> Option<ProvidedSymbol> {
        self.provided.get(self.bare(name)).copied()
    }

    /// The symbols that modules offer, with the module's index, sorted by name.
    pub fn of_modules(&self) -> Vec<(&'a [u8], u32)> {
        let mut symbols: Vec<_> = self
            .provided
            .iter()
            .filter_map(|(&name, offer)| match offer.owner {
                Provider::Module(index) => Some((name, index)),
                Provider::Kernel => None,
            })
            .collect();
        symbols.sort_unstable();
        symbols
    }

    /// The name without what does not count: 64-bit PowerPC's leading dot, and the prefix.
    pub fn bare<'b>(&self, name: &'b [u8]) -> &'b [u8] {
        let name = without_dot(name);
        self.prefix.and_then(|prefix| name.strip_prefix(&[prefix])).unwrap_or(name)
    }
}
