//! The names in softdep lines, one after the other.
//!
//! Walks keep one of these for each module they are in the midst of: it holds the lines that concern
//! the module and no list of their contents, for a line may name thousands, and all of these
//! may be concerned by the same line.

use std::{slice, vec};

use bstr::BString;

use crate::{
    ModuleName,
    config::{ModprobeConfig, SoftdepLine},
};

/// Which names of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Those after `pre:`.
    Pre,
    /// Those after `post:`.
    Post,
}

/// The names of one side of all lines that concern a module, in order.
#[derive(Clone, Debug)]
pub(super) struct SoftNames<'a> {
    side: Side,
    lines: vec::IntoIter<&'a SoftdepLine>,
    names: slice::Iter<'a, BString>,
}

impl<'a> SoftNames<'a> {
    /// Those of a module.
    pub(super) fn of(config: &'a ModprobeConfig, module: &ModuleName, side: Side) -> Self {
        let lines: Vec<_> = config.softdeps(module).collect();
        Self { lines: lines.into_iter(), ..Self::none(side) }
    }

    /// No names.
    pub(super) fn none(side: Side) -> Self {
        Self { side, lines: Vec::new().into_iter(), names: [].iter() }
    }
}

impl<'a> Iterator for SoftNames<'a> {
    type Item = &'a BString;

    fn next(&mut self) -> Option<&'a BString> {
        loop {
            if let Some(name) = self.names.next() {
                return Some(name);
            }
            let line = self.lines.next()?;
            self.names = match self.side {
                Side::Pre => line.pre.iter(),
                Side::Post => line.post.iter(),
            };
        }
    }
}
