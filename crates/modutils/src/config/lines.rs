//! The lines of a configuration file, as modprobe.d(5) and depmod.d(5) join and unescape them.

use std::borrow::Cow;

use crate::{bytes, file::Compression};

pub use crate::shown::shown;

/// A line with content: neither blank nor a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where it begins in the file, counted from one.
    pub number: u32,
    /// Its text, continuations joined, backslashes gone.
    pub text: Cow<'a, [u8]>,
}

/// Splits a file into its lines.
///
/// A backslash before the end of a line joins the next one to it; before any other byte it only
/// disappears. Files from other systems may end lines with CR LF and begin with a byte order mark, which are no
/// part of the text. A `#` is a comment in the first column alone, and a comment too goes on after a
/// backslash. A NUL ends a line's text, as it does for every reader of these files.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut next = 1_u32;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (text, newlines, after) = take_line(rest);
            let number = next;
            next = next.saturating_add(newlines);
            rest = after;
            if !is_silent(&text) {
                return Some(Line { number, text });
            }
        }
        None
    })
}

/// Splits at the first blank or tab: a word, and what follows that one byte. Leading blanks are
/// skipped; `None` where only blanks are left.
pub fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let text = text.get(start..)?;
    let end = text.iter().position(is_blank).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    Some((word, rest.get(1..).unwrap_or_default()))
}

/// The words of a text, split at blanks and tabs.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(is_blank).filter(|word| !word.is_empty())
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_silent(text: &[u8]) -> bool {
    text.first() == Some(&b'#') || words(text).next().is_none()
}

/// The first logical line, how many ends of line it took, and what follows it.
fn take_line(bytes: &[u8]) -> (Cow<'_, [u8]>, u32, &[u8]) {
    let mut text = Cow::Borrowed(&b""[..]);
    let mut newlines = 0_u32;
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\\')).unwrap_or(rest.len());
        let (plain, special) = rest.split_at_checked(end).unwrap_or_default();
        append(&mut text, plain);
        rest = match special {
            [] => &[],
            [b'\\', b'\n', after @ ..] | [b'\\', b'\r', b'\n', after @ ..] => {
                newlines = newlines.saturating_add(1);
                after
            }
            [b'\\', escaped, after @ ..] => {
                append(&mut text, std::slice::from_ref(escaped));
                after
            }
            [b'\\'] => &[],
            [_, after @ ..] => {
                newlines = newlines.saturating_add(1);
                cut_carriage_return(&mut text);
                rest = after;
                break;
            }
        };
        if rest.is_empty() {
            break;
        }
    }
    if let Some(nul) = bytes::find(&text, 0) {
        match &mut text {
            Cow::Borrowed(text) => *text = text.get(..nul).unwrap_or_default(),
            Cow::Owned(text) => text.truncate(nul),
        }
    }
    (text, newlines, rest)
}

fn cut_carriage_return(text: &mut Cow<'_, [u8]>) {
    if let Some(len) = text.strip_suffix(b"\r").map(<[u8]>::len) {
        match text {
            Cow::Borrowed(text) => *text = text.get(..len).unwrap_or_default(),
            Cow::Owned(text) => text.truncate(len),
        }
    }
}

/// The first word of a line as messages show it, without control characters.
pub fn shown_start(text: &[u8]) -> String {
    word(text).map_or_else(String::new, |(keyword, _)| shown(keyword))
}

/// What a file is that people pass for text by mistake: modules and other binary files.
pub fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => Some("an ELF file"),
        _ if Compression::of(bytes) != Compression::None => Some("a compressed file"),
        _ => None,
    }
}

/// Adds bytes to a text: it is copied where it is of several pieces only.
fn append<'a>(text: &mut Cow<'a, [u8]>, more: &'a [u8]) {
    if text.is_empty() {
        *text = Cow::Borrowed(more);
    } else {
        text.to_mut().extend_from_slice(more);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(bytes: &[u8]) -> Vec<(u32, String)> {
        lines(bytes).map(|line| (line.number, String::from_utf8(line.text.into_owned()).unwrap())).collect()
    }

    #[test]
    fn a_backslash_joins_lines_and_otherwise_disappears() {
        assert_eq!(texts(b"a b\\\nc\nd\\te\\\\f\n"), [(1, "a bc".into()), (3, "dte\\f".into())]);
        assert_eq!(texts(b"last\\"), [(1, "last".into())]);
    }

    #[test]
    fn ends_of_lines_and_marks_of_other_systems_are_no_part_of_the_text() {
        assert_eq!(
            texts(b"\xef\xbb\xbfa b\r\nc\\\r\nd\r\n\r\n# e\r\nf\rg\r\n"),
            [(1, "a b".into()), (2, "cd".into()), (6, "f\rg".into())]
        );
        assert_eq!(texts(b"a\r"), [(1, "a\r".into())]);
    }

    #[test]
    fn words_of_messages_have_no_control_characters() {
        assert_eq!(shown(b"a\x1b[1m\r\xff"), "a\\x1b[1m\\r\u{fffd}");
        assert_eq!(binary_kind(b"\x7fELF\x02"), Some("an ELF file"));
        assert_eq!(binary_kind(b"\xfd7zXZ\0x"), Some("a compressed file"));
        assert_eq!(binary_kind(b"alias a b\n"), None);
    }

    #[test]
    fn a_hash_begins_a_comment_in_the_first_column_only() {
        assert_eq!(texts(b"# a\n # b\n#\\\nx\ny\n"), [(2, " # b".into()), (5, "y".into())]);
        // Unescaping and joining come first.
        assert_eq!(texts(b"\\#a\n\\\n#b\nc"), [(4, "c".into())]);
    }

    #[test]
    fn blank_lines_say_nothing() {
        assert_eq!(texts(b"\n \t\n\0x\nz"), [(4, "z".into())]);
    }

    #[test]
    fn the_rest_of_a_line_keeps_all_but_one_blank() {
        assert_eq!(word(b"\t options  a=1 b"), Some((&b"options"[..], &b" a=1 b"[..])));
        assert_eq!(word(b"one"), Some((&b"one"[..], &b""[..])));
        assert_eq!(word(b" \t "), None);
    }

    proptest! {
        #[test]
        fn numbers_ascend_and_no_line_holds_an_end_of_line(bytes in proptest::collection::vec(prop_oneof![Just(b'\\'), Just(b'\n'), Just(b'#'), any::<u8>()], 0..200)) {
            let lines: Vec<_> = lines(&bytes).collect();
            let last = bytes.iter().filter(|&&byte| byte == b'\n').count() as u32 + 1;
            prop_assert!(lines.windows(2).all(|pair| pair[0].number < pair[1].number));
            prop_assert!(lines.iter().all(|line| line.number <= last && !line.text.contains(&b'\n') && !line.text.contains(&0)));
        }
    }
}
