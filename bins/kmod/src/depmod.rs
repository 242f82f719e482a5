//! `depmod`: generate the module indexes of a kernel.

mod document;
mod observer;

use std::{
    ffi::OsStr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{ArgAction, ArgMatches, Command};
use modutils::{
    Level, Release, Root,
    depmod::{Failure, Run},
    module_file::has_module_extension,
};

use crate::{Invocation, cli, report::Report, status::Status};
use observer::RunObserver;

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"depmod", Level::Warning);
    let matches = match cli::parse(command(), invocation, &mut report) {
        Ok(matches) => matches,
        Err(status) => return report.finish(status),
    };
    let status = match options(&matches, &mut report) {
        Ok(options) => make_indexes(&options, &mut report),
        Err(status) => status,
    };
    report.finish(status)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> Command {
    let arguments = cli::arguments("VERSION [FILE]...");
    let several = |arg: clap::Arg| arg.action(ArgAction::Append);
    let command = cli::command("depmod", "Generate the module indexes of a kernel")
        .arg(cli::flag('a', "all", "Process all modules (the default when no files are named)"))
        .arg(cli::flag('A', "quick", "Do nothing unless a module was added, removed or changed"))
        .arg(cli::flag('e', "errsyms", "Report symbols that nothing provides (needs -E or -F)"))
        .arg(cli::flag('n', "show", "Print the text files instead of writing files").alias("dry-run"))
        .arg(cli::json().help("With -n, print a JSON document instead of the text files"))
        .arg(cli::value('P', "symbol-prefix", "CHAR", "Ignore this byte at the start of symbol names"))
        .arg(several(cli::value(
            'C',
            "config",
            "PATH",
            "Read this file or directory instead of depmod.d; repeatable",
        )))
        .arg(cli::flag('v', "verbose", "Print more messages").action(ArgAction::Count))
        .arg(cli::flag('w', "warn", "Report duplicate aliases"))
        .arg(cli::value('b', "basedir", "DIR", "Root of the module directory (default: /)"))
        .arg(cli::root_option())
        .arg(cli::value('m', "moduledir", "DIR", "Module directory below that root (default: /lib/modules)"))
        .arg(cli::value('o', "outdir", "DIR", "Root of the output (default: the root of --basedir)"))
        .arg(cli::value('F', "filesyms", "FILE", "Read the kernel's symbols from this System.map"))
        .arg(cli::value(
            'E',
            "symvers",
            "FILE",
            "Read the kernel's symbols and CRCs from this Module.symvers",
        ))
        .arg(cli::value('j', "jobs", "N", "Use N threads (default: one for each processor)"))
        // kmod accepts --c for --config; --cache would make it ambiguous here.
        .mut_arg("config", |config| config.alias("c"))
        .arg(cli::long_value("cache", "DIR", "Directory of the cache (default: /var/cache/modutils)"))
        .arg(cli::long_flag("no-cache", "Read every module, and do not use the cache"))
        .arg(arguments);
    cli::common(command)
}

/// The resolved options.
struct Options {
    run: Run,
    /// Print what would be written instead of writing it.
    show: bool,
    /// Print a JSON document.
    json: bool,
}

/// The default of `--cache`.
const CACHE: &str = "/var/cache/modutils";

fn options(matches: &ArgMatches, report: &mut Report) -> Result<Options, Status> {
    report.set_threshold(match matches.get_count("verbose") {
        0 => Level::Warning,
        1 => Level::Notice,
        2 => Level::Info,
        _ => Level::Debug,
    });
    let symbol_prefix = symbol_prefix(matches, report)?;
    let threads = threads(matches, report)?;
    let [symvers, system_map] = ["symvers", "filesyms"].map(|id| cli::place_of(matches, id));
    let check_symbols = matches.get_flag("errsyms");
    if check_symbols && symvers.is_none() && system_map.is_none() {
        report.warning("-e needs -E or -F");
    }
    let mut root = cli::root_of(matches, "basedir").map_err(|error| report.fail(error.to_string()))?;
    report.use_root(&root);
    let base = cli::place_of(matches, "basedir");
    let base = match root.is_confined() {
        true => base.map(PathBuf::from),
        false => base.map(|directory| cli::from_current_directory(&directory)),
    };
    let base = base.unwrap_or_default();
    if let Some(directory) = cli::place_of(matches, "moduledir") {
        root = root.with_module_directory(directory);
    }
    let (release, files) = release_and_files(matches, &root, report)?;
    let output = cli::place_of(matches, "outdir").map_or_else(|| base.clone(), PathBuf::from);
    // In a root, no link leads out of it.
    if !root.is_confined() {
        warn_of_link(&base, &root.modules(&release), report);
    }
    if output != base && !root.is_confined() {
        warn_of_link(&output, &root.modules_below(&output, &release), report);
    }
    let quick = matches.get_flag("quick");
    let mut config_paths = cli::values_of(matches, "config");
    config_paths.retain(|path| !path.is_empty());

    let mut run = Run::of_release(&root, &release)
        .output(root.modules_below(&output, &release))
        .quick(quick)
        .check_symbols(check_symbols)
        .warn_duplicates(matches.get_flag("warn"))
        .report_needs(matches.get_count("verbose") > 0);
    if !config_paths.is_empty() {
        run = run.config_paths(config_paths.iter().map(|path| root.locate(path)));
    }
    if !files.is_empty() && !matches.get_flag("all") && !quick {
        run = run.files(files.iter().map(|file| root.locate(file)));
    }
    run = match (symvers, system_map) {
        (Some(symvers), _) => run.module_symvers(root.locate(symvers)),
        (None, Some(system_map)) => run.system_map(root.locate(system_map)),
        (None, None) => run,
    };
    if let Some(prefix) = symbol_prefix {
        run = run.symbol_prefix(prefix);
    }
    if let Some(threads) = threads {
        run = run.threads(threads);
    }
    if let Some(directory) = cache(matches) {
        run = run.cache(directory);
    }
    Ok(Options { run, show: matches.get_flag("show"), json: matches.get_flag("json") })
}

