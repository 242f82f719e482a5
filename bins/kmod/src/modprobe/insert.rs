//! Loading modules, and printing what would be loaded or which modules a name means.

use std::{collections::HashSet, ffi::OsString, path::Path};

use bstr::{BString, ByteSlice};
use modutils::{
    Errno, Level, Notice,
    kernel::{Event, Execution, Failure, Flow, Mode, Outcome, Refusal, Told, execute, execute_all},
    lookup::{self, Candidate, Known},
    plan::{self, LoadRequest, OnError, Step},
};

use super::{Tool, bytes, deny, document, fatal, options::Action};
use crate::{cli, explain, parameters, report::Report, why::Watch};

/// Loads what the arguments ask for: one module with parameters, or with `--all` many.
pub(super) fn all(tool: &Tool, report: &mut Report) -> bool {
    let mut shown = HashSet::new();
    let arguments = &tool.options.arguments;
    let (names, options) = match arguments.split_first() {
        Some((name, given)) if !tool.options.all => (std::slice::from_ref(name), parameters::join(given)),
        _ => (arguments.as_slice(), BString::default()),
    };
    let request = LoadRequest { options, ignore_commands: tool.options.ignore_commands };
    if tool.options.jobs.get() > 1 && tool.mode() == Mode::Run {
        return at_once(tool, names, &request, report);
    }
    let execution = tool.execution();
    let mut known = Known::default();
    let mut done = true;
    for name in names {
        done &= with_plans(tool, bytes(name), &request, &mut known, report, &mut |target, plan, report| {
            carry_out(tool, &execution, target, &plan, &mut shown, report)
        });
    }
    done
}

/// Loads with several threads: all names are looked up before anything is loaded.
fn at_once(tool: &Tool, names: &[OsString], request: &LoadRequest, report: &mut Report) -> bool {
    let mut known = Known::default();
    let mut done = true;
    let (mut targets, mut plans) = (Vec::new(), Vec::new());
    for name in names {
        done &= with_plans(tool, bytes(name), request, &mut known, report, &mut |target, plan, _| {
            targets.push(target.clone());
            plans.push(plan);
            true
        });
    }
    let mut shown = HashSet::new();
    let mut watch = Watch::begin(tool.context.root(), true);
    let _keyboard = tool.keyboard_for(&plans);
    execute_all(&tool.kernel, &plans, &tool.execution(), tool.options.jobs, &mut |place, told| {
        let target = &targets[place];
        match told {
            Told::Event(event) => tell(tool, target, &event, &mut shown, &mut watch, report),
            Told::Ended(outcome) => done &= is_well(tool, target, outcome, report),
        }
    });
    done
}

/// Makes a plan for each module that a name means, unless it is blacklisted, and hands it on; whether
/// that could be done and all went well.
fn with_plans(
    tool: &Tool,
    name: &[u8],
    request: &LoadRequest,
    known: &mut Known,
    report: &mut Report,
    each: &mut dyn FnMut(&Candidate, plan::Plan, &mut Report) -> bool,
) -> bool {
    let Some(candidates) = candidates(tool, name, report) else { return false };
    if tool.options.action == Action::ResolveAlias {
        for candidate in &candidates {
            match tool.shown.is_wanted() {
                true => {
                    let alias = candidate.alias.as_ref().map(|alias| alias.as_bstr());
                    tool.shown.item(&document::candidate(name, &candidate.module, alias), report);
                }
                false => report.print_line(&candidate.module),
            }
        }
        return true;
    }
    if let Err(error) = known.gather(tool.context, &candidates) {
        report.error(error.to_string());
        return false;
    }
    let mut done = true;
    for candidate in &candidates {
        let config = tool.context.modprobe_config();
        if let Some(line) = plan::blacklisted(config, candidate, tool.options.use_blacklist) {
            let why = format!("{} is blacklisted by {}", candidate.module, line.origin);
            report.notice(&Notice::new(Level::Info, why));
            continue;
        }
        done &= each(candidate, plan::load(config, known, candidate, request), report);
    }
    done
}

/// The modules that an argument means; `None` where it means none, and that has been said.
fn candidates(tool: &Tool, name: &[u8], report: &mut Report) -> Option<Vec<Candidate>> {
    if lookup::is_path(name) {
        let path = Path::new(cli::os_str(name));
        return match in_file(path) {
            Ok(candidate) => Some(vec![candidate]),
            Err(cause) => {
                let cause = modutils::error_text(&cause);
                let message = [b"Failed to get module from path ", name, b": ", cause.as_bytes()].concat();
                fatal(tool.options, report, message);
                None
            }
        };
    }
    let found = lookup::lookup(tool.context, name);
    if let Ok(found) = &found
        && !found.is_empty()
    {
        return Some(found.clone());
    }
    let directory = tool.context.indexes().directory().as_os_str().as_encoded_bytes();
    let first = [b"Module ", name, b" not found in directory ", directory].concat();
    let why = explain::not_found(tool.context, name, found.as_ref().err(), report);
    fatal(tool.options, report, [first.as_slice(), why.as_bytes()].concat());
    None
}

