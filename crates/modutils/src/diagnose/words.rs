//! Bytes from outside, for a person to read.

use bstr::ByteSlice;

/// How long a text from a file is shown.
const LONGEST: usize = 160;

/// A text that may be printed: control characters are escaped and its length is bounded, lest a file write
/// to the terminal what it likes.
pub fn printable(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let cut = bytes.get(..LONGEST).unwrap_or(bytes);
    let mut text = String::new();
    for letter in cut.to_str_lossy().chars() {
        match letter.is_control() {
            true => text.extend(letter.escape_default()),
            false => text.push(letter),
        }
    }
    if cut.len() < bytes.len() {
        text.push('…');
    }
    text
}
