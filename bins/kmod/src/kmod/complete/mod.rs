//! `kmod complete`: the candidates for the word under the cursor, for the completions of bash, zsh and fish.
//!
//! The scripts of the shells (`bins/kmod/completions`) are a few lines each: they pass the words up to the
//! cursor, from the program's name to the unfinished word. Each candidate is printed on a line, with a tab and a
//! description if it has one; `:files`, `:modules` (module files and directories) and `:directories` make the shell
//! complete paths itself.

mod candidates;
mod command_line;

use std::{ffi::OsString, path::Path, process::ExitCode};

use clap::Command;

use self::{
    candidates::Candidate,
    command_line::{CommandLine, CurrentWord},
};
use crate::{Invocation, depmod, insmod, lsmod, modinfo, modprobe, report::Report, rmmod, status::Status};

/// Runs the command. Unknown words have no candidates and are no failure: the line is still being typed.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let words = invocation.arguments.strip_prefix(&["--".into()]).unwrap_or(&invocation.arguments);
    let known = command_of(words).and_then(|(command, words)| Some((command, words.split_last()?)));
    if let Some((mut command, (current, before))) = known {
        command.build();
        let line = CommandLine::read(&command, before, current);
        let mut found = candidates_for(&command, &line);
        found.sort();
        found.dedup_by(|a, b| a.text == b.text);
        for candidate in found {
            candidate.print(&mut report);
        }
    }
    report.finish(Status::Success)
}

/// The command that the words belong to, and the words after the program's name and kmod's command.
fn command_of(words: &[OsString]) -> Option<(Command, &[OsString])> {
    let (program, words) = words.split_first()?;
    let name = Path::new(program).file_name()?.to_str()?;
    let command = match name {
        "depmod" => depmod::command(),
        "insmod" => insmod::command(),
        "lsmod" => lsmod::command(),
        "modinfo" => modinfo::command(),
        "modprobe" => modprobe::command(),
        "rmmod" => rmmod::command(),
        _ => return command_of_kmod(words),
    };
    Some((command, words))
}

fn command_of_kmod(words: &[OsString]) -> Option<(Command, &[OsString])> {
    match words {
        [_] => Some((super::command(), words)),
        [command, ..] if crate::tool(command.as_encoded_bytes()).is_some() => command_of(words),
        [command, rest @ ..] => {
            let known = super::COMMANDS.iter().find(|known| known.name == command.as_os_str())?;
            Some(((known.options)()?, rest))
        }
        [] => None,
    }
}

fn candidates_for(command: &Command, line: &CommandLine) -> Vec<Candidate> {
    match line.current_word() {
        CurrentWord::Option => candidates::options(command, line),
        CurrentWord::Value { option, typed } => candidates::values(command.get_name(), line, option, typed),
        CurrentWord::Argument => candidates::arguments(command.get_name(), line),
    }
}
