//! What a line of the files can hold. depmod writes texts that are read line by line and word by word, of values that
//! anybody may have put into a module: what would become another line there, or another word, is never written.

use std::path::Path;

use super::omission::{Omission, Omitted};
use crate::{Malformed, Notice};

/// Whether bytes are one word of a line: no blank and no control character is among them.
pub(super) fn is_word(bytes: &[u8]) -> bool {
    !bytes.iter().any(|&byte| byte == b' ' || byte.is_ascii_control())
}

/// Whether bytes are the end of a line: words, and at least one. A backslash in front of the newline would make the next line
/// part of this one.
pub(super) fn is_line_end(bytes: &[u8]) -> bool {
    !bytes.trim_ascii().is_empty()
        && !bytes.ends_with(b"\\")
        && !bytes.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control())
}

/// Why the indexes cannot list a module file, if they cannot. `listed` is its path there: in `modules.dep` a blank or
/// a colon would end it. In `modules.softdep` a module's name is a pattern.
pub(super) fn unlistable(listed: &[u8]) -> Option<&'static str> {
    match listed.iter().find(|&&byte| !is_word(&[byte]) || b":*?[]\\".contains(&byte))? {
        b' ' => Some("a blank"),
        b':' => Some("a colon"),
        b'*' | b'?' | b'[' | b']' | b'\\' => Some("a character that makes it a pattern"),
        _ => Some("a control character"),
    }
}

/// The values of one kind that a module has and no line can hold.
#[derive(Debug, Default)]
pub(super) struct Unfit {
    count: usize,
    first: Vec<u8>,
}

impl Unfit {
    /// Notes one.
    pub(super) fn add(&mut self, value: &[u8]) {
        if self.count == 0 {
            self.first = value.to_vec();
        }
        self.count = self.count.saturating_add(1);
    }

    /// The omission of all, if there are any; `kind` is what they are: "aliases".
    pub(super) fn omission(self, kind: &str, section: &[u8], path: &Path) -> Option<Omission> {
        let Self { count, first } = self;
        // Nearly all modules have none.
        if count == 0 {
            return None;
        }
        let many = if count > 1 { format!(" and {} more", count.saturating_sub(1)) } else { String::new() };
        let shown = first.get(..SHOWN).unwrap_or(&first).escape_ascii();
        let dots = if first.len() > SHOWN { "…" } else { "" };
        let what = format!("{kind} that no line can hold are omitted: \"{shown}{dots}\"{many}");
        let error = Malformed::section(section, what).at(path);
        let notice = Notice::warning(error.to_string());
        Some(Omission::new(Omitted::Value, path, error, notice))
    }
}

/// So many bytes of a value are shown.
const SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_no_blank_and_no_control_character() {
        for word in [&b"a"[..], b"", b"pci:v*[0-9]?", b"\xff\xe9", b"a\\"] {
            assert!(is_word(word), "{word:?}");
        }
        for other in [&b"a b"[..], b"a\nb", b"\t", b"a\x1b", b"a\0", b"\x7f", b"\r"] {
            assert!(!is_word(other), "{other:?}");
        }
        assert!(is_line_end(b"pre: a\tb  post: c") && is_line_end(b"a\\ b"));
        for other in [&b""[..], b" \t", b"pre: a\nsoftdep b", b"a\\", b"a\rb", b"a\x0b"] {
            assert!(!is_line_end(other), "{other:?}");
        }
    }

    #[test]
    fn some_paths_cannot_be_listed() {
        assert_eq!(unlistable(b"kernel/fs/ext4-x_y,z.ko.xz"), None);
        for (listed, why) in [
            (&b"k/a b.ko"[..], "a blank"),
            (b"a: b.ko", "a colon"),
            (b"a\nb.ko", "a control character"),
            (b"*.ko", "a character that makes it a pattern"),
            (b"a].ko", "a character that makes it a pattern"),
        ] {
            assert_eq!(unlistable(listed), Some(why));
        }
    }

    #[test]
    fn values_are_reported_together_and_escaped() {
        let mut unfit = Unfit::default();
        assert!(Unfit::default().omission("aliases", b".modinfo", Path::new("/m/a.ko")).is_none());
        unfit.add(b"a\x1b[2J\nb");
        unfit.add(&b"x y".repeat(1000));
        let omission = unfit.omission("aliases", b".modinfo", Path::new("/m/a.ko")).unwrap();
        let expected = "/m/a.ko: section .modinfo: aliases that no line can hold are omitted: \"a\\x1b[2J\\nb\" and 1 more";
        assert_eq!(omission.notice().to_string(), expected);
        assert!(!omission.is_unread());
    }
}
