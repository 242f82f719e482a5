//! Loading modules, and printing what would be loaded or which modules a name resolves to.

use std::{collections::HashSet, ffi::OsString};

use bstr::{BString, ByteSlice};
use modutils::{
    Errno, Error, Level, Module, ModuleName, Notice,
    kernel::{Command, CommandFailure, Failure, Flow, Hooks, Mode, Outcome},
    plan::{Action, LoadOptions, OnError, Plan, Planner, Step},
};

use super::{Tool, argument_failed, bytes, deny, document, options, run_command};
use crate::{
    cause::{
        Cause, failed_request,
        refused_load::{self, LoadWatch},
    },
    cli, parameters,
    report::Report,
    status::Status,
};

/// Loads one module with parameters, or with `--all` one for each argument.
pub(super) fn all(tool: &Tool, report: &mut Report) -> Status {
    let arguments = &tool.options.arguments;
    let (names, parameters) = match arguments.split_first() {
        Some((name, given)) if !tool.options.all => {
            let given =
                parameters::join(given, || parameters::names_of(first_module(tool, bytes(name)).as_ref()));
            (std::slice::from_ref(name), given)
        }
        _ => (arguments.as_slice(), BString::default()),
    };
    let load = LoadOptions::default()
        .parameters(parameters)
        .ignore_commands(tool.options.ignore_commands)
        .use_blacklist(tool.options.use_blacklist);
    if tool.options.jobs.get() > 1 && tool.mode() == Mode::Run {
        return in_parallel(tool, names, &load, report);
    }
    let execution = tool.execution();
    let mut planner = Planner::new(tool.context);
    let mut shown = HashSet::new();
    let mut execute = |plan: Plan, report: &mut Report| {
        let mut loading = Loading::begin(tool, &mut shown, report);
        plan.execute(&tool.kernel, &execution, &mut loading);
        loading.status
    };
    let names = names.iter().map(bytes);
    names.map(|name| plan_each(tool, name, &load, &mut planner, report, &mut execute)).collect()
}

/// Loads with several threads. All names are looked up before anything is loaded.
fn in_parallel(tool: &Tool, names: &[OsString], load: &LoadOptions, report: &mut Report) -> Status {
    let mut planner = Planner::new(tool.context);
    let mut plans = Vec::new();
    let mut keep = |plan, _: &mut Report| {
        plans.push(plan);
        Status::Success
    };
    let names = names.iter().map(bytes);
    let planned: Status =
        names.map(|name| plan_each(tool, name, load, &mut planner, report, &mut keep)).collect();
    let mut shown = HashSet::new();
    let mut loading = Loading::begin(tool, &mut shown, report);
    Plan::execute_all(&plans, &tool.kernel, &tool.execution(), tool.options.jobs, &mut loading);
    planned.and(loading.status)
}

/// Makes a plan for each module that a name resolves to, unless it is blacklisted, and passes it to `each`.
fn plan_each(
    tool: &Tool,
    name: &[u8],
    load: &LoadOptions,
    planner: &mut Planner,
    report: &mut Report,
    each: &mut dyn FnMut(Plan, &mut Report) -> Status,
) -> Status {
    let Some(modules) = look_up(tool, name, report) else { return Status::Failure };
    if tool.options.task == options::Task::ResolveAlias {
        for module in &modules {
            match tool.document.is_open() {
                true => {
                    let item = document::candidate_item(name, module.name(), module.alias());
                    tool.document.item(&item, report);
                }
                false => report.print_line(module.name()),
            }
        }
        return Status::Success;
    }
    if let Err(error) = planner.gather(&modules) {
        return report.fail(error.to_string());
    }
    let mut status = Status::Success;
    for module in &modules {
        if let Some(line) = planner.blacklisted(module, load) {
            let why = format!("{} is blacklisted by {}", module.name(), line.origin);
            report.notice(&Notice::new(Level::Info, why));
            continue;
        }
        status = status.and(match planner.load(module, load) {
            Ok(plan) => each(plan, report),
            Err(error) => report.fail(error.to_string()),
        });
    }
    status
}

/// The first module that an argument resolves to, for its own description.
fn first_module(tool: &Tool, name: &[u8]) -> Option<Module> {
    let root = tool.context.root();
    if cli::is_path(name, root) {
        return tool.context.module_in_file(&root.locate(cli::os_str(name))).ok();
    }
    tool.context.lookup(name).ok()?.into_iter().next()
}

/// The modules that an argument resolves to; `None` after reporting that there are none.
fn look_up(tool: &Tool, name: &[u8], report: &mut Report) -> Option<Vec<Module>> {
    let root = tool.context.root();
    if cli::is_path(name, root) {
        return match tool.context.module_in_file(&root.locate(cli::os_str(name))) {
            Ok(module) => Some(vec![module]),
            Err(error) => {
                let cause = error.errno().text();
                let message = [b"Failed to get module from path ", name, b": ", cause.as_bytes()].concat();
                argument_failed(tool.options, report, message, Cause::default());
                None
            }
        };
    }
    let error = match tool.context.lookup(name) {
        Ok(found) if !found.is_empty() => return Some(found),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let directory = tool.context.directory().as_os_str().as_encoded_bytes();
    let message = [b"Module ", name, b" not found in directory ", directory].concat();
    let why = failed_request::not_found(tool.context, name, error.as_ref(), report);
    argument_failed(tool.options, report, message, why);
    None
}

/// What is shown and reported while plans are executed.
struct Loading<'a> {
    tool: &'a Tool<'a>,
    report: &'a mut Report,
    /// The lines printed so far by `-n` and `-D`.
    shown: &'a mut HashSet<BString>,
    watch: LoadWatch<'a>,
    /// Success unless a plan has failed.
    status: Status,
}

