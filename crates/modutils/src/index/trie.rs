//! Reads a `modules.*.bin` index, in the layout of any kmod version.
//!
//! Nothing in the file is trusted. [`Node`] checks every reference against the file's end. In a
//! sound file no two nodes share a byte, so a walk that has visited more bytes of nodes than the
//! file has is in a cycle, or in a graph made to look like a tree; it stops with an error. The walks
//! keep their own stack and do not recurse.

use std::path::{Path, PathBuf};

use super::{
    alias_matcher::AliasMatcher,
    budget::Budget,
    everything,
    file::IndexFile,
    node::{Node, Values, root_reference},
};
use crate::{
    Error, Malformed, Result,
    glob::{fnmatch, is_wildcard},
    stamp::Stamp,
};

/// An index, of which is read what lookups touch.
#[derive(Debug)]
pub struct Trie {
    path: PathBuf,
    file: IndexFile,
    /// `None` in an index without keys.
    root: Option<u32>,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrieValue {
    /// The place of the module in depmod's module order: the lower, the earlier.
    pub priority: u32,
    /// The value's bytes.
    pub value: Vec<u8>,
}

impl Trie {
    /// Opens an index file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::Malformed`] where it is not an index.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path, IndexFile::open(path).map_err(Error::io("read", path))?)
    }

