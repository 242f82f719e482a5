//! `depmod`: make the module indexes of a kernel.

mod document;

use std::{
    io::ErrorKind,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
    thread,
};

use clap::{ArgAction, ArgMatches, Command};
use modutils::{
    Error, Level, Notice, Release, Root,
    config::{DepmodConfig, Family},
    depmod::{
        self, Analysis, Checks, TreeFile,
        cache::{self, Known, Store},
        cycles::Cycles,
        facts::Facts,
        graph::Check,
        output::{self, OutputFile, Sources},
        quick,
        stamp::Stamp,
        symvers::{self, Source},
        write::OutputDirectory,
    },
};

use crate::{Invocation, cli, progress::Progress, report::Report, startup};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"depmod", Level::Warning);
    let matches = match cli::parse(command(), invocation, &mut report) {
        Ok(matches) => matches,
        Err(done) => return report.finish(done),
    };
    let done = options(&matches, &mut report).and_then(|options| make_indexes(&options, &mut report));
    report.finish(done.is_ok())
}

/// Ends the run: why has been told.
struct Failed;

/// The command line's description, for the tests and the completions.
pub fn command() -> Command {
    let arguments = cli::arguments("VERSION [FILE]...");
    let several = |arg: clap::Arg| arg.action(ArgAction::Append);
    let command = cli::command("depmod", "Make the module indexes of a kernel")
        .arg(cli::flag('a', "all", "Read all modules; so it is when no files are given"))
        .arg(cli::flag('A', "quick", "Do nothing unless a module was added, removed or changed"))
        .arg(cli::flag('e', "errsyms", "Tell symbols that nothing provides (with -E or -F)"))
        .arg(cli::flag('n', "show", "Print the text files instead of writing any").alias("dry-run"))
        .arg(cli::json().help("With -n, print a JSON document instead of the text files"))
        .arg(cli::value('P', "symbol-prefix", "CHAR", "Ignore this byte at the front of symbols"))
        .arg(several(cli::value('C', "config", "PATH", "Configuration instead of the usual; repeatable")))
        .arg(cli::flag('v', "verbose", "Tell more").action(ArgAction::Count))
        .arg(cli::flag('w', "warn", "Tell duplicate aliases"))
        .arg(cli::value('b', "basedir", "DIR", "Root of the module directory (default: /)"))
        .arg(cli::value('m', "moduledir", "DIR", "Module directory below it (default: /lib/modules)"))
        .arg(cli::value('o', "outdir", "DIR", "Root of the output (default: that of --basedir)"))
        .arg(cli::value('F', "filesyms", "FILE", "The kernel's symbols from its System.map"))
        .arg(cli::value('E', "symvers", "FILE", "The kernel's symbols and CRCs from its Module.symvers"))
        .arg(cli::value('j', "jobs", "N", "Use so many threads (default: one for each processor)"))
        // kmod's users abbreviate --config so.
        .mut_arg("config", |config| config.alias("c"))
        .arg(cli::long_value("cache", "DIR", "Keep what modules say here (default: /var/cache/modutils)"))
        .arg(cli::long_flag("no-cache", "Read every module, and keep nothing"))
        .arg(arguments);
    cli::common(command)
}

/// The options, made sense of.
struct Options {
    /// The module directory of the kernel in question.
    directory: PathBuf,
    /// Where the files go.
    output: PathBuf,
    /// Print them instead.
    show: bool,
    /// Print them as a document.
    json: bool,
    config: DepmodConfig,
    /// The modules named; `None` for all.
    files: Option<Vec<PathBuf>>,
    quick: bool,
    kernel_symbols: Option<(Source, PathBuf)>,
    symbol_prefix: Option<u8>,
    check: Check,
    warn_duplicates: bool,
    /// Print which module needs which symbol of which other.
    tell_needs: bool,
    threads: NonZeroUsize,
    /// Where to keep what modules say, for the next run.
    cache: Option<PathBuf>,
}

/// Where facts are kept unless `--cache` says otherwise.
const CACHE: &str = "/var/cache/modutils";

