//! Plans carried out on a fake kernel.

use std::{fs, sync::Arc, time::Duration};

use super::*;
use crate::{
    Errno, ModuleName, Root,
    config::ModprobeConfig,
    kernel::{Command, CommandFailure, Environment, calls::fake::Fake},
    lookup::Candidate,
    plan::inputs::{PlanFacts, PlanInputs},
    plan::{self, LoadOptions, RemoveOptions},
};

struct Machine {
    directory: tempfile::TempDir,
    fake: Arc<Fake>,
    config: ModprobeConfig,
    known: PlanInputs,
}

/// Hooks that write down what happens, and abort where that is asked for.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    /// What became of each plan, by the module asked for.
    ended: Vec<(String, Outcome)>,
    /// The event at which to abort the plan, without what follows the module.
    aborts: Option<&'static str>,
    /// Whether commands are run here: the ones that begin with `false` fail.
    runs_commands: bool,
}

impl Recorder {
    fn record(&mut self, what: &str, step: &Step, rest: &str) -> Flow {
        let event = format!("{what} {}", step.module);
        let aborts = self.aborts == Some(event.as_str());
        self.events.push(event + rest);
        if aborts { Flow::Abort } else { Flow::Continue }
    }
}

impl Hooks for Recorder {
    fn begin(&mut self, _: &Plan, step: &Step) -> Flow {
        self.record("begin", step, "")
    }

    fn command(&mut self, _: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
        if !self.runs_commands {
            return command.run();
        }
        self.record("command of", command.step(), &format!(": {}", command.text()));
        if command.text().starts_with(b"false") { Err(CommandFailure::Exit(1)) } else { Ok(()) }
    }

    fn failed(&mut self, _: &Plan, step: &Step, failure: &Failure) -> Flow {
        self.record("failed", step, &format!(": {failure}"))
    }

    fn ended(&mut self, plan: &Plan, outcome: Outcome) {
        self.ended.push((plan.module().to_string(), outcome));
    }
}

