//! `kmod check`: whether a kernel would take a module, or all modules installed for it, without
//! loading anything. Exit code 0: it would; 1: it would not, with the reasons; 2: that cannot be told,
//! with what would have to be known.

mod document;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use bstr::BString;
use clap::{Arg, ArgMatches};
use modutils::{
    Context, Error, Level, ModuleName, Release, Root,
    config::{DepmodConfig, Family},
    depmod::{self, TreeFile},
    diagnose::{
        check::{
            one,
            tree::{Outcome, Target, Tree, Verdict},
        },
        refusal::{examine::Counts, subject::Subject, text},
        words::shown,
    },
    lookup,
};

use document::{Checked, Item};

use crate::{
    Invocation, cli, explain,
    json::{Document, Text},
    parameters,
    progress::Progress,
    report::Report,
    why,
};

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    report.set_threshold(Level::Error);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    match act(&options, &mut report) {
        Outcome::WouldLoad => report.finish(true),
        Outcome::WouldNot => report.finish(false),
        Outcome::CannotTell => report.finish_with(ExitCode::from(2)),
    }
}

/// The command line's description.
pub(super) fn command() -> clap::Command {
    cli::common(
        cli::command("check", "Tell whether a kernel would take a module, without loading it")
            .arg(cli::arguments("MODULE-OR-FILE [PARAMETER]..."))
            .arg(cli::flag('a', "all", "Check all modules installed for the kernel"))
            .arg(cli::value('S', "set-version", "VERSION", "For this kernel, not the running one"))
            .arg(cli::value('d', "dirname", "DIR", "Look for module directories below DIR").alias("basedir"))
            .arg(jobs())
            .arg(cli::json())
            .arg(cli::flag('v', "verbose", "With --all, also list the modules that would load")),
    )
}

fn jobs() -> Arg {
    cli::value('j', "jobs", "NUMBER", "How many threads read modules (default: one on each processor)")
        .value_parser(clap::value_parser!(usize))
}

fn act(options: &ArgMatches, report: &mut Report) -> Outcome {
    let running = Release::running();
    let given = cli::value_of(options, "set-version").map(Release::new);
    let directory = cli::value_of(options, "dirname").filter(|directory| !directory.is_empty());
    let release = match given.clone().map_or_else(Release::running, Ok) {
        Ok(release) => release,
        Err(error) => return refuse(report, &error.to_string()),
    };
    // Another root's kernel of the same release is another kernel.
    let is_running = directory.is_none() && running.is_ok_and(|running| running == release);
    let root = match directory {
        Some(directory) => Root::default().with_base(cli::from_current_directory(&directory)),
        None => Root::default(),
    };
    let threads = options.get_one::<usize>("jobs").copied().unwrap_or_default();
    let target = Target { root: &root, release: &release, is_running, threads };
    let json = options.get_flag("json");
    let arguments = cli::values_of(options, cli::ARGUMENTS);
    match arguments.split_first() {
        _ if options.get_flag("all") => all(&target, options.get_flag("verbose"), json, report),
        Some((module, given)) => {
            one(&target, &cli::bytes(module.clone()), &parameters::join(given), json, report)
        }
        None => refuse(report, "missing module, or --all. See -h."),
    }
}

fn refuse(report: &mut Report, message: &str) -> Outcome {
    report.error(message);
    Outcome::WouldNot
}

/// Checks one module.
fn one(target: &Target, module: &[u8], parameters: &[u8], json: bool, report: &mut Report) -> Outcome {
    let checked = checked(target, module, parameters, report);
    if json {
        let mut document = begin(target, report);
        if let Some(checked) = &checked {
            document.item(&Item::from(checked), report);
        }
        document.end(report);
    } else if let Some(checked) = &checked {
        report.print_line(told(checked));
        parameters_of(checked, report);
        if checked.subject.is_some() {
            report.print_line(format!("  symbols: {}", counted(&checked.verdict.counts)));
        }
    }
    checked.map_or(Outcome::WouldNot, |checked| checked.verdict.outcome())
}

