//! The command line as far as it is written: options, their values, arguments, and the word to be
//! completed.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

/// A command line up to the cursor.
pub(super) struct CommandLine<'a> {
    options: Vec<(&'a str, Option<&'a OsStr>)>,
    /// The arguments that are no options, without the word under the cursor.
    pub(super) arguments: Vec<&'a OsStr>,
    /// The word under the cursor, as far as it is written.
    pub(super) current: &'a str,
    value_of: Option<(&'a Arg, &'a str)>,
    options_ended: bool,
}

/// What the word under the cursor is.
pub(super) enum CurrentWord<'a> {
    /// An option.
    Option,
    /// The value of an option, of which this much is written.
    Value {
        /// The option's id.
        option: &'a str,
        /// The value so far.
        written: &'a str,
    },
    /// An argument.
    Argument,
}

impl<'a> CommandLine<'a> {
    /// Reads the words before the cursor and the one under it. A word that is no text cannot be
    /// completed: nothing is written of it then.
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
            Some((arg, written)) => CurrentWord::Value { option: arg.get_id().as_str(), written },
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

    /// Takes a finished word; gives the option whose value is the next one.
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

    /// The option whose value is being written in the same word, after a `=`.
    fn attached_value(&self, command: &'a Command) -> Option<(&'a Arg, &'a str)> {
        let (name, written) = self.current.strip_prefix("--")?.split_once('=')?;
        let arg = by_long(command, name).filter(|arg| takes_value(arg) && !self.options_ended)?;
        Some((arg, written))
    }
}

/// The option of this name, in full or shortened.
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

/// Whether the option has a value.
pub(super) fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
        && arg.get_num_args().is_some_and(|count| count.max_values() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wanted for the last word, and what was understood of the words before it.
    fn understood(words: &[&str]) -> String {
        let mut command = crate::modprobe::command();
        command.build();
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (current, before) = words.split_last().unwrap();
        let line = CommandLine::read(&command, before, current);
        let wanted = match line.current_word() {
            CurrentWord::Option => "option".to_owned(),
            CurrentWord::Value { option, written } => format!("{option}={written}"),
            CurrentWord::Argument => "argument".to_owned(),
        };
        let ids: Vec<&str> = line.options.iter().map(|(id, _)| *id).collect();
        format!("{wanted} {ids:?} {:?}", line.arguments)
    }

    #[test]
    fn options_values_and_arguments_are_told_apart() {
        assert_eq!(understood(&["-r"]), "option [] []");
        assert_eq!(understood(&["-rv", "x", ""]), r#"argument ["remove", "verbose"] ["x"]"#);
        assert_eq!(understood(&["-rS", "6"]), r#"set-version=6 ["remove"] []"#);
        assert_eq!(understood(&["-S6.1", "--wait", "5", "a"]), r#"argument ["set-version", "wait"] []"#);
        assert_eq!(understood(&["--set=6.1", "--dirn=/x"]), r#"dirname=/x ["set-version"] []"#);
        assert_eq!(understood(&["--", "-r", "-"]), r#"argument [] ["-r"]"#);
        assert_eq!(understood(&["-q", "-q", "--sys"]), r#"option ["quiet", "quiet"] []"#);
    }
}