    /// Reads an index file as a whole.
    ///
    /// # Errors
    /// As [`Trie::open`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::new(path, IndexFile::read_whole(path).map_err(Error::io("read", path))?)
    }

    /// An index from the bytes of its file; the path is for messages. An empty file is an index
    /// without keys: depmod leaves one where its input is missing.
    ///
    /// # Errors
    /// [`Error::Malformed`] where the header is not that of an index.
    #[cfg(any(test, feature = "internals"))]
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        Self::new(path, IndexFile::from_bytes(bytes))
    }

    fn new(path: &Path, file: IndexFile) -> Result<Self> {
        let root = if file.len() == 0 { Ok(None) } else { root_reference(&file).map(Some) };
        let root = root.map_err(|fault| fault.at(path))?;
        Ok(Self { path: path.to_owned(), file, root })
    }

    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it was when it was opened; none where the bytes came from memory.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.file.stamp()
    }

    /// The first value of exactly this key.
    ///
    /// # Errors
    /// [`Error::Malformed`] where a reference on the way leads out of the file, or the file cannot be
    /// read there.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let values = self.find(key).map_err(|fault| fault.at(&self.path))?;
        let first = values.and_then(|mut values| values.next()).transpose();
        first.map(|first| first.map(|(_, value)| value.to_owned())).map_err(|fault| fault.at(&self.path))
    }

    /// The beginning of the first value of exactly this key: up to the first `end` and with it, or all of the
    /// value where it has none.
    ///
    /// # Errors
    /// As [`Trie::get`].
    pub fn get_until(&self, key: &[u8], end: u8) -> Result<Option<Vec<u8>>> {
        let values = self.find(key).map_err(|fault| fault.at(&self.path))?;
        let start = values.and_then(|values| values.first_until(end)).transpose();
        start.map(|start| start.map(<[u8]>::to_owned)).map_err(|fault| fault.at(&self.path))
    }

    /// The values of all keys that match the query, keys being shell patterns, in the
    /// order in which kmod gives them.
    ///
    /// # Errors
    /// As [`Trie::for_each`].
    pub fn search(&self, query: &[u8]) -> Result<Vec<TrieValue>> {
        self.find_matching(query).map_err(|fault| fault.at(&self.path))
    }

    /// Gives all keys, each with each of its values, in the order of `modprobe -c`.
    ///
    /// # Errors
    /// [`Error::Malformed`] where a reference leads out of the file, nodes overlap, the keys are out of
    /// all proportion to the file, or it cannot be read. What was given before holds all the same.
    pub fn for_each(&self, each: &mut impl FnMut(&[u8], &[u8])) -> Result<()> {
        self.for_each_behind(b"", each)
    }

    /// The same with each key behind some bytes, as a line begins.
    ///
    /// # Errors
    /// As [`Trie::for_each`].
    pub fn for_each_behind(&self, start: &[u8], each: &mut impl FnMut(&[u8], &[u8])) -> Result<()> {
        let Some(root) = self.root else { return Ok(()) };
        everything::for_each(&self.file, root, start, each).map_err(|fault| fault.at(&self.path))
    }

    /// All keys with their values, in the order of `modprobe -c`.
    ///
    /// # Errors
    /// As [`Trie::for_each`].
    pub fn entries(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut entries = Vec::new();
        self.for_each(&mut |key, value| entries.push((key.to_owned(), value.to_owned())))?;
        Ok(entries)
    }

    fn find(&self, key: &[u8]) -> Result<Option<Values<'_>>, Malformed> {
        let mut reference = self.root;
        let mut rest = key;
        // Every step takes a byte off the key, so that a cycle comes to an end.
        while let Some(node) = reference.map(|reference| self.node(reference)).transpose()? {
            let Some(after) = rest.strip_prefix(node.prefix) else { return Ok(None) };
            let Some((&byte, after)) = after.split_first() else {
                return Ok(Some(node.values));
            };
            reference = node.child(byte);
            rest = after;
        }
        Ok(None)
    }

    /// Follows the query as far as keys have it literally; where they go on with a wildcard,
    /// everything below is tried.
    fn find_matching(&self, query: &[u8]) -> Result<Vec<TrieValue>, Malformed> {
        let mut found = Vec::new();
        let mut keep = |priority, value: &[u8]| found.push(TrieValue { priority, value: value.to_owned() });
        let matcher = AliasMatcher::new(query);
        let mut walk = Walk::new(&self.file, &matcher);
        let mut reference = self.root;
        let mut rest = query;
        while let Some(node) = reference.map(|reference| self.node(reference)).transpose()? {
            let wildcard = node.prefix.iter().position(|&byte| is_wildcard(byte));
            let literal = wildcard.unwrap_or(node.prefix.len());
            let (literal, pattern) = node.prefix.split_at_checked(literal).unwrap_or_default();
            let Some(after) = rest.strip_prefix(literal) else { break };
            rest = after;
            let states = matcher.start(rest);
            let mut try_pattern = |budget: &mut Budget, pattern: &[u8], values, states| {
                let matches = matcher.matches(states).unwrap_or_else(|| fnmatch(pattern, rest));
                if matches { give(budget, values, pattern.len(), &mut keep) } else { Ok(()) }
            };
            if !pattern.is_empty() {
                let passed = literal.len();
                walk.below(node, passed, b"", states, &mut try_pattern)?;
                break;
            }
            for wildcard in *b"*?[" {
                let Some(child) = node.child(wildcard) else { continue };
                if let Some(states) = matcher.step(states, wildcard) {
                    walk.below(self.node(child)?, 0, &[wildcard], states, &mut try_pattern)?;
                }
            }
            let Some((&byte, after)) = rest.split_first() else {
                for value in node.values {
                    let (priority, value) = value?;
                    keep(priority, value);
                }
                break;
            };
            if is_wildcard(byte) {
                // What is below was walked as a pattern, and is now entered literally.
                walk = Walk::new(&self.file, &matcher);
            }
            reference = node.child(byte);
            rest = after;
        }
        // kmod gives values by ascending priority; of equal ones, the last found comes first.
        found.reverse();
        found.sort_by_key(|value| value.priority);
        Ok(found)
    }

    fn node(&self, reference: u32) -> Result<Node<'_>, Malformed> {
        Node::read(&self.file, reference)
    }
}

/// Visits the keys below a node that can match.
struct Walk<'a> {
    file: &'a IndexFile,
    matcher: &'a AliasMatcher<'a>,
    budget: Budget,
    key: Vec<u8>,
    open: Vec<Open<'a>>,
}

