//! The options as they stand on the command line, then as they are meant.

use std::{
    ffi::{OsStr, OsString},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use clap::{Arg, ArgAction, Command};
use modutils::kernel::Force;

use super::paths;
use crate::{Invocation, cli, report::Report};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Insert,
    Remove,
    ResolveAlias,
    ShowConfig,
    ShowModversions,
    ShowExports,
}

/// The options as they are meant.
#[derive(Debug)]
pub(super) struct Options {
    pub action: Action,
    pub all: bool,
    pub show_depends: bool,
    pub json: bool,
    pub dry_run: bool,
    pub first_time: bool,
    pub ignore_commands: bool,
    pub use_blacklist: bool,
    pub holders: bool,
    pub wait: Option<Duration>,
    pub jobs: NonZeroUsize,
    pub force: Force,
    pub config: Option<Vec<PathBuf>>,
    pub dirname: Option<PathBuf>,
    pub release: Option<OsString>,
    pub syslog: bool,
    pub quiet: bool,
    pub verbose: usize,
    /// `-C FILE`, `-s`, `-q` and `-v` as given, for modprobes that commands call.
    pub inherited: Vec<Vec<u8>>,
    pub arguments: Vec<OsString>,
}

/// The tool's options; each deprecated spelling is an option of its own, as getopt lists them.
pub(super) fn command() -> Command {
    let about = "Load or remove modules, with what they need";
    let command = cli::command("modprobe", about).arg(cli::arguments("MODULE [PARAMETER]..."));
    let old = |long| cli::long_flag(long, "An older spelling").hide(true);
    command
        .arg(cli::flag('a', "all", "Every argument is a module; failures stop nothing"))
        .arg(cli::flag('r', "remove", "Remove modules and what they alone needed"))
        .arg(old("remove-dependencies"))
        .arg(cli::long_flag(
            "remove-holders",
            "With -r, also remove the modules that use it, and those that use them",
        ))
        .arg(cli::value('w', "wait", "MSEC", "With -r, wait this long for a module in use"))
        .arg(
            cli::flag('R', "resolve-alias", "Print the modules that a name means")
                .visible_alias("show-alias"),
        )
        .arg(cli::value('j', "jobs", "N", "Load up to N modules at once that do not need each other"))
        .arg(cli::long_flag("first-time", "Fail where there is nothing to do"))
        .arg(
            cli::flag('i', "ignore-install", "Leave out the module's own install or remove command")
                .aliases(["ignore-remove", "ignore", "ignor", "igno", "ign", "ig"]),
        )
        .arg(cli::flag('b', "use-blacklist", "Leave out blacklisted modules, also when named"))
        .arg(cli::flag('f', "force", "Leave out both checks below; with -r, remove by force"))
        .arg(cli::long_flag("force-modversion", "Do not check the versions of symbols"))
        .arg(cli::long_flag("force-vermagic", "Do not check the kernel's version"))
        .arg(cli::flag('D', "show-depends", "Print what would be loaded, whatever is loaded now"))
        .arg(old("showconfig"))
        .arg(cli::flag('c', "show-config", "Print the configuration and the indexes"))
        .arg(cli::json())
        .arg(cli::long_flag("show-modversions", "Print the symbol versions that a module needs"))
        .arg(old("dump-modversions"))
        .arg(cli::long_flag("show-exports", "Print the symbols that a module exports"))
        .arg(cli::flag('n', "dry-run", "Do nothing, print what would be done"))
        .arg(old("show"))
        .arg(repeated_value('C', "config", "FILE", "Read this file or directory instead of modprobe.d"))
        .arg(cli::value('d', "dirname", "DIR", "Look for module directories below DIR"))
        .arg(cli::value('S', "set-version", "VERSION", "Work for this kernel, not the running one"))
        .arg(counted('s', "syslog", "Send messages to syslog"))
        .arg(counted('q', "quiet", "Print no messages"))
        .arg(counted('v', "verbose", "Print what is done, and more messages"))
}

fn repeated_value(short: char, long: &'static str, name: &'static str, help: &'static str) -> Arg {
    cli::value(short, long, name, help).action(ArgAction::Append)
}

