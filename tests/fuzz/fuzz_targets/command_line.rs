//! The kernel command line: settings written again are read as the same settings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modutils::internals::config::ModprobeConfig;
use modutils::internals::config::cmdline::{Setting, parse, refused_by_kernel};
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 256 * text.len(), || {
        let settings = parse(text);
        for setting in &settings {
            // A quote within a value may have no writing that gives it again.
            let again = parse(&written(setting));
            assert!(
                again.as_slice() == std::slice::from_ref(setting) || has_quote(setting),
                "{setting:?}: {again:?}"
            );
        }
        assert!(refused_by_kernel(text).iter().map(|name| name.len()).sum::<usize>() <= text.len());
        let mut config = ModprobeConfig::default();
        config.add_command_line(&std::path::Path::new("cmdline").into(), text, &mut |_| {});
    });
});

fn has_quote(setting: &Setting) -> bool {
    match setting {
        Setting::Blacklist(names) | Setting::Deny(names) => names.iter().any(|name| name.contains(&b'"')),
        Setting::Parameter { module, parameter } => {
            [module, parameter].iter().any(|part| part.contains(&b'"'))
        }
    }
}

/// A word that sets this. Quotes around a value keep its blanks together, and are not part of it.
fn written(setting: &Setting) -> Vec<u8> {
    let (key, value) = match setting {
        Setting::Blacklist(modules) => (b"modprobe.blacklist=".to_vec(), modules.join(&b',')),
        Setting::Deny(modules) => (b"modutils.deny=".to_vec(), modules.join(&b',')),
        Setting::Parameter { module, parameter } => return [module, &b"."[..], parameter].concat(),
    };
    let plain = [&key[..], &value].concat();
    if parse(&plain).as_slice() == std::slice::from_ref(setting) {
        return plain;
    }
    [&key[..], b"\"", &value, b"\""].concat()
}
