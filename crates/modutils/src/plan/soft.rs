//! The names in softdep lines, one after the other.
//!
//! A line may name thousands of modules, each name may mean thousands, all of these may be concerned by the same
//! line, and a walk comes to a module as often as others need it. What a name means is entered once, by whoever comes
//! first; so a walk keeps, for each line and for each name, how far all together have come.

use std::{collections::HashMap, ptr, rc::Rc};

use bstr::BString;

use crate::{config::SoftdepLine, lookup::Candidate, plan::inputs::PlanInputs};

/// Which names of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// Those after `pre:`.
    Pre,
    /// Those after `post:`.
    Post,
}

impl Side {
    /// The names on this side of a line.
    pub(super) fn names(self, line: &SoftdepLine) -> &[BString] {
        match self {
            Self::Pre => &line.pre,
            Self::Post => &line.post,
        }
    }
}

/// The softdep lines that concern a module, in order.
pub(super) type SoftLines<'a> = Rc<[&'a SoftdepLine]>;

/// How far a walk has got.
#[derive(Debug, Default)]
pub(super) struct Progress<'a> {
    /// How many names of a side of a line mean nothing any more that was not returned.
    names: HashMap<(*const SoftdepLine, Side), usize>,
    /// How many of the modules that a name means were returned.
    candidates: HashMap<&'a BString, usize>,
}

impl<'a> Progress<'a> {
    /// The next module that a side of some lines means, and how many of the lines are done with; one that was
    /// returned for any line is not returned again.
    pub(super) fn next(
        &mut self,
        lines: &[&'a SoftdepLine],
        side: Side,
        known: &'a PlanInputs,
    ) -> Option<(&'a Candidate, usize)> {
        for (before, &line) in lines.iter().enumerate() {
            let done = self.names.entry((ptr::from_ref(line), side)).or_default();
            while let Some(name) = side.names(line).get(*done) {
                let returned = self.candidates.entry(name).or_default();
                if let Some(candidate) = known.names.get(name).and_then(|meant| meant.get(*returned)) {
                    *returned = returned.saturating_add(1);
                    return Some((candidate, before));
                }
                *done = done.saturating_add(1);
            }
        }
        None
    }
}

/// All places of some ordered lists, in order and each once.
pub(super) fn union(mut lists: Vec<Rc<[usize]>>) -> Rc<[usize]> {
    match (lists.pop(), lists.is_empty()) {
        (None, _) => Rc::default(),
        (Some(list), true) => list,
        (Some(list), false) => {
            let mut all: Vec<usize> =
                lists.iter().flat_map(|list| list.iter()).chain(&*list).copied().collect();
            all.sort_unstable();
            all.dedup();
            all.into()
        }
    }
}
