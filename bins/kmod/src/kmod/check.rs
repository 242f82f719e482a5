//! `kmod check`: whether a kernel would take a module, or all modules installed for it, without
//! loading anything. Exit code 0: it would; 1: it would not, with the reasons; 2: that cannot be told,
//! with what would have to be known.

use std::{path::PathBuf, process::ExitCode};

use clap::{Arg, ArgMatches};
use modutils::{
    Level, Release, Root,
    config::{DepmodConfig, Family},
    depmod::{self, ModuleFile},
    diagnose::{
        check::{self, Target},
        examine::Counts,
        subject::Subject,
        text,
        tree::{Outcome, Tree, Verdict},
    },
    lookup::{self, Context},
};

use crate::{Invocation, cli, parameters, report::Report, why};

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
    let arguments = cli::values_of(options, cli::ARGUMENTS);
    match arguments.split_first() {
        _ if options.get_flag("all") => all(&target, options.get_flag("verbose"), report),
        Some((module, given)) => one(&target, cli::bytes(module.clone()), &parameters::join(given), report),
        None => refuse(report, "missing module, or --all. See -h."),
    }
}

fn refuse(report: &mut Report, message: &str) -> Outcome {
    report.error(message);
    Outcome::WouldNot
}

/// Checks one module.
fn one(target: &Target, module: Vec<u8>, parameters: &[u8], report: &mut Report) -> Outcome {
    let Some(path) = file_of(target, &module, report) else { return Outcome::WouldNot };
    let Some(path) = path else {
        report.print_line(format!("{}: built into the kernel", text::shown(&module)));
        return Outcome::WouldLoad;
    };
    let subject = match Subject::open(&path) {
        Ok(subject) => subject,
        Err(error) => {
            report.print_line(format!("{}: would not load\n  {error}", text::shown(&module)));
            return Outcome::WouldNot;
        }
    };
    let mut notices = Vec::new();
    let verdict = check::one(target, &subject, parameters, || {
        files(target, &mut |notice| notices.push(notice)).unwrap_or_default()
    });
    notices.iter().for_each(|notice| report.notice(notice));
    report.print_line(told(&text::name(&subject.name), Some(&subject), &verdict));
    if has_bad_parameters(&verdict) && !subject.parameters.is_empty() {
        report.print_line("  It has these parameters:");
        text::parameters(&subject).iter().for_each(|line| report.print_line(format!("    {line}")));
    }
    report.print_line(format!("  symbols: {}", counted(&verdict.counts)));
    verdict.outcome()
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
    match found {
        Ok(Some(file)) => return Some(file),
        Ok(None) => {
            let directory = context.indexes.directory().as_os_str().as_encoded_bytes();
            report.error([b"Module ", module, b" not found in directory ", directory].concat());
        }
        Err(error) => report.error(error.to_string()),
    }
    None
}

fn has_bad_parameters(verdict: &Verdict) -> bool {
    use modutils::diagnose::cause::{Cause, Note};
    verdict.notes.iter().any(|note| matches!(note, Note::UnknownParameter { .. }))
        || verdict.findings.iter().any(|finding| matches!(finding.cause, Cause::Value { .. }))
}

/// All module files of the kernel, as depmod would list them.
fn files(target: &Target, sink: &mut modutils::Sink) -> modutils::Result<Vec<ModuleFile>> {
    let config = DepmodConfig::load(&Family::Depmod.directories(target.root), target.release, sink);
    depmod::tree(&target.root.modules(target.release), &config, sink)
}

/// Checks all, and sums up.
fn all(target: &Target, verbose: bool, report: &mut Report) -> Outcome {
    let files = match files(target, &mut |notice| report.notice(&notice)) {
        Ok(files) => files,
        Err(error) => return refuse(report, &error.to_string()),
    };
    let tree = Tree::read(target.root, target.release, &files, target.is_running, target.threads);
    let verdicts = tree.examine(target.threads);
    let mut counts = Counts::default();
    let mut outcomes = [0_usize; 3];
    for (member, (file, verdict)) in tree.members.iter().zip(files.iter().zip(&verdicts)) {
        counts.add(&verdict.counts);
        outcomes[verdict.outcome() as usize] += 1;
        if verbose || verdict.outcome() != Outcome::WouldLoad {
            let name = text::shown(&file.listed);
            report.print_line(told(&name, member.facts.as_ref().ok(), verdict));
        }
    }
    let [would, cannot_tell, would_not] = outcomes;
    report.print_line(format!(
        "{} modules for {}: {would} would load, {would_not} would not, {cannot_tell} cannot be told",
        files.len(),
        text::shown(target.release.as_os_str().as_encoded_bytes())
    ));
    report.print_line(format!("symbols: {}", counted(&counts)));
    if let Some(table) = &tree.view.table {
        report.print_line(format!(
            "the kernel's own by {}",
            text::shown(table.source.as_os_str().as_encoded_bytes())
        ));
    }
    match (would_not, cannot_tell) {
        (0, 0) => Outcome::WouldLoad,
        (0, _) => Outcome::CannotTell,
        _ => Outcome::WouldNot,
    }
}

/// A module, how it would go, and why.
fn told(name: &str, subject: Option<&Subject>, verdict: &Verdict) -> String {
    let outcome = match verdict.outcome() {
        Outcome::WouldLoad => "would load",
        Outcome::WouldNot => "would not load",
        Outcome::CannotTell => "cannot be told",
    };
    let mut lines = text::findings(subject, &verdict.findings);
    lines.extend(text::gaps(&verdict.gaps));
    lines.extend(verdict.notes.iter().map(text::note));
    format!("{name}: {outcome}{}", why::indented(&lines))
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
