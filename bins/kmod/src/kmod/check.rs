//! `kmod check`: whether a kernel would load a module, or all modules installed for it, without loading
//! anything. Exit code 0: it would; 1: it would not, with the reasons; 2: unknown, with the missing
//! information.

mod document;

use std::{
    process::ExitCode,
    sync::mpsc::{self, Receiver},
};

use clap::{Arg, ArgMatches};
use modutils::{
    Context, Error, Level, Notice, Release, Root,
    diagnose::{
        Finding,
        check::{Check, Counts, Prediction, TreeVerdict, Verdict},
        printable,
    },
};

use document::VerdictItem;

use crate::{
    Invocation,
    cause::{Cause, failed_request},
    cli,
    json::{Document, Text},
    parameters,
    progress::Progress,
    report::Report,
    status::Status,
};

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    report.set_threshold(Level::Error);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    match check(&options, &mut report) {
        Prediction::WouldLoad => report.finish(Status::Success),
        Prediction::WouldNotLoad => report.finish(Status::Failure),
        _ => report.finish(ExitCode::from(2)),
    }
}

/// The command line's description.
pub(super) fn command() -> clap::Command {
    cli::common(
        cli::command("check", "Check whether a kernel would load a module, without loading it")
            .arg(cli::arguments("MODULE-OR-FILE [PARAMETER]..."))
            .arg(cli::flag('a', "all", "Check all modules installed for the kernel"))
            .arg(cli::value(
                'S',
                "set-version",
                "VERSION",
                "Use this kernel release instead of the running one",
            ))
            .arg(cli::value('d', "dirname", "DIR", "Use the module directories below DIR").alias("basedir"))
            .arg(cli::root_option())
            .arg(jobs())
            .arg(cli::json())
            .arg(cli::flag('v', "verbose", "With --all, also list the modules that would load")),
    )
}

fn jobs() -> Arg {
    cli::value('j', "jobs", "NUMBER", "Read modules with this many threads (default: one for each processor)")
        .value_parser(clap::value_parser!(usize))
}

/// The kernel that modules are checked against.
struct TargetKernel {
    context: Context,
    release: Release,
    check: Check,
    /// Notices of the check about the tree.
    notices: Receiver<Notice>,
}

impl TargetKernel {
    fn new(root: Root, release: Release, threads: usize) -> modutils::Result<Self> {
        let (sender, notices) = mpsc::channel();
        let check = Check::new(root.clone(), release.clone()).threads(threads);
        // The receiver is gone once this is dropped.
        let check = check.on_notice(move |notice| drop(sender.send(notice)));
        let context =
            Context::builder().root(root).release(release.clone()).without_configuration().build()?;
        Ok(Self { context, release, check, notices })
    }

    fn report_notices(&self, report: &mut Report) {
        self.notices.try_iter().for_each(|notice| report.notice(&notice));
    }
}

fn check(options: &ArgMatches, report: &mut Report) -> Prediction {
    let given = cli::place_of(options, "set-version").map(Release::new);
    let release = match given.map_or_else(Release::running, Ok) {
        Ok(release) => release,
        Err(error) => return cannot_check(report, &error.to_string()),
    };
    let root = match cli::root_of(options, "dirname") {
        Ok(root) => root,
        Err(error) => return cannot_check(report, &error.to_string()),
    };
    report.use_root(&root);
    let threads = options.get_one::<usize>("jobs").copied().unwrap_or_default();
    let target = match TargetKernel::new(root, release, threads) {
        Ok(target) => target,
        Err(error) => return cannot_check(report, &error.to_string()),
    };
    let json = options.get_flag("json");
    let arguments = cli::values_of(options, cli::ARGUMENTS);
    match arguments.split_first() {
        _ if options.get_flag("all") => check_all(&target, options.get_flag("verbose"), json, report),
        Some((module, given)) => {
            let module = cli::bytes(module.clone());
            let given = parameters::join(given, || parameter_names(&target, &module));
            check_one(&target, &module, &given, json, report)
        }
        None => cannot_check(report, "missing module, or --all. See -h."),
    }
}

/// The parameters of the module that an argument names; none if it cannot be read.
fn parameter_names(target: &TargetKernel, module: &[u8]) -> Vec<Vec<u8>> {
    let root = target.context.root();
    let path = root.locate(cli::os_str(module));
    let found = match module.contains(&b'/') || cli::is_file(&path, root) {
        true => target.context.module_in_file(&path).ok(),
        false => target.context.lookup(module).ok().and_then(|found| found.into_iter().next()),
    };
    parameters::names_of(found.as_ref())
}

fn cannot_check(report: &mut Report, message: &str) -> Prediction {
    report.error(message);
    Prediction::WouldNotLoad
}

/// Checks one module.
fn check_one(
    target: &TargetKernel,
    module: &[u8],
    parameters: &[u8],
    json: bool,
    report: &mut Report,
) -> Prediction {
    let verdict = verdict(target, module, parameters, report);
    if json {
        let mut document = begin_document(target, report);
        if let Some(verdict) = &verdict {
            document.item(&VerdictItem::from(verdict), report);
        }
        document.end(report);
    } else if let Some(verdict) = &verdict {
        let title = if verdict.is_examined() { verdict.module().as_bytes() } else { module };
        print_verdict(title, verdict, report);
        if !verdict.parameters().is_empty() {
            report.print_own_line("  It has these parameters:");
            verdict.parameters().iter().for_each(|line| report.print_own_line(format!("    {line}")));
        }
        if verdict.is_examined() {
            report.print_own_line(format!("  symbols: {}", symbol_counts_text(&verdict.counts())));
        }
    }
    verdict.map_or(Prediction::WouldNotLoad, |verdict| verdict.outcome())
}

