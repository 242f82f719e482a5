//! The kernel command line: settings written again are read as the same settings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils::internals::config::ModprobeConfig;
use modutils::internals::config::cmdline::{Setting, parse, refused_by_kernel};
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 256 * text.len(), || {
        let settings = parse(text);
        let words = settings.iter().map(|setting| match setting {
            Setting::Blacklist(modules) => [b"modprobe.blacklist=", &modules.join(&b',')[..]].concat(),
            Setting::Deny(modules) => [b"modutils.deny=", &modules.join(&b',')[..]].concat(),
            Setting::Parameter { module, parameter } => [module, &b"."[..], parameter].concat(),
        });
        let again = words.collect::<Vec<_>>().join(&b' ');
        assert_eq!(parse(&again), settings);
        assert!(refused_by_kernel(text).iter().map(|name| name.len()).sum::<usize>() <= text.len());
        let mut config = ModprobeConfig::default();
        config.add_command_line(&std::path::Path::new("cmdline").into(), text, &mut |_| {});
    });
});