/// What comes out for one module; `None` where it has been said that there is none.
fn checked(target: &Target, module: &[u8], parameters: &[u8], report: &mut Report) -> Option<Checked> {
    let title = BString::from(module);
    let Some(path) = file_of(target, module, report)? else {
        let (name, verdict) = (ModuleName::new(module), Verdict::built_in());
        return Some(Checked { name, title, path: None, subject: None, verdict });
    };
    let subject = match Subject::open(&path) {
        Ok(subject) => subject,
        Err(error) if error.is_not_found() => {
            report.error(error.to_string());
            return None;
        }
        Err(error) => {
            let name = ModuleName::from_path(&path).unwrap_or_else(|| ModuleName::new(module));
            let verdict = Verdict::unread(&error);
            return Some(Checked { name, title, path: Some(path), subject: None, verdict });
        }
    };
    let mut notices = Vec::new();
    let verdict = one::one(target, &subject, parameters, || {
        files(target, &mut |notice| notices.push(notice)).unwrap_or_default()
    });
    notices.iter().for_each(|notice| report.notice(notice));
    let name = subject.name.clone();
    Some(Checked { title: name.as_bytes().into(), name, path: Some(path), subject: Some(subject), verdict })
}

/// The parameters that the module has, where one that it was given is none of them or is refused.
fn parameters_of(checked: &Checked, report: &mut Report) {
    let Some(subject) = &checked.subject else { return };
    if has_bad_parameters(&checked.verdict) && !subject.parameters.is_empty() {
        report.print_line("  It has these parameters:");
        text::parameters(subject).iter().for_each(|line| report.print_line(format!("    {line}")));
    }
}

