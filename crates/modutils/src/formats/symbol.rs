//! Names of symbols that mean something special to the kernel's build and loader.

/// The symbols that modules need and nobody exports: `ignore_undef_symbol` in the kernel's
/// `scripts/mod/modpost.c` does not look for them either. The linker makes the global offset table and
/// 64-bit PowerPC's table of contents, `.TOC.`, given here as [`without_dot`] leaves it; `struct module`
/// is linked into each module after modpost has seen it.
pub const PROVIDED: [&[u8]; 3] = [b"TOC.", b"__this_module", b"_GLOBAL_OFFSET_TABLE_"];

/// A symbol's name without the dot by which 64-bit PowerPC distinguishes the code of a function from its
/// descriptor. The kernel drops it as well (`dedotify` in `arch/powerpc/kernel/module_64.c`).
pub fn without_dot(name: &[u8]) -> &[u8] {
    name.strip_prefix(b".").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_provided_is_listed_as_it_is_compared() {
        for name in [&b".TOC."[..], b"__this_module", b"_GLOBAL_OFFSET_TABLE_"] {
            assert!(PROVIDED.contains(&without_dot(name)), "{}", name.escape_ascii());
        }
        assert!(PROVIDED.iter().all(|name| without_dot(name) == *name));
    }

    #[test]
    fn one_dot_is_dropped() {
        for (name, without) in [("", ""), (".", ""), (".f", "f"), ("..f", ".f"), ("f.x", "f.x")] {
            assert_eq!(without_dot(name.as_bytes()), without.as_bytes());
        }
    }
}