/// A node of which something is still to be done.
struct Open<'a> {
    /// The length of its key.
    key: usize,
    states: u128,
    /// The references to its children from this byte on, four bytes each.
    children: &'a [u8],
    byte: u8,
    /// The values that come after them.
    values: Values<'a>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a IndexFile, matcher: &'a AliasMatcher<'a>) -> Self {
        let budget = Budget::of(file.len());
        Self { file, matcher, budget, key: Vec::new(), open: Vec::new() }
    }

    /// Calls `visit` with each key below `node` that has values. The keys begin with `start`, which led to
    /// `states`; the first `passed` bytes of the node's prefix are not part of them.
    fn below(
        &mut self,
        node: Node<'a>,
        passed: usize,
        start: &[u8],
        states: u128,
        visit: &mut impl FnMut(&mut Budget, &[u8], Values<'a>, u128) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.key.clear();
        self.key.extend_from_slice(start);
        self.enter(node, passed, states)?;
        while let Some(open) = self.open.last_mut() {
            self.key.truncate(open.key);
            let Some((reference, others)) = open.children.split_first_chunk() else {
                let Open { states, values, .. } = *open;
                self.open.pop();
                if !values.is_empty() {
                    visit(&mut self.budget, &self.key, values, states)?;
                }
                continue;
            };
            let (byte, reference) = (open.byte, u32::from_be_bytes(*reference));
            // There is none behind the byte 255.
            (open.children, open.byte) = (others, byte.wrapping_add(1));
            if reference == 0 {
                continue;
            }
            if let Some(states) = self.matcher.step(open.states, byte) {
                self.key.push(byte);
                self.enter(Node::read(self.file, reference)?, 0, states)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, node: Node<'a>, passed: usize, states: u128) -> Result<(), Malformed> {
        self.budget.node(node.size().saturating_sub(passed))?;
        let prefix = node.prefix.get(passed..).unwrap_or_default();
        let states = prefix.iter().try_fold(states, |states, &byte| self.matcher.step(states, byte));
        let Some(states) = states else { return Ok(()) };
        self.key.extend_from_slice(prefix);
        let (children, byte) = node.children();
        if !children.is_empty() || !node.values.is_empty() {
            let values = node.values;
            self.open.push(Open { key: self.key.len(), states, children, byte, values });
        }
        Ok(())
    }
}

/// Gives each value of a key that is so long.
fn give(
    budget: &mut Budget,
    values: Values<'_>,
    key: usize,
    mut each: impl FnMut(u32, &[u8]),
) -> Result<(), Malformed> {
    for value in values {
        let (priority, value) = value?;
        budget.value(value, key)?;
        each(priority, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::index::TrieBuilder;

    fn build(entries: &[(&str, &str, u32)]) -> Vec<u8> {
        let mut builder = TrieBuilder::new();
        for (key, value, priority) in entries {
            builder.insert(key.as_bytes(), value.as_bytes(), *priority).unwrap();
        }
        builder.to_bytes().unwrap()
    }

    fn trie(entries: &[(&str, &str, u32)]) -> Trie {
        Trie::from_bytes(Path::new("test.bin"), build(entries)).unwrap()
    }

    fn search(trie: &Trie, query: &str) -> Vec<String> {
        let found = trie.search(query.as_bytes()).unwrap();
        found.into_iter().map(|value| String::from_utf8(value.value).unwrap()).collect()
    }

    #[test]
    fn an_exact_key_gives_its_first_value() {
        let trie = trie(&[("ab", "later", 2), ("ab", "first", 1), ("abc", "longer", 0)]);
        assert_eq!(trie.get(b"ab").unwrap().unwrap(), b"first");
        assert_eq!(trie.get_until(b"ab", b'r').unwrap().unwrap(), b"fir");
        assert_eq!(trie.get_until(b"ab", b'x').unwrap().unwrap(), b"first");
        assert_eq!(trie.get_until(b"a", b'x').unwrap(), None);
        for missing in [&b""[..], b"a", b"abd", b"abcd", b"\xff"] {
            assert_eq!(trie.get(missing).unwrap(), None);
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_index() {
        let trie = Trie::from_bytes(Path::new("test.bin"), Vec::new()).unwrap();
        assert_eq!(trie.get(b"a").unwrap(), None);
        assert_eq!(trie.search(b"a").unwrap(), []);
        assert!(trie.entries().unwrap().is_empty());
    }

    /// Found by fuzzing: the second walk over the same nodes was taken for a damaged index. The packaged
    /// modprobe, too, finds the value on both ways.
    #[test]
    fn a_query_that_begins_like_a_pattern_is_followed_both_ways() {
        let long = format!("[*{}", "a".repeat(100));
        let query = format!("[{}", "a".repeat(100));
        assert_eq!(search(&trie(&[(&long, "m", 0)]), &query), ["m", "m"]);
    }

    /// Seen with the packaged modprobe of kmod 34: `-R x:a`, and `-c`.
    #[test]
    fn values_come_in_the_order_of_kmod() {
        let entries = [
            ("x:a", "lit", 9),
            ("x:*", "star", 5),
            ("x:?", "q", 6),
            ("x:[a-c]", "br", 7),
            ("x:a*", "astar", 1),
            ("x:*a", "stara", 2),
            ("x:a", "lit2", 3),
            ("x:*?", "starq", 0),
            ("*", "all", 100),
        ];
        let wanted = ["starq", "astar", "stara", "lit2", "star", "q", "br", "lit", "all"];
        assert_eq!(search(&trie(&entries), "x:a"), wanted);

        let equal = [("*[ab]", "set", 0), ("*?", "one", 0), ("*??*", "two", 0), ("*", "any", 0)];
        assert_eq!(search(&trie(&equal), "ab"), ["any", "set", "one", "two"]);

        let entries = trie(&[("a*b", "2", 0), ("a*", "1", 0), ("a", "0", 0), ("aa", "3", 0)]).entries();
        let keys: Vec<_> = entries.unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&b"a"[..], b"a*", b"a*b", b"aa"]);
    }

    #[test]
    fn a_pipe_in_the_place_of_an_index_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modules.dep.bin");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = Trie::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("modules.dep.bin: not a regular file"), "{error}");
    }

    #[test]
    fn what_is_not_an_index_is_refused() {
        let sound = build(&[("a", "b", 0)]);
        for (at, byte) in [(0, 0), (5, 3)] {
            let mut bytes = sound.clone();
            bytes[at] = byte;
            Trie::from_bytes(Path::new("test.bin"), bytes).unwrap_err();
        }
        Trie::from_bytes(Path::new("test.bin"), sound[..11].to_owned()).unwrap_err();
    }

    #[test]
    fn a_cycle_ends_with_an_error() {
        // The root's child for '*' is the root.
        let mut bytes = b"\xb0\x07\xf4\x57\0\x02\0\x01\x20\0\0\x0c**".to_vec();
        bytes.extend_from_slice(b"\x20\0\0\x0c");
        let trie = Trie::from_bytes(Path::new("test.bin"), bytes).unwrap();
        assert_eq!(trie.get(b"****").unwrap(), None);
        trie.search(b"a").unwrap_err();
        trie.entries().unwrap_err();
    }

    #[test]
    fn a_count_of_values_beyond_the_file_ends_with_an_error() {
        let mut bytes = b"\xb0\x07\xf4\x57\0\x02\0\x01\x40\0\0\x0c".to_vec();
        bytes.extend_from_slice(b"\xff\xff\xff\xff\0\0\0\0\0");
        let trie = Trie::from_bytes(Path::new("test.bin"), bytes).unwrap();
        trie.entries().unwrap_err();
        trie.search(b"").unwrap_err();
    }

    /// One node with a long pattern and very many values: the pattern is matched once, and the keys
    /// are counted for a search as for a listing.
    #[test]
    fn a_long_key_with_many_values_is_matched_once_and_bounded() {
        let index = |prefix: usize, values: u32| {
            let mut bytes = b"\xb0\x07\xf4\x57\0\x02\0\x01\xc0\0\0\x0c".to_vec();
            bytes.extend(std::iter::repeat_n(b'*', prefix));
            bytes.push(0);
            bytes.extend(values.to_be_bytes());
            bytes.extend(std::iter::repeat_n(0, values as usize * 5));
            Trie::from_bytes(Path::new("test.bin"), bytes).unwrap()
        };
        let trie = index(1000, 1000);
        assert_eq!((trie.search(b"a").unwrap().len(), trie.entries().unwrap().len()), (1000, 1000));
        let trie = index(50_000, 10_000);
        let expected = "test.bin: the keys are out of proportion to the file";
        assert_eq!(trie.search(b"a").unwrap_err().to_string(), expected);
        assert_eq!(trie.entries().unwrap_err().to_string(), expected);
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let byte =
            prop_oneof![Just(b'a'), Just(b'b'), Just(b'*'), Just(b'?'), Just(b'['), Just(b']'), 1_u8..128];
        proptest::collection::vec(byte, 0..8)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            keys in proptest::collection::btree_map(key(), (".{0,5}", any::<u32>()), 0..40)
        ) {
            let mut builder = TrieBuilder::new();
            for (key, (value, priority)) in &keys {
                builder.insert(key, value.as_bytes(), *priority).unwrap();
            }
            let trie = Trie::from_bytes(Path::new("test.bin"), builder.to_bytes().unwrap()).unwrap();
            for (key, (value, _)) in &keys {
                let value = value.split('\0').next().unwrap();
                prop_assert_eq!(trie.get(key).unwrap().unwrap(), value.as_bytes());
            }
            let read: BTreeMap<_, _> = trie.entries().unwrap().into_iter().collect();
            prop_assert!(read.keys().eq(keys.keys()));
        }

        #[test]
        fn a_search_finds_what_matching_every_key_finds(
            keys in proptest::collection::vec(key(), 0..40),
            query in "[abc]{0,6}",
        ) {
            let mut builder = TrieBuilder::new();
            for (index, key) in keys.iter().enumerate() {
                builder.insert(key, index.to_string().as_bytes(), 0).unwrap();
            }
            let trie = Trie::from_bytes(Path::new("test.bin"), builder.to_bytes().unwrap()).unwrap();
            let mut found = search(&trie, &query);
            // Outside a wildcard's reach the backslash is an ordinary byte to the index.
            let literal = |key: &[u8]| {
                let literal = key.iter().position(|&byte| is_wildcard(byte)).unwrap_or(key.len());
                let (literal, pattern) = key.split_at(literal);
                query.as_bytes().strip_prefix(literal).is_some_and(|rest| fnmatch(pattern, rest))
            };
            let mut wanted: Vec<_> =
                (0..keys.len()).filter(|&at| literal(&keys[at])).map(|at| at.to_string()).collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = build(&[])[..8].to_vec();
            file.extend_from_slice(&bytes);
            read_all(file);
        }

        #[test]
        fn no_flipped_byte_makes_the_reader_panic(
            keys in proptest::collection::vec("[ab*?]{1,6}", 1..20),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), "value", 1)).collect();
            let mut file = build(&entries);
            for (at, byte) in flips {
                *at.get_mut(&mut file) = byte;
            }
            read_all(file);
        }
    }

    fn read_all(file: Vec<u8>) {
        if let Ok(trie) = Trie::from_bytes(Path::new("test.bin"), file) {
            let _ = (trie.entries(), trie.get(b"abba"), trie.search(b"abba"), trie.search(b""));
        }
    }
}
