//! Indexes as the library writes them, to be damaged, and what holds of what is read from any bytes.

use std::collections::BTreeMap;
use std::path::Path;

use arbitrary::Arbitrary;
use modutils::internals::index::{Trie, TrieBuilder};

/// A key with a value.
#[derive(Arbitrary, Clone, Debug)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub priority: u32,
}

/// What an index of these entries holds: for each key its values in their order.
pub type Model = BTreeMap<Vec<u8>, Vec<(u32, Vec<u8>)>>;

/// Writes an index. Keys that the format cannot hold are made so that it can.
pub fn write(entries: &[Entry]) -> (Vec<u8>, Model) {
    let mut builder = TrieBuilder::new();
    let mut model = Model::new();
    for entry in entries {
        let key: Vec<u8> = entry.key.iter().map(|byte| (byte & 0x7f).max(1)).collect();
        let value: Vec<u8> = entry.value.iter().copied().take_while(|&byte| byte != 0).collect();
        let inserted = builder.insert(&key, &entry.value, entry.priority);
        assert!(inserted.is_ok(), "an ASCII key was refused");
        let values = model.entry(key).or_default();
        // Of equal priorities the last inserted comes first.
        let place = values.partition_point(|(priority, _)| *priority < entry.priority);
        values.insert(place, (entry.priority, value));
    }
    (builder.to_bytes().expect("an index of a few kilobytes"), model)
}

/// A sound index gives back what was put into it.
pub fn check_sound(bytes: &[u8], model: &Model) {
    let trie = open(bytes).expect("an index just written");
    let entries = trie.entries().expect("an index just written");
    let read: Vec<_> = entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
    let mut written: Vec<_> = model
        .iter()
        .flat_map(|(key, values)| values.iter().map(move |(_, value)| (key.as_slice(), value.as_slice())))
        .collect();
    assert_eq!(read.len(), written.len());
    // `modprobe -c` gives a node's own values before those below it, which is the order of sorted keys.
    written.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(read, written);
    for (key, values) in model {
        let first = values.first().map(|(_, value)| value.clone());
        assert_eq!(trie.get(key).expect("a sound index"), first);
        let longer = [key, &b"\x7f\x01"[..]].concat();
        assert_eq!(trie.get(&longer).expect("a sound index").is_some(), model.contains_key(&longer));
    }
}

/// Whatever the bytes are: reading ends, lookups agree with the list of all keys, and nothing is out of proportion.
pub fn check_any(bytes: &[u8], query: &[u8]) {
    let Ok(trie) = open(bytes) else { return };
    let entries = trie.entries();
    let found = trie.get(query);
    let searched = trie.search(query);
    let Ok(entries) = entries else { return };
    let room = (bytes.len() * 64).max(1 << 20) + bytes.len();
    let length: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(length <= room, "{length} bytes out of an index of {}", bytes.len());
    if let Ok(found) = found {
        let first = entries.iter().find(|(key, _)| key == query).map(|(_, value)| value.clone());
        assert_eq!(found, first, "get and the list of all keys disagree");
    }
    if let Ok(searched) = searched {
        for found in &searched {
            let known = entries.iter().any(|(_, value)| *value == found.value);
            assert!(known, "a search found a value that no key has");
        }
        let ascending = searched.windows(2).all(|pair| pair[0].priority <= pair[1].priority);
        assert!(ascending, "values out of order");
    }
    // Every key can be found again, literally and, where it is no pattern, by a search.
    let mut previous: Option<&[u8]> = None;
    for (key, value) in entries.iter().take(64) {
        if previous != Some(key) {
            assert_eq!(trie.get(key).expect("a key that was listed").as_ref(), Some(value));
        }
        previous = Some(key);
        if !key.iter().any(|byte| b"*?[".contains(byte))
            && let Ok(searched) = trie.search(key)
        {
            assert!(searched.iter().any(|found| found.value == *value), "a search misses a key");
        }
    }
}

fn open(bytes: &[u8]) -> modutils::Result<Trie> {
    Trie::from_bytes(Path::new("modules.fuzz.bin"), bytes.to_vec())
}
