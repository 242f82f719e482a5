//! Whose values have room in the indexes.
//!
//! An index holds 256 MiB, and of a text 16 MiB are read. A few modules, of a kilobyte each once compressed, can hold
//! more than that; then they, and not all others, are left out.

use super::{
    TreeFile,
    facts::Facts,
    omission::{Omission, Omissions, Omitted},
    rows::Strings,
};
use crate::{ErrorKind, Malformed, Notice, Sink, config::LARGEST_FILE, stamp::Stamp};

/// What the values of all modules may take in an index, in MiB, where none shares a node with another: half of what one can
/// hold. By this count Debian's aliases take 15, in an index of 1.3 MB.
const OF_INDEX: u64 = 128;

/// The same in a text that is read like configuration.
const OF_TEXT: u64 = LARGEST_FILE >> 20;

/// What a key takes in an index besides itself and its value: two nodes, one with a reference for each printable
/// character.
const NODES: u64 = 512;

/// Values of one kind, which one index or text is made of.
struct Kind {
    /// What they are called in messages.
    name: &'static str,
    /// How many MiB there are for those of all modules.
    room: u64,
    /// The section that they come from.
    section: &'static [u8],
    /// The most bytes that a module's take, where its name has so many bytes.
    size: fn(&Facts<'_>, u64) -> u64,
    /// Forgets a module's.
    clear: fn(&mut Facts<'_>),
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "aliases",
        room: OF_INDEX,
        section: b".modinfo",
        size: |facts, name| size(&facts.aliases, name, NODES),
        clear: |facts| facts.aliases = Strings::default(),
    },
    Kind {
        name: "exported symbols",
        room: OF_INDEX,
        section: b".symtab",
        size: |facts, name| size(facts.exports.names(), name, NODES),
        clear: |facts| facts.exports = Default::default(),
    },
    Kind {
        name: "soft dependencies",
        room: OF_TEXT,
        section: b".modinfo",
        size: |facts, name| size(&facts.softdeps, name, WORDS),
        clear: |facts| facts.softdeps = Strings::default(),
    },
    Kind {
        name: "weak dependencies",
        room: OF_TEXT,
        section: b".modinfo",
        size: |facts, name| size(&facts.weakdeps, name, WORDS),
        clear: |facts| facts.weakdeps = Strings::default(),
    },
];

/// The words and blanks of a line of text, besides the module's name and the value.
const WORDS: u64 = 16;

/// What strings, each with the name of their module, take at most.
fn size(strings: &Strings<'_>, name: u64, each: u64) -> u64 {
    let bytes = strings.as_bytes();
    // Most modules have none.
    let count = if bytes.is_empty() { 0 } else { strings.len() };
    (bytes.len() as u64).saturating_add((count as u64).saturating_mul(name.saturating_add(each)))
}

/// Forgets what has no room, of the modules with most of it, and reports that. Where something was forgotten, the facts
/// are not the file's any more, and its stamp is taken away.
pub(super) fn fit(
    files: &[TreeFile],
    facts: &mut [Facts<'_>],
    stamps: &mut [Option<Stamp>],
    omissions: &mut Omissions,
    sink: &mut Sink,
) {
    for kind in &KINDS {
        for index in without_room(kind, files, facts) {
            let (Some(file), Some(facts)) = (files.get(index), facts.get_mut(index)) else { continue };
            (kind.clear)(facts);
            if let Some(stamp) = stamps.get_mut(index) {
                *stamp = None;
            }
            let what = format!(
                "the {} are omitted: those of all modules may need more than {} MiB",
                kind.name, kind.room
            );
            let error = Malformed::section(kind.section, what).of_kind(ErrorKind::TooLarge).at(&file.path);
            let notice = Notice::warning(error.to_string());
            omissions.report(Omission::new(Omitted::Value, &file.path, error, notice), sink);
        }
    }
}

/// The modules whose values have no room, in module order.
fn without_room(kind: &Kind, files: &[TreeFile], facts: &[Facts<'_>]) -> Vec<usize> {
    let sizes = files.iter().zip(facts).map(|(file, facts)| {
        let name = file.name.as_bytes().len() as u64;
        (kind.size)(facts, name)
    });
    let sizes: Vec<u64> = sizes.collect();
    let mut total = sizes.iter().fold(0, |total: u64, &size| total.saturating_add(size));
    // A text begins with a comment.
    let room = (kind.room << 20).saturating_sub(1 << 10);
    if total <= room {
        return Vec::new();
    }
    let mut by_size: Vec<(u64, usize)> = sizes.into_iter().zip(0..).collect();
    by_size.sort_unstable();
    let mut left_out = Vec::new();
    while let Some((size, index)) = by_size.pop().filter(|_| total > room) {
        total = total.saturating_sub(size);
        left_out.push(index);
    }
    left_out.sort_unstable();
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModuleName, depmod::rows::SymbolUse};

    fn file(name: &str) -> TreeFile {
        TreeFile { name: ModuleName::new(name), path: format!("/m/{name}.ko").into(), listed: name.into() }
    }

    #[test]
    fn the_modules_with_most_values_are_left_out_and_the_others_kept() {
        let count = usize::try_from((OF_INDEX << 20) / 590 / 3).unwrap();
        let with = |aliases: usize| {
            let mut facts = Facts::default();
            (0..aliases).for_each(|_| facts.aliases.push(&[b'a'; 80]));
            facts.exports.push(b"e", SymbolUse { crc: None, weak: false });
            facts
        };
        let files = ["good", "first", "again", "third", "other"].map(file);
        let mut facts = [2, count, count - 1, count - 2, 1].map(with);
        let before = facts.clone();
        let (mut omissions, mut notices) = (Omissions::default(), Vec::new());
        let mut stamps = [const { None }; 5];
        let mut sink = |notice: Notice| notices.push(notice.to_string());
        fit(&files, &mut facts, &mut stamps, &mut omissions, &mut sink);
        let mut expected = before;
        expected[1].aliases = Strings::default();
        assert!(facts == expected);
        let expected = "/m/first.ko: section .modinfo: the aliases are omitted: those of all modules may need more than 128 MiB";
        assert_eq!(notices, [expected]);
        assert_eq!(omissions.as_slice().len(), 1);
        assert!(!omissions.has_unread());
    }
}
