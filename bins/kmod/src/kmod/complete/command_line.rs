//! The command line up to the cursor: options, their values, arguments, and the word to complete.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

/// A command line up to the cursor.
pub(super) struct CommandLine<'a> {
    options: Vec<(&'a str, Option<&'a OsStr>)>,
    /// The positional arguments, without the word under the cursor.
    pub(super) arguments: Vec<&'a OsStr>,
    /// The word under the cursor, up to it.
    pub(super) current: &'a str,
    value_of: Option<(&'a Arg, &'a str)>,
    options_ended: bool,
}

/// What the word under the cursor is.
pub(super) enum CurrentWord<'a> {
    /// An option.
    Option,
    /// The value of an option.
    Value {
        /// The option's id.
        option: &'a str,
        /// The value typed so far.
        typed: &'a str,
    },
    /// An argument.
    Argument,
}

impl<'a> CommandLine<'a> {
    /// Parses the words before the cursor and the one under it. A word that is not UTF-8 cannot be completed, and is
    /// treated as empty.
    pub(super) fn read(command: &'a Command, before: &'a [OsString], current: &'a OsStr) -> Self {
        let current = current.to_str().unwrap_or_default();
        let mut line = Self {
            options: Vec::new(),
            arguments: Vec::new(),
            current,
            value_of: None,
            options_ended: false,
        };
        let mut waiting: Option<&Arg> = None;
        for word in before {
            if let Some(arg) = waiting.take() {
                line.options.push((arg.get_id().as_str(), Some(word)));
            } else {
                waiting = line.push(command, word);
            }
        }
        line.value_of = match waiting {
            Some(arg) => Some((arg, current)),
            None => line.attached_value(command),
        };
        line
    }

    /// What the word under the cursor is.
    pub(super) fn current_word(&self) -> CurrentWord<'a> {
        match self.value_of {
            Some((arg, typed)) => CurrentWord::Value { option: arg.get_id().as_str(), typed },
            None if self.current.starts_with('-') && !self.options_ended => CurrentWord::Option,
            None => CurrentWord::Argument,
        }
    }

    /// Whether an option was given.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|(id, _)| *id == option)
    }

    /// The last value given for one of these options.
    pub(super) fn value(&self, options: &[&str]) -> Option<&'a OsStr> {
        self.options.iter().rev().find_map(|(id, value)| value.filter(|_| options.contains(id)))
    }

    /// Adds a complete word. Returns the option whose value is the next word.
    fn push(&mut self, command: &'a Command, word: &'a OsStr) -> Option<&'a Arg> {
        let text = word.to_str().unwrap_or_default();
        if self.options_ended || !text.starts_with('-') || text == "-" {
            self.arguments.push(word);
            return None;
        }
        if text == "--" {
            self.options_ended = true;
            return None;
        }
        let Some(long) = text.strip_prefix("--") else { return self.push_bundle(command, &text[1..]) };
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let arg = by_long(command, name)?;
        if takes_value(arg) && value.is_none() {
            return Some(arg);
        }
        self.options.push((arg.get_id().as_str(), value.map(OsStr::new)));
        None
    }

    fn push_bundle(&mut self, command: &'a Command, letters: &'a str) -> Option<&'a Arg> {
        for (offset, letter) in letters.char_indices() {
            let arg = command.get_arguments().find(|arg| arg.get_short() == Some(letter))?;
            let rest = &letters[offset + letter.len_utf8()..];
            if !takes_value(arg) {
                self.options.push((arg.get_id().as_str(), None));
            } else if rest.is_empty() {
                return Some(arg);
            } else {
                self.options.push((arg.get_id().as_str(), Some(OsStr::new(rest))));
                return None;
            }
        }
        None
    }

    /// The option whose value is typed in the same word, after a `=`.
    fn attached_value(&self, command: &'a Command) -> Option<(&'a Arg, &'a str)> {
        let (name, typed) = self.current.strip_prefix("--")?.split_once('=')?;
        let arg = by_long(command, name).filter(|arg| takes_value(arg) && !self.options_ended)?;
        Some((arg, typed))
    }
}

/// The option with this name or abbreviation.
fn by_long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let exact = command.get_arguments().find(|arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    });
    exact.or_else(|| {
        let begins = |arg: &&Arg| arg.get_long().is_some_and(|long| long.starts_with(name));
        let mut found = command.get_arguments().filter(begins);
        found.next().filter(|_| found.next().is_none())
    })
}

/// Whether an option takes a value.
pub(super) fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
        && arg.get_num_args().is_some_and(|count| count.max_values() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the last word is, and how the words before it were parsed.
    fn parsed(words: &[&str]) -> String {
        let mut command = crate::modprobe::command();
        command.build();
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (current, before) = words.split_last().unwrap();
        let line = CommandLine::read(&command, before, current);
        let wanted = match line.current_word() {
            CurrentWord::Option => "option".to_owned(),
            CurrentWord::Value { option, typed } => format!("{option}={typed}"),
            CurrentWord::Argument => "argument".to_owned(),
        };
        let ids: Vec<&str> = line.options.iter().map(|(id, _)| *id).collect();
        format!("{wanted} {ids:?} {:?}", line.arguments)
    }

    #[test]
    fn options_values_and_arguments_are_distinguished() {
        assert_eq!(parsed(&["-r"]), "option [] []");
        assert_eq!(parsed(&["-rv", "x", ""]), r#"argument ["remove", "verbose"] ["x"]"#);
        assert_eq!(parsed(&["-rS", "6"]), r#"set-version=6 ["remove"] []"#);
        assert_eq!(parsed(&["-S6.1", "--wait", "5", "a"]), r#"argument ["set-version", "wait"] []"#);
        assert_eq!(parsed(&["--set=6.1", "--dirn=/x"]), r#"dirname=/x ["set-version"] []"#);
        assert_eq!(parsed(&["--", "-r", "-"]), r#"argument [] ["-r"]"#);
        assert_eq!(parsed(&["-q", "-q", "--sys"]), r#"option ["quiet", "quiet"] []"#);
    }
}
