//! The options: first as written on the command line, then resolved into settings.

use std::{
    ffi::{OsStr, OsString},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use modutils::kernel::Force;

use super::paths;
use crate::{
    Invocation,
    cli::{self, OptionsInUse},
    report::Report,
    status::Status,
};

/// What the tool is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Insert,
    Remove,
    ResolveAlias,
    ShowConfig,
    ShowModversions,
    ShowExports,
}

/// The resolved options.
#[derive(Debug)]
pub(super) struct Options {
    pub task: Task,
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
    pub dirname: Option<OsString>,
    pub root: Option<OsString>,
    pub kernel_cmdline: Option<OsString>,
    pub release: Option<OsString>,
    pub syslog: bool,
    pub quiet: bool,
    pub verbose: usize,
    /// `-C FILE`, `--root DIR`, `--kernel-cmdline FILE`, `-s`, `-q` and `-v` as given, for the modprobes that commands run.
    pub inherited: Vec<Vec<u8>>,
    pub arguments: Vec<OsString>,
}

/// The command with the options that are in use. Each deprecated spelling is a separate option, as in getopt's
/// list of possibilities.
pub(super) fn command(in_use: OptionsInUse) -> Command {
    let about = "Load or remove modules and their dependencies";
    let mut command = cli::command("modprobe", about).arg(cli::arguments("MODULE [PARAMETER]..."));
    let mut add = |option| command = in_use.add(std::mem::take(&mut command), option);
    let old = |long| cli::long_flag(long, "An older spelling").hide(true);
    add(cli::flag('a', "all", "Treat every argument as a module; continue after failures"));
    add(cli::flag('r', "remove", "Remove modules, and dependencies that nothing else uses"));
    add(old("remove-dependencies"));
    add(cli::long_flag(
        "remove-holders",
        "Remove modules with the modules that use them, and their users in turn",
    ));
    add(cli::value('w', "wait", "MSEC", "With -r, wait up to MSEC milliseconds for a module in use"));
    add(cli::flag('R', "show-alias", "Print the modules that a name or alias resolves to")
        .visible_alias("resolve-alias"));
    add(cli::value('j', "jobs", "N", "Load up to N independent modules at the same time"));
    add(cli::long_flag("first-time", "Fail if there is nothing to do"));
    add(cli::flag('i', "ignore-install", "Ignore the module's own install or remove command").aliases([
        "ignore-remove",
        "ignore",
        "ignor",
        "igno",
        "ign",
        "ig",
    ]));
    add(cli::flag('b', "use-blacklist", "Skip blacklisted modules, even if given by name"));
    add(cli::flag('f', "force", "Skip both checks below; with -r, force removal"));
    add(cli::long_flag("force-modversion", "Do not check the versions of symbols"));
    add(cli::long_flag("force-vermagic", "Do not check the module's vermagic"));
    add(cli::flag('D', "show-depends", "Print what would be loaded, even if it is loaded already"));
    add(old("showconfig"));
    add(cli::flag('c', "show-config", "Print the configuration and the indexes"));
    add(cli::json());
    add(cli::long_flag("show-modversions", "Print the symbol versions that a module needs"));
    add(old("dump-modversions"));
    add(cli::long_flag("show-exports", "Print the symbols that a module exports"));
    add(cli::flag('n', "dry-run", "Print what would be done without doing it"));
    add(old("show"));
    add(repeated_value('C', "config", "FILE", "Read this file or directory instead of modprobe.d"));
    add(cli::value('d', "dirname", "DIR", "Use the module directories below DIR"));
    add(cli::root_option());
    add(cli::command_line_option());
    add(cli::value('S', "set-version", "VERSION", "Use this kernel release instead of the running one"));
    add(counted('s', "syslog", "Send messages to syslog"));
    add(counted('q', "quiet", "Print no messages"));
    add(counted('v', "verbose", "Print each step, and more messages"));
    cli::common_in_use(command, in_use)
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
    /// Like [`cli::parse`]: messages have been printed, and the error is the status for [`Report::finish`].
    pub(super) fn read(invocation: &Invocation, report: &mut Report) -> Result<Self, Status> {
        let command = command(OptionsInUse::of(&invocation.arguments));
        let given = GivenOptions(cli::parse(command, invocation, report)?);
        let any = |names: &[&str]| names.iter().any(|name| given.flag(name));
        let wait = match given.value("wait") {
            Some(text) => Some(milliseconds(&text).ok_or_else(|| {
                report.fail([b"unexpected wait value '", text.as_encoded_bytes(), b"'."].concat())
            })?),
            None => None,
        };
        let jobs = match given.value("jobs") {
            Some(text) => jobs(&text).ok_or_else(|| {
                report.fail([b"unexpected number of jobs '", text.as_encoded_bytes(), b"'."].concat())
            })?,
            None => NonZeroUsize::MIN,
        };
        let all_checks = any(&["force"]);
        let force = Force::default()
            .modversions(all_checks || any(&["force-modversion"]))
            .vermagic(all_checks || any(&["force-vermagic"]));
        let show_depends = any(&["show-depends"]);
        let task = if any(&["show-config", "showconfig"]) {
            Task::ShowConfig
        } else if any(&["show-modversions", "dump-modversions"]) {
            Task::ShowModversions
        } else if any(&["show-exports"]) {
            Task::ShowExports
        } else if any(&["remove", "remove-holders", "remove-dependencies"]) {
            Task::Remove
        } else if any(&["show-alias"]) {
            Task::ResolveAlias
        } else {
            Task::Insert
        };
        Ok(Self {
            task,
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
            config: paths(given.values("config").into_iter().filter(|path| !path.is_empty()).collect()),
            dirname: given.place("dirname"),
            root: given.place("root"),
            kernel_cmdline: given.place(cli::KERNEL_CMDLINE),
            release: given.place("set-version"),
            syslog: !given.positions("syslog").is_empty(),
            quiet: !given.positions("quiet").is_empty(),
            verbose: given.positions("verbose").len(),
            inherited: inherited(&given),
            arguments: given.values(cli::ARGUMENTS),
        })
    }
}

