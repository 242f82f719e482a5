//! `.modinfo`: a module's own description.
//!
//! The section is a row of NUL-terminated strings `key=value`, made by `MODULE_INFO` in
//! `include/linux/moduleparam.h`; `modpost` adds some. Padding between them shows as empty strings.

use bstr::{BStr, ByteSlice};

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
}
