//! Removing modules, and their dependencies that nothing else uses.

use std::ops::ControlFlow;

use modutils::{
    Module, ModuleName,
    kernel::{Command, CommandFailure, ExecuteOptions, Failure, Flow, Hooks, Outcome, State},
    plan::{Plan, Planner, RemoveOptions, Step},
};

use super::{Tool, argument_failed, bytes, run_command};
use crate::{
    cause::{Cause, failed_request},
    report::Report,
    status::Status,
};

/// The status of one argument or plan; `Break` where a failure ends the tool.
type Removed = ControlFlow<Status, Status>;

/// Removes the modules that the arguments name.
pub(super) fn all(tool: &Tool, report: &mut Report) -> Status {
    let execution = tool.execution();
    let mut planner = Planner::new(tool.context);
    let mut status = Status::Success;
    for name in &tool.options.arguments {
        match one(tool, bytes(name), &execution, &mut planner, report) {
            Removed::Continue(removed) => status = status.and(removed),
            Removed::Break(status) => return status,
        }
    }
    status
}

fn one(
    tool: &Tool,
    name: &[u8],
    execution: &ExecuteOptions,
    planner: &mut Planner,
    report: &mut Report,
) -> Removed {
    let (modules, error) = match tool.context.lookup(name) {
        Ok(modules) => (modules, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    if modules.is_empty() {
        let why = failed_request::not_found_to_remove(tool.context, name, error.as_ref(), report);
        return fail(tool, report, &[b"Module ", name, b" not found."].concat(), why);
    }
    // kmod removes only the holders that use the module itself, and fails when other modules use those.
    let remove =
        RemoveOptions::default().ignore_commands(tool.options.ignore_commands).holders(tool.options.holders);
    let mut status = Status::Success;
    for module in &modules {
        let plan = match planner.remove(module, &remove) {
            Ok(plan) => plan,
            Err(error) => return fail(tool, report, error.to_string().as_bytes(), Cause::default()),
        };
        let plan = match name_in_kernel(tool, module) {
            Some(name) => plan.renamed(&name),
            None => plan,
        };
        status = status.and(execute(tool, &plan, execution, report)?);
    }
    Removed::Continue(status)
}

/// The name by which the kernel has a module whose file is called otherwise; `None` where the file's name
/// is right, or nothing is loaded by either. The file is read only where the module would pass for not loaded.
fn name_in_kernel(tool: &Tool, module: &Module) -> Option<ModuleName> {
    if tool.kernel.state(module.name()) != State::Absent {
        return None;
    }
    let name = module.file().ok()??.kernel_name().ok()?;
    (name != *module.name() && tool.kernel.state(&name) != State::Absent).then_some(name)
}

/// Reports a failure.
fn fail(tool: &Tool, report: &mut Report, message: &[u8], cause: Cause) -> Removed {
    argument_failed(tool.options, report, message, cause);
    match tool.options.ends_at_failure() {
        true => Removed::Break(Status::Failure),
        false => Removed::Continue(Status::Failure),
    }
}

fn execute(tool: &Tool, plan: &Plan, execution: &ExecuteOptions, report: &mut Report) -> Removed {
    let mut removing = Removing { tool, report, ended: false };
    let outcome = plan.execute(&tool.kernel, execution, &mut removing);
    match outcome {
        _ if removing.ended => Removed::Break(Status::Failure),
        Outcome::Needless if tool.options.first_time => {
            let message = [b"Module ", plan.module().as_bytes(), b" is not in kernel."].concat();
            fail(tool, report, &message, Cause::default())
        }
        Outcome::Failed => Removed::Continue(Status::Failure),
        _ => Removed::Continue(Status::Success),
    }
}

/// What is shown and reported while a plan is executed.
struct Removing<'a> {
    tool: &'a Tool<'a>,
    report: &'a mut Report,
    /// Whether a failure ended the tool.
    ended: bool,
}

impl Hooks for Removing<'_> {
    fn begin(&mut self, _: &Plan, step: &Step) -> Flow {
        let Self { tool, report, .. } = self;
        if let Some(line) = step.line().filter(|_| tool.shows_steps()) {
            tool.show(step, &line, report);
            if !tool.options.dry_run {
                report.flush();
            }
        }
        Flow::Continue
    }

    fn command(&mut self, _: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
        run_command(command)
    }

    fn failed(&mut self, _: &Plan, step: &Step, failure: &Failure) -> Flow {
        self.ended = report_failure(self.tool, &step.module, failure, self.report).is_break();
        if self.ended { Flow::Abort } else { Flow::Continue }
    }
}

/// Reports why a step failed. A refusal by the kernel never ends the tool.
fn report_failure(tool: &Tool, module: &ModuleName, failure: &Failure, report: &mut Report) -> Removed {
    let about = |before: &[u8], after: &[u8]| [before, module.as_bytes(), after].concat();
    match failure {
        Failure::InUse => {
            let why = failed_request::in_use(tool.context.root(), module, true, report);
            fail(tool, report, &about(b"Module ", b" is in use."), why)
        }
        Failure::Builtin => fail(tool, report, &about(b"Module ", b" is builtin."), Cause::default()),
        Failure::Command { .. } => {
            fail(tool, report, &about(b"Error running remove command for ", b""), Cause::default())
        }
        Failure::NotRemoved(error) => {
            let cause = error.cause();
            let why = failed_request::not_removed(tool.context.root(), module, error.errno(), report);
            let message = about(b"could not remove '", &[b"': ", cause.as_bytes()].concat());
            Removed::Continue(report.fail_because(message, why))
        }
        other => Removed::Continue(report.fail(other.to_string())),
    }
}