fn in_file(path: &Path) -> std::io::Result<Candidate> {
    std::fs::metadata(path)?;
    let path = lookup::absolute(path.as_os_str(), &std::env::current_dir()?);
    Candidate::in_file(&path).ok_or_else(|| Errno::ENOENT.into())
}

fn carry_out(
    tool: &Tool,
    execution: &Execution,
    target: &Candidate,
    plan: &plan::Plan,
    shown: &mut HashSet<BString>,
    report: &mut Report,
) -> bool {
    let mut watch = Watch::begin(tool.context.root(), execution.mode == Mode::Run);
    let _keyboard = tool.keyboard_for(std::slice::from_ref(plan));
    let mut tell = |event: Event| {
        tell(tool, target, &event, shown, &mut watch, report);
        Flow::Continue
    };
    let outcome = execute(&tool.kernel, plan, execution, &mut tell);
    is_well(tool, target, outcome, report)
}

fn tell(
    tool: &Tool,
    target: &Candidate,
    event: &Event,
    shown: &mut HashSet<BString>,
    watch: &mut Watch,
    report: &mut Report,
) {
    match event {
        Event::Begin(step) => begin(tool, step, shown, report),
        Event::Failed(step, failure) => failed(tool, target, step, failure, watch, report),
    }
}

/// Whether a plan came to what was asked for.
fn is_well(tool: &Tool, target: &Candidate, outcome: Outcome, report: &mut Report) -> bool {
    match outcome {
        Outcome::Done => true,
        Outcome::Needless if tool.options.first_time => {
            could_not_insert(target, "Module already in kernel", report);
            false
        }
        Outcome::Needless => true,
        Outcome::Failed => false,
    }
}

/// Shows a step. What would be loaded for several modules is listed once.
fn begin(tool: &Tool, step: &Step, shown: &mut HashSet<BString>, report: &mut Report) {
    let Some(line) = step.line().filter(|_| tool.shows_steps()) else { return };
    let listing = tool.options.show_depends || tool.options.dry_run;
    if matches!(step.action, plan::Action::Builtin) && !tool.options.show_depends {
        return;
    }
    if !listing || shown.insert(line.clone()) {
        tool.show(step, &line, report);
    }
    // What is about to be done may print, or take long.
    if !listing {
        report.flush();
    }
}

fn failed(
    tool: &Tool,
    target: &Candidate,
    step: &Step,
    failure: &Failure,
    watch: &mut Watch,
    report: &mut Report,
) {
    let cause = match failure {
        Failure::Command { command, failure } => {
            report.error(format!(
                "Error running install command '{command}' for module {}: {failure}",
                step.module
            ));
            Errno::EINVAL.text().to_owned()
        }
        Failure::Refused(Refusal::Kernel(errno)) => {
            why_refused(*errno).to_owned() + &why(tool, target, step, *errno, watch, report)
        }
        Failure::NoFile => {
            report.error(format!("could not find module by name='{}'", step.module));
            why_refused(Errno::ENOENT).to_owned()
        }
        Failure::Denied(line) => {
            let errno = Errno::EPERM.text();
            format!("{errno}\n  {}", deny::refusal(line, &step.module, &target.module))
        }
        // Which file that is goes without saying.
        Failure::Refused(Refusal::File(modutils::Error::Io { source, .. }))
            if step.module == target.module && source.kind() != std::io::ErrorKind::NotFound =>
        {
            modutils::error_text(source)
        }
        Failure::Refused(Refusal::File(error @ modutils::Error::Malformed { .. })) => {
            format!("{}\n  {error}", why_refused(error.errno()))
        }
        Failure::Missing(error) | Failure::Refused(Refusal::File(error)) if error.is_not_found() => {
            failure.to_string() + &explain::gone(tool.context, &step.action)
        }
        other => other.to_string(),
    };
    if step.on_error == OnError::Ignore {
        let message = format!("could not insert '{}', which is not needed: {cause}", step.module);
        report.notice(&Notice::new(Level::Info, message));
    } else {
        could_not_insert(target, &cause, report);
    }
}

/// Why the kernel refused a step's module, where anybody is to see it.
fn why(
    tool: &Tool,
    target: &Candidate,
    step: &Step,
    errno: Errno,
    watch: &mut Watch,
    report: &Report,
) -> String {
    let plan::Action::Load { file, options } = &step.action else { return String::new() };
    let level = if step.on_error == OnError::Ignore { Level::Info } else { Level::Error };
    if !report.shows(level) {
        return String::new();
    }
    let which = if step.module == target.module {
        String::new()
    } else {
        format!("\n  The kernel refused {}, which it needs.", step.module)
    };
    which + &watch.explain(file, options, tool.options.force, errno)
}

fn why_refused(errno: Errno) -> &'static str {
    match errno {
        Errno::EEXIST => "Module already in kernel",
        Errno::ENOENT => "Unknown symbol in module, or unknown parameter (see dmesg)",
        other => other.text(),
    }
}

fn could_not_insert(target: &Candidate, cause: &str, report: &mut Report) {
    let message = [b"could not insert '", target.module.as_bytes(), b"': ", cause.as_bytes()].concat();
    report.error(message.as_bstr());
}