impl<'a> Loading<'a> {
    fn begin(tool: &'a Tool, shown: &'a mut HashSet<BString>, report: &'a mut Report) -> Self {
        let watch = LoadWatch::begin(tool.context.root(), tool.mode() == Mode::Run).configured(tool.context);
        Self { tool, report, shown, watch, status: Status::Success }
    }
}

impl Hooks for Loading<'_> {
    /// Prints a step. `-n` and `-D` print a step of several plans once.
    fn begin(&mut self, _: &Plan, step: &Step) -> Flow {
        let Self { tool, report, shown, .. } = self;
        let Some(line) = step.line().filter(|_| tool.shows_steps()) else { return Flow::Continue };
        let listing = tool.options.show_depends || tool.options.dry_run;
        if matches!(step.action, Action::Builtin) && !tool.options.show_depends {
            return Flow::Continue;
        }
        if !listing || shown.insert(line.clone()) {
            tool.show(step, &line, report);
            if tool.mode() == Mode::DryRun {
                unknown_parameters(tool, step, report);
            }
        }
        // The step itself may print, or take long.
        if !listing {
            report.flush();
        }
        Flow::Continue
    }

    fn command(&mut self, _: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
        run_command(command)
    }

    fn failed(&mut self, plan: &Plan, step: &Step, failure: &Failure) -> Flow {
        let (text, cause) = self.cause(plan.module(), step, failure);
        if step.on_error == OnError::Ignore {
            let message = format!("could not insert '{}', which is not needed: {text}", step.module);
            self.report.notice_because(&Notice::new(Level::Info, message), cause);
        } else {
            could_not_insert(plan.module(), &text, cause, self.report);
        }
        Flow::Continue
    }

    fn ended(&mut self, plan: &Plan, outcome: Outcome) {
        self.status = self.status.and(match outcome {
            Outcome::Done => Status::Success,
            Outcome::Needless if self.tool.options.first_time => {
                could_not_insert(plan.module(), "Module already in kernel", Cause::default(), self.report);
                Status::Failure
            }
            Outcome::Needless => Status::Success,
            _ => Status::Failure,
        });
    }
}

impl Loading<'_> {
    /// The end of the message about a failed step, and the cause below it.
    fn cause(&mut self, target: &ModuleName, step: &Step, failure: &Failure) -> (String, Cause) {
        let alone = |text: String| (text, Cause::default());
        match failure {
            Failure::Command { command, failure } => {
                self.report.error(format!(
                    "Error running install command '{command}' for module {}: {failure}",
                    step.module
                ));
                let why = failed_request::install_line(self.tool.context, &step.module, self.report);
                (Errno::EINVAL.text().to_owned(), why)
            }
            Failure::NotLoaded(Error::NotLoaded { errno, .. }) => {
                (error_text(*errno).to_owned(), self.refusal(target, step, *errno))
            }
            Failure::NoFile => {
                self.report.error(format!("could not find module by name='{}'", step.module));
                let why = failed_request::dangling_alias(self.tool.context, &step.module, self.report);
                (error_text(failure.errno()).to_owned(), why)
            }
            Failure::Denied { origin, reason } => {
                let line = deny::denial(origin, reason.as_bstr(), &step.module, target);
                (failure.errno().to_string(), Cause::line(line))
            }
            // The file needs no mention: it is that of the requested module.
            Failure::NotLoaded(error @ Error::Io { .. })
                if step.module == *target && !error.is_not_found() =>
            {
                alone(error.cause())
            }
            Failure::NotLoaded(error @ Error::Malformed { .. }) => {
                (error_text(error.errno()).to_owned(), Cause::line(error))
            }
            Failure::Missing(error) | Failure::NotLoaded(error) if error.is_not_found() => {
                let why = failed_request::file_missing(self.tool.context, &step.action, self.report);
                (failure.to_string(), why)
            }
            other => alone(other.to_string()),
        }
    }

    /// Why the kernel refused the module of a step.
    fn refusal(&mut self, target: &ModuleName, step: &Step, errno: Errno) -> Cause {
        let Action::Load { file, options } = &step.action else { return Cause::default() };
        let level = if step.on_error == OnError::Ignore { Level::Info } else { Level::Error };
        let force = self.tool.options.force;
        let cause = self.watch.cause(file, options, force, errno, level, self.report);
        if step.module == *target {
            return cause;
        }
        Cause::line(format!("The kernel refused {}, which it needs.", step.module)).and(cause)
    }
}

/// Warns a person of parameters that a module does not have. The kernel ignores them, and only its log has it.
fn unknown_parameters(tool: &Tool, step: &Step, report: &mut Report) {
    let Action::Load { file, options } = &step.action else { return };
    if options.is_empty() || !report.explains(Level::Warning) {
        return;
    }
    let why = refused_load::unknown_parameters(tool.context.root(), file, options);
    if why != Cause::default() {
        let message = format!("unknown parameters for '{}'", step.module);
        report.notice_because(&Notice::new(Level::Warning, message), why);
    }
}

fn error_text(errno: Errno) -> &'static str {
    match errno {
        Errno::EEXIST => "Module already in kernel",
        Errno::ENOENT => "Unknown symbol in module, or unknown parameter (see dmesg)",
        other => other.text(),
    }
}

fn could_not_insert(target: &ModuleName, text: &str, cause: Cause, report: &mut Report) {
    let message = [b"could not insert '", target.as_bytes(), b"': ", text.as_bytes()].concat();
    report.notice_because(&Notice::error(message), cause);
}
