//! A `modules.*.bin` index, as depmod writes it: for tests of readers, also with contents that depmod never writes.

use std::collections::BTreeMap;

/// Magic number and version of the format.
pub const INDEX_HEADER: [u8; 8] = [0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1];

/// Keys in their order, each with its values and their priorities.
type KeyEntry = (Vec<u8>, Vec<(u32, Vec<u8>)>);

/// The index of these keys and values. The position of a value in the list is its priority.
pub fn index<K: AsRef<[u8]>, V: AsRef<[u8]>>(entries: impl IntoIterator<Item = (K, V)>) -> Vec<u8> {
    let mut keys: BTreeMap<Vec<u8>, Vec<(u32, Vec<u8>)>> = BTreeMap::new();
    for (priority, (key, value)) in (0..).zip(entries) {
        keys.entry(key.as_ref().to_vec()).or_default().push((priority, value.as_ref().to_vec()));
    }
    let entries: Vec<KeyEntry> = keys.into_iter().collect();
    let mut file = INDEX_HEADER.to_vec();
    file.extend([0; 4]);
    let reference = write(&entries, 0, &mut file);
    file[8..12].copy_from_slice(&reference.to_be_bytes());
    file
}

/// Appends the node of these keys, which have their first `shared` bytes in common, and the nodes below it. Returns the
/// reference to the node.
fn write(entries: &[KeyEntry], shared: usize, file: &mut Vec<u8>) -> u32 {
    let mut reference = file.len() as u32;
    let (Some((first, values)), Some((last, _))) = (entries.first(), entries.last()) else {
        return reference;
    };
    // The common prefix of sorted keys is the common prefix of the first and the last.
    let same = first[shared..].iter().zip(&last[shared..]).take_while(|(one, other)| one == other).count();
    let depth = shared + same;
    if same > 0 {
        reference |= 0x8000_0000;
        file.extend(&first[shared..depth]);
        file.push(0);
    }
    let (own, longer) = entries.split_at(usize::from(first.len() == depth));
    let children: Vec<&[KeyEntry]> = longer.chunk_by(|one, other| one.0[depth] == other.0[depth]).collect();
    let byte = |child: &&[KeyEntry]| usize::from(child[0].0[depth]);
    let ends = children.first().map(byte).zip(children.last().map(byte));
    let table = file.len() + 2;
    if let Some((lowest, highest)) = ends {
        reference |= 0x2000_0000;
        file.extend([lowest as u8, highest as u8]);
        file.resize(table + (highest - lowest + 1) * 4, 0);
    }
    if !own.is_empty() {
        reference |= 0x4000_0000;
        file.extend((values.len() as u32).to_be_bytes());
        for (priority, value) in values {
            file.extend(priority.to_be_bytes());
            file.extend(value);
            file.push(0);
        }
    }
    for child in &children {
        let place = table + (byte(child) - ends.map_or(0, |(lowest, _)| lowest)) * 4;
        let below = write(child, depth + 1, file);
        file[place..place + 4].copy_from_slice(&below.to_be_bytes());
    }
    reference
}
