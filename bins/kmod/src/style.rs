//! Colour, on a terminal whose user has not disabled it.
//!
//! Output that kmod has, too, has no colour. It is for our own commands and for the lines that give a cause.

use std::{io::IsTerminal, sync::OnceLock};

use anstyle::{AnsiColor, Style as Ansi};
use bstr::ByteSlice;

use crate::visible::visible;

/// The escape sequences of the styles, and the one after each of them.
const SEQUENCES: [&str; 6] = ["\x1b[1m", "\x1b[32m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"];

/// Whether text is written with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colours: bool,
}

impl Style {
    /// With colours if the stream is a terminal, unless NO_COLOR or TERM=dumb disables them.
    pub fn of(stream: &impl IsTerminal) -> Self {
        static WANTED: OnceLock<bool> = OnceLock::new();
        let wanted = || {
            let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            !is_set("NO_COLOR") && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
        };
        Self { colours: stream.is_terminal() && *WANTED.get_or_init(wanted) }
    }

    /// The title of a block.
    pub fn heading(self, text: &[u8]) -> Vec<u8> {
        self.written(Ansi::new().bold(), text)
    }

    /// The name of an entry.
    pub fn name(self, text: &[u8]) -> Vec<u8> {
        self.written(AnsiColor::Green.on_default(), text)
    }

    /// Less important information.
    pub fn aside(self, text: &[u8]) -> Vec<u8> {
        self.written(Ansi::new().dimmed(), text)
    }

    /// What blocks a module.
    pub fn block(self, text: &[u8]) -> Vec<u8> {
        self.written(AnsiColor::Red.on_default(), text)
    }

    /// The cause of a failure.
    pub fn cause(self, text: &[u8]) -> Vec<u8> {
        self.written(AnsiColor::Yellow.on_default(), text)
    }

    /// A line with styled text, safe for a terminal: control characters are escaped, and of escape sequences only the
    /// ones of these styles remain.
    pub fn visible(self, line: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find_byte(0x1b).filter(|_| self.colours) {
            let (before, from) = rest.split_at(at);
            shown.extend_from_slice(&visible(before));
            let own = SEQUENCES.iter().find(|sequence| from.starts_with(sequence.as_bytes()));
            let len = own.map_or(1, |sequence| sequence.len());
            match own {
                Some(sequence) => shown.extend_from_slice(sequence.as_bytes()),
                None => shown.extend_from_slice(&visible(&from[..len])),
            }
            rest = &from[len..];
        }
        shown.extend_from_slice(&visible(rest));
        shown
    }

    fn written(self, style: Ansi, text: &[u8]) -> Vec<u8> {
        if !self.colours || text.is_empty() {
            return text.to_vec();
        }
        [style.render().to_string().as_bytes(), text, style.render_reset().to_string().as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_surround_the_text_or_are_not_there() {
        assert_eq!(Style { colours: false }.heading(b"x"), b"x");
        assert_eq!(Style { colours: true }.cause(b"x"), b"\x1b[33mx\x1b[0m");
    }

    #[test]
    fn of_escape_sequences_only_those_of_the_styles_remain() {
        let style = Style { colours: true };
        let styles = [Style::heading, Style::name, Style::aside, Style::block, Style::cause];
        for styled in styles.map(|written| written(style, b"x")) {
            assert_eq!(style.visible(&styled), styled);
            assert_eq!(Style { colours: false }.visible(&styled)[..4], *b"\\x1b");
        }
        let foreign = [b"a\x1b[2Jb\x1b]0;t\x07\x1b[1;31m", &style.name(b"n\x1b[H")[..]].concat();
        let expected = [&b"a\\x1b[2Jb\\x1b]0;t\\x07\\x1b[1;31m"[..], b"\x1b[32mn\\x1b[H\x1b[0m"].concat();
        assert_eq!(style.visible(&foreign).as_bstr(), expected.as_bstr());
    }
}
