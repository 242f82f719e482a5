//! The words of `$MODPROBE_OPTIONS`, and parameters joined for the kernel.
#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use libfuzzer_sys::fuzz_target;
use modutils_fuzz::memory;

#[path = "../../../bins/kmod/src/parameters.rs"]
#[expect(dead_code, reason = "no module's parameters are read here")]
mod parameters;
#[path = "../../../bins/kmod/src/modprobe/split.rs"]
mod split;

fuzz_target!(|text: &[u8]| {
    memory::within((1 << 20) + 256 * text.len(), || {
        let words = split::split(text);
        assert!(words.iter().map(Vec::len).sum::<usize>() <= text.len());
        // In quotes each word stays what it is, unless it has both kinds of them.
        let quoted: Option<Vec<Vec<u8>>> = words.iter().map(|word| quoted(word)).collect();
        if let Some(quoted) = quoted {
            assert_eq!(split::split(&quoted.join(&b' ')), words);
        }
        let arguments: Vec<OsString> = words.iter().cloned().map(OsString::from_vec).collect();
        let joined = parameters::join(&arguments, Vec::new);
        let length: usize = words.iter().map(|word| word.len() + 3).sum();
        assert!(joined.len() <= length);
        for word in words.iter().filter(|word| !word.contains(&b'=')) {
            assert!(joined.windows(word.len().max(1)).any(|part| part == word) || word.is_empty());
        }
    });
});

fn quoted(word: &[u8]) -> Option<Vec<u8>> {
    let quote = [b'"', b'\''].into_iter().find(|quote| !word.contains(quote))?;
    Some([&[quote], word, &[quote]].concat())
}