fn options(matches: &ArgMatches, report: &mut Report) -> Result<Options, Failed> {
    report.set_threshold(match matches.get_count("verbose") {
        0 => Level::Warning,
        1 => Level::Notice,
        2 => Level::Info,
        _ => Level::Debug,
    });
    let symbol_prefix = symbol_prefix(matches, report)?;
    let kernel_symbols = [("symvers", Source::Symvers), ("filesyms", Source::SystemMap)]
        .into_iter()
        .find_map(|(id, source)| Some((source, cli::value_of(matches, id)?.into())));
    let threads = threads(matches, report)?;
    let check = check(matches.get_flag("errsyms"), kernel_symbols.as_ref(), report);
    let (release, files) = release_and_files(matches, report)?;

    let base = cli::value_of(matches, "basedir");
    let base = base.map(|directory| cli::from_current_directory(&directory)).unwrap_or_default();
    let mut root = Root::default().with_base(&base);
    if let Some(directory) = cli::value_of(matches, "moduledir") {
        root = root.with_module_directory(directory);
    }
    let output = cli::value_of(matches, "outdir").map_or_else(|| base.clone(), PathBuf::from);
    let quick = matches.get_flag("quick");
    let config_paths: Vec<PathBuf> =
        cli::values_of(matches, "config").into_iter().map(PathBuf::from).collect();
    let config_paths = if config_paths.is_empty() { Family::Depmod.directories(&root) } else { config_paths };
    let mut config = DepmodConfig::load(&config_paths, &release, &mut |notice| report.notice(&notice));
    for external in &mut config.externals {
        *external = cli::from_current_directory(external.as_os_str());
    }
    let files = Some(files).filter(|files| !files.is_empty() && !matches.get_flag("all") && !quick);
    let cache = cache(matches).filter(|_| files.is_none());
    Ok(Options {
        directory: root.modules(&release),
        output: root.modules_below(&output, &release),
        show: matches.get_flag("show"),
        json: matches.get_flag("json"),
        config,
        files,
        quick,
        kernel_symbols,
        symbol_prefix,
        check,
        warn_duplicates: matches.get_flag("warn"),
        tell_needs: matches.get_count("verbose") > 0,
        threads,
        cache,
    })
}

/// The recipe.
fn make_indexes(options: &Options, report: &mut Report) -> Result<(), Failed> {
    // Locked before anything is read: whoever writes last has also read last.
    let output = lock(options, report)?;
    let store = output.as_ref().and_then(|_| open_cache(options, report));
    let kept = OnceLock::new();
    let known = |_| {
        let Some(store) = &store else { return Known::default() };
        let mut known =
            Known::parse(kept.get_or_init(|| store.bytes(&options.directory)), &options.directory);
        known.look();
        known
    };
    let (known, files) = depmod::beside(options.threads, &known, |_| find_modules(options, report));
    let files = files?;
    if options.quick
        && quick::is_current(&files, &options.output)
        && !files.iter().any(|file| known.has_changed(file))
    {
        return Ok(());
    }
    let (facts, stamps) = read_facts(&files, &known, options, report);
    let kernel_symbols = read_kernel_symbols(options, report)?;
    let checks = Checks {
        kernel_symbols: &kernel_symbols,
        symbol_prefix: options.symbol_prefix,
        check: options.check,
    };
    if options.tell_needs {
        // Before anything can go wrong with cycles: these lines tell which symbols make them.
        depmod::tell_needs(&files, &facts, &checks, |user, symbol, owner| {
            let (user, owner) = (path_bytes(&user.path), path_bytes(&owner.path));
            report.print([user, b" needs \"", symbol, b"\": ", owner, b"\n"].concat());
        });
    }
    let Some(output) = output else {
        let analysed = depmod::analyse(&files, &facts, &checks, &mut |notice| report.notice(&notice));
        let analysis = analysed.map_err(|cycles| tell_cycles(&cycles, &files, report))?;
        return print(&analysis, options, report);
    };
    // What needs no graph is made beside it.
    let directory = &options.directory;
    let sources =
        Sources { files: &files, facts: &facts, directory, warn_duplicates: options.warn_duplicates };
    let of_facts = |threads| {
        let cached = store.as_ref().and_then(|_| cache::prepare(&known, directory, &files, &facts, &stamps));
        (cached, output::of_facts(&sources, threads))
    };
    let ((cached, of_facts), of_graph) = depmod::beside(options.threads, &of_facts, |threads| {
        let analysed = depmod::analyse(&files, &facts, &checks, &mut |notice| report.notice(&notice));
        analysed.map(|analysis| output::of_graph(&analysis, threads))
    });
    let of_graph = of_graph.map_err(|cycles| tell_cycles(&cycles, &files, report))?;
    let made = output::all([of_facts, of_graph], directory, &mut |notice| report.notice(&notice));
    write(made.map_err(|error| tell(report, &error))?, &output, report)?;
    // Last: what is kept must not tell -A of a file that the indexes do not know.
    let kept = store.map(|store| cache::keep(&store, directory, cached));
    if let Some(Err(error)) = kept {
        report.notice(&Notice::new(Level::Debug, error.to_string()));
    }
    Ok(())
}

