//! `System.map`: all symbols of a kernel, as nm(1) prints them and `scripts/mksysmap` keeps them:
//! `ADDRESS TYPE NAME`. It gives only the names of the kernel's exports.

use bstr::ByteSlice;

/// The name of the symbol in a line; `None` where the line has none.
pub fn name(line: &[u8]) -> Option<&[u8]> {
    let name = line.splitn_str(3, " ").nth(2)?;
    Some(name.strip_suffix(b"\n").unwrap_or(name))
}

/// The name of the exported symbol that a symbol stands for: `EXPORT_SYMBOL(NAME)` leaves a
/// `__ksymtab_NAME` (`include/linux/export-internal.h`). The section by which symbols for GPL modules
/// differ from others is not in the file.
pub fn exported(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b"__ksymtab_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_follows_address_and_type() {
        for (line, expected) in [
            ("ffffffff81000000 T _text", Some("_text")),
            ("0 r __ksymtab_kfree\n", Some("__ksymtab_kfree")),
            ("0 A name with blanks\n", Some("name with blanks")),
            ("0 ?\n", None),
            ("", None),
        ] {
            assert_eq!(name(line.as_bytes()), expected.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn only_the_entries_of_the_export_table_stand_for_exported_symbols() {
        assert_eq!(exported(b"__ksymtab_kfree"), Some(&b"kfree"[..]));
        for other in ["kfree", "___ksymtab_kfree", "__ksymtab", "__kstrtab_kfree"] {
            assert_eq!(exported(other.as_bytes()), None, "{other}");
        }
    }
}
