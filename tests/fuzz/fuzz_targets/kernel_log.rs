//! Lines of the kernel's log: what a message is taken for contains nothing that the line does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils::internals::refusal::log::parse;
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 64 * text.len(), || {
        for line in text.split(|&byte| byte == b'\n') {
            let Some(message) = parse(line) else { continue };
            // Parsing is a function of the line alone, and the prefix of the message changes nothing.
            assert_eq!(parse(line), Some(message.clone()));
            assert!(format!("{message:?}").len() <= 256 + 16 * line.len());
        }
    });
});
