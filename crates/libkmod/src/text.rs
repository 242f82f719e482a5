//! Strings as C has them.

use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path};

/// The bytes up to their first NUL, with one after them. What comes from files may hold one.
pub(crate) fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(bytes.get(..end).unwrap_or_default()).unwrap_or_default()
}

/// A path as a string of C.
pub(crate) fn c_path(path: &Path) -> CString {
    c_string(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_first_nul() {
        assert_eq!(c_string(b"a\0b").as_bytes(), b"a");
        assert_eq!(c_string(b"").as_bytes_with_nul(), b"\0");
    }
}