/// Prints the text files, or a document, in place of writing any.
fn print(analysis: &Analysis<'_>, options: &Options, report: &mut Report) -> Result<(), Failed> {
    let texts = output::texts(analysis, &mut |notice| report.notice(&notice));
    match options.json && options.show {
        true => document::print(analysis, &texts, report),
        false => texts.iter().for_each(|text| report.print(&text.bytes)),
    }
    if report.is_incomplete() { Err(incomplete("this is not all", report)) } else { Ok(()) }
}

/// Locks the output directory, unless there is none or the module directory is not there: then
/// nothing is to be made.
fn lock(options: &Options, report: &mut Report) -> Result<Option<OutputDirectory>, Failed> {
    let missing =
        || matches!(std::fs::metadata(&options.directory), Err(error) if error.kind() == ErrorKind::NotFound);
    if options.show || (options.files.is_none() && missing()) {
        return Ok(None);
    }
    let locked = OutputDirectory::lock(&options.output, &mut |notice| report.notice(&notice));
    locked.map(Some).map_err(|error| tell(report, &error))
}

/// The cache; where it cannot be had, that is nothing to be told but to those who ask for all.
fn open_cache(options: &Options, report: &mut Report) -> Option<Store> {
    let opened = Store::open(options.cache.as_deref()?);
    opened.map_err(|error| report.notice(&Notice::new(Level::Debug, error.to_string()))).ok()
}

fn find_modules(options: &Options, report: &mut Report) -> Result<Vec<TreeFile>, Failed> {
    if let Some(files) = &options.files {
        let named = depmod::named(&options.directory, files, &mut |notice| report.notice(&notice));
        return named.map_err(|error| fatal(report, error.to_string()));
    }
    let tree = depmod::tree(&options.directory, &options.config, &mut |notice| report.notice(&notice));
    tree.map_err(|error| {
        let cause = cause(&error);
        tell(report, &error);
        fatal(report, format!("could not search modules: {cause}"))
    })
}

/// Reads all modules, behind a bar where that takes long. What is to be told is told after it.
fn read_facts<'a>(
    files: &[TreeFile],
    known: &Known<'a>,
    options: &Options,
    report: &mut Report,
) -> (Vec<Facts<'a>>, Vec<Option<Stamp>>) {
    let progress = Progress::new("modules read", files.len());
    let mut notices = Vec::new();
    let facts = depmod::read_facts(files, known, options.threads, &|| progress.step(), &mut |notice| {
        notices.push(notice);
    });
    drop(progress);
    notices.iter().for_each(|notice| report.notice(notice));
    facts
}

fn read_kernel_symbols(options: &Options, report: &mut Report) -> Result<Vec<(Vec<u8>, u64)>, Failed> {
    let Some((source, path)) = &options.kernel_symbols else { return Ok(Vec::new()) };
    let symbols = symvers::read(*source, path, options.symbol_prefix, &mut |notice| report.notice(&notice));
    symbols.map_err(|error| fatal(report, format!("could not load {}: {}", path.display(), cause(&error))))
}

