//! What the names of module files end in.
//!
//! The kernel's build names a module `NAME.ko` (`Documentation/kbuild/modules.rst`) and appends the
//! compression's extension where it compresses what it installs (`scripts/Makefile.modinst`).

use std::ffi::OsStr;

/// The extension of a plain module file.
pub const MODULE: &str = ".ko";

/// What a compression appends to a file's name; the first is that of none.
pub const COMPRESSIONS: [&str; 4] = ["", ".zst", ".xz", ".gz"];

/// Whether a path ends as those of module files do, plain or compressed. Which compression it is, if any,
/// the content is.
pub fn has_module_extension(path: &[u8]) -> bool {
    without_compression(path).ends_with(MODULE.as_bytes())
}

/// Whether a file of that name is taken for a module: it has more than the extension.
pub fn is_module_file(name: &OsStr) -> bool {
    let name = without_compression(name.as_encoded_bytes());
    name.len() > MODULE.len() && name.ends_with(MODULE.as_bytes())
}

/// A path without the extension of a compression.
pub fn without_compression(path: &[u8]) -> &[u8] {
    let [_, compressions @ ..] = COMPRESSIONS;
    compressions.iter().find_map(|extension| path.strip_suffix(extension.as_bytes())).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_file_is_plain_or_compressed_by_its_name() {
        for compression in COMPRESSIONS {
            let name = format!("a.ko{compression}");
            assert!(has_module_extension(name.as_bytes()) && is_module_file(name.as_ref()), "{name}");
        }
        for name in ["", "ko", "a.KO", "a.ko.bz2", "a.ko.xz.gz", "a.xz", "a.ko."] {
            assert!(!has_module_extension(name.as_bytes()) && !is_module_file(name.as_ref()), "{name}");
        }
        assert!(has_module_extension(b"k/.ko.xz") && !is_module_file(".ko.xz".as_ref()));
    }

    #[test]
    fn one_compression_is_taken_off_a_path() {
        assert_eq!(without_compression(b"k/a.ko"), b"k/a.ko");
        assert_eq!(without_compression(b"k/a.ko.xz"), b"k/a.ko");
        assert_eq!(without_compression(b"k/a.ko.xz.gz"), b"k/a.ko.xz");
    }
}