/// Writes the indexes, or prints what would be written.
fn make_indexes(options: &Options, report: &mut Report) -> Status {
    let Options { run, show, json } = options;
    if !show {
        let written = run.execute(&RunObserver::new(report));
        return written.map_or_else(|failure| print_failure(report, &failure), |_| Status::Success);
    }
    let preview = match run.preview(&RunObserver::new(report)) {
        Ok(Some(preview)) => preview,
        Ok(None) => return Status::Success,
        Err(failure) => return print_failure(report, &failure),
    };
    match json {
        true => document::print(&preview, report),
        false => preview.texts().for_each(|(_, text)| report.print(text)),
    }
    if !preview.is_complete() {
        return report.fail("not everything could be read: the output is incomplete");
    }
    Status::Success
}

fn print_failure(report: &mut Report, failure: &Failure) -> Status {
    failure.notices().iter().for_each(|notice| report.notice(notice));
    Status::Failure
}

/// Warns if a link leads from below a base directory to a module directory elsewhere: what is meant to be about an image
/// is about the system that makes it, or about another image.
fn warn_of_link(base: &Path, directory: &Path, report: &mut Report) {
    let (Ok(real_base), Ok(real)) = (base.canonicalize(), directory.canonicalize()) else { return };
    if !real.starts_with(&real_base) {
        let (directory, real, base) = (directory.display(), real.display(), base.display());
        report.warning(format!("{directory} is {real}: a link leads out of {base}"));
    }
}

/// `VERSION` and the files after it. Without arguments, the running kernel and no files, which means all.
fn release_and_files(
    matches: &ArgMatches,
    root: &Root,
    report: &mut Report,
) -> Result<(Release, Vec<PathBuf>), Status> {
    let mut arguments = cli::values_of(matches, cli::ARGUMENTS).into_iter();
    let release = match arguments.next() {
        None => Release::running().map_err(|error| report.fail(error.to_string()))?,
        Some(version) if is_version(version.as_encoded_bytes()) || is_installed(root, &version) => {
            Release::new(version)
        }
        Some(other) => {
            let message = [b"Bad version passed ", other.as_encoded_bytes()].concat();
            return Err(report.fail_because(message, bad_version(&other).into()));
        }
    };
    let files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    match files.iter().find(|file| !file.is_absolute()) {
        Some(file) => {
            Err(fatal(report, [file.as_os_str().as_encoded_bytes(), b": not absolute path."].concat()))
        }
        None => Ok((release, files)),
    }
}

/// Whether a word begins like a kernel release: digits, a dot, a digit.
fn is_version(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(word.get(digits..), Some([b'.', digit, ..]) if digit.is_ascii_digit())
}

/// Whether a word is the name of a module directory, whatever it looks like: `linux-custom`.
fn is_installed(root: &Root, word: &OsStr) -> bool {
    let name = word.as_encoded_bytes();
    let is_name = !name.is_empty() && !name.contains(&b'/') && !name.starts_with(b".");
    is_name && root.metadata(root.modules(&Release::new(word))).is_ok_and(|found| found.is_dir())
}

/// What depmod takes, for a caller that passed something else.
fn bad_version(word: &OsStr) -> Vec<String> {
    let mut lines =
        vec!["The first argument is a kernel release, the name of a directory in /lib/modules.".into()];
    if has_module_extension(word.as_encoded_bytes()) {
        lines.push(
            "  For a new module, copy its file below that directory and run depmod without arguments.".into(),
        );
    }
    lines
}

fn symbol_prefix(matches: &ArgMatches, report: &mut Report) -> Result<Option<u8>, Status> {
    let Some(prefix) = cli::value_of(matches, "symbol-prefix") else { return Ok(None) };
    match prefix.as_encoded_bytes() {
        [byte] => Ok(Some(*byte)),
        _ => Err(fatal(report, "-P only takes a single char")),
    }
}

/// The number of threads, if one was given.
fn threads(matches: &ArgMatches, report: &mut Report) -> Result<Option<NonZeroUsize>, Status> {
    let Some(jobs) = cli::value_of(matches, "jobs") else { return Ok(None) };
    let number = jobs.to_str().and_then(|jobs| jobs.parse().ok());
    number.map(Some).ok_or_else(|| fatal(report, "-j takes a number of threads, at least 1"))
}

/// The cache's directory. There is none by default for another root, which is often a temporary tree or an
/// image. A cache must be owned by root, so other users have none.
fn cache(matches: &ArgMatches) -> Option<PathBuf> {
    if matches.get_flag("no-cache") || !nix::unistd::geteuid().is_root() {
        return None;
    }
    if let Some(directory) = cli::place_of(matches, "cache") {
        return Some(cli::from_current_directory(&directory));
    }
    let elsewhere = ["basedir", "outdir", "root"].iter().any(|id| cli::place_of(matches, id).is_some());
    (!elsewhere).then(|| CACHE.into())
}

fn fatal(report: &mut Report, message: impl Into<bstr::BString>) -> Status {
    report.fatal(message);
    Status::Failure
}