/// Writes the files, those with the dependencies last: whoever sees them new sees all new.
fn write(mut files: Vec<OutputFile>, output: &OutputDirectory, report: &mut Report) -> Result<(), Failed> {
    output::in_order_of_replacement(&mut files);
    if report.is_incomplete() {
        return Err(incomplete("nothing is written", report));
    }
    let held = startup::HeldSignals::hold();
    let written = output.write(&files, &|| held.has_come(), &mut |notice| report.notice(&notice));
    held.let_go();
    written.map_err(|error| tell(report, &error))
}

/// What could not be read has been told: indexes that lack it would pass for whole ones.
fn incomplete(consequence: &str, report: &mut Report) -> Failed {
    report.error(format!("not everything could be read: {consequence}"));
    Failed
}

fn tell_cycles(cycles: &Cycles, files: &[TreeFile], report: &mut Report) -> Failed {
    for cycle in &cycles.cycles {
        let names = cycle.iter().chain(cycle.first()).filter_map(|&module| files.get(module as usize));
        let names: Vec<&[u8]> = names.map(|file| file.name.as_bytes()).collect();
        report.error([&b"Cycle detected: "[..], &names.join(&b" -> "[..])].concat());
    }
    report.error(format!("Found {} modules in dependency cycles!", cycles.modules));
    Failed
}

/// `VERSION` and the files after it; without arguments the running kernel and all files.
fn release_and_files(matches: &ArgMatches, report: &mut Report) -> Result<(Release, Vec<PathBuf>), Failed> {
    let mut arguments = cli::values_of(matches, cli::ARGUMENTS).into_iter();
    let release = match arguments.next() {
        None => Release::running().map_err(|error| tell(report, &error))?,
        Some(version) if is_version(version.as_encoded_bytes()) => Release::new(version),
        Some(other) => {
            report.error([b"Bad version passed ", other.as_encoded_bytes()].concat());
            return Err(Failed);
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

/// Whether a word begins as a kernel's version does: two numbers with a dot between them.
fn is_version(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(word.get(digits..), Some([b'.', digit, ..]) if digit.is_ascii_digit())
}

fn symbol_prefix(matches: &ArgMatches, report: &mut Report) -> Result<Option<u8>, Failed> {
    let Some(prefix) = cli::value_of(matches, "symbol-prefix") else { return Ok(None) };
    match prefix.as_encoded_bytes() {
        [byte] => Ok(Some(*byte)),
        _ => Err(fatal(report, "-P only takes a single char")),
    }
}

/// As many threads as asked for, or as there are processors for us.
fn threads(matches: &ArgMatches, report: &mut Report) -> Result<NonZeroUsize, Failed> {
    let Some(jobs) = cli::value_of(matches, "jobs") else {
        return Ok(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
    };
    let number = jobs.to_str().and_then(|jobs| jobs.parse().ok());
    number.ok_or_else(|| fatal(report, "-j takes a number of threads, at least 1"))
}

/// Where facts are kept. Below another root they are only where that is asked for: one-time trees and
/// images are made there. A cache must be root's, so that others have none.
fn cache(matches: &ArgMatches) -> Option<PathBuf> {
    if matches.get_flag("no-cache") || !nix::unistd::geteuid().is_root() {
        return None;
    }
    if let Some(directory) = cli::value_of(matches, "cache") {
        return Some(cli::from_current_directory(&directory));
    }
    let elsewhere = ["basedir", "outdir"].iter().any(|id| cli::value_of(matches, id).is_some());
    (!elsewhere).then(|| CACHE.into())
}

fn check(wanted: bool, kernel_symbols: Option<&(Source, PathBuf)>, report: &mut Report) -> Check {
    match kernel_symbols {
        Some((Source::Symvers, _)) if wanted => Check::UnknownAndVersions,
        Some((Source::SystemMap, _)) if wanted => Check::Unknown,
        None if wanted => {
            report.warning("-e needs -E or -F");
            Check::Nothing
        }
        _ => Check::Nothing,
    }
}

fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

fn cause(error: &Error) -> String {
    match error {
        Error::Io { source, .. } => modutils::error_text(source),
        other => other.to_string(),
    }
}

fn tell(report: &mut Report, error: &Error) -> Failed {
    report.error(error.to_string());
    Failed
}

fn fatal(report: &mut Report, message: impl Into<bstr::BString>) -> Failed {
    report.fatal(message);
    Failed
}
