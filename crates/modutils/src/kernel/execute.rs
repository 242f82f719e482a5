//! Carrying out a plan: each step's condition is looked at when its turn comes.

use std::{collections::HashSet, ffi::OsString, time::Duration};

use bstr::BString;
use nix::errno::Errno;

use super::{
    Force, Kernel, Refusal, State,
    commands::{self, CommandFailure},
};
use crate::{
    Error, ModuleName,
    plan::{Action, Condition, OnError, Plan, Step, with_options},
};

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
    /// What commands find in their environment.
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
    #[error("{}", crate::errno_text(*.0))]
    NotDropped(Errno),
}

/// Carries out a plan, and tells what happens as it happens.
pub fn execute(
    kernel: &Kernel,
    plan: &Plan,
    execution: &Execution,
    tell: &mut dyn FnMut(Event) -> Flow,
) -> Outcome {
    let mut run = Run { kernel, plan, execution, tell, results: Vec::new(), shown: HashSet::new() };
    if run.files_are_missing() { Outcome::Failed } else { run.all() }
}

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
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

impl Run<'_, '_> {
    /// Looks for the files before anything is loaded: half a set of dependencies helps nobody.
    fn files_are_missing(&mut self) -> bool {
        let plan = self.plan;
        if plan.steps.first().is_some_and(|check| !self.holds(check)) {
            return false;
        }
        for (place, step) in plan.steps.iter().enumerate() {
            let Action::Load { file, .. } = &step.action else { continue };
            // The target alone is shown whether its file is there or not.
            let ignored = step.on_error == OnError::Ignore || place == plan.target;
            if ignored || self.is_loaded(&step.module) {
                continue;
            }
            if let Err(error) = std::fs::metadata(file) {
                let failure = Failure::Missing(Error::io("open", file)(error));
                (self.tell)(Event::Failed(step, &failure));
                return true;
            }
        }
        false
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
            Condition::Unused => self.kernel.references(&step.module) == Some(0),
        }
    }

    fn is_loaded(&self, module: &ModuleName) -> bool {
        self.kernel.state(module) == State::Live
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
            Action::NoFile if running => Err(Failure::NoFile),
            Action::NoFile => Ok(Flow::Continue),
            Action::Unload { .. } => self.unload(step),
        }
    }

    fn begin(&mut self, step: &Step) -> Flow {
        (self.tell)(Event::Begin(step))
    }

    fn load(&self, step: &Step, file: &std::path::Path, options: &[u8]) -> Result<(), Failure> {
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
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        Root,
        config::ModprobeConfig,
        kernel::calls::fake::Fake,
        lookup::{Candidate, Facts, Known},
        plan::{self, LoadRequest, UnloadRequest},
    };

    struct Machine {
        directory: tempfile::TempDir,
        root: Root,
        fake: Fake,
        config: ModprobeConfig,
        known: Known,
    }

    impl Machine {
        /// Modules with files, as `name: dependency...`.
        fn new(modules: &[&str], config_text: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = Root::default().with_system(directory.path());
            fs::create_dir_all(directory.path().join("sys/module")).unwrap();
            let mut config = ModprobeConfig::default();
            config.add_file(&std::path::Path::new("/t").into(), config_text.as_bytes(), &mut |_| ());
            let mut known = Known::default();
            for module in modules {
                let (name, dependencies) = module.split_once(':').unwrap_or((module, ""));
                let file = directory.path().join(format!("{name}.ko"));
                fs::write(&file, format!("module {name}")).unwrap();
                let dependencies = dependencies.split_whitespace().map(ModuleName::new).collect();
                let facts = Facts { file: Some(file), dependencies, builtin: false };
                known.modules.insert(ModuleName::new(name), facts);
                known.names.insert(name.into(), vec![Candidate::named(ModuleName::new(name))]);
            }
            Self { directory, root, fake: Fake::default(), config, known }
        }

        fn loaded(self, module: &str, references: i64) -> Self {
            let directory = self.directory.path().join("sys/module").join(module);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("initstate"), "live\n").unwrap();
            fs::write(directory.join("refcnt"), format!("{references}\n")).unwrap();
            self
        }

        fn refusing(mut self, call: &'static str, errno: Errno) -> Self {
            self.fake.answers.insert(call, errno);
            self
        }

        fn held(self, module: &str, holder: &str) -> Self {
            let holders = self.directory.path().join("sys/module").join(module).join("holders");
            fs::create_dir_all(holders.join(holder)).unwrap();
            self
        }

        fn execution(&self, mode: Mode) -> Execution {
            Execution {
                mode,
                first_time: false,
                force: Force::default(),
                force_unload: false,
                wait: None,
                environment: vec![("SYSFS".into(), self.directory.path().join("sys/module").into())],
            }
        }

        fn execute(&self, plan: &Plan, execution: &Execution) -> (Outcome, Vec<String>) {
            let kernel = Kernel::with_calls(&self.root, &self.fake);
            let mut told = Vec::new();
            let mut tell = |event: Event| {
                told.push(match event {
                    Event::Begin(step) => format!("begin {}", step.module),
                    Event::Failed(step, failure) => format!("failed {}: {failure}", step.module),
                });
                Flow::Continue
            };
            let outcome = execute(&kernel, plan, execution, &mut tell);
            (outcome, told)
        }

        fn load(&self, target: &str, mode: Mode) -> (Outcome, Vec<String>) {
            let target = Candidate::named(ModuleName::new(target));
            let plan = plan::load(&self.config, &self.known, &target, &LoadRequest::default());
            self.execute(&plan, &self.execution(mode))
        }

        fn unload(&self, target: &str, mode: Mode) -> (Outcome, Vec<String>) {
            self.execute(&self.unload_plan(target, Vec::new()), &self.execution(mode))
        }

        fn unload_with_holders(&self, target: &str, mode: Mode) -> (Outcome, Vec<String>) {
            let kernel = Kernel::with_calls(&self.root, &self.fake);
            let holders = kernel.all_holders(&ModuleName::new(target));
            self.execute(&self.unload_plan(target, holders), &self.execution(mode))
        }

        fn unload_plan(&self, target: &str, holders: Vec<ModuleName>) -> Plan {
            let target = Candidate::named(ModuleName::new(target));
            let request = UnloadRequest { holders, ..UnloadRequest::default() };
            plan::unload(&self.config, &self.known, &target, &request)
        }

        fn calls(&self) -> usize {
            self.fake.log.borrow().len()
        }
    }

    const MODULES: [&str; 4] = ["base:", "mid: base", "top: base mid", "soft:"];

    #[test]
    fn what_is_loaded_is_not_loaded_again() {
        let machine = Machine::new(&MODULES, "").loaded("base", 0);
        assert_eq!(machine.load("mid", Mode::Run), (Outcome::Done, vec!["begin mid".into()]));
        assert_eq!(machine.load("base", Mode::Run), (Outcome::Needless, vec![]));
        assert_eq!(machine.calls(), 1);
    }

    #[test]
    fn a_dry_run_calls_nothing_and_a_listing_ignores_what_is_loaded() {
        let machine = Machine::new(&MODULES, "install mid exit 1\n").loaded("base", 0);
        assert_eq!(machine.load("mid", Mode::DryRun).1, ["begin mid"]);
        assert_eq!(machine.load("mid", Mode::Show).1, ["begin base", "begin mid"]);
        assert_eq!(machine.calls(), 0);
    }

    #[test]
    fn a_dependencys_failure_ends_it_and_a_soft_ones_does_not() {
        let machine =
            Machine::new(&MODULES, "softdep top pre: soft\n").refusing("finit_module", Errno::EPERM);
        let (outcome, told) = machine.load("top", Mode::Run);
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(told[0], "begin base");
        assert_eq!(machine.calls(), 1);
        let machine = Machine::new(&MODULES, "softdep base pre: soft\ninstall soft exit 3\n");
        let (outcome, told) = machine.load("base", Mode::Run);
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(told, ["begin soft", "failed soft: 'exit 3': retcode 3", "begin base"]);
    }

    #[test]
    fn a_command_killed_by_a_signal_failed() {
        let machine = Machine::new(&MODULES, "install base kill -9 $$\n");
        let (outcome, told) = machine.load("base", Mode::Run);
        assert_eq!(outcome, Outcome::Failed);
        assert!(told[1].ends_with("killed by signal 9"), "{told:?}");
    }

    #[test]
    fn another_process_that_was_faster_is_no_failure() {
        let machine = Machine::new(&MODULES, "").refusing("finit_module", Errno::EEXIST);
        assert_eq!(machine.load("mid", Mode::Run).0, Outcome::Done);
    }

    #[test]
    fn with_a_dependencys_file_missing_nothing_is_loaded() {
        let machine = Machine::new(&MODULES, "");
        fs::remove_file(machine.directory.path().join("mid.ko")).unwrap();
        let (outcome, told) = machine.load("top", Mode::Run);
        assert_eq!(outcome, Outcome::Failed);
        assert!(
            told[0].starts_with("failed mid: could not open ") && told[0].contains("/mid.ko"),
            "{told:?}"
        );
        assert_eq!(machine.calls(), 0);
        let machine = machine.loaded("mid", 0);
        assert_eq!(machine.load("top", Mode::Run).0, Outcome::Done);
    }

    #[test]
    fn a_missing_file_of_a_soft_dependency_stops_nothing() {
        let machine = Machine::new(&MODULES, "softdep base pre: soft\n");
        fs::remove_file(machine.directory.path().join("soft.ko")).unwrap();
        assert_eq!(machine.load("base", Mode::Run).0, Outcome::Done);
        assert_eq!(machine.calls(), 1);
    }

    #[test]
    fn a_module_in_use_stays_and_so_do_its_dependencies() {
        let machine = Machine::new(&MODULES, "").loaded("mid", 1).loaded("base", 0);
        let (outcome, told) = machine.unload("mid", Mode::Run);
        assert_eq!((outcome, told), (Outcome::Failed, vec!["failed mid: the module is in use".into()]));
        assert_eq!(machine.calls(), 0);
    }

    #[test]
    fn dependencies_go_only_when_unused_at_their_turn() {
        let machine = Machine::new(&MODULES, "").loaded("top", 0).loaded("mid", 0).loaded("base", 1);
        assert_eq!(
            machine.unload("top", Mode::Run),
            (Outcome::Done, vec!["begin top".into(), "begin mid".into()])
        );
    }

    #[test]
    fn what_is_not_loaded_keeps_its_soft_dependencies() {
        let machine = Machine::new(&MODULES, "softdep mid pre: soft\n").loaded("soft", 0);
        assert_eq!(machine.unload("mid", Mode::Run), (Outcome::Needless, vec![]));
    }

    #[test]
    fn what_went_with_its_holder_is_unloaded() {
        let machine = Machine::new(&MODULES, "remove mid rm -r $SYSFS/mid $SYSFS/base\n")
            .loaded("base", 1)
            .loaded("mid", 0)
            .held("base", "mid");
        let (outcome, told) = machine.unload_with_holders("base", Mode::Run);
        assert_eq!((outcome, told), (Outcome::Done, vec!["begin mid".into()]));
        assert_eq!(machine.calls(), 0);
    }

    #[test]
    fn a_dry_run_takes_holders_for_gone_when_it_has_shown_them() {
        let machine = || Machine::new(&MODULES, "").loaded("mid", 0).held("base", "mid");
        let dry = |references| machine().loaded("base", references).unload_with_holders("base", Mode::DryRun);
        assert_eq!(dry(1), (Outcome::Done, vec!["begin mid".into(), "begin base".into()]));
        let (outcome, told) = dry(2);
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(told, ["begin mid", "failed base: the module is in use"]);
    }

    #[test]
    fn holders_of_holders_go_first() {
        let machine = Machine::new(&MODULES, "").loaded("base", 2).loaded("mid", 1).loaded("top", 0);
        let machine = machine.held("base", "mid").held("base", "top").held("mid", "top");
        let (outcome, told) = machine.unload_with_holders("base", Mode::DryRun);
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(told, ["begin top", "begin mid", "begin base"]);
    }

    #[test]
    fn waiting_in_vain_means_in_use() {
        let machine = Machine::new(&MODULES, "").loaded("base", 1).refusing("delete_module", Errno::EAGAIN);
        let wait = Execution { wait: Some(Duration::from_millis(5)), ..machine.execution(Mode::Run) };
        let plan = machine.unload_plan("base", Vec::new());
        let (outcome, told) = machine.execute(&plan, &wait);
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(told, ["begin base", "failed base: the module is in use"]);
    }

    #[test]
    fn a_soft_dependency_in_use_does_not_keep_the_module() {
        let machine = Machine::new(&MODULES, "softdep base post: soft\n").loaded("soft", 1).loaded("base", 0);
        let (outcome, told) = machine.unload("base", Mode::Run);
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(told, ["failed soft: the module is in use", "begin base"]);
    }
}
