//! Carrying out a plan: each step's condition is looked at when its turn comes.

mod parallel;

use std::{collections::HashSet, ffi::OsString, path::Path, time::Duration};

use crate::Errno;
use bstr::BString;

use super::{
    Force, Kernel, Refusal, State,
    commands::{self, CommandFailure},
};
use crate::{
    Error, ModuleName,
    config::DenyLine,
    plan::{Action, Condition, OnError, Plan, Step, with_options},
};

pub use parallel::{Told, execute_all};

/// How much of a plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of it.
    Run,
    /// Nothing, but conditions are looked at (`modprobe --dry-run`).
    DryRun,
    /// Nothing, and what is loaded does not matter (`modprobe --show-depends`).
    Show,
}

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub struct Execution {
    /// How much of it.
    pub mode: Mode,
    /// Whether it is an error when another loads the module at the same time.
    pub first_time: bool,
    /// Checks that the kernel is to leave out when it loads a module.
    pub force: Force,
    /// Whether the kernel is to unload a module by force.
    pub force_unload: bool,
    /// How long to wait for a module in use.
    pub wait: Option<Duration>,
    /// What commands find in their environment, by [`commands::environment`].
    pub environment: Vec<(OsString, OsString)>,
}

/// What happens while a plan is carried out.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step's turn has come, and it is to be done.
    Begin(&'a Step),
    /// A step failed.
    Failed(&'a Step, &'a Failure),
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// As the plan says.
    Continue,
    /// With nothing more.
    Abort,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked for was done.
    Done,
    /// There was nothing to do: the module was in the state asked for.
    Needless,
    /// It could not be done.
    Failed,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The module did not come into the kernel.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A dependency's file is not there: nothing was loaded.
    #[error(transparent)]
    Missing(Error),
    /// No file of the module is known.
    #[error("no file of this module is known")]
    NoFile,
    /// The configuration denies the module, or one that it needs: nothing was loaded.
    #[error("denied by {}", .0.origin)]
    Denied(DenyLine),
    /// A command, as it was run, did not do its work.
    #[error("'{command}': {failure}")]
    Command {
        /// The command.
        command: BString,
        /// What became of it.
        failure: CommandFailure,
    },
    /// The module is part of the kernel.
    #[error("the module is part of the kernel")]
    Builtin,
    /// The module is in use.
    #[error("the module is in use")]
    InUse,
    /// The kernel did not drop the module.
    #[error("{}", .0.text())]
    NotDropped(Errno),
}

/// Carries out a plan, and tells what happens as it happens.
pub fn execute(
    kernel: &Kernel,
    plan: &Plan,
    execution: &Execution,
    tell: &mut dyn FnMut(Event) -> Flow,
) -> Outcome {
    let mut run = Run::new(kernel, plan, execution, tell);
    if let Some((step, failure)) = run.obstacle() {
        (run.tell)(Event::Failed(step, &failure));
        return Outcome::Failed;
    }
    run.all()
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepResult {
    Done,
    Needless,
    Failed,
}

struct Run<'a, 'b> {
    kernel: &'a Kernel<'a>,
    plan: &'a Plan,
    execution: &'a Execution,
    tell: &'a mut (dyn FnMut(Event) -> Flow + 'b),
    results: Vec<StepResult>,
    /// What a dry run has shown as unloaded.
    shown: HashSet<ModuleName>,
}

