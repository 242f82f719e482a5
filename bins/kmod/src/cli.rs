//! Makes clap behave like getopt_long(3), which callers of these tools rely on: long options may be
//! abbreviated, short ones bundled, the last of several wins, options may follow arguments, and errors have getopt's
//! wording.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use modutils::Root;

use crate::{
    Invocation,
    cause::{Cause, failed_request},
    help, modprobe,
    report::Report,
    startup,
    status::Status,
    version,
};

/// The id of the positional arguments, in every tool.
pub const ARGUMENTS: &str = "arguments";

/// A tool's command without options, set up to behave like getopt.
pub fn command(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .infer_long_args(true)
        .args_override_self(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .next_line_help(false)
}

/// Adds the last two options of every tool, `--version` and `--help`. They act at their position: what follows
/// is not parsed.
pub fn common(command: Command) -> Command {
    common_in_use(command, OptionsInUse::ALL)
}

/// Like [`common`], if they are in use.
pub fn common_in_use(command: Command, in_use: OptionsInUse) -> Command {
    in_use.add(in_use.add(command.version(env!("CARGO_PKG_VERSION")), version_option()), help())
}

fn version_option() -> Arg {
    flag('V', "version", "Show the version").action(ArgAction::Version)
}

/// `-h` and `--help`, which print the help and end the tool.
pub fn help() -> Arg {
    flag('h', "help", "Show this help").action(ArgAction::Help)
}

/// The options that may occur on a command line. To describe all options of a tool to clap takes a third of the time
/// of a short call, and most calls have two or three, so only these are described.
#[derive(Clone, Copy)]
pub struct OptionsInUse<'a>(Option<&'a [OsString]>);

impl<'a> OptionsInUse<'a> {
    /// All options.
    pub const ALL: OptionsInUse<'static> = OptionsInUse(None);

    /// The options that these words may be. There may be too many, as a word can be the value of an option. With
    /// `--help`, all of them.
    pub fn of(words: &'a [OsString]) -> Self {
        let in_use = Self(Some(words));
        if in_use.includes(&help()) { Self(None) } else { in_use }
    }

    /// Adds an option to a command, if it is in use.
    pub fn add(self, command: Command, option: Arg) -> Command {
        if self.includes(&option) { command.arg(option) } else { command }
    }

    fn includes(self, option: &Arg) -> bool {
        let Some(words) = self.0 else { return true };
        words.iter().any(|word| match word.as_bytes() {
            b"--" => false,
            [b'-', b'-', name @ ..] => {
                let name = name.split(|&byte| byte == b'=').next().unwrap_or_default();
                let begins = |long: &str| long.as_bytes().starts_with(name);
                option.get_long().is_some_and(begins)
                    || option.get_all_aliases().is_some_and(|aliases| aliases.into_iter().any(begins))
            }
            [b'-', letters @ ..] => option
                .get_short()
                .is_some_and(|short| letters.iter().any(|&letter| char::from(letter) == short)),
            _ => false,
        })
    }
}

/// An option without a value, with a short and a long name.
pub fn flag(short: char, long: &'static str, help: &'static str) -> Arg {
    long_flag(long, help).short(short)
}

/// An option without a value that has a long name only.
pub fn long_flag(long: &'static str, help: &'static str) -> Arg {
    Arg::new(long).long(long).action(ArgAction::SetTrue).help(help)
}

/// `--json`, for every tool with machine-readable output.
pub fn json() -> Arg {
    long_flag("json", "Print a JSON document instead of text")
}

/// An option with a value; the last of several wins.
pub fn value(short: char, long: &'static str, name: &'static str, help: &'static str) -> Arg {
    long_value(long, name, help).short(short)
}

/// An option with a value that has a long name only.
pub fn long_value(long: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(long)
        .long(long)
        .value_name(name)
        .action(ArgAction::Set)
        .value_parser(clap::value_parser!(OsString))
        // getopt takes the next argument as the value even if it begins with a dash.
        .allow_hyphen_values(true)
        .help(help)
}

/// `--root`, for every tool that reads the files of a system.
pub fn root_option() -> Arg {
    long_value("root", "DIR", "Use the system in DIR, with links inside of it")
}

/// The root that `--root` gives, with the base of module directories that `--dirname` or `--basedir` gives: in a root it
/// is a path of that.
///
/// # Errors
/// When the root cannot be opened.
pub fn root(root: Option<&OsStr>, base: Option<&OsStr>) -> modutils::Result<Root> {
    Ok(match (root, base) {
        (None, None) => Root::default(),
        (None, Some(base)) => Root::default().with_base(from_current_directory(base)),
        (Some(root), None) => Root::inside(root)?,
        (Some(root), Some(base)) => Root::inside(root)?.with_base(Path::new("/").join(base)),
    })
}

