//! What leads a walk over an index: which keys can still be wanted, byte by byte.

use crate::glob::is_wildcard;

/// Keys are wanted that match a query, as shell patterns.
///
/// A trail holds a bit for each length of the query's beginning that the key's beginning can match.
/// Without any, nothing below can match; most of an index is skipped that way, unread.
pub(super) struct Query<'a> {
    bytes: &'a [u8],
    /// For each byte a bit for each place where the query has it.
    places: [u128; 128],
}

/// The trail of a key that this does not follow: after a set or a backslash, or of a long query.
pub(super) const UNKNOWN: u128 = u128::MAX;
/// The longest query that is followed. Its bits leave the uppermost one to [`UNKNOWN`].
const LONGEST: usize = 126;

impl<'a> Query<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut places = [0; 128];
        for (at, byte) in bytes.iter().take(LONGEST).enumerate() {
            // No key has the other bytes.
            if let Some(places) = places.get_mut(usize::from(*byte)) {
                *places |= 1 << at;
            }
        }
        Self { bytes, places }
    }

    /// The trail of a key that is the query so far, but for the last bytes of it.
    pub(super) fn start(&self, rest: &[u8]) -> u128 {
        if self.bytes.len() > LONGEST { UNKNOWN } else { 1 << (self.bytes.len() - rest.len()) }
    }

    /// Whether a key with this trail matches all of the query; `None` where that is not known.
    pub(super) fn matches(&self, trail: u128) -> Option<bool> {
        (trail != UNKNOWN).then(|| trail & (1 << self.bytes.len()) != 0)
    }

    /// What is known after one more byte; `None` where no key that goes on so is wanted.
    pub(super) fn follow(&self, trail: u128, byte: u8) -> Option<u128> {
        let all = (1 << self.bytes.len().min(LONGEST)) - 1;
        let next = match byte {
            _ if trail == UNKNOWN => UNKNOWN,
            // As many bytes as it takes, from the shortest beginning on.
            b'*' => (all << 1 | 1) & !((1 << trail.trailing_zeros()) - 1),
            b'?' => (trail & all) << 1,
            b'\\' => UNKNOWN,
            _ if is_wildcard(byte) => UNKNOWN,
            _ => (trail & self.places.get(usize::from(byte)).copied().unwrap_or_default()) << 1,
        };
        (next != 0).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::glob::fnmatch;

    fn followed(pattern: &[u8], query: &[u8]) -> Option<bool> {
        let guide = Query::new(query);
        let mut trail = guide.start(query);
        for &byte in pattern {
            match guide.follow(trail, byte) {
                Some(next) => trail = next,
                None => return Some(false),
            }
        }
        guide.matches(trail)
    }

    #[test]
    fn what_is_not_followed_is_not_known() {
        assert_eq!(followed(b"a[b]", b"ab"), None);
        assert_eq!(followed(b"a\\b", b"ab"), None);
        assert_eq!(followed(b"*", &[b'a'; LONGEST]), Some(true));
        assert_eq!(followed(b"*", &[b'a'; LONGEST + 1]), None);
    }

    proptest! {
        #[test]
        fn what_is_followed_to_its_end_matches_as_fnmatch_does(
            pattern in prop::collection::vec(prop::sample::select(b"ab*?".as_slice()), 0..9),
            query in prop::collection::vec(prop::sample::select(b"abc\xff".as_slice()), 0..9),
        ) {
            prop_assert_eq!(followed(&pattern, &query), Some(fnmatch(&pattern, &query)));
        }
    }
}
