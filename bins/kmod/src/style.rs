//! Colour, on a terminal whose user has not disabled it.
//!
//! Output that kmod has, too, has no colour. It is for our own commands and for the lines that give a cause.

use std::{io::IsTerminal, sync::OnceLock};

use anstyle::{AnsiColor, Style as Ansi};

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
}
