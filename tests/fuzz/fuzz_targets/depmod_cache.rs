//! depmod's cache: a file of any bytes is nothing or entries, and facts that are read are written the same way.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use modutils::internals::depmod::cache::{CachedFacts, recoded, with_checksum};
use modutils_fuzz::memory;

fuzz_target!(|bytes: &[u8]| {
    let directory = Path::new("/m");
    memory::within((1 << 20) + 64 * bytes.len(), || {
        // As it is, and with a checksum that is right.
        let mut known = CachedFacts::parse(bytes, directory);
        known.look();
        let sound = with_checksum(directory, bytes);
        let mut known = CachedFacts::parse(&sound, directory);
        known.look();
        assert!(CachedFacts::parse(&sound, Path::new("/other")).is_empty());
        if let Some(again) = recoded(bytes) {
            assert_eq!(again, bytes, "facts are written as they were read");
        }
    });
});