/// The root that the options of a tool give.
///
/// # Errors
/// When the root cannot be opened.
pub fn root_of(matches: &ArgMatches, base: &str) -> modutils::Result<Root> {
    let root = root(place_of(matches, "root").as_deref(), place_of(matches, base).as_deref())?;
    match matches.try_get_one::<OsString>(KERNEL_CMDLINE) {
        Ok(Some(file)) if !file.is_empty() => root.with_command_line(file),
        _ => Ok(root),
    }
}

/// The name of an option.
pub const KERNEL_CMDLINE: &str = "kernel-cmdline";

/// `--kernel-cmdline`, for every tool whose configuration is partly there.
pub fn command_line_option() -> Arg {
    long_value(KERNEL_CMDLINE, "FILE", "Read the kernel command line from FILE instead of /proc/cmdline")
}

/// The positional arguments.
pub fn arguments(name: &'static str) -> Arg {
    Arg::new(ARGUMENTS)
        .value_name(name)
        .action(ArgAction::Append)
        .num_args(0..)
        .value_parser(clap::value_parser!(OsString))
}

/// The last value given for an option.
pub fn value_of(matches: &ArgMatches, id: &str) -> Option<OsString> {
    matches.get_one::<OsString>(id).cloned()
}

/// The last value given for an option whose value is a path or a kernel release. An empty one counts as not given, in
/// every tool: makefiles pass `-b "$UNSET"`.
pub fn place_of(matches: &ArgMatches, id: &str) -> Option<OsString> {
    value_of(matches, id).filter(|value| !value.is_empty())
}

/// All values given for an option, or the positional arguments, in order.
pub fn values_of(matches: &ArgMatches, id: &str) -> Vec<OsString> {
    matches.get_many::<OsString>(id).into_iter().flatten().cloned().collect()
}

/// A path as the tools print it: the current directory is prepended to a relative one, which is not normalised.
pub fn from_current_directory(path: &OsStr) -> PathBuf {
    if Path::new(path).is_absolute() {
        return path.into();
    }
    // Without a current directory a relative path leads nowhere, and is kept unchanged.
    let Ok(directory) = std::env::current_dir() else { return path.into() };
    OsString::from_vec([directory.as_os_str().as_bytes(), b"/", path.as_bytes()].concat()).into()
}

/// Whether an argument is a path and not a name: if it begins with `/` or `./`, or has a slash and there is such a
/// file. No module's name has a slash.
pub fn is_path(argument: &[u8], root: &Root) -> bool {
    argument.starts_with(b"/") || argument.starts_with(b"./") || names_file(argument, root)
}

/// Whether an argument has a slash and there is a regular file of that path.
pub fn names_file(argument: &[u8], root: &Root) -> bool {
    argument.contains(&b'/') && is_file(&root.locate(os_str(argument)), root)
}

/// Whether a path leads to a regular file.
pub fn is_file(path: &Path, root: &Root) -> bool {
    root.metadata(path).is_ok_and(|found| found.is_file())
}

/// Parses the arguments.
///
/// # Errors
/// If the tool ends here, because the arguments request help or the version, or are invalid. That has been
/// printed; the error is the status for [`Report::finish`].
pub fn parse(
    mut command: Command,
    invocation: &Invocation,
    report: &mut Report,
) -> Result<ArgMatches, Status> {
    let takes_arguments = command.get_arguments().any(|arg| arg.get_id() == ARGUMENTS);
    if takes_arguments && startup::variable("POSIXLY_CORRECT").is_some() {
        command = command.mut_arg(ARGUMENTS, |arg| arg.trailing_var_arg(true).allow_hyphen_values(true));
    }
    let words = std::iter::once(&invocation.program).chain(&invocation.arguments);
    match command.try_get_matches_from_mut(words) {
        Ok(matches) => Ok(matches),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp => {
                let name = command.get_name().to_owned();
                let called = match invocation.is_command {
                    true => format!("kmod {}", std::path::Path::new(&invocation.program).display()),
                    false => name,
                };
                report.print_line(help::text(command, &called));
                Err(Status::Success)
            }
            ErrorKind::DisplayVersion => {
                version::print(report);
                Err(Status::Success)
            }
            _ => {
                let text = getopt_text(&error, &command, &invocation.arguments);
                let line = [invocation.program.as_bytes(), b": ", &text].concat();
                report.usage_because(&line, similar_option(&error, &command));
                Err(Status::Failure)
            }
        },
    }
}

