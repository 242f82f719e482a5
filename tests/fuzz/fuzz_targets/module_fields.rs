//! A module of any machine, its section headers and bytes changed, in any compression: read from memory and from a
//! file it reports the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use modutils::ModuleName;
use modutils::internals::depmod::TreeFile;
use modutils::internals::depmod::facts::{self, Reading};
use modutils::internals::file::{Contents, Scratch};
use modutils_fuzz::files::MemoryFile;
use modutils_fuzz::memory;
use modutils_fuzz::module::{DamagedModule, check_facts};

fuzz_target!(|module: DamagedModule| {
    let bytes = module.bytes();
    if bytes.is_empty() {
        return;
    }
    let from_memory = Contents::from_bytes(Path::new("m.ko"), bytes.clone());
    if module.is_sound() {
        assert_eq!(from_memory.as_ref().expect("a sound module").len(), module.plain.len() as u64);
    }
    let file = MemoryFile::new(&bytes);
    let from_file = Contents::open(&file.path());
    assert_eq!(from_memory.is_ok(), from_file.is_ok());
    let (Ok(from_memory), Ok(from_file)) = (from_memory, from_file) else { return };
    let plain = from_memory.len() as usize;
    memory::within((1 << 20) + 64 * plain, || {
        let reported = check_facts(from_memory);
        let read = check_facts(from_file);
        for (memory, file) in reported.iter().zip(&read) {
            // What is kept of a file is bounded, what is in memory anyway is not.
            let path = format!("{}: ", "m.ko");
            if !file.contains("sections overlap") {
                let strip = |text: &String| {
                    text.split_once(": ")
                        .filter(|(start, _)| start.ends_with(&path[..4]) || start.starts_with("/proc/"))
                        .map_or(text.clone(), |(_, rest)| rest.to_owned())
                };
                assert_eq!(strip(memory), strip(file));
            }
        }
    });
    let file = TreeFile { name: ModuleName::new("m"), path: file.path(), listed: "m.ko".into() };
    let Reading { facts, omissions, .. } =
        memory::within((1 << 20) + 64 * plain, || facts::read(&file, None, &mut Scratch::default()));
    assert!(omissions.len() <= 3);
    assert_eq!(facts.exports.iter().count(), facts.exports.len());
    assert_eq!(facts.needs.iter().count(), facts.needs.len());
});
