//! Colour, on a terminal whose user has not disabled it.
//!
//! Output that kmod has, too, has no colour. It is for our own commands and for the lines that give a cause.

use std::{borrow::Cow, io::IsTerminal, sync::OnceLock};

use anstyle::{AnsiColor, Style as Ansi};

use crate::visible::{one_line, visible, visible_line};

/// How text is written to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colours: bool,
    /// Whether control characters would be obeyed.
    is_terminal: bool,
}

impl Style {
    /// With colours if the stream is a terminal, unless NO_COLOR or TERM=dumb disables them.
    pub fn of(stream: &impl IsTerminal) -> Self {
        static WANTED: OnceLock<bool> = OnceLock::new();
        let wanted = || {
            let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            !is_set("NO_COLOR") && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
        };
        let is_terminal = stream.is_terminal();
        Self { colours: is_terminal && *WANTED.get_or_init(wanted), is_terminal }
    }

    /// A line without text.
    pub fn line(self) -> StyledLine {
        StyledLine { style: self, bytes: Vec::new() }
    }

    /// A line of the cause of a failure, control characters escaped wherever it is written.
    pub fn cause(self, line: &[u8]) -> Vec<u8> {
        self.coloured(AnsiColor::Yellow.on_default(), &visible_line(line))
    }

    /// The text as the stream gets it: byte for byte, unless it is a terminal.
    pub fn shown(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self.is_terminal { visible(text) } else { Cow::Borrowed(text) }
    }

    fn coloured(self, style: Ansi, text: &[u8]) -> Vec<u8> {
        if !self.colours || text.is_empty() {
            return text.to_vec();
        }
        [style.render().to_string().as_bytes(), text, style.render_reset().to_string().as_bytes()].concat()
    }
}

/// A line of parts in several styles.
///
/// Control characters are escaped where text becomes a part, wherever the line is written: in the finished line, an escape
/// sequence that a module brought along could not be told from one of these styles, nor its end of line from ours.
#[derive(Debug)]
pub struct StyledLine {
    style: Style,
    bytes: Vec<u8>,
}

impl StyledLine {
    /// Text without a style.
    #[must_use]
    pub fn plain(self, text: impl AsRef<[u8]>) -> Self {
        self.part(Ansi::new(), text.as_ref())
    }

    /// The title of a block.
    #[must_use]
    pub fn heading(self, text: impl AsRef<[u8]>) -> Self {
        self.part(Ansi::new().bold(), text.as_ref())
    }

    /// The name of an entry.
    #[must_use]
    pub fn name(self, text: impl AsRef<[u8]>) -> Self {
        self.part(AnsiColor::Green.on_default(), text.as_ref())
    }

    /// Less important information.
    #[must_use]
    pub fn aside(self, text: impl AsRef<[u8]>) -> Self {
        self.part(Ansi::new().dimmed(), text.as_ref())
    }

    /// What blocks a module.
    #[must_use]
    pub fn block(self, text: impl AsRef<[u8]>) -> Self {
        self.part(AnsiColor::Red.on_default(), text.as_ref())
    }

    /// The line as it is written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn part(mut self, style: Ansi, text: &[u8]) -> Self {
        let shown = if self.style.is_terminal { visible_line(text) } else { one_line(text) };
        match style.is_plain() {
            true => self.bytes.extend_from_slice(&shown),
            false => self.bytes.extend(self.style.coloured(style, &shown)),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    const PIPE: Style = Style { colours: false, is_terminal: false };
    const MONOCHROME: Style = Style { colours: false, is_terminal: true };
    const COLOURED: Style = Style { colours: true, is_terminal: true };

    #[test]
    fn colours_surround_the_text_or_are_not_there() {
        for style in [PIPE, MONOCHROME] {
            assert_eq!(style.line().heading("x").plain("y").as_bytes(), b"xy");
        }
        assert_eq!(COLOURED.line().heading("x").plain("y").aside("").as_bytes(), b"\x1b[1mx\x1b[0my");
        assert_eq!(COLOURED.cause(b"x"), b"\x1b[33mx\x1b[0m");
    }

    proptest::proptest! {
        #[test]
        fn no_text_styles_anything_or_ends_a_line(
            texts in proptest::collection::vec(
                "(\x1b\\[(0|1|2|31|32|33)m|\u{9b}31m|[a-z\x1b\n\\[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]){0,6}", 5
            ),
        ) {
            let all = |style: Style| {
                let line = style.line().plain(&texts[0]).heading(&texts[1]).name(&texts[2]);
                line.aside(&texts[3]).block(&texts[4]).bytes
            };
            let controls = |text: &[u8]| text.to_str_lossy().find(char::is_control);
            proptest::prop_assert_eq!(controls(&all(PIPE)), None);
            let is_plain = !texts.concat().contains(char::is_control);
            proptest::prop_assert!(!is_plain || all(PIPE) == texts.concat().into_bytes());
            let plain = all(MONOCHROME);
            let is_unseen = |letter: char| letter.is_control() || "\u{200b}\u{200e}\u{202e}\u{2066}".contains(letter);
            proptest::prop_assert_eq!(plain.to_str_lossy().find(is_unseen), None);
            // Without what the styles add it is the same line.
            let mut coloured = all(COLOURED);
            for sequence in ["\x1b[1m", "\x1b[32m", "\x1b[2m", "\x1b[31m", "\x1b[0m"] {
                coloured = coloured.replace(sequence, "");
            }
            proptest::prop_assert_eq!(coloured, plain);
        }
    }
}