/// The error in the wording of getopt_long(3).
fn getopt_text(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Vec<u8> {
    let rejected = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(rejected)) => rejected.as_str(),
        _ => "",
    };
    // clap prints an option as `--name <VALUE>` or `-n`.
    let rejected = rejected.split([' ', '=']).next().unwrap_or_default().trim_end_matches("...");
    match error.kind() {
        ErrorKind::UnknownArgument => unknown(rejected, command, arguments),
        ErrorKind::TooManyValues => {
            let option = as_given(rejected, command, arguments);
            format!("option '{option}' doesn't allow an argument").into_bytes()
        }
        ErrorKind::InvalidValue => missing_value(rejected, arguments),
        // No option of ours can fail in another way; if one does, clap's own text is good enough.
        _ => error.to_string().into_bytes(),
    }
}

/// The option that may have been meant instead of an unknown one.
fn similar_option(error: &clap::Error, command: &Command) -> Cause {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(rejected))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return Cause::default();
    };
    let rejected = rejected.split([' ', '=']).next().unwrap_or_default();
    let Some(rejected) = rejected.strip_prefix("--") else { return Cause::default() };
    // Only the options in use are described in the command of modprobe.
    let all = (command.get_name() == "modprobe").then(modprobe::command);
    let described = all.as_ref().unwrap_or(command).get_arguments();
    let names = described.filter(|option| !option.is_hide_set()).filter_map(Arg::get_long);
    failed_request::misspelled("--", rejected.as_bytes(), names)
}

/// The name by which an option was given, where it has several.
fn as_given(option: &str, command: &Command, arguments: &[OsString]) -> String {
    let Some(long) = option.strip_prefix("--") else { return option.to_owned() };
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(long));
    let names = || std::iter::once(long).chain(arg.and_then(Arg::get_all_aliases).unwrap_or_default());
    let mut given = arguments.iter().filter_map(|word| {
        let (typed, _) = word.to_str()?.strip_prefix("--")?.split_once('=')?;
        names().find(|name| name.starts_with(typed))
    });
    format!("--{}", given.next().unwrap_or(long))
}

fn unknown(rejected: &str, command: &Command, arguments: &[OsString]) -> Vec<u8> {
    let Some(long) = rejected.strip_prefix("--") else {
        let letter = rejected.strip_prefix('-').unwrap_or(rejected);
        return format!("invalid option -- '{letter}'").into_bytes();
    };
    let candidates: Vec<String> = command
        .get_arguments()
        .filter_map(Arg::get_long)
        .filter(|name| name.starts_with(long))
        .map(|name| format!("'--{name}'"))
        .collect();
    // getopt prints the argument as it was written, with its value.
    let is_rejected =
        |word: &&OsString| word.as_bytes().split(|&byte| byte == b'=').next() == Some(rejected.as_bytes());
    let written = arguments.iter().find(is_rejected);
    let written = written.map_or(rejected.as_bytes(), |word| word.as_bytes());
    if candidates.len() > 1 {
        let possibilities = candidates.join(" ").into_bytes();
        [b"option '", written, b"' is ambiguous; possibilities: ", &possibilities].concat()
    } else {
        [b"unrecognized option '", written, b"'"].concat()
    }
}

/// A value can be missing only at the end of the arguments, so the last one shows how the option was written.
fn missing_value(rejected: &str, arguments: &[OsString]) -> Vec<u8> {
    let last = arguments.last().map_or(&b""[..], |word| word.as_bytes());
    if last.starts_with(b"--") {
        format!("option '{rejected}' requires an argument").into_bytes()
    } else {
        let letter = last.last().copied().unwrap_or(b'?');
        [b"option requires an argument -- '", &[letter][..], b"'"].concat()
    }
}

/// An argument as bytes.
pub fn bytes(word: OsString) -> Vec<u8> {
    word.into_vec()
}

/// Bytes as an argument or a path.
pub fn os_str(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(words: &[&str]) -> String {
        let command = command("t", "").arg(long_flag("show-more", "")).arg(long_flag("show-less", ""));
        let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
        let program = std::iter::once(OsString::from("t"));
        let error = command.clone().try_get_matches_from(program.chain(arguments.clone())).unwrap_err();
        String::from_utf8(getopt_text(&error, &command, &arguments)).unwrap()
    }

    #[test]
    fn a_bad_option_is_repeated_as_it_was_written() {
        let possibilities = "is ambiguous; possibilities: '--show-more' '--show-less'";
        assert_eq!(message(&["--show-m", "--show-"]), format!("option '--show-' {possibilities}"));
        assert_eq!(message(&["--sh=1"]), format!("option '--sh=1' {possibilities}"));
        assert_eq!(message(&["--hide=x"]), "unrecognized option '--hide=x'");
    }
}
