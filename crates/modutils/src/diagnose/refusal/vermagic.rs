//! `vermagic`: the kernel and the features that a module was built for, `VERMAGIC_STRING` in
//! `include/linux/vermagic.h`.

use bstr::{BStr, ByteSlice};

/// Whether the kernel takes the one for the other: `same_magic` in `kernel/module/version.c`. Where
/// the symbols' versions are more exact, the release, the first word, does not count.
pub fn same(module: &[u8], kernel: &[u8], has_versions: bool) -> bool {
    if has_versions { after_release(module) == after_release(kernel) } else { module == kernel }
}

/// From the first blank on; `strcspn(magic, " ")`.
fn after_release(magic: &[u8]) -> &[u8] {
    magic.find_byte(b' ').and_then(|blank| magic.get(blank..)).unwrap_or_default()
}

/// The words that only one side has: the module's, the kernel's.
pub fn differing<'a>(module: &'a [u8], kernel: &'a [u8]) -> (Vec<&'a BStr>, Vec<&'a BStr>) {
    let words = |text: &'a [u8]| -> Vec<&'a BStr> { text.fields().map(ByteSlice::as_bstr).collect() };
    let (module, kernel) = (words(module), words(kernel));
    let lacking = |these: &[&'a BStr], those: &[&'a BStr]| -> Vec<&'a BStr> {
        these.iter().filter(|word| !those.contains(word)).copied().collect()
    };
    (lacking(&module, &kernel), lacking(&kernel, &module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_does_not_count_where_versions_do() {
        let (ours, other) = (&b"6.1.0 SMP mod_unload "[..], &b"6.2.0 SMP mod_unload "[..]);
        assert!(same(ours, other, true) && !same(ours, other, false) && same(ours, ours, false));
        assert!(!same(b"6.1.0 mod_unload ", ours, true));
        assert!(same(b"6.1.0", b"6.2.0", true));
    }

    #[test]
    fn the_words_that_differ_are_told_on_both_sides() {
        let (module, kernel) = differing(b"6.1.0 SMP mod_unload ", b"6.2.0 SMP preempt mod_unload ");
        assert_eq!(module, ["6.1.0"]);
        assert_eq!(kernel, ["6.2.0", "preempt"]);
    }
}