impl<'a, 'b> Run<'a, 'b> {
    fn new(
        kernel: &'a Kernel<'a>,
        plan: &'a Plan,
        execution: &'a Execution,
        tell: &'a mut (dyn FnMut(Event) -> Flow + 'b),
    ) -> Self {
        Self { kernel, plan, execution, tell, results: Vec::new(), shown: HashSet::new() }
    }

    /// Looks for what is denied, and for the files, before anything is loaded: half a set of
    /// dependencies helps nobody. The step that cannot be done, and why.
    fn obstacle(&self) -> Option<(&'a Step, Failure)> {
        let plan = self.plan;
        if plan.steps.first().is_some_and(|check| !self.holds(check)) {
            return None;
        }
        for (place, step) in plan.steps.iter().enumerate() {
            if step.on_error == OnError::Ignore {
                continue;
            }
            let failure = match &step.action {
                Action::Denied(line) if self.holds(step) => Some(Failure::Denied(line.clone())),
                // The target alone is shown whether its file is there or not.
                Action::Load { file, .. } if place != plan.target && !self.is_loaded(&step.module) => {
                    self.missing(file)
                }
                _ => None,
            };
            if let Some(failure) = failure {
                return Some((step, failure));
            }
        }
        None
    }

    fn missing(&self, file: &Path) -> Option<Failure> {
        let error = self.kernel.find_file(file).err()?;
        Some(Failure::Missing(Error::io("open", file)(error)))
    }

    fn all(&mut self) -> Outcome {
        let plan = self.plan;
        for (place, step) in plan.steps.iter().enumerate() {
            let (result, flow) = self.one(step);
            self.results.push(result);
            if flow == Flow::Abort || (result == StepResult::Failed && step.on_error == OnError::Stop) {
                return Outcome::Failed;
            }
            // The first step asks whether there is anything to do.
            if place == 0 && result == StepResult::Needless {
                return Outcome::Needless;
            }
        }
        Outcome::Done
    }

    fn one(&mut self, step: &Step) -> (StepResult, Flow) {
        if step.needs.iter().any(|&place| self.result(place) == Some(StepResult::Failed)) {
            return (StepResult::Failed, Flow::Continue);
        }
        let given = step.given.is_none_or(|place| self.result(place) == Some(StepResult::Done));
        if !given || !self.holds(step) {
            return (StepResult::Needless, Flow::Continue);
        }
        match self.act(step) {
            Ok(flow) => (StepResult::Done, flow),
            Err(failure) => (StepResult::Failed, (self.tell)(Event::Failed(step, &failure))),
        }
    }

    fn result(&self, place: usize) -> Option<StepResult> {
        self.results.get(place).copied()
    }

    fn holds(&self, step: &Step) -> bool {
        let shown = self.execution.mode == Mode::Show;
        match step.condition {
            Condition::Always => true,
            Condition::Never => shown,
            Condition::NotLoaded => shown || !self.is_loaded(&step.module),
            Condition::Loaded => shown || self.kernel.state(&step.module) != State::Absent,
            Condition::Unused => match self.kernel.references(&step.module) {
                Some(references) => references == 0,
                // Nobody says who uses it: the kernel is asked, which keeps what is used.
                None => self.is_loaded(&step.module),
            },
        }
    }

    fn is_loaded(&self, module: &ModuleName) -> bool {
        self.kernel.is_live(module)
    }

    fn act(&mut self, step: &Step) -> Result<Flow, Failure> {
        let running = self.execution.mode == Mode::Run;
        match &step.action {
            Action::Check => Ok(Flow::Continue),
            Action::Load { file, options } => {
                let flow = self.begin(step);
                if running {
                    self.load(step, file, options)?;
                }
                Ok(flow)
            }
            Action::RunInstall { command, options } => {
                let flow = self.begin(step);
                self.command(with_options(command, options), &step.module)?;
                Ok(flow)
            }
            Action::RunRemove { command } => {
                let flow = self.begin(step);
                self.command(command.clone(), &step.module)?;
                Ok(flow)
            }
            Action::Builtin => Ok(self.begin(step)),
            Action::Denied(line) => Err(Failure::Denied(line.clone())),
            Action::NoFile if running => Err(Failure::NoFile),
            Action::NoFile => Ok(Flow::Continue),
            Action::Unload { .. } => self.unload(step),
        }
    }

    fn begin(&mut self, step: &Step) -> Flow {
        (self.tell)(Event::Begin(step))
    }

    fn load(&self, step: &Step, file: &Path, options: &[u8]) -> Result<(), Failure> {
        let is_target = self.plan.steps.get(self.plan.target).is_some_and(|target| target == step);
        match self.kernel.insert(file, options, self.execution.force) {
            // Another process was faster: the module is there.
            Err(Refusal::Kernel(Errno::EEXIST)) if !(is_target && self.execution.first_time) => Ok(()),
            other => Ok(other?),
        }
    }

    fn command(&self, command: BString, module: &ModuleName) -> Result<(), Failure> {
        if self.execution.mode != Mode::Run {
            return Ok(());
        }
        commands::run(&command, module, &self.execution.environment)
            .map_err(|failure| Failure::Command { command, failure })
    }

    fn unload(&mut self, step: &Step) -> Result<Flow, Failure> {
        let Execution { mode, wait, force_unload, .. } = *self.execution;
        if matches!(step.action, Action::Unload { builtin: true }) && mode != Mode::Show {
            return Err(Failure::Builtin);
        }
        if wait.is_none() && mode != Mode::Show && self.is_in_use(&step.module) {
            return Err(Failure::InUse);
        }
        if self.is_gone(&step.module) {
            return Ok(Flow::Continue);
        }
        let flow = self.begin(step);
        if mode != Mode::Run {
            return Ok(flow);
        }
        let result = match wait {
            Some(wait) => self.kernel.delete_waiting(&step.module, force_unload, wait),
            None => self.kernel.delete(&step.module, force_unload),
        };
        result.map(|()| flow).map_err(|errno| match errno {
            // The time is over.
            Errno::EAGAIN if wait.is_some() && step.condition != Condition::Unused => Failure::InUse,
            errno => Failure::NotDropped(errno),
        })
    }

    /// Whether a module that was there at first has gone meanwhile, as what another module left
    /// unused or by a command: nothing is unloaded twice.
    fn is_gone(&mut self, module: &ModuleName) -> bool {
        match self.execution.mode {
            Mode::Run => self.kernel.state(module) == State::Absent,
            Mode::DryRun | Mode::Show => !self.shown.insert(module.clone()),
        }
    }

    /// Whether anything uses a module but what a dry run has shown as unloaded.
    fn is_in_use(&self, module: &ModuleName) -> bool {
        let holders = self.kernel.holders(module).unwrap_or_default();
        let gone = holders.iter().filter(|holder| self.shown.contains(*holder)).count();
        let gone = i64::try_from(gone).unwrap_or(i64::MAX);
        self.kernel.references(module).is_some_and(|references| references > gone)
    }
}

#[cfg(test)]
mod tests;
