//! depmod.d: any text is read within bounds, regular expressions included.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils::internals::config::{DepmodConfig, lines};
use modutils::{Notice, Release};
use modutils_fuzz::files::MemoryFile;
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    let file = MemoryFile::new(text);
    // An expression may take a mebibyte when compiled, and its searches some more.
    memory::within((64 << 20) + 64 * text.len(), || {
        let mut reported = 0;
        let (config, errors) =
            DepmodConfig::load(&[file.path()], &Release::new("6.12.1-amd64"), &mut |_: Notice| reported += 1);
        assert!(errors.is_empty());
        assert!(!config.search.is_empty());
        let words: usize = lines::lines(text).map(|line| lines::words(&line.text).count()).sum();
        let kept = config.search.len() + config.overrides.len() + config.externals.len();
        // If no line sets the search order, two directories are searched.
        assert!(kept + config.excludes.len() <= words + 2);
        assert!(reported <= lines::lines(text).count());
    });
});
