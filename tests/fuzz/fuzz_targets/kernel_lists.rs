//! `Module.symvers` in any compression and `System.map`, as the kernel's exports.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils::internals::refusal::table::{read_symvers, read_system_map};
use modutils_fuzz::files::MemoryFile;
use modutils_fuzz::memory;
use testkit::Compression;

fuzz_target!(|input: (u8, &[u8])| {
    let (form, text) = input;
    let plain = MemoryFile::new(text);
    memory::within((4 << 20) + 512 * text.len(), || {
        let lines = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
        if let Some(map) = read_system_map(&plain.path()).unwrap() {
            assert!(!map.has_crcs && !map.offers.is_empty() && map.offers.len() <= lines);
        }
        let symvers = read_symvers(&plain.path()).unwrap();
        if let Some(table) = &symvers {
            assert!(!table.offers.is_empty() && table.offers.len() <= lines);
        }
        // The same text is the same list, however it is compressed.
        let compression = Compression::ALL[usize::from(form) % Compression::ALL.len()];
        let packed = MemoryFile::new(&compression.compress(text));
        let unpacked = read_symvers(&packed.path()).unwrap();
        // A text that itself looks compressed is taken for that, once.
        if !text.starts_with(&[0x1f, 0x8b])
            && !text.starts_with(&[0xfd, b'7'])
            && !text.starts_with(&[0x28, 0xb5])
        {
            assert_eq!(unpacked.map(|table| table.offers), symvers.map(|table| table.offers));
        }
    });
});
