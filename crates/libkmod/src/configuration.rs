//! The configuration as C walks over it: pairs of a key and a value.

use std::{
    cell::Cell,
    ffi::{CStr, CString},
    sync::{Arc, OnceLock},
};

use bstr::{BStr, BString};
use modutils::config::Directive;

use crate::text::c_string;

/// A line: its subject and its content.
pub(crate) struct Entry {
    key: CString,
    value: Option<CString>,
}

/// A directive that can be walked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `blacklist`.
    Blacklists,
    /// `install`.
    InstallCommands,
    /// `remove`.
    RemoveCommands,
    /// `alias`.
    Aliases,
    /// `options`.
    Options,
    /// `softdep`.
    Softdeps,
    /// `weakdep`.
    Weakdeps,
}

/// The lines of a context in this form, made when first asked for. They live as long as the context.
#[derive(Default)]
pub(crate) struct Entries([OnceLock<Arc<[Entry]>>; 7]);

impl Entries {
    /// A walk over the lines of a kind. It stands before the first.
    pub(crate) fn walk(&self, kind: Kind, context: &modutils::Context) -> ConfigIterator {
        let make = || entries(kind, context);
        let entries = self.0.get(kind as usize).map_or_else(make, |kept| kept.get_or_init(make).clone());
        ConfigIterator { entries, place: Cell::new(None) }
    }
}

fn entries(kind: Kind, context: &modutils::Context) -> Arc<[Entry]> {
    context.config().lines().filter_map(|line| Entry::of(kind, &line.directive)).collect()
}

impl Entry {
    fn of(kind: Kind, directive: &Directive<'_>) -> Option<Self> {
        match (kind, *directive) {
            (Kind::Blacklists, Directive::Blacklist { module }) => {
                Some(Self { key: c_string(module), value: None })
            }
            (Kind::InstallCommands, Directive::Install { pattern, command })
            | (Kind::RemoveCommands, Directive::Remove { pattern, command }) => {
                Some(Self::new(pattern, command))
            }
            (Kind::Aliases, Directive::Alias { pattern, module }) => Some(Self::new(pattern, module)),
            (Kind::Options, Directive::Options { module, options }) => Some(Self::new(module, options)),
            (Kind::Softdeps, Directive::Softdep { pattern, pre, post }) => {
                Some(Self::new(pattern, &soft_names(pre, post)))
            }
            (Kind::Weakdeps, Directive::Weakdep { pattern, text, .. }) => Some(Self::new(pattern, text)),
            _ => None,
        }
    }

    fn new(key: &BStr, value: &[u8]) -> Self {
        Self { key: c_string(key), value: Some(c_string(value)) }
    }
}

/// `pre: a b post: c`, the form of a line.
fn soft_names(pre: &[BString], post: &[BString]) -> Vec<u8> {
    let mut words: Vec<&[u8]> = Vec::new();
    for (keyword, names) in [(&b"pre:"[..], pre), (b"post:", post)] {
        if !names.is_empty() {
            words.push(keyword);
            words.extend(names.iter().map(|name| name.as_slice()));
        }
    }
    words.join(&b' ')
}

/// What `struct kmod_config_iter` is: a walk over the lines of one kind.
pub(crate) struct ConfigIterator {
    entries: Arc<[Entry]>,
    /// Of the present entry; none before the first and behind the last.
    place: Cell<Option<usize>>,
}

impl ConfigIterator {
    /// Goes to the next entry. Whether there is one: behind the last, the next is the first again.
    pub(crate) fn advance(&self) -> bool {
        let next = self.place.get().map_or(0, |place| place + 1);
        self.place.set((next < self.entries.len()).then_some(next));
        self.place.get().is_some()
    }

    /// What the present entry is about.
    pub(crate) fn key(&self) -> Option<&CStr> {
        self.present().map(|entry| entry.key.as_c_str())
    }

    /// Its content.
    pub(crate) fn value(&self) -> Option<&CStr> {
        self.present()?.value.as_deref()
    }

    fn present(&self) -> Option<&Entry> {
        self.entries.get(self.place.get()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_begins_again_behind_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.conf");
        std::fs::write(&path, "softdep a pre: b c post: d\nblacklist x\nsoftdep e post: f\n").unwrap();
        let context = modutils::Context::builder().config_paths(vec![path]).directory(directory.path());
        let context = context.build().unwrap();
        let walk = Entries::default().walk(Kind::Softdeps, &context);
        assert_eq!((walk.key(), walk.value()), (None, None));
        for _ in 0..2 {
            assert!(walk.advance());
            assert_eq!((walk.key(), walk.value()), (Some(c"a"), Some(c"pre: b c post: d")));
            assert!(walk.advance());
            assert_eq!((walk.key(), walk.value()), (Some(c"e"), Some(c"post: f")));
            assert!(!walk.advance());
            assert_eq!((walk.key(), walk.value()), (None, None));
        }
    }
}
