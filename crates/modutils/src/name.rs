//! Module names and aliases, normalised: a dash means an underscore.
//!
//! The kernel knows no dash in a module's name, file names and people do. Here, and nowhere else,
//! the one becomes the other.

use std::{fmt, path::Path};

use bstr::{BStr, BString, ByteSlice};

use crate::bytes;

/// A module's name as the kernel knows it: no dash, no extension.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleName(BString);

impl ModuleName {
    /// Normalises a name given by a person or a file: every `-` becomes `_`.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self(underscores(name.as_ref()))
    }

    /// The name of the module that a file holds: its file name up to the first dot, normalised.
    /// `None` where the path has no file name or it starts with a dot.
    pub fn from_path(path: &Path) -> Option<Self> {
        let file_name = file_name(path)?;
        let stem = bytes::split_once(file_name, b'.').map_or(file_name, |(stem, _)| stem);
        (!stem.is_empty()).then(|| Self::new(stem))
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name, for printing: bytes that are not UTF-8 pass through where the sink takes bytes.
    pub fn as_bstr(&self) -> &BStr {
        self.0.as_bstr()
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<[u8]> for ModuleName {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// An alias or a query for one, normalised as [`ModuleName`] is, except within `[...]`, where a dash
/// stands for a range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(BString);

/// A `]` without a `[` before it, or a `[` without a `]` after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unmatched bracket")]
pub struct BadBracket;

impl Alias {
    /// Normalises an alias.
    ///
    /// # Errors
    /// [`BadBracket`] where the brackets do not pair.
    pub fn new(alias: impl AsRef<[u8]>) -> Result<Self, BadBracket> {
        let alias = alias.as_ref();
        if bytes::find(alias, b'[').or_else(|| bytes::find(alias, b']')).is_none() {
            return Ok(Self(underscores(alias)));
        }
        let mut inside = false;
        let mut normal = alias.to_vec();
        for byte in &mut normal {
            match *byte {
                b']' if !inside => return Err(BadBracket),
                b'[' => inside = true,
                b']' => inside = false,
                b'-' if !inside => *byte = b'_',
                _ => {}
            }
        }
        if inside { Err(BadBracket) } else { Ok(Self(normal.into())) }
    }

    /// The alias's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The alias, for printing: bytes that are not UTF-8 pass through where the sink takes bytes.
    pub fn as_bstr(&self) -> &BStr {
        self.0.as_bstr()
    }
}

impl AsRef<[u8]> for Alias {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn underscores(name: &[u8]) -> BString {
    name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte }).collect::<Vec<u8>>().into()
}

/// As [`Path::file_name`], which walks over the components backwards: half of what `modprobe -D` of many names took.
fn file_name(path: &Path) -> Option<&[u8]> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let tail = bytes.rfind_byte(b'/').map_or(Some(bytes), |slash| bytes.get(slash + 1..))?;
    match tail {
        b"" | b"." | b".." => Some(path.file_name()?.as_encoded_bytes()),
        name => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_become_underscores() {
        assert_eq!(ModuleName::new("snd-hda-intel").as_bytes(), b"snd_hda_intel");
        assert_eq!(Alias::new("a-b[a-z]-c").unwrap().as_bytes(), b"a_b[a-z]_c");
    }

    #[test]
    fn brackets_must_pair() {
        assert_eq!(Alias::new("a]"), Err(BadBracket));
        assert_eq!(Alias::new("a[b"), Err(BadBracket));
        assert_eq!(Alias::new("a[b]]"), Err(BadBracket));
    }

    #[test]
    fn a_file_name_ends_at_its_first_dot() {
        let name = |path| ModuleName::from_path(Path::new(path)).map(|name| name.to_string());
        assert_eq!(name("/m/a-b.ko.xz").as_deref(), Some("a_b"));
        assert_eq!(name("/m/a.b.ko").as_deref(), Some("a"));
        assert_eq!(name("/m/.ko"), None);
        assert_eq!(name("/"), None);
    }

    #[test]
    fn the_file_name_is_that_of_the_standard_library() {
        let parts = ["", "/", "a", "b.ko", ".", "..", "/.", "/..", "//", "x/"];
        for (one, two, three) in parts
            .iter()
            .flat_map(|one| parts.iter().flat_map(move |two| parts.map(|three| (one, two, three))))
        {
            let path = format!("{one}{two}{three}");
            let expected = Path::new(&path).file_name().map(std::ffi::OsStr::as_encoded_bytes);
            assert_eq!(file_name(Path::new(&path)), expected, "{path:?}");
        }
    }
}
