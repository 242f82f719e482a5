//! Removing modules, with what they alone needed.

use bstr::ByteSlice;
use modutils::{
    ModuleName,
    kernel::{Command, CommandFailure, ExecuteOptions, Failure, Flow, Hooks, Outcome},
    plan::{Plan, Planner, RemoveOptions, Step},
};

use super::{Tool, bytes, fatal, run_command};
use crate::{explain, report::Report};

/// Whether a failure ended the tool.
enum End {
    /// The next argument has its turn; this one went well or not.
    Next(bool),
    /// Nothing more is done.
    Now,
}

/// Removes what the arguments name.
pub(super) fn all(tool: &Tool, report: &mut Report) -> bool {
    let execution = tool.execution();
    let mut planner = Planner::new(tool.context);
    let mut done = true;
    for name in &tool.options.arguments {
        match one(tool, bytes(name), &execution, &mut planner, report) {
            End::Next(well) => done &= well,
            End::Now => return false,
        }
    }
    done
}

fn one(
    tool: &Tool,
    name: &[u8],
    execution: &ExecuteOptions,
    planner: &mut Planner,
    report: &mut Report,
) -> End {
    let (modules, error) = match tool.context.lookup(name) {
        Ok(modules) => (modules, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    if modules.is_empty() {
        let why = explain::not_found(tool.context, name, error.as_ref(), report);
        return end(tool, report, &[b"Module ", name, b" not found.", why.as_bytes()].concat());
    }
    // kmod takes those holders alone that use the module itself, and fails when others use these.
    let remove =
        RemoveOptions::default().ignore_commands(tool.options.ignore_commands).holders(tool.options.holders);
    let mut done = true;
    for module in &modules {
        let plan = match planner.remove(module, &remove) {
            Ok(plan) => plan,
            Err(error) => return end(tool, report, error.to_string().as_bytes()),
        };
        match carry_out(tool, &plan, execution, report) {
            End::Next(well) => done &= well,
            End::Now => return End::Now,
        }
    }
    End::Next(done)
}

fn end(tool: &Tool, report: &mut Report, message: &[u8]) -> End {
    if fatal(tool.options, report, message) { End::Now } else { End::Next(false) }
}

fn carry_out(tool: &Tool, plan: &Plan, execution: &ExecuteOptions, report: &mut Report) -> End {
    let mut removing = Removing { tool, report, ended: false };
    let outcome = plan.execute(&tool.kernel, execution, &mut removing);
    match outcome {
        _ if removing.ended => End::Now,
        Outcome::Needless if tool.options.first_time => {
            end(tool, report, &[b"Module ", plan.module().as_bytes(), b" is not in kernel."].concat())
        }
        outcome => End::Next(outcome != Outcome::Failed),
    }
}

/// What is shown and reported while a plan is carried out.
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
        self.ended = failed(self.tool, &step.module, failure, self.report);
        if self.ended { Flow::Abort } else { Flow::Continue }
    }
}

/// Reports what failed, and whether that ends the tool.
fn failed(tool: &Tool, module: &ModuleName, failure: &Failure, report: &mut Report) -> bool {
    let about = |before: &[u8], after: &[u8]| [before, module.as_bytes(), after].concat();
    match failure {
        Failure::InUse => {
            let why = explain::in_use(tool.context.root(), module, true, report);
            fatal(tool.options, report, about(b"Module ", &[b" is in use.", why.as_bytes()].concat()))
        }
        Failure::Builtin => fatal(tool.options, report, about(b"Module ", b" is builtin.")),
        Failure::Command { .. } => {
            fatal(tool.options, report, about(b"Error running remove command for ", b""))
        }
        Failure::NotRemoved(error) => {
            let cause = error.cause();
            let why = explain::not_removed(tool.context.root(), module, error.errno(), report);
            let message = about(b"could not remove '", &[b"': ", cause.as_bytes(), why.as_bytes()].concat());
            report.error(message.as_bstr());
            false
        }
        other => {
            report.error(other.to_string());
            false
        }
    }
}