impl Machine {
    /// Modules with files, as `name: dependency...`.
    fn new(modules: &[&str], config_text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("sys/module")).unwrap();
        let mut config = ModprobeConfig::default();
        config.add_file(&std::path::Path::new("/t").into(), config_text.as_bytes(), &mut |_| ());
        let mut known = PlanInputs::default();
        for module in modules {
            let (name, dependencies) = module.split_once(':').unwrap_or((module, ""));
            let file = directory.path().join(format!("{name}.ko"));
            fs::write(&file, format!("module {name}")).unwrap();
            let dependencies = dependencies.split_whitespace().map(ModuleName::new).collect();
            let facts = PlanFacts { file: Some(file), dependencies, ..PlanFacts::default() };
            known.modules.insert(ModuleName::new(name), facts);
            known.names.insert(name.into(), vec![Candidate::named(ModuleName::new(name))]);
        }
        Self { directory, fake: Arc::default(), config, known }
    }

    fn loaded(self, module: &str, references: i64) -> Self {
        let directory = self.directory.path().join("sys/module").join(module);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("initstate"), "live\n").unwrap();
        fs::write(directory.join("refcnt"), format!("{references}\n")).unwrap();
        self
    }

    fn refusing(mut self, call: &'static str, errno: Errno) -> Self {
        Arc::get_mut(&mut self.fake).unwrap().answers.insert(call, errno);
        self
    }

    fn held(self, module: &str, holder: &str) -> Self {
        let holders = self.directory.path().join("sys/module").join(module).join("holders");
        fs::create_dir_all(holders.join(holder)).unwrap();
        self
    }

    fn options(&self, mode: Mode) -> ExecuteOptions {
        let environment = Environment::default().with("SYSFS", self.directory.path().join("sys/module"));
        ExecuteOptions::default().mode(mode).environment(environment)
    }

    fn kernel(&self) -> Kernel {
        Kernel::faked(&Root::default().with_system(self.directory.path()), &self.fake)
    }

    fn execute(&self, plan: &Plan, options: &ExecuteOptions) -> (Outcome, Vec<String>) {
        self.execute_with(plan, options, Recorder::default())
    }

    fn execute_with(
        &self,
        plan: &Plan,
        options: &ExecuteOptions,
        mut recorder: Recorder,
    ) -> (Outcome, Vec<String>) {
        let outcome = plan.execute(&self.kernel(), options, &mut recorder);
        assert_eq!(recorder.ended, [(plan.module().to_string(), outcome)]);
        (outcome, recorder.events)
    }

    fn load_plan(&self, target: &str) -> Plan {
        let target = Candidate::named(ModuleName::new(target));
        plan::load(&self.config, &self.known, &target, &LoadOptions::default())
    }

    fn load(&self, target: &str, mode: Mode) -> (Outcome, Vec<String>) {
        self.execute(&self.load_plan(target), &self.options(mode))
    }

    fn load_with(&self, target: &str, recorder: Recorder) -> (Outcome, Vec<String>) {
        self.execute_with(&self.load_plan(target), &self.options(Mode::Run), recorder)
    }

    /// With several threads.
    fn load_all(&self, targets: &[&str], mut recorder: Recorder) -> (Vec<Outcome>, Vec<String>) {
        let plans: Vec<Plan> = targets.iter().map(|target| self.load_plan(target)).collect();
        let (options, threads) = (self.options(Mode::Run), NonZeroUsize::new(4).unwrap());
        let outcomes = Plan::execute_all(&plans, &self.kernel(), &options, threads, &mut recorder);
        let ended = targets.iter().map(ToString::to_string).zip(outcomes.iter().copied());
        assert_eq!(recorder.ended, ended.collect::<Vec<_>>());
        (outcomes, recorder.events)
    }

    fn unload(&self, target: &str, mode: Mode) -> (Outcome, Vec<String>) {
        self.execute(&self.unload_plan(target, &[]), &self.options(mode))
    }

    fn unload_with_holders(&self, target: &str, mode: Mode) -> (Outcome, Vec<String>) {
        let holders = self.kernel().all_holders(&ModuleName::new(target));
        self.execute(&self.unload_plan(target, &holders), &self.options(mode))
    }

    fn unload_plan(&self, target: &str, holders: &[ModuleName]) -> Plan {
        let target = Candidate::named(ModuleName::new(target));
        plan::unload(&self.config, &self.known, &target, &RemoveOptions::default(), holders)
    }

    fn calls(&self) -> usize {
        self.fake.log.lock().unwrap().len()
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
fn what_is_loaded_is_loaded_again_when_that_is_asked_for() {
    let machine = Machine::new(&MODULES, "").loaded("base", 0).loaded("mid", 0);
    let plan = machine.load_plan("mid");
    let options = machine.options(Mode::Run).ignore_loaded(true);
    let begun = vec!["begin base".to_owned(), "begin mid".to_owned()];
    assert_eq!(machine.execute(&plan, &options), (Outcome::Done, begun));
    assert_eq!(machine.calls(), 2);
}

#[test]
fn a_listing_shows_a_module_without_a_file() {
    let machine = Machine::new(&MODULES, "");
    assert_eq!(machine.load("none", Mode::Show), (Outcome::Done, vec!["begin none".into()]));
    assert_eq!(machine.load("none", Mode::Run).0, Outcome::Failed);
}

#[test]
fn a_dependencys_failure_ends_it_and_a_soft_ones_does_not() {
    let machine = Machine::new(&MODULES, "softdep top pre: soft\n").refusing("finit_module", Errno::EPERM);
    let (outcome, events) = machine.load("top", Mode::Run);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(events[0], "begin base");
    assert_eq!(machine.calls(), 1);
    let machine = Machine::new(&MODULES, "softdep base pre: soft\ninstall soft exit 3\n");
    let (outcome, events) = machine.load("base", Mode::Run);
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(events, ["begin soft", "failed soft: 'exit 3': retcode 3", "begin base"]);
}

#[test]
fn a_command_killed_by_a_signal_failed() {
    let machine = Machine::new(&MODULES, "install base kill -9 $$\n");
    let (outcome, events) = machine.load("base", Mode::Run);
    assert_eq!(outcome, Outcome::Failed);
    assert!(events[1].ends_with("killed by signal 9"), "{events:?}");
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
    let (outcome, events) = machine.load("top", Mode::Run);
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        events[0].starts_with("failed mid: could not open ") && events[0].contains("/mid.ko"),
        "{events:?}"
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
    let (outcome, events) = machine.unload("mid", Mode::Run);
    assert_eq!((outcome, events), (Outcome::Failed, vec!["failed mid: the module is in use".into()]));
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
fn whether_a_dependency_is_used_is_left_to_the_kernel_where_nothing_says_it() {
    let machine = Machine::new(&MODULES, "").loaded("mid", 0).loaded("base", 0);
    fs::remove_file(machine.directory.path().join("sys/module/base/refcnt")).unwrap();
    let begun = vec!["begin mid".into(), "begin base".into()];
    assert_eq!(machine.unload("mid", Mode::Run), (Outcome::Done, begun));
    assert_eq!(machine.calls(), 2);
}

#[test]
fn what_is_not_loaded_keeps_its_soft_dependencies() {
    let machine = Machine::new(&MODULES, "softdep mid pre: soft\n").loaded("soft", 0);
    assert_eq!(machine.unload("mid", Mode::Run), (Outcome::Needless, vec![]));
}

#[test]
fn what_went_with_its_holder_is_unloaded() {
    let machine = Machine::new(&MODULES, "remove mid rm -r \"$SYSFS/mid\" \"$SYSFS/base\"\n")
        .loaded("base", 1)
        .loaded("mid", 0)
        .held("base", "mid");
    let (outcome, events) = machine.unload_with_holders("base", Mode::Run);
    assert_eq!((outcome, events), (Outcome::Done, vec!["begin mid".into()]));
    assert_eq!(machine.calls(), 0);
}

#[test]
fn a_dry_run_takes_holders_for_gone_when_it_has_shown_them() {
    let machine = || Machine::new(&MODULES, "").loaded("mid", 0).held("base", "mid");
    let dry = |references| machine().loaded("base", references).unload_with_holders("base", Mode::DryRun);
    assert_eq!(dry(1), (Outcome::Done, vec!["begin mid".into(), "begin base".into()]));
    let (outcome, events) = dry(2);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(events, ["begin mid", "failed base: the module is in use"]);
}

#[test]
fn holders_of_holders_go_first() {
    let machine = Machine::new(&MODULES, "").loaded("base", 2).loaded("mid", 1).loaded("top", 0);
    let machine = machine.held("base", "mid").held("base", "top").held("mid", "top");
    let (outcome, events) = machine.unload_with_holders("base", Mode::DryRun);
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(events, ["begin top", "begin mid", "begin base"]);
}

#[test]
fn waiting_in_vain_means_in_use() {
    let machine = Machine::new(&MODULES, "").loaded("base", 1).refusing("delete_module", Errno::EAGAIN);
    let wait = machine.options(Mode::Run).wait(Some(Duration::from_millis(5)));
    let plan = machine.unload_plan("base", &[]);
    let (outcome, events) = machine.execute(&plan, &wait);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(events, ["begin base", "failed base: the module is in use"]);
}

#[test]
fn a_soft_dependency_in_use_does_not_keep_the_module() {
    let machine = Machine::new(&MODULES, "softdep base post: soft\n").loaded("soft", 1).loaded("base", 0);
    let (outcome, events) = machine.unload("base", Mode::Run);
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(events, ["failed soft: the module is in use", "begin base"]);
}

/// With a command for a dependency, one for a soft dependency, and a soft dependency after both.
const COMMANDS: &str = "install mid true $CMDLINE_OPTS\noptions mid a=1\n\
    install soft false\nsoftdep top pre: soft post: after\n";

fn with_commands() -> Machine {
    Machine::new(&["base:", "mid: base", "top: base mid", "soft:", "after:"], COMMANDS)
}

#[test]
fn commands_are_run_unless_the_caller_does() {
    let (outcome, events) = with_commands().load_with("top", Recorder::default());
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(
        events,
        [
            "begin base",
            "begin mid",
            "begin soft",
            "failed soft: 'false': retcode 1",
            "begin top",
            "begin after"
        ]
    );
}

#[test]
fn a_caller_runs_commands_itself_and_its_word_counts() {
    let machine = with_commands();
    let own = || Recorder { runs_commands: true, ..Recorder::default() };
    let expected = [
        "begin base",
        "begin mid",
        "command of mid: true a=1 ",
        "begin soft",
        "command of soft: false",
        "failed soft: 'false': retcode 1",
        "begin top",
        "begin after",
    ];
    let (outcome, events) = machine.load_with("top", own());
    assert_eq!((outcome, events), (Outcome::Done, expected.map(String::from).into()));
    // No matter how many threads there are: commands come in the order of a sequence, and alone.
    let (outcomes, events) = machine.load_all(&["top", "base"], own());
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
    assert_eq!(events[..8], expected);
    assert_eq!(machine.calls(), 7);
}

#[test]
fn commands_are_not_run_when_plans_are_only_shown() {
    let machine = with_commands();
    let plan = machine.load_plan("top");
    for mode in [Mode::Show, Mode::DryRun] {
        let recorder = Recorder { runs_commands: true, ..Recorder::default() };
        let (outcome, events) = machine.execute_with(&plan, &machine.options(mode), recorder);
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(events, ["begin base", "begin mid", "begin soft", "begin top", "begin after"]);
    }
    assert_eq!(machine.calls(), 0);
}

#[test]
fn a_dry_run_fails_where_loading_is_switched_off() {
    let machine = Machine::new(&MODULES, "").loaded("soft", 0);
    let directory = machine.directory.path().join("proc/sys/kernel");
    fs::create_dir_all(&directory).unwrap();
    for (state, outcome) in [("0\n", Outcome::Done), ("1\n", Outcome::Failed)] {
        fs::write(directory.join("modules_disabled"), state).unwrap();
        assert_eq!(machine.load("base", Mode::DryRun).0, outcome);
        assert_eq!(machine.unload("soft", Mode::DryRun).0, outcome);
        // A listing shows what a plan has.
        assert_eq!(machine.load("base", Mode::Show).0, Outcome::Done);
        // Nothing is to be done.
        assert_eq!(machine.load("soft", Mode::DryRun).0, Outcome::Needless);
    }
    assert_eq!(machine.calls(), 0);
}

#[test]
fn a_caller_keeps_a_step_from_being_done() {
    let machine = with_commands();
    let aborting = |module| Recorder { aborts: Some(module), ..Recorder::default() };
    let (outcome, events) = machine.load_with("top", aborting("begin top"));
    assert_eq!((outcome, events.last().unwrap().as_str()), (Outcome::Failed, "begin top"));
    // Of the modules, `base` alone.
    assert_eq!(machine.calls(), 1);
    // A command in several threads: nothing after it begins, but the next plan does.
    let (outcomes, events) = machine.load_all(&["mid", "after"], aborting("begin mid"));
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Done]);
    assert_eq!(events, ["begin base", "begin mid", "begin after"]);
}

