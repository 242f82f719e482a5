//! A `modules.*.bin` index, as depmod writes it: for tests of readers, and of what is not what depmod writes.

use std::collections::BTreeMap;

/// Magic number and version of the format.
pub const INDEX_HEADER: [u8; 8] = [0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1];

/// A node of the trie: the values of its key, and the nodes of longer keys by their next byte.
#[derive(Default)]
struct Node {
    values: Vec<(u32, Vec<u8>)>,
    children: BTreeMap<u8, Node>,
}

/// The index of these keys and values. The place of a value in the list is its priority.
pub fn index<K: AsRef<[u8]>, V: AsRef<[u8]>>(entries: impl IntoIterator<Item = (K, V)>) -> Vec<u8> {
    let mut root = Node::default();
    for (priority, (key, value)) in (0..).zip(entries) {
        let mut node = &mut root;
        for byte in key.as_ref() {
            node = node.children.entry(*byte).or_default();
        }
        node.values.push((priority, value.as_ref().to_vec()));
    }
    let mut file = INDEX_HEADER.to_vec();
    file.extend([0; 4]);
    let reference = root.write(&mut file);
    file[8..12].copy_from_slice(&reference.to_be_bytes());
    file
}

impl Node {
    /// Appends the node and those below it, and returns the reference to it.
    fn write(&self, file: &mut Vec<u8>) -> u32 {
        let mut reference = file.len() as u32;
        let mut node = self;
        let mut prefix = Vec::new();
        while let (true, 1, Some((byte, child))) =
            (node.values.is_empty(), node.children.len(), node.children.first_key_value())
        {
            prefix.push(*byte);
            node = child;
        }
        if !prefix.is_empty() {
            reference |= 0x8000_0000;
            file.extend(prefix);
            file.push(0);
        }
        let mut table = 0_usize;
        let ends = node.children.first_key_value().zip(node.children.last_key_value());
        if let Some(((first, _), (last, _))) = ends {
            reference |= 0x2000_0000;
            file.extend([*first, *last]);
            table = file.len();
            file.resize(table + (usize::from(last - first) + 1) * 4, 0);
            table = table.wrapping_sub(usize::from(*first) * 4);
        }
        if !node.values.is_empty() {
            reference |= 0x4000_0000;
            file.extend((node.values.len() as u32).to_be_bytes());
            for (priority, value) in &node.values {
                file.extend(priority.to_be_bytes());
                file.extend(value);
                file.push(0);
            }
        }
        for (byte, child) in &node.children {
            let place = table.wrapping_add(usize::from(*byte) * 4);
            let below = child.write(file);
            file[place..place + 4].copy_from_slice(&below.to_be_bytes());
        }
        reference
    }
}
