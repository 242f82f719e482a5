//! Lists: what `struct kmod_list` is.
//!
//! A list is one piece of memory, and each node knows its place in it: next, previous and last are found
//! in one step, and whoever frees a list needs no more than one of its nodes. All lists have the same nodes,
//! since programs give nodes of one kind of list to accessors of another.

use std::{ffi::CString, sync::Arc};

use crate::module::KmodModule;

/// A node, of which C has a pointer.
pub(crate) struct Node {
    place: usize,
    len: usize,
    value: Value,
}

/// What a node is about.
pub(crate) enum Value {
    /// A module.
    Module(Arc<KmodModule>),
    /// An entry of `.modinfo`, or of a signature.
    Field {
        /// What it is called.
        key: CString,
        /// What it is.
        value: CString,
    },
    /// A symbol that a module has, needs, or was built against.
    Symbol(Symbol),
    /// A section of a loaded module.
    Section {
        /// Its name.
        name: CString,
        /// Where it is; 0 where the kernel does not show it.
        address: u64,
    },
}

/// A symbol of any list of symbols.
pub(crate) struct Symbol {
    /// Its name.
    pub(crate) name: CString,
    /// The CRC of its type; 0 where it has none.
    pub(crate) crc: u64,
    /// `enum kmod_symbol_bind`; 0 in lists that are not of needed symbols.
    pub(crate) bind: u8,
}

impl Node {
    /// The nodes of a list of these values.
    pub(crate) fn list(values: Vec<Value>) -> Box<[Self]> {
        let len = values.len();
        values.into_iter().enumerate().map(|(place, value)| Self { place, len, value }).collect()
    }

    /// Its place in the list.
    pub(crate) fn place(&self) -> usize {
        self.place
    }

    /// How many nodes the list has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The place of the node after it; after the last one comes the first.
    pub(crate) fn place_after(&self) -> usize {
        if self.place + 1 < self.len { self.place + 1 } else { 0 }
    }

    /// The place of the node before it; before the first one comes the last.
    pub(crate) fn place_before(&self) -> usize {
        self.place.checked_sub(1).unwrap_or(self.len.saturating_sub(1))
    }

    /// The module of a list of modules.
    pub(crate) fn module(&self) -> Option<&Arc<KmodModule>> {
        match &self.value {
            Value::Module(module) => Some(module),
            _ => None,
        }
    }

    /// Key and value of an entry.
    pub(crate) fn field(&self) -> Option<(&CString, &CString)> {
        match &self.value {
            Value::Field { key, value } => Some((key, value)),
            _ => None,
        }
    }

    /// The symbol of any list of symbols.
    pub(crate) fn symbol(&self) -> Option<&Symbol> {
        match &self.value {
            Value::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// Name and address of a section.
    pub(crate) fn section(&self) -> Option<(&CString, u64)> {
        match &self.value {
            Value::Section { name, address } => Some((name, *address)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_circle() {
        let section = |name: &str| Value::Section { name: CString::new(name).unwrap(), address: 1 };
        let list = Node::list(vec![section("a"), section("b"), section("c")]);
        let places: Vec<_> = list.iter().map(|node| (node.place_before(), node.place_after())).collect();
        assert_eq!(places, [(2, 1), (0, 2), (1, 0)]);
        let list = Node::list(vec![section("a")]);
        assert_eq!((list[0].place_before(), list[0].place_after(), list[0].len()), (0, 0, 1));
        assert!(list[0].module().is_none() && list[0].field().is_none() && list[0].symbol().is_none());
    }
}
