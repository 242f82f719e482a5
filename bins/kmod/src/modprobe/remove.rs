//! Removing modules, with what they alone needed.

use bstr::ByteSlice;
use modutils::{
    ModuleName,
    kernel::{Event, Failure, Flow, Outcome, execute},
    lookup::{self, Candidate},
    plan::{self, UnloadRequest},
};

use super::{Tool, bytes, fatal};
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
    let mut done = true;
    for name in &tool.options.arguments {
        match one(tool, bytes(name), report) {
            End::Next(well) => done &= well,
            End::Now => return false,
        }
    }
    done
}

fn one(tool: &Tool, name: &[u8], report: &mut Report) -> End {
    let (candidates, error) = match lookup::lookup(tool.context, name) {
        Ok(candidates) => (candidates, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    if candidates.is_empty() {
        let why = explain::not_found(tool.context, name, error.as_ref(), report);
        return end(tool, report, &[b"Module ", name, b" not found.", why.as_bytes()].concat());
    }
    let mut done = true;
    for candidate in &candidates {
        let plan = match plan_for(tool, candidate) {
            Ok(plan) => plan,
            Err(error) => return end(tool, report, error.to_string().as_bytes()),
        };
        match carry_out(tool, candidate, &plan, report) {
            End::Next(well) => done &= well,
            End::Now => return End::Now,
        }
    }
    End::Next(done)
}

fn plan_for(tool: &Tool, target: &Candidate) -> modutils::Result<plan::Plan> {
    // kmod takes those alone that use the module itself, and fails when others use these.
    let holders = match tool.options.holders {
        true => tool.kernel.all_holders(&target.module),
        false => Vec::new(),
    };
    let mut all = vec![target.clone()];
    all.extend(holders.iter().cloned().map(Candidate::named));
    let known = lookup::gather(tool.context, &all)?;
    let request = UnloadRequest { ignore_commands: tool.options.ignore_commands, holders };
    Ok(plan::unload(tool.context.modprobe_config(), &known, target, &request))
}

fn end(tool: &Tool, report: &mut Report, message: &[u8]) -> End {
    if fatal(tool.options, report, message) { End::Now } else { End::Next(false) }
}

fn carry_out(tool: &Tool, target: &Candidate, plan: &plan::Plan, report: &mut Report) -> End {
    let mut ended = false;
    let _keyboard = tool.keyboard_for(std::slice::from_ref(plan));
    let mut tell = |event: Event| match event {
        Event::Begin(step) => {
            if let Some(line) = step.line().filter(|_| tool.shows_steps()) {
                tool.show(step, &line, report);
                if !tool.options.dry_run {
                    report.flush();
                }
            }
            Flow::Continue
        }
        Event::Failed(step, failure) => {
            ended = failed(tool, &step.module, failure, report);
            if ended { Flow::Abort } else { Flow::Continue }
        }
    };
    let outcome = execute(&tool.kernel, plan, &tool.execution(), &mut tell);
    match outcome {
        _ if ended => End::Now,
        Outcome::Needless if tool.options.first_time => {
            end(tool, report, &[b"Module ", target.module.as_bytes(), b" is not in kernel."].concat())
        }
        outcome => End::Next(outcome != Outcome::Failed),
    }
}

/// Says what failed, and whether that ends the tool.
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
        Failure::NotDropped(errno) => {
            let cause = errno.text();
            let why = explain::not_removed(tool.context.root(), module, *errno, report);
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
