//! `fnmatch(3)` of the C library that this runs on, to compare with.

#![expect(unsafe_code, reason = "a function of the C library")]

use std::ffi::{CString, c_char, c_int};

// SAFETY: the declaration is that of fnmatch.h.
unsafe extern "C" {
    fn fnmatch(pattern: *const c_char, text: *const c_char, flags: c_int) -> c_int;
}

/// Whether a pattern matches in the C locale, which every program starts in; `None` where either has a NUL.
pub fn matches(pattern: &[u8], text: &[u8]) -> Option<bool> {
    let (pattern, text) = (CString::new(pattern).ok()?, CString::new(text).ok()?);
    // SAFETY: both are NUL-terminated strings that outlive the call, which changes neither.
    Some(unsafe { fnmatch(pattern.as_ptr(), text.as_ptr(), 0) } == 0)
}
