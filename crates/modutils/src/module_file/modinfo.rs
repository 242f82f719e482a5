//! `.modinfo`: a module's own description.
//!
//! The section is a row of NUL-terminated strings `key=value`, made by `MODULE_INFO` in
//! `include/linux/moduleparam.h`; `modpost` adds some. Padding between them shows as empty strings.

use bstr::{BStr, ByteSlice};

use crate::{Errno, ErrorKind, Malformed};

/// The section.
const SECTION: &[u8] = b".modinfo";

/// The largest section that is read, in bytes. Debian's largest has 76 KB. A few kilobytes of a compressed file can hold
/// any number of entries, each of which would take memory, and lines of output, for itself.
const LONGEST: usize = 1 << 20;

/// The most entries. Debian's modules have up to 1,600.
const MOST_ENTRIES: usize = 1 << 16;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// The bytes before the first `=`.
    pub key: &'a BStr,
    /// The bytes after it.
    pub value: &'a BStr,
}

impl<'a> Field<'a> {
    /// An entry from its string.
    pub(super) fn parse(string: &'a [u8]) -> Self {
        let (key, value) = string.split_once_str("=").unwrap_or((string, b""));
        Self { key: key.as_bstr(), value: value.as_bstr() }
    }
}

/// The entries of a module in file order. A key may come several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModInfo<'a> {
    fields: Vec<Field<'a>>,
}

impl<'a> ModInfo<'a> {
    /// The entries in the bytes of a `.modinfo` section. Empty strings are skipped; one without `=`
    /// has an empty value.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let strings = bytes.split_str(b"\0").filter(|string| !string.is_empty());
        Self { fields: strings.map(Field::parse).collect() }
    }

    /// The bytes of a section, where they are not more than any module has.
    pub(crate) fn within_limits(section: &[u8]) -> Result<&[u8], Malformed> {
        let excess = if section.len() > LONGEST {
            "it is larger than 1 MiB"
        } else if section.split_str(b"\0").filter(|string| !string.is_empty()).nth(MOST_ENTRIES).is_some() {
            "it has more than 65536 entries"
        } else {
            return Ok(section);
        };
        Err(Malformed::section(SECTION, excess).with_errno(Errno::EFBIG).of_kind(ErrorKind::TooLarge))
    }

    /// Entries that stand elsewhere than in a section.
    pub(super) fn from_fields(fields: Vec<Field<'a>>) -> Self {
        Self { fields }
    }

    /// All entries.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The values of one key.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &'a BStr> {
        self.fields.iter().filter(move |field| field.key == key).map(|field| field.value)
    }

    /// The first value of one key.
    pub fn value(&self, key: &str) -> Option<&'a BStr> {
        self.values(key).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_and_odd_ones_are_kept() {
        let info = ModInfo::parse(b"a=1\0\0\0a=2=3\0novalue\0=nokey\0b=\0last=unterminated");
        let fields: Vec<_> =
            info.fields().iter().map(|field| (field.key.to_string(), field.value.to_string())).collect();
        let expected =
            [("a", "1"), ("a", "2=3"), ("novalue", ""), ("", "nokey"), ("b", ""), ("last", "unterminated")];
        assert_eq!(fields, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(info.values("a").collect::<Vec<_>>(), ["1", "2=3"]);
        assert_eq!(info.value("none"), None);
    }

    #[test]
    fn a_section_with_more_than_any_module_has_is_refused() {
        for sound in [vec![0; LONGEST], b"=\0".repeat(MOST_ENTRIES), b"\0=\0".repeat(MOST_ENTRIES)] {
            assert_eq!(ModInfo::within_limits(&sound), Ok(&sound[..]));
        }
        for (bytes, what) in [
            (vec![0; LONGEST + 1], "section .modinfo: it is larger than 1 MiB"),
            (b"=\0".repeat(MOST_ENTRIES + 1), "section .modinfo: it has more than 65536 entries"),
        ] {
            assert_eq!(ModInfo::within_limits(&bytes).unwrap_err().to_string(), what);
        }
    }
}
