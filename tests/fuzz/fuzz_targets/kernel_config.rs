//! A kernel's configuration of any bytes: each option is as the last line about it says, or follows from another.
#![no_main]

use std::collections::HashMap;

use bstr::ByteSlice;
use libfuzzer_sys::fuzz_target;
use modutils::internals::formats::kernel_config::KernelConfig;
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 16) + 256 * text.len(), || {
        let Some(config) = KernelConfig::parse(text) else { return };
        let mut last = HashMap::new();
        for line in text.lines() {
            let line = String::from_utf8_lossy(line).into_owned();
            if let Some(name) =
                line.strip_prefix("# CONFIG_").and_then(|rest| rest.strip_suffix(" is not set"))
            {
                last.insert(name.to_owned(), false);
            } else if let Some((name, value)) =
                line.strip_prefix("CONFIG_").and_then(|rest| rest.split_once('='))
            {
                last.insert(name.to_owned(), value != "n");
            }
        }
        assert!(last.contains_key("MODULES"), "a configuration without a word about modules");
        for (name, is_on) in last.iter().filter(|(name, _)| !name.contains(char::REPLACEMENT_CHARACTER)) {
            assert_eq!(config.is_on(name), Some(*is_on), "{name}");
        }
        // Questions about what is not there end, and are answered with no only where another option is off.
        for name in ["MODULE_SIG_FORCE", "IMA_APPRAISE_BOOTPARAM", "MODULE_ALLOW_BTF_MISMATCH"] {
            if !last.contains_key(name) {
                assert_ne!(config.is_on(name), Some(true), "{name}");
                assert!(config.is_on(name).is_none() || last.values().any(|is_on| !is_on), "{name}");
            }
        }
    });
});
