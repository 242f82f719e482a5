//! What a step comes to at its turn, and doing it.

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bstr::BString;

use super::{ExecuteOptions, Failure, Hooks, Mode};
use crate::{
    Errno, Error, ModuleName,
    config::Origin,
    files,
    kernel::{Command, Kernel, State, modules_disabled},
    plan::{Action, Condition, OnError, Plan, Step, with_options},
};

/// Does the steps of one plan, in one thread or in several.
pub(super) struct Worker<'a> {
    kernel: &'a Kernel,
    plan: &'a Plan,
    options: &'a ExecuteOptions,
    /// What a dry run has shown as removed.
    removed: Mutex<HashSet<ModuleName>>,
}

/// What to do for a step whose turn it is.
pub(super) enum Work<'a> {
    /// Nothing that anybody needs to see.
    Nothing,
    /// Only reports that its turn has been reached.
    Show,
    Load {
        file: &'a Path,
        parameters: &'a [u8],
    },
    Run(Command<'a>),
    Unload,
}

impl Work<'_> {
    /// Whether its beginning is reported.
    pub(super) fn is_seen(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(kernel: &'a Kernel, plan: &'a Plan, options: &'a ExecuteOptions) -> Self {
        Self { kernel, plan, options, removed: Mutex::default() }
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Looks for what is denied, and for the files, before anything is loaded: half a set of
    /// dependencies helps nobody. Returns the place of the step that cannot be done, and why.
    pub(super) fn obstacle(&self) -> Option<(usize, Failure)> {
        let plan = self.plan;
        if plan.steps().first().is_some_and(|check| !self.holds(check)) {
            return None;
        }
        for (place, step) in plan.steps().iter().enumerate() {
            if step.on_error == OnError::Ignore {
                continue;
            }
            let failure = match &step.action {
                Action::Denied { origin, reason } if self.holds(step) => Some(denied(origin, reason)),
                // A listing shows the target whether its file is there or not; the kernel gets it last.
                Action::Load { file, .. }
                    if (place != plan.target() || self.options.mode == Mode::DryRun)
                        && !self.is_live(&step.module) =>
                {
                    self.missing(file)
                }
                _ => None,
            };
            if let Some(failure) = failure {
                return Some((place, failure));
            }
        }
        None
    }

    fn missing(&self, file: &Path) -> Option<Failure> {
        let error = self.find_file(file).err()?;
        Some(Failure::Missing(Error::io("open", file)(error)))
    }

    fn find_file(&self, file: &Path) -> io::Result<()> {
        match &self.options.seen {
            Some(seen) => seen.find_file(file),
            None => files::metadata(file).map(drop),
        }
    }

    /// Whether a step's condition holds now.
    pub(super) fn holds(&self, step: &Step) -> bool {
        let shown = self.options.mode == Mode::Show || self.options.ignore_loaded;
        match step.condition {
            Condition::Always => true,
            Condition::Never => shown,
            Condition::NotLoaded => shown || !self.is_live(&step.module),
            Condition::Loaded => shown || self.kernel.state(&step.module) != State::Absent,
            Condition::Unused => match self.kernel.references(&step.module) {
                Some(references) => references == 0,
                // The users are unknown: the kernel is asked, which keeps what is used.
                None => self.is_live(&step.module),
            },
        }
    }

    fn is_live(&self, module: &ModuleName) -> bool {
        match &self.options.seen {
            Some(seen) => seen.is_live(self.kernel, module),
            None => self.kernel.is_live(module),
        }
    }

    /// Whether loading and removing are known to be switched off until the next boot.
    fn is_disabled(&self) -> bool {
        match &self.options.seen {
            Some(seen) => seen.is_disabled(self.kernel),
            None => modules_disabled(self.kernel.root()) == Some(true),
        }
    }

    /// What to do for a step whose condition holds.
    pub(super) fn prepare(&self, step: &'a Step) -> Result<Work<'a>, Failure> {
        let running = self.options.mode == Mode::Run;
        let command = |text| Ok(Work::Run(Command::new(step, text, &self.options.environment)));
        match &step.action {
            Action::Check => Ok(Work::Nothing),
            Action::NoFile if self.options.mode != Mode::Show => Err(Failure::NoFile),
            Action::NoFile => Ok(Work::Show),
            Action::Denied { origin, reason } => Err(denied(origin, reason)),
            Action::Unload { builtin } => self.prepare_unload(step, *builtin),
            Action::Builtin => Ok(Work::Show),
            Action::Load { file, .. } if self.options.mode == Mode::DryRun && self.is_disabled() => {
                let refused = Error::NotLoaded { path: file.clone(), errno: Errno::EPERM };
                Err(Failure::NotLoaded(refused))
            }
            _ if !running => Ok(Work::Show),
            Action::Load { file, options } => Ok(Work::Load { file, parameters: options }),
            Action::RunInstall { command: text, options } => command(with_options(text, options)),
            Action::RunRemove { command: text } => command(text.clone()),
        }
    }

    fn prepare_unload(&self, step: &Step, builtin: bool) -> Result<Work<'a>, Failure> {
        let ExecuteOptions { mode, wait, .. } = *self.options;
        if mode != Mode::Show && (builtin || self.kernel.is_built_in(&step.module)) {
            return Err(Failure::Builtin);
        }
        if wait.is_none() && mode != Mode::Show && self.is_in_use(&step.module) {
            return Err(Failure::InUse);
        }
        if mode == Mode::DryRun && !self.options.force_removal && self.is_kept(&step.module) {
            let refused = Error::NotRemoved { module: step.module.clone(), errno: Errno::EBUSY };
            return Err(Failure::NotRemoved(refused));
        }
        if mode == Mode::DryRun && self.is_disabled() {
            let refused = Error::NotRemoved { module: step.module.clone(), errno: Errno::EPERM };
            return Err(Failure::NotRemoved(refused));
        }
        Ok(match mode {
            _ if self.is_gone(&step.module) => Work::Nothing,
            Mode::Run => Work::Unload,
            Mode::DryRun | Mode::Show => Work::Show,
        })
    }

    /// Does a step's work. Commands are the caller's, if it wants them.
    pub(super) fn perform(
        &self,
        place: usize,
        step: &Step,
        work: Work,
        hooks: &mut dyn Hooks,
    ) -> Result<(), Failure> {
        match work {
            Work::Nothing | Work::Show => Ok(()),
            Work::Load { file, parameters } => self.load(place, file, parameters),
            Work::Run(command) => hooks
                .command(self.plan, &command)
                .map_err(|failure| Failure::Command { command: command.text().into(), failure }),
            Work::Unload => self.unload(step),
        }
    }

    fn load(&self, place: usize, file: &Path, parameters: &[u8]) -> Result<(), Failure> {
        let must_be_first = self.options.first_time && place == self.plan.target();
        match self.kernel.insert(file, parameters, self.options.force) {
            // Another process was faster: the module is there.
            Err(Error::NotLoaded { errno: Errno::EEXIST, .. }) if !must_be_first => Ok(()),
            other => other.map_err(Failure::NotLoaded),
        }
    }

    fn unload(&self, step: &Step) -> Result<(), Failure> {
        let ExecuteOptions { wait, force_removal: force, .. } = *self.options;
        let removed = match wait {
            Some(wait) => self.kernel.delete_waiting(&step.module, force, wait),
            None => self.kernel.delete(&step.module, force),
        };
        if removed.as_ref().is_err_and(|error| error.errno() == Errno::ENOENT)
            && self.kernel.state(&step.module) == State::Unknown
            && !self.options.first_time
        {
            // What was not known before: it is not loaded.
            return Ok(());
        }
        removed.map_err(|error| match error.errno() {
            // The time is over.
            Errno::EAGAIN if wait.is_some() && step.condition != Condition::Unused => Failure::InUse,
            _ => Failure::NotRemoved(error),
        })
    }

    /// Whether the kernel refuses to remove a module that nothing uses: `delete_module` in
    /// `kernel/module/main.c`.
    fn is_kept(&self, module: &ModuleName) -> bool {
        matches!(self.kernel.state(module), State::Coming | State::Going) || self.kernel.is_permanent(module)
    }

    /// Whether a module that was there at first has gone meanwhile, as what another module left
    /// unused or by a command: nothing is removed twice.
    fn is_gone(&self, module: &ModuleName) -> bool {
        match self.options.mode {
            Mode::Run => self.kernel.state(module) == State::Absent,
            Mode::DryRun | Mode::Show => !self.removed().insert(module.clone()),
        }
    }

    /// Whether anything uses a module but what a dry run has shown as removed.
    fn is_in_use(&self, module: &ModuleName) -> bool {
        let holders = self.kernel.holders(module).unwrap_or_default();
        let removed = self.removed();
        let gone = holders.iter().filter(|holder| removed.contains(*holder)).count();
        let gone = i64::try_from(gone).unwrap_or(i64::MAX);
        self.kernel.references(module).is_some_and(|references| references > gone)
    }

    /// A name is there or is not: a thread that panicked leaves none half.
    fn removed(&self) -> MutexGuard<'_, HashSet<ModuleName>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn denied(origin: &Origin, reason: &BString) -> Failure {
    Failure::Denied { origin: origin.clone(), reason: reason.clone() }
}