/// The verdict on one module, by file or name; `None` after reporting that it does not exist.
fn verdict(target: &TargetKernel, module: &[u8], parameters: &[u8], report: &mut Report) -> Option<Verdict> {
    let root = target.context.root();
    let path = root.locate(cli::os_str(module));
    let verdict = if module.contains(&b'/') || cli::is_file(&path, root) {
        target.check.file(&path, parameters).map(Some)
    } else {
        target.check.module(module, parameters)
    };
    target.report_notices(report);
    let error = match verdict {
        Ok(Some(verdict)) => return Some(verdict),
        Ok(None) => None,
        // The file does not exist.
        Err(error) if error.is_not_found() => {
            report.error(error.to_string());
            return None;
        }
        Err(error) => Some(error),
    };
    let directory = target.context.directory().as_os_str().as_encoded_bytes();
    let why = failed_request::not_found(&target.context, module, error.as_ref(), report);
    let message = [b"Module ", module, b" not found in directory ", directory].concat();
    report.notice_because(&Notice::error(message), why);
    None
}

/// Checks all modules, and prints a summary.
fn check_all(target: &TargetKernel, verbose: bool, json: bool, report: &mut Report) -> Prediction {
    let tree = target.check.tree();
    target.report_notices(report);
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => {
            let why = no_directory(target, &error, report);
            let _ = report.fail_because(error.to_string(), why);
            return Prediction::WouldNotLoad;
        }
    };
    let progress = Progress::new("modules read", tree.len());
    let found = tree.examine(&|| progress.step());
    drop(progress);
    let mut document = json.then(|| begin_document(target, report));
    if !json && !found.obstacles().is_empty() {
        print_below("At present no module can be loaded:", &obstacles(&found), report);
    }
    for verdict in found.verdicts() {
        match &mut document {
            Some(document) => document.item(&VerdictItem::from(verdict), report),
            None if verbose || verdict.outcome() != Prediction::WouldLoad => {
                print_verdict(verdict.listed().unwrap_or_default(), verdict, report);
            }
            None => {}
        }
    }
    match document {
        Some(document) => document.end(report),
        None => print_summary(target, &found, report),
    }
    found.outcome()
}

/// What keeps all modules out, in words.
fn obstacles(found: &TreeVerdict) -> Vec<String> {
    found.obstacles().iter().flat_map(Finding::text).collect()
}

/// The cause, if the kernel has no module directory.
fn no_directory(target: &TargetKernel, error: &Error, report: &Report) -> Cause {
    if !error.is_not_found() {
        return Cause::default();
    }
    failed_request::not_found(&target.context, b"", None, report)
}

fn begin_document(target: &TargetKernel, report: &mut Report) -> Document {
    Document::begin_about(
        "check",
        "kmod",
        &[("release", Text(target.release.as_os_str().as_encoded_bytes()))],
        "modules",
        report,
    )
}

/// Prints the number of modules for each outcome, and how their symbols were verified.
fn print_summary(target: &TargetKernel, found: &TreeVerdict, report: &mut Report) {
    let all = found.verdicts().len();
    let of = |outcome| found.verdicts().iter().filter(|verdict| verdict.outcome() == outcome).count();
    let (would, would_not) = (of(Prediction::WouldLoad), of(Prediction::WouldNotLoad));
    report.print_own_line(format!(
        "{all} modules for {}: {would} would load, {would_not} would not, {} unknown",
        printable(target.release.as_os_str().as_encoded_bytes()),
        all - would - would_not
    ));
    report.print_own_line(format!("symbols: {}", symbol_counts_text(&found.counts())));
    if let Some(list) = found.kernel_list() {
        report.print_own_line(format!(
            "the kernel's own by {}",
            printable(list.as_os_str().as_encoded_bytes())
        ));
    }
}

/// Prints a module, its outcome, and the reasons.
fn print_verdict(title: &[u8], verdict: &Verdict, report: &mut Report) {
    let outcome = match verdict.outcome() {
        Prediction::WouldLoad => "would load",
        Prediction::WouldNotLoad => "would not load",
        _ => "unknown",
    };
    print_below(&format!("{}: {outcome}", printable(title)), &verdict.lines(), report);
}

/// Prints a title and lines below it on standard output.
fn print_below(title: &str, lines: &[String], report: &mut Report) {
    report.print_own_line(title);
    lines.iter().for_each(|line| report.print_own_line(format!("  {line}")));
}

fn symbol_counts_text(counts: &Counts) -> String {
    let Counts { listed, exported, agreed, of_build, unverified, .. } = counts;
    let parts = [
        (*listed, "by the kernel's own list"),
        (*exported, "by the modules that export them"),
        (*agreed, "as other modules of the kernel need them"),
        (*of_build, "as the kernel's own build needs them"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, by)| format!("{count} {by}")).collect();
    let how = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{} verified{how}, {unverified} not", counts.verified())
}
