//! A kernel's image: the places of a compressed kernel in it, its exports, its names.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use modutils::internals::refusal::image::{Names, read};
use modutils_fuzz::files::MemoryFile;
use modutils_fuzz::memory;
use testkit::{Compression, Crc, ModuleBuilder, Section};

#[derive(Arbitrary, Debug)]
struct Image<'a> {
    setup: &'a [u8],
    form: u8,
    /// The bytes of the kernel, or of some sections of one.
    kernel: &'a [u8],
    tables: Option<[&'a [u8]; 3]>,
    tail: &'a [u8],
}

fuzz_target!(|image: Image<'_>| {
    let kernel = match image.tables {
        None => image.kernel.to_vec(),
        Some([table, strings, crcs]) => ["__ksymtab", "__ksymtab_strings", "__kcrctab"]
            .into_iter()
            .zip([table, strings, crcs])
            .fold(ModuleBuilder::new("vmlinux").export("a", Crc::None), |kernel, (name, bytes)| {
                kernel.section(Section::new(name, bytes))
            })
            .section(Section::new(".rodata", [b"Linux version 6.1\0", image.kernel].concat()))
            .build(),
    };
    let compressed = Compression::ALL[usize::from(image.form) % Compression::ALL.len()].compress(&kernel);
    let file = MemoryFile::new(&[image.setup, &compressed, image.tail].concat());
    let size = image.setup.len() + kernel.len() + image.tail.len();
    memory::within((16 << 20) + 4096 * size, || {
        let exports = read(&file.path()).unwrap();
        if let Some(table) = &exports {
            assert!(!table.offers.is_empty());
        }
        if let Some(names) = Names::read(&file.path()).unwrap() {
            assert!(!names.contains(b"no name of\0a kernel"));
        }
    });
});