#[test]
fn a_caller_ends_a_plan_after_a_failure_that_matters_little() {
    let machine = with_commands();
    let aborting = || Recorder { aborts: Some("failed soft"), ..Recorder::default() };
    let expected = ["begin base", "begin mid", "begin soft", "failed soft: 'false': retcode 1"];
    let (outcome, events) = machine.load_with("top", aborting());
    assert_eq!((outcome, events), (Outcome::Failed, expected.map(String::from).into()));
    let (outcomes, events) = machine.load_all(&["top", "after"], aborting());
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Done]);
    assert_eq!(events[..4], expected);
    assert_eq!(events[4..], ["begin after"]);
}

#[test]
fn a_hook_that_panics_in_the_midst_of_threads_leaves_none_waiting() {
    struct Panics;
    impl Hooks for Panics {
        fn command(&mut self, _: &Plan, _: &Command<'_>) -> Result<(), CommandFailure> {
            panic!("on purpose")
        }
    }
    let machine = with_commands();
    let plans = [machine.load_plan("top"), machine.load_plan("after")];
    let (options, threads) = (machine.options(Mode::Run), NonZeroUsize::new(2).unwrap());
    let run = || Plan::execute_all(&plans, &machine.kernel(), &options, threads, &mut Panics);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
}

#[test]
fn many_plans_come_to_the_same_in_any_number_of_threads() {
    let machine = || Machine::new(&MODULES, "softdep mid pre: soft\n").refusing("finit_module", Errno::EPERM);
    let targets = ["soft", "top", "base", "soft"];
    let one = |target| machine().load(target, Mode::Run);
    let expected: Vec<Outcome> = targets.iter().map(|target| one(*target).0).collect();
    assert_eq!(machine().load_all(&targets, Recorder::default()).0, expected);
}

#[test]
fn a_failure_has_an_error_number() {
    let machine = Machine::new(&MODULES, "").refusing("finit_module", Errno::EPERM);
    struct Numbers(Vec<Errno>);
    impl Hooks for Numbers {
        fn failed(&mut self, _: &Plan, _: &Step, failure: &Failure) -> Flow {
            self.0.push(failure.errno());
            Flow::Continue
        }
    }
    let mut numbers = Numbers(Vec::new());
    for module in ["base", "nowhere"] {
        machine.load_plan(module).execute(&machine.kernel(), &machine.options(Mode::Run), &mut numbers);
    }
    assert_eq!(numbers.0, [Errno::EPERM, Errno::ENOENT]);
}
