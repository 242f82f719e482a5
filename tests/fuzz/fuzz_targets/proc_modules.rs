//! `/proc/modules`: every line is a module or a fault that names it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils::Place;
use modutils::internals::kernel::parse_modules;
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 256 * text.len(), || {
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        let mut length = 0;
        let mut read = 0;
        for module in parse_modules(text) {
            read += 1;
            match module {
                Ok(module) => {
                    let holders = module.holders.iter().map(|holder| holder.as_bytes().len());
                    length += module.name.as_bytes().len() + holders.sum::<usize>();
                }
                Err(fault) => {
                    let Place::Line(number) = fault.place else { panic!("a fault without its line") };
                    assert!(lines.get(number as usize - 1).is_some_and(|line| !line.is_empty()));
                }
            }
        }
        assert_eq!(read, lines.iter().filter(|line| !line.is_empty()).count());
        assert!(length <= text.len());
    });
});
