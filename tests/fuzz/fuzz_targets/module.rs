//! Any bytes as a module file: every fact is reported or is an error, in proportion to the file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use modutils::internals::file::Contents;
use modutils_fuzz::{memory, module};

fuzz_target!(|bytes: &[u8]| {
    let Ok(contents) = Contents::from_bytes(Path::new("m.ko"), bytes.to_vec()) else { return };
    let plain = contents.len() as usize;
    memory::within((1 << 20) + 64 * plain, || module::check_facts(contents));
});
