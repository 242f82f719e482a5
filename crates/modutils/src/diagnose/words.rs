//! Bytes from outside, for a person to read.

use bstr::ByteSlice;

/// A text that may be printed: control characters are escaped, lest a name write to the terminal what
/// it likes.
pub(super) fn shown(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    for letter in bytes.as_ref().to_str_lossy().chars() {
        match letter.is_control() {
            true => text.extend(letter.escape_default()),
            false => text.push(letter),
        }
    }
    text
}