/// A module's file; the inner `None` for a module that is part of the kernel. The outer one: it has been
/// said that there is none.
fn file_of(target: &Target, module: &[u8], report: &mut Report) -> Option<Option<PathBuf>> {
    let path = PathBuf::from(cli::os_str(module));
    if module.contains(&b'/') || path.is_file() {
        return Some(Some(path));
    }
    let context = Context::without_configuration(target.root.clone(), target.release);
    let found = lookup::lookup(&context, module).and_then(|candidates| {
        let known = lookup::gather(&context, &candidates)?;
        let facts = candidates.first().and_then(|candidate| known.modules.get(&candidate.module));
        Ok(facts.filter(|facts| facts.file.is_some() || facts.builtin).map(|facts| facts.file.clone()))
    });
    let error = match found {
        Ok(Some(file)) => return Some(file),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    let directory = context.indexes().directory().as_os_str().as_encoded_bytes();
    let why = explain::not_found(&context, module, error.as_ref(), report);
    report.error([b"Module ", module, b" not found in directory ", directory, why.as_bytes()].concat());
    None
}

fn has_bad_parameters(verdict: &Verdict) -> bool {
    use modutils::diagnose::refusal::cause::{Cause, Note};
    verdict.notes.iter().any(|note| matches!(note, Note::UnknownParameter { .. }))
        || verdict.findings.iter().any(|finding| matches!(finding.cause, Cause::Value { .. }))
}

/// All module files of the kernel, as depmod would list them.
fn files(target: &Target, sink: &mut modutils::Sink) -> modutils::Result<Vec<TreeFile>> {
    let config = DepmodConfig::load(&Family::Depmod.directories(target.root), target.release, sink);
    depmod::tree(&target.root.modules(target.release), &config, sink)
}

/// Checks all, and sums up.
fn all(target: &Target, verbose: bool, json: bool, report: &mut Report) -> Outcome {
    let files = match files(target, &mut |notice| report.notice(&notice)) {
        Ok(files) => files,
        Err(error) => return refuse(report, &format!("{error}{}", no_directory(target, &error, report))),
    };
    let progress = Progress::new("modules read", files.len());
    let tree = Tree::read(target, &files, &|| progress.step());
    drop(progress);
    let source = tree.view.table.as_ref().map(|table| table.source.as_path());
    let verdicts = tree.examine(target.threads);
    let members = tree.members.into_iter().zip(files.iter().zip(verdicts));
    let checked = members.map(|(member, (file, verdict))| Checked {
        name: member.facts.as_ref().map_or(member.name, |subject| subject.name.clone()),
        title: file.listed.clone(),
        path: Some(file.path.clone()),
        subject: member.facts.ok(),
        verdict,
    });
    let mut document = json.then(|| begin(target, report));
    let mut summary = Summary::default();
    for checked in checked {
        summary.add(&checked.verdict);
        match &mut document {
            Some(document) => document.item(&Item::from(&checked), report),
            None if verbose || checked.verdict.outcome() != Outcome::WouldLoad => {
                report.print_line(told(&checked));
            }
            None => {}
        }
    }
    match document {
        Some(document) => document.end(report),
        None => summary.print(target, source, report),
    }
    // What the walk could not read may be a module that would not load.
    match summary.outcome() {
        Outcome::WouldLoad if report.is_incomplete() => Outcome::CannotTell,
        outcome => outcome,
    }
}

/// Why a kernel has no module directory.
fn no_directory(target: &Target, error: &Error, report: &Report) -> String {
    if !error.is_not_found() {
        return String::new();
    }
    let context = Context::without_configuration(target.root.clone(), target.release);
    explain::not_found(&context, b"", None, report)
}

fn begin(target: &Target, report: &mut Report) -> Document {
    Document::begin_about(
        "check",
        "kmod",
        &[("release", Text(target.release.as_os_str().as_encoded_bytes()))],
        "modules",
        report,
    )
}

/// How many modules came out how, and what their symbols were verified by.
#[derive(Default)]
struct Summary {
    would: usize,
    would_not: usize,
    cannot_tell: usize,
    counts: Counts,
}

impl Summary {
    fn add(&mut self, verdict: &Verdict) {
        self.counts.add(&verdict.counts);
        match verdict.outcome() {
            Outcome::WouldLoad => self.would += 1,
            Outcome::WouldNot => self.would_not += 1,
            Outcome::CannotTell => self.cannot_tell += 1,
        }
    }

    fn print(&self, target: &Target, source: Option<&Path>, report: &mut Report) {
        let Self { would, would_not, cannot_tell, counts } = self;
        report.print_line(format!(
            "{} modules for {}: {would} would load, {would_not} would not, {cannot_tell} cannot be told",
            would + would_not + cannot_tell,
            shown(target.release.as_os_str().as_encoded_bytes())
        ));
        report.print_line(format!("symbols: {}", counted(counts)));
        if let Some(source) = source {
            report
                .print_line(format!("the kernel's own by {}", shown(source.as_os_str().as_encoded_bytes())));
        }
    }

    /// That of the worst.
    fn outcome(&self) -> Outcome {
        match (self.would_not, self.cannot_tell) {
            (0, 0) => Outcome::WouldLoad,
            (0, _) => Outcome::CannotTell,
            _ => Outcome::WouldNot,
        }
    }
}

/// A module, how it would go, and why.
fn told(checked: &Checked) -> String {
    let Checked { title, subject, verdict, .. } = checked;
    let outcome = match verdict.outcome() {
        Outcome::WouldLoad => "would load",
        Outcome::WouldNot => "would not load",
        Outcome::CannotTell => "cannot be told",
    };
    let mut lines = text::findings(subject.as_ref(), &verdict.findings);
    lines.extend(text::gaps(&verdict.gaps));
    lines.extend(verdict.notes.iter().map(text::note));
    format!("{}: {outcome}{}", shown(title), why::indented(&lines))
}

fn counted(counts: &Counts) -> String {
    let Counts { listed, exported, agreed, of_build, unverified } = counts;
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
