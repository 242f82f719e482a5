//! An index as depmod writes it gives back what is in it; with its nodes changed it is read to an end all the same.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils_fuzz::index::{self, Entry};
use modutils_fuzz::memory;
use modutils_fuzz::patch::{self, Patch};

#[derive(Arbitrary, Debug)]
struct Input {
    entries: Vec<Entry>,
    query: Vec<u8>,
    patches: Vec<Patch>,
}

fuzz_target!(|input: Input| {
    let (mut bytes, model) = index::write(&input.entries);
    index::check_sound(&bytes, &model);
    index::check_any(&bytes, &input.query);
    patch::apply(&input.patches, &mut bytes);
    memory::within((8 << 20) + 256 * bytes.len(), || index::check_any(&bytes, &input.query));
});
