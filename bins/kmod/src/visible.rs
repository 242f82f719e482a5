//! Text that others wrote, for a terminal or a log: what it holds of control characters is shown instead of obeyed.
//!
//! A module may have any bytes in its fields and in its name. On a terminal they could move the cursor, change the
//! window's title or hide what was printed before.

use std::borrow::Cow;

/// The text for a terminal: control characters are escaped, newlines and tabs excepted, and characters that are not
/// seen themselves.
pub fn visible(text: &[u8]) -> Cow<'_, [u8]> {
    escaped(text, |letter| is_unseen(letter) && !matches!(letter, '\n' | '\t'))
}

/// The text with newlines escaped as well: one line whatever it holds.
pub fn visible_line(text: &[u8]) -> Cow<'_, [u8]> {
    escaped(text, |letter| is_unseen(letter) && letter != '\t')
}

/// The text as one line for whatever reads it: control characters are escaped, tabs excepted.
pub fn one_line(text: &[u8]) -> Cow<'_, [u8]> {
    escaped(text, |letter| letter.is_control() && letter != '\t')
}

/// Control characters, and those of Unicode that only change how others are shown: in which direction (UAX #9), joined,
/// in another line. By them a name can look like another one.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn escaped(text: &[u8], is_escaped: impl Fn(char) -> bool) -> Cow<'_, [u8]> {
    // Most text is plain.
    if text.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return Cow::Borrowed(text);
    }
    let mut shown = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                _ if !is_escaped(letter) => {
                    shown.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                '\x7f'.. => shown.extend(letter.escape_unicode().collect::<String>().into_bytes()),
                _ => shown.extend(std::ascii::escape_default(letter as u8)),
            }
        }
        for &byte in chunk.invalid() {
            // The control characters of eight-bit terminals.
            match byte {
                0x80..=0x9f => shown.extend(std::ascii::escape_default(byte)),
                _ => shown.push(byte),
            }
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    #[test]
    fn control_characters_are_shown() {
        let text = b"a\x1b]0;t\x07\r\x7f\xc2\x9b\x9b\xe9\xc3\xa9\n\tb\0";
        let shown = visible(text).to_vec();
        assert_eq!(shown.as_bstr(), b"a\\x1b]0;t\\x07\\r\\u{7f}\\u{9b}\\x9b\xe9\xc3\xa9\n\tb\\x00".as_bstr());
        assert_eq!(&*visible_line(b"a\n  b\tc"), b"a\\n  b\tc");
    }

    #[test]
    fn characters_that_are_not_seen_are_shown_on_a_terminal() {
        let text = "a\u{202e}b\u{2066}\u{200b}\u{feff}\u{2028}\u{61c}c".as_bytes();
        let shown = b"a\\u{202e}b\\u{2066}\\u{200b}\\u{feff}\\u{2028}\\u{61c}c".as_bstr();
        assert_eq!(visible(text).as_bstr(), shown);
        assert_eq!(visible_line(text).as_bstr(), shown);
        assert_eq!(&*one_line(text), text);
        assert_eq!(&*one_line(b"a\nb\tc\r"), b"a\\nb\tc\\r");
    }

    #[test]
    fn plain_text_stays() {
        for text in [&b"plain"[..], b"", "caf\u{e9}".as_bytes(), b"\xff"] {
            assert_eq!(&*visible(text), text);
        }
        assert!(matches!(visible(b"plain"), Cow::Borrowed(_)));
    }
}
