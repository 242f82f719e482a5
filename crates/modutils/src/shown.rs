//! Names in messages.
//!
//! A message is a line. A path, a module's name or a word of a file that has an end of line in it would begin another
//! one, which looks like a message of its own: so control characters are escaped where a name becomes part of a text.

use std::path::Path;

/// Bytes as a message shows them: control characters escaped, tabs excepted, the rest as it is.
pub fn shown(bytes: impl AsRef<[u8]>) -> String {
    let mut shown = String::new();
    for letter in String::from_utf8_lossy(bytes.as_ref()).chars() {
        match u8::try_from(letter) {
            Ok(byte) if byte.is_ascii_control() && byte != b'\t' => {
                shown.extend(byte.escape_ascii().map(char::from));
            }
            _ if letter.is_control() && letter != '\t' => shown.extend(letter.escape_unicode()),
            _ => shown.push(letter),
        }
    }
    shown
}

/// The same of a path.
pub fn shown_path(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        assert_eq!(shown("a\nb\r\t\x1b[m\x7f\u{9b}\u{85}"), "a\\nb\\r\t\\x1b[m\\x7f\\u{9b}\\u{85}");
        assert_eq!(shown("/caf\u{e9} \\n\"'"), "/caf\u{e9} \\n\"'");
        assert_eq!(shown_path("/a\nb".as_ref()), "/a\\nb");
    }
}
