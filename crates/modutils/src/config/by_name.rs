//! Lines of configuration that concern names, found without a look at all of them.
//!
//! There may be tens of thousands of lines, and as many names to ask about: each with each is too
//! much. Lines with a plain name are found by it; only those with a pattern are tried one by one.

use std::{ops::Deref, sync::OnceLock};

use crate::glob::{fnmatch, is_special};

/// A line that concerns a name, or all names that a pattern matches.
pub trait NamedLine {
    /// The name or the pattern.
    fn name(&self) -> &[u8];
}

/// The lines of one directive in their order, which is kept wherever several concern a name.
#[derive(Clone, Debug)]
pub struct LinesByName<T> {
    lines: Vec<T>,
    index: OnceLock<Index>,
}

/// Places of lines.
#[derive(Clone, Debug)]
struct Index {
    /// All, sorted by what they name, then by place.
    sorted: Vec<usize>,
    /// Those with a pattern, by place.
    patterns: Vec<usize>,
}

impl<T> Default for LinesByName<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), index: OnceLock::new() }
    }
}

impl<T> Deref for LinesByName<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.lines
    }
}

impl<'a, T> IntoIterator for &'a LinesByName<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.lines.iter()
    }
}

impl<T: NamedLine> LinesByName<T> {
    /// Adds a line behind the others.
    pub(super) fn push(&mut self, line: T) {
        self.lines.push(line);
        self.index.take();
    }

    /// The lines with exactly this name or pattern, compared byte for byte.
    pub fn named(&self, name: &[u8]) -> impl Iterator<Item = &T> {
        self.places_of(name).iter().filter_map(|&place| self.lines.get(place))
    }

    /// The lines whose pattern matches a name.
    pub fn matching<'a, 'n>(&'a self, name: &'n [u8]) -> impl Iterator<Item = &'a T> + use<'a, 'n, T> {
        // A line with this very text may be a pattern that does not match it.
        let plain = if name.iter().any(|&byte| is_special(byte)) { &[] } else { self.places_of(name) };
        let mut plain = plain.iter().copied().peekable();
        let matches =
            move |place: &usize| self.lines.get(*place).is_some_and(|line| fnmatch(line.name(), name));
        let mut patterns = self.index().patterns.iter().copied().filter(matches).peekable();
        let next_place = move || match (plain.peek(), patterns.peek()) {
            (Some(one), Some(other)) if one < other => plain.next(),
            (_, Some(_)) => patterns.next(),
            (_, None) => plain.next(),
        };
        std::iter::from_fn(next_place).filter_map(|place| self.lines.get(place))
    }

    fn places_of(&self, name: &[u8]) -> &[usize] {
        let sorted = &self.index().sorted;
        let start = sorted.partition_point(|&place| self.name_at(place) < name);
        let rest = sorted.get(start..).unwrap_or_default();
        let count = rest.partition_point(|&place| self.name_at(place) == name);
        rest.get(..count).unwrap_or_default()
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let places = 0..self.lines.len();
            let is_pattern = |place: &usize| self.name_at(*place).iter().any(|&byte| is_special(byte));
            let patterns = places.clone().filter(is_pattern).collect();
            // Pairs, which are of the same type whatever the lines are: the program has one function that sorts them.
            let mut named: Vec<(&[u8], usize)> = places.map(|place| (self.name_at(place), place)).collect();
            named.sort_unstable();
            Index { sorted: named.into_iter().map(|(_, place)| place).collect(), patterns }
        })
    }

    fn name_at(&self, place: usize) -> &[u8] {
        self.lines.get(place).map_or(&[], NamedLine::name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Line(String, usize);

    impl NamedLine for Line {
        fn name(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    fn lines(names: &[String]) -> LinesByName<Line> {
        let mut lines = LinesByName::default();
        for (place, name) in names.iter().enumerate() {
            lines.push(Line(name.clone(), place));
        }
        lines
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_trying_every_line_finds(
            names in proptest::collection::vec("[ab*?\\\\\\[\\]]{0,3}", 0..30),
            name in "[ab*\\[\\]]{0,3}",
        ) {
            let lines = lines(&names);
            let name = name.as_bytes();
            let tried: Vec<&Line> = lines.iter().filter(|line| fnmatch(line.name(), name)).collect();
            prop_assert_eq!(lines.matching(name).collect::<Vec<_>>(), tried);
            let same: Vec<&Line> = lines.iter().filter(|line| line.name() == name).collect();
            prop_assert_eq!(lines.named(name).collect::<Vec<_>>(), same);
        }
    }

    #[test]
    fn a_line_added_later_is_found_too() {
        let mut lines = lines(&["b".into()]);
        assert_eq!(lines.matching(b"a").count(), 0);
        lines.push(Line("a".into(), 1));
        assert_eq!(lines.matching(b"a").count(), 1);
    }
}
