//! Matches the keys of an index against a query while the trie is walked, byte by byte.

use crate::glob::is_wildcard;

/// A nondeterministic automaton that runs a key, as a shell pattern, over a fixed query.
///
/// State `n` means: what was read of the key can match the first `n` bytes of the query. The set of states is a
/// `u128` with a bit for each. Where the set is empty no key with this beginning can match, so its whole subtree is
/// skipped unread; that spares a lookup most of an index.
pub(super) struct AliasMatcher<'a> {
    query: &'a [u8],
    /// For each ASCII byte the positions in the query that have it, as a bit set.
    positions: [u128; 128],
}

/// The states of a key that the automaton does not run: after a bracket or a backslash, or with a long query.
pub(super) const UNKNOWN: u128 = u128::MAX;
/// The longest query that the automaton runs over: its states leave the uppermost bit to [`UNKNOWN`].
const LONGEST: usize = 126;

impl<'a> AliasMatcher<'a> {
    pub(super) fn new(query: &'a [u8]) -> Self {
        let mut positions = [0; 128];
        for (at, byte) in query.iter().take(LONGEST).enumerate() {
            // Keys are ASCII, so other bytes never match.
            if let Some(positions) = positions.get_mut(usize::from(*byte)) {
                *positions |= 1 << at;
            }
        }
        Self { query, positions }
    }

    /// The states after a key that equals the query up to `rest`.
    pub(super) fn start(&self, rest: &[u8]) -> u128 {
        if self.query.len() > LONGEST { UNKNOWN } else { 1 << (self.query.len() - rest.len()) }
    }

    /// Whether a key that ends in these states matches the whole query; `None` where they are unknown.
    pub(super) fn matches(&self, states: u128) -> Option<bool> {
        (states != UNKNOWN).then(|| states & (1 << self.query.len()) != 0)
    }

    /// The states after one more byte of the key; `None` where no key that goes on so can match.
    pub(super) fn step(&self, states: u128, byte: u8) -> Option<u128> {
        let all = (1 << self.query.len().min(LONGEST)) - 1;
        let next = match byte {
            _ if states == UNKNOWN => UNKNOWN,
            // Any number of bytes: every state from the lowest one on.
            b'*' => (all << 1 | 1) & !((1 << states.trailing_zeros()) - 1),
            b'?' => (states & all) << 1,
            b'\\' => UNKNOWN,
            _ if is_wildcard(byte) => UNKNOWN,
            _ => (states & self.positions.get(usize::from(byte)).copied().unwrap_or_default()) << 1,
        };
        (next != 0).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::glob::fnmatch;

    fn run(pattern: &[u8], query: &[u8]) -> Option<bool> {
        let matcher = AliasMatcher::new(query);
        let mut states = matcher.start(query);
        for &byte in pattern {
            match matcher.step(states, byte) {
                Some(next) => states = next,
                None => return Some(false),
            }
        }
        matcher.matches(states)
    }

    #[test]
    fn sets_escapes_and_long_queries_are_unknown() {
        assert_eq!(run(b"a[b]", b"ab"), None);
        assert_eq!(run(b"a\\b", b"ab"), None);
        assert_eq!(run(b"*", &[b'a'; LONGEST]), Some(true));
        assert_eq!(run(b"*", &[b'a'; LONGEST + 1]), None);
    }

    proptest! {
        #[test]
        fn known_answers_are_those_of_fnmatch(
            pattern in prop::collection::vec(prop::sample::select(b"ab*?".as_slice()), 0..9),
            query in prop::collection::vec(prop::sample::select(b"abc\xff".as_slice()), 0..9),
        ) {
            prop_assert_eq!(run(&pattern, &query), Some(fnmatch(&pattern, &query)));
        }
    }
}