/// The options on the command line. An option that is not in use is unknown to clap, so every getter treats an
/// unknown one as not given.
struct GivenOptions(ArgMatches);

impl GivenOptions {
    fn flag(&self, name: &str) -> bool {
        matches!(self.0.try_get_one(name), Ok(Some(true)))
    }

    /// The last value of an option.
    fn value(&self, name: &str) -> Option<OsString> {
        self.values(name).pop()
    }

    /// Like [`cli::place_of`].
    fn place(&self, name: &str) -> Option<OsString> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// All values of an option, or the positional arguments.
    fn values(&self, name: &str) -> Vec<OsString> {
        self.0.try_get_many(name).ok().flatten().into_iter().flatten().cloned().collect()
    }

    /// The positions of an option on the command line.
    fn positions(&self, name: &str) -> Vec<usize> {
        let is_there = matches!(self.0.try_contains_id(name), Ok(true));
        is_there.then(|| self.0.indices_of(name)).flatten().into_iter().flatten().collect()
    }
}

/// The options that are passed on to the modprobes of commands, in the order given.
fn inherited(given: &GivenOptions) -> Vec<Vec<u8>> {
    let mut words: Vec<(usize, Vec<u8>)> = Vec::new();
    let paths = given.positions("config").into_iter().zip(given.values("config"));
    let paths = paths.filter(|(_, path)| !path.is_empty());
    words.extend(paths.map(|(position, path)| (position, [b"-C ", path.as_encoded_bytes()].concat())));
    if let (Some(root), Some(position)) = (given.place("root"), given.positions("root").pop()) {
        let root = cli::from_current_directory(&root);
        words.push((position, [b"--root ", root.as_os_str().as_encoded_bytes()].concat()));
    }
    let name = cli::KERNEL_CMDLINE;
    if let (Some(file), Some(position)) = (given.place(name), given.positions(name).pop()) {
        // In a root it is a path of that.
        let file = match given.place("root") {
            Some(_) => PathBuf::from(file),
            None => cli::from_current_directory(&file),
        };
        words.push((position, [b"--kernel-cmdline ", file.as_os_str().as_encoded_bytes()].concat()));
    }
    for (name, word) in [("syslog", "-s"), ("quiet", "-q"), ("verbose", "-v")] {
        words.extend(given.positions(name).into_iter().map(|position| (position, word.into())));
    }
    words.sort_by_key(|(position, _)| *position);
    words.into_iter().map(|(_, word)| word).collect()
}

/// The upper limit of `--jobs`: many more threads than processors are of no use.
const MAX_JOBS: usize = 256;

fn jobs(text: &OsStr) -> Option<NonZeroUsize> {
    NonZeroUsize::new(text.to_str()?.parse::<usize>().ok()?.min(MAX_JOBS))
}

/// Parses a wait as strtol(3) does with base 0. A negative number means no wait; one that strtol(3) could not
/// return is an error.
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
    let number = i64::from_str_radix(digits, base).ok()?.unsigned_abs();
    Some(Duration::from_millis(if negative { 0 } else { number }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The result of parsing: each option with its positions and values, or the error.
    fn read(command: Command, words: &[OsString]) -> Result<Vec<String>, String> {
        let program = std::iter::once(OsString::from("modprobe"));
        let matches = command.try_get_matches_from(program.chain(words.iter().cloned()));
        let matches = matches.map_err(|error| {
            format!("{:?} {:?}", error.kind(), error.get(clap::error::ContextKind::InvalidArg))
        })?;
        let of = |id: &clap::Id| {
            let positions: Vec<usize> = matches.indices_of(id.as_str()).into_iter().flatten().collect();
            format!("{id} {positions:?} {:?}", matches.get_raw(id.as_str()))
        };
        let source = |id: &&clap::Id| matches.value_source(id.as_str());
        let given = matches.ids().filter(|id| source(id) == Some(clap::parser::ValueSource::CommandLine));
        let mut given: Vec<String> = given.map(of).collect();
        given.sort();
        Ok(given)
    }

    proptest! {
        #[test]
        fn options_that_no_word_can_mean_are_not_missed(
            words in prop::collection::vec(
                "-{0,2}(show(-(co|d|mod|a|x)?)?|re(m(ove(-h)?)?)?|ign?|f(orce(-v)?)?|verbose|con(fig)?|[arRDcnCdSsqvVhwjfbx]{1,3})(=x?)?|--|-|x",
                0..5,
            )
        ) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let read_by = |in_use| read(command(in_use), &words);
            prop_assert_eq!(read_by(OptionsInUse::of(&words)), read_by(OptionsInUse::ALL));
        }
    }

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
        assert_eq!(read("0x7fffffffffffffff"), Some(9_223_372_036_854_775_807));
        assert!(
            ["99999999999999999999", "9223372036854775808", "-0x8000000000000000"]
                .iter()
                .all(|text| read(text).is_none())
        );
        assert!(["", "x", "1s", "5 ", "0x", "08", "--1"].iter().all(|text| read(text).is_none()));
    }
}
