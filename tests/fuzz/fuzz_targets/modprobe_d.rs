//! modprobe.d: what a line means does not change when it is written again; questions about any module end.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use modutils::internals::config::{ModprobeConfig, Statement, lines};
use modutils::{ModuleName, Notice};
use modutils_fuzz::memory;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 512 * text.len(), || {
        let newlines = text.iter().filter(|&&byte| byte == b'\n').count();
        let lines: Vec<_> = lines::lines(text).collect();
        assert!(lines.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert!(lines.iter().all(|line| line.number as usize <= newlines + 1));
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= text.len());
        let mut understood = 0;
        for line in &lines {
            if let Ok(statement) = Statement::parse(&line.text) {
                understood += 1;
                check_rewritten(&statement);
            }
        }
        let (mut config, mut reported) = (ModprobeConfig::default(), 0);
        let file: Arc<Path> = Path::new("fuzz.conf").into();
        config.add_file(&file, text, &mut |_: Notice| reported += 1);
        assert_eq!(reported + understood, lines.len(), "a line is understood or reported");
        let names = lines.iter().flat_map(|line| lines::words(&line.text)).take(16);
        for name in names.map(ModuleName::new) {
            config.options(&name, Some(b"alias"));
            config.blacklisted(&name);
            config.install(&name);
            config.remove(&name);
            config.softdeps(&name).count();
        }
    });
});

/// The statement as a line means the same.
fn check_rewritten(statement: &Statement) {
    let line = match statement {
        Statement::Alias(pattern, module) => join(&[b"alias", pattern.as_bytes(), module.as_bytes()]),
        Statement::Options(name, rest) => join(&[b"options", name.as_bytes(), rest]),
        Statement::Blacklist(name) => join(&[b"blacklist", name.as_bytes()]),
        Statement::Install(name, rest) => join(&[b"install", name.as_bytes(), rest]),
        Statement::Remove(name, rest) => join(&[b"remove", name.as_bytes(), rest]),
        Statement::Softdep(name, pre, post) => {
            join(&[b"softdep", name.as_bytes(), b"pre:", &pre.join(&b' '), b"post:", &post.join(&b' ')])
        }
        // Blanks alone are no names, and yet something.
        Statement::Weakdep(_, rest) if rest.is_empty() => return,
        Statement::Weakdep(name, rest) => join(&[b"weakdep", name.as_bytes(), rest]),
    };
    assert_eq!(Statement::parse(&line).as_ref(), Ok(statement));
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(&b' ')
}