fn counted(short: char, long: &'static str, help: &'static str) -> Arg {
    let each_counts = cli::flag(short, long, help).action(ArgAction::Append).num_args(0);
    each_counts.value_parser(clap::value_parser!(bool)).default_missing_value("true")
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// As [`cli::parse`]: everything has been said, and the error says whether it was asked for.
    pub(super) fn read(invocation: &Invocation, report: &mut Report) -> Result<Self, bool> {
        let given = cli::parse(super::command(), invocation, report)?;
        let any = |names: &[&str]| names.iter().any(|name| given.get_flag(name));
        let count = |name| given.get_many::<bool>(name).into_iter().flatten().count();
        let wait = match cli::value_of(&given, "wait") {
            Some(text) => Some(milliseconds(&text).ok_or_else(|| {
                report.error([b"unexpected wait value '", text.as_encoded_bytes(), b"'."].concat());
                false
            })?),
            None => None,
        };
        let jobs = match cli::value_of(&given, "jobs") {
            Some(text) => jobs(&text).ok_or_else(|| {
                report.error([b"unexpected number of jobs '", text.as_encoded_bytes(), b"'."].concat());
                false
            })?,
            None => NonZeroUsize::MIN,
        };
        let all_checks = any(&["force"]);
        let force = Force {
            modversions: all_checks || any(&["force-modversion"]),
            vermagic: all_checks || any(&["force-vermagic"]),
        };
        let show_depends = any(&["show-depends"]);
        let action = if any(&["show-config", "showconfig"]) {
            Action::ShowConfig
        } else if any(&["show-modversions", "dump-modversions"]) {
            Action::ShowModversions
        } else if any(&["show-exports"]) {
            Action::ShowExports
        } else if any(&["remove"]) {
            Action::Remove
        } else if any(&["resolve-alias"]) {
            Action::ResolveAlias
        } else {
            Action::Insert
        };
        Ok(Self {
            action,
            all: any(&["all"]),
            show_depends,
            json: any(&["json"]),
            dry_run: any(&["dry-run", "show"]),
            first_time: any(&["first-time"]),
            ignore_commands: any(&["ignore-install"]),
            use_blacklist: any(&["use-blacklist"]),
            holders: any(&["remove-holders", "remove-dependencies"]),
            wait: wait.filter(|wait| !wait.is_zero()),
            jobs,
            force,
            config: paths(cli::values_of(&given, "config")),
            dirname: cli::value_of(&given, "dirname").map(PathBuf::from),
            release: cli::value_of(&given, "set-version"),
            syslog: count("syslog") > 0,
            quiet: count("quiet") > 0,
            verbose: count("verbose"),
            inherited: inherited(&given),
            arguments: cli::values_of(&given, cli::ARGUMENTS),
        })
    }
}

/// The options that go on to the modprobes of commands, in the order in which they were given.
fn inherited(given: &clap::ArgMatches) -> Vec<Vec<u8>> {
    let mut words: Vec<(usize, Vec<u8>)> = Vec::new();
    let paths = given.indices_of("config").into_iter().flatten().zip(cli::values_of(given, "config"));
    words.extend(paths.map(|(place, path)| (place, [b"-C ", path.as_encoded_bytes()].concat())));
    for (name, word) in [("syslog", "-s"), ("quiet", "-q"), ("verbose", "-v")] {
        words.extend(given.indices_of(name).into_iter().flatten().map(|place| (place, word.into())));
    }
    words.sort_by_key(|(place, _)| *place);
    words.into_iter().map(|(_, word)| word).collect()
}

/// The most modules to load at once; far more than there are processors is of no use.
const MAX_JOBS: usize = 256;

fn jobs(text: &OsStr) -> Option<NonZeroUsize> {
    NonZeroUsize::new(text.to_str()?.parse::<usize>().ok()?.min(MAX_JOBS))
}

/// A wait as strtol(3) reads it in any base: a negative one is no wait, an endless one is the longest.
fn milliseconds(text: &OsStr) -> Option<Duration> {
    let text = text.to_str()?.trim_start();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, base) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    // Only a number that is too large can fail now.
    let number = u64::from_str_radix(digits, base).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs());
    Some(Duration::from_millis(if negative { 0 } else { number }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_jobs_is_one_at_least() {
        let read = |text: &str| jobs(OsStr::new(text)).map(NonZeroUsize::get);
        assert_eq!((read("1"), read("8"), read("9999")), (Some(1), Some(8), Some(MAX_JOBS)));
        assert!(["", "0", "-1", "two", "1 "].iter().all(|text| read(text).is_none()));
    }

    #[test]
    fn a_wait_is_a_number_in_any_base_of_c() {
        let read = |text: &str| milliseconds(OsStr::new(text)).map(|wait| wait.as_millis());
        let good = [("10", 10), ("0", 0), ("-5", 0), ("0x10", 16), ("010", 8), (" 5", 5), ("+5", 5)];
        assert!(good.iter().all(|&(text, wait)| read(text) == Some(wait)));
        assert_eq!(read("99999999999999999999"), Some(9_223_372_036_854_775_807));
        assert!(["", "x", "1s", "5 ", "0x", "08", "--1"].iter().all(|text| read(text).is_none()));
    }
}
