//! Any bytes as an index file: lookups, pattern searches and the walk over all keys agree, and end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils_fuzz::{index, memory};

fuzz_target!(|input: &[u8]| {
    // A query of so many bytes, then the index from its root on.
    let Some((&length, input)) = input.split_first() else { return };
    let Some((query, rest)) = input.split_at_checked(length.into()) else { return };
    let mut bytes = b"\xb0\x07\xf4\x57\0\x02\0\x01".to_vec();
    bytes.extend_from_slice(rest);
    memory::within((8 << 20) + 256 * bytes.len(), || index::check_any(&bytes, query));
});
