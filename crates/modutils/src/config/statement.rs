//! A line of modprobe.d(5) parsed, by itself.

use bstr::{BString, ByteSlice};

use super::lines::{shown, word, words};
use crate::{Alias, glob::is_special};

/// The content of a line, without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `alias PATTERN MODULE`.
    Alias(Alias, Alias),
    /// `options MODULE OPTION...`.
    Options(Alias, BString),
    /// `blacklist MODULE`.
    Blacklist(Alias),
    /// `install PATTERN COMMAND`.
    Install(Alias, BString),
    /// `remove PATTERN COMMAND`.
    Remove(Alias, BString),
    /// `softdep PATTERN pre: NAME... post: NAME...`.
    Softdep(Alias, Vec<BString>, Vec<BString>),
    /// `weakdep PATTERN NAME...`.
    Weakdep(Alias, BString),
}

impl Statement {
    /// Reads a line, as [`lines`](super::lines::lines) gives it.
    ///
    /// # Errors
    /// What is wrong with the line, in words.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let (keyword, rest) = word(line).ok_or("nothing on the line")?;
        let directive = match keyword {
            b"alias" => {
                let mut words = words(rest);
                let pattern = words.next().ok_or("an alias without a name")?;
                let module = words.next().ok_or("an alias without a module")?;
                Self::Alias(normal(pattern)?, normal(module)?)
            }
            b"blacklist" => Self::Blacklist(normal(word(rest).ok_or("a blacklist without a module")?.0)?),
            b"options" => {
                let (name, rest) = with_rest(rest, "options")?;
                // Of all directives only this one is shown and handed on without its tabs.
                let blank = |&byte: &u8| if byte == b'\t' { b' ' } else { byte };
                Self::Options(name, rest.iter().map(blank).collect::<Vec<u8>>().into())
            }
            b"install" => with_rest(rest, "command").map(|(name, rest)| Self::Install(name, rest.into()))?,
            b"remove" => with_rest(rest, "command").map(|(name, rest)| Self::Remove(name, rest.into()))?,
            b"softdep" => {
                let (name, rest) = with_rest(rest, "dependencies")?;
                let (pre, post) = before_and_after(rest);
                Self::Softdep(name, pre, post)
            }
            b"weakdep" => {
                let (name, rest) = with_rest(rest, "dependencies")?;
                Self::Weakdep(name, single_blanks(rest))
            }
            b"include" | b"config" => {
                return Err(format!("command {} is deprecated and not parsed anymore", keyword.as_bstr()));
            }
            _ => return Err(format!("no such command: '{}'", shown(keyword))),
        };
        Ok(directive)
    }

    /// Reads a line that depmod wrote. Its contents come from module files, and these must not
    /// be able to run commands, or to speak for other modules than themselves.
    ///
    /// # Errors
    /// As [`Statement::parse`], and for anything but the dependencies of one module.
    pub(super) fn parse_of_depmod(line: &[u8]) -> Result<Self, String> {
        let directive = Self::parse(line)?;
        let (Self::Softdep(name, ..) | Self::Weakdep(name, ..)) = &directive else {
            return Err("not what depmod writes here".into());
        };
        if name.as_bytes().iter().any(|&byte| is_special(byte)) {
            return Err(format!("'{}' is no module's name", shown(name.as_bytes())));
        }
        Ok(directive)
    }
}

fn normal(name: &[u8]) -> Result<Alias, String> {
    if name.iter().any(u8::is_ascii_control) {
        return Err(format!("'{}': a control character in a name", shown(name)));
    }
    Alias::new(name).map_err(|fault| format!("'{}': {fault}", shown(name)))
}

/// A name and what follows the blank after it: even blanks alone count as something.
fn with_rest<'a>(text: &'a [u8], what: &str) -> Result<(Alias, &'a [u8]), String> {
    let (name, rest) = word(text).ok_or("no module")?;
    if rest.is_empty() {
        return Err(format!("no {what} for '{}'", name.as_bstr()));
    }
    Ok((normal(name)?, rest))
}

/// The names after `pre:` and after `post:`; words before the first of these are ignored.
fn before_and_after(text: &[u8]) -> (Vec<BString>, Vec<BString>) {
    let (mut ignored, mut pre, mut post) = (Vec::new(), Vec::new(), Vec::new());
    let mut current = &mut ignored;
    for word in words(text) {
        match word {
            b"pre:" => current = &mut pre,
            b"post:" => current = &mut post,
            name => current.push(BString::from(name)),
        }
    }
    (pre, post)
}

/// The words of a text with one blank between two, and one before them where the text begins with
/// blanks.
fn single_blanks(text: &[u8]) -> BString {
    let indent: &[&[u8]] = if text.starts_with(b" ") || text.starts_with(b"\t") { &[b""] } else { &[] };
    let words: Vec<&[u8]> = indent.iter().copied().chain(words(text)).collect();
    words.join(&b' ').into()
}
