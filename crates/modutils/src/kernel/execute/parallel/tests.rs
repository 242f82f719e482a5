//! Plans carried out at once on a kernel that keeps what it is given.

use std::{
    collections::HashSet,
    ffi::CStr,
    fs,
    fs::File,
    io::Read,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use nix::kmod::{DeleteModuleFlags, ModuleInitFlags};
use proptest::prelude::*;

use super::*;
use crate::{
    Errno, Root,
    config::ModprobeConfig,
    kernel::{Calls, Command, CommandFailure, Environment},
    lookup::Candidate,
    plan::inputs::{PlanFacts, PlanInputs},
    plan::{self, LoadOptions},
};

struct Machine {
    directory: tempfile::TempDir,
    config: ModprobeConfig,
    known: PlanInputs,
    loads: Arc<Loads>,
}

/// A kernel that shows in sysfs what it has loaded, and refuses some modules.
#[derive(Default)]
struct Loads {
    sysfs: PathBuf,
    refused: HashSet<String>,
    /// Modules whose loading ends when another one's has begun.
    await_each_other: Option<[&'static str; 2]>,
    begun: Mutex<Vec<String>>,
    changed: Condvar,
}

/// Writes down what happens with the place of the plan among all.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    place: usize,
    /// Whether commands are not run, but written down.
    records_commands: bool,
}

impl Hooks for Recorder {
    fn begin(&mut self, _: &Plan, step: &Step) -> Flow {
        self.events.push(format!("{} begins {}", self.place, step.module));
        Flow::Continue
    }

    fn command(&mut self, _: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
        if !self.records_commands {
            return command.run();
        }
        self.events.push(format!("{} runs {}", self.place, command.text()));
        Ok(())
    }

    fn failed(&mut self, _: &Plan, step: &Step, failure: &Failure) -> Flow {
        let cause = match failure {
            Failure::NotLoaded(error) => error.cause(),
            other => other.to_string(),
        };
        self.events.push(format!("{} {}: {cause}", self.place, step.module));
        Flow::Continue
    }

    fn ended(&mut self, _: &Plan, outcome: Outcome) {
        self.events.push(format!("{} {outcome:?}", self.place));
        self.place += 1;
    }
}

impl Machine {
    /// Modules as `name: dependency...`.
    fn new(modules: &[String], config_text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sysfs = directory.path().join("sys/module");
        fs::create_dir_all(&sysfs).unwrap();
        let mut config = ModprobeConfig::default();
        config.add_file(&std::path::Path::new("/t").into(), config_text.as_bytes(), &mut |_| ());
        let mut known = PlanInputs::default();
        for module in modules {
            let (name, dependencies) = module.split_once(':').unwrap();
            let file = directory.path().join(format!("{name}.ko"));
            fs::write(&file, format!("module {name}")).unwrap();
            let dependencies = dependencies.split_whitespace().map(ModuleName::new).collect();
            known.modules.insert(
                ModuleName::new(name),
                PlanFacts { file: Some(file), dependencies, ..PlanFacts::default() },
            );
            known.names.insert(name.into(), vec![Candidate::named(ModuleName::new(name))]);
        }
        Self { directory, config, known, loads: Arc::new(Loads { sysfs, ..Loads::default() }) }
    }

    fn named(modules: &[&str], config: &str) -> Self {
        Self::new(&modules.iter().map(ToString::to_string).collect::<Vec<_>>(), config)
    }

    fn refusing(mut self, name: &str) -> Self {
        Arc::get_mut(&mut self.loads).unwrap().refused.insert(name.to_owned());
        self
    }

    fn awaiting(mut self, pair: [&'static str; 2]) -> Self {
        Arc::get_mut(&mut self.loads).unwrap().await_each_other = Some(pair);
        self
    }

    fn plans(&self, names: &[&str]) -> Vec<Plan> {
        let plan = |name: &&str| {
            let target = Candidate::named(ModuleName::new(name));
            plan::load(&self.config, &self.known, &target, &LoadOptions::default())
        };
        names.iter().map(plan).collect()
    }

    /// What is reported of the plans for these names, carried out by so many threads; by none, one after
    /// the other.
    fn load(&self, names: &[&str], threads: usize) -> Vec<String> {
        self.load_with(names, threads, Recorder::default())
    }

    fn load_with(&self, names: &[&str], threads: usize, mut recorder: Recorder) -> Vec<String> {
        let plans = self.plans(names);
        let root = Root::default().with_system(self.directory.path());
        let kernel = Kernel::with_calls(&root, Box::new(Arc::clone(&self.loads)));
        let environment = Environment::default().with("SYSFS", &self.loads.sysfs);
        let options = ExecuteOptions::default().environment(environment);
        let outcomes = match NonZeroUsize::new(threads) {
            Some(threads) => execute_all(&plans, &kernel, &options, threads, &mut recorder),
            None => plans.iter().map(|plan| plan.execute(&kernel, &options, &mut recorder)).collect(),
        };
        assert_eq!((outcomes.len(), recorder.place), (plans.len(), plans.len()));
        recorder.events
    }

    fn begun(&self) -> Vec<String> {
        self.loads.begun.lock().unwrap().clone()
    }
}

impl Loads {
    /// The second of two that await each other lets both go on; a minute is for ever.
    fn rendezvous(&self, name: &str) {
        let mut begun = self.begun.lock().unwrap();
        begun.push(name.to_owned());
        self.changed.notify_all();
        if let Some(pair) = self.await_each_other.filter(|pair| pair.contains(&name)) {
            let both =
                |begun: &mut Vec<String>| !pair.iter().all(|one| begun.iter().any(|other| one == other));
            let ended = self.changed.wait_timeout_while(begun, Duration::from_secs(60), both).unwrap();
            assert!(!ended.1.timed_out(), "{pair:?} were not loaded at once");
        }
    }
}

impl Calls for Arc<Loads> {
    fn init_module(&self, _: &[u8], _: &CStr) -> std::result::Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    fn finit_module(&self, mut file: &File, _: &CStr, _: ModuleInitFlags) -> std::result::Result<(), Errno> {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let name = text.strip_prefix("module ").unwrap();
        self.rendezvous(name);
        if self.refused.contains(name) {
            return Err(Errno::from_raw(19));
        }
        fs::create_dir(self.sysfs.join(name)).map_err(|_| Errno::EEXIST)?;
        fs::write(self.sysfs.join(name).join("initstate"), "live\n").unwrap();
        Ok(())
    }

    fn delete_module(&self, _: &CStr, _: DeleteModuleFlags) -> std::result::Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
}

#[test]
fn independent_modules_are_loaded_at_once_and_reported_in_order() {
    let machine = Machine::named(&["base:", "left: base", "right: base"], "").awaiting(["left", "right"]);
    let events = machine.load(&["left", "right"], 2);
    assert_eq!(events, ["0 begins base", "0 begins left", "0 Done", "1 begins right", "1 Done"]);
    assert_eq!(machine.begun()[0], "base");
}

#[test]
fn the_dependencies_of_one_module_are_loaded_at_once() {
    let machine = Machine::named(&["left:", "right:", "top: left right"], "").awaiting(["left", "right"]);
    assert_eq!(machine.load(&["top"], 2).last().unwrap(), "0 Done");
    assert_eq!(machine.begun()[2], "top");
}

#[test]
fn a_module_that_several_plans_want_is_loaded_once() {
    let machine = Machine::named(&["base:", "a: base", "b: base a"], "");
    let events = machine.load(&["a", "b", "a", "base"], 4);
    assert_eq!(
        events,
        ["0 begins base", "0 begins a", "0 Done", "1 begins b", "1 Done", "2 Needless", "3 Needless"]
    );
    assert_eq!(machine.begun(), ["base", "a", "b"]);
}

#[test]
fn soft_dependencies_keep_their_order_and_may_fail() {
    let machine = Machine::named(&["pre:", "mid:", "post:"], "softdep mid pre: pre post: post\n");
    let machine = machine.refusing("pre");
    let events = machine.load(&["mid"], 3);
    assert_eq!(events, ["0 begins pre", "0 pre: No such device", "0 begins mid", "0 begins post", "0 Done"]);
    assert_eq!(machine.begun(), ["pre", "mid", "post"]);
}

#[test]
fn a_failure_ends_its_own_plan_only() {
    let machine = Machine::named(&["bad:", "a: bad", "b:"], "").refusing("bad");
    let events = machine.load(&["a", "b", "bad"], 3);
    let bad = "bad: No such device";
    assert_eq!(
        events,
        [
            "0 begins bad",
            &format!("0 {bad}"),
            "0 Failed",
            "1 begins b",
            "1 Done",
            "2 begins bad",
            &format!("2 {bad}"),
            "2 Failed"
        ]
    );
    assert!(!machine.begun().contains(&"a".into()));
}

#[test]
fn a_missing_file_keeps_its_plan_from_beginning() {
    let machine = Machine::named(&["base:", "a: base", "b:"], "");
    fs::remove_file(machine.directory.path().join("base.ko")).unwrap();
    let events = machine.load(&["a", "b"], 2);
    assert!(events[0].starts_with("0 base: could not open "), "{events:?}");
    assert_eq!(events[1..], ["0 Failed", "1 begins b", "1 Done"]);
}

#[test]
fn a_command_runs_alone_in_its_place() {
    let config = "install cmd test -e \"$SYSFS/a\" && ! test -e \"$SYSFS/b\"\n";
    let machine = Machine::named(&["a:", "cmd:", "b:"], config);
    let events = machine.load(&["a", "cmd", "b"], 3);
    assert_eq!(events, ["0 begins a", "0 Done", "1 begins cmd", "1 Done", "2 begins b", "2 Done"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Where nothing fails, what is reported is the same word for word; where something does, the outcomes.
    #[test]
    fn plans_at_once_come_to_what_they_come_to_in_sequence(
        dependencies in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..9),
        soft in prop::collection::vec((0..9_usize, 0..9_usize), 0..3),
        names in prop::collection::vec(0..9_usize, 1..7),
        commands in prop::collection::vec(0..9_usize, 0..3),
        refused in prop::option::of(0..9_usize),
        threads in 1..5_usize,
    ) {
        let count = dependencies.len();
        let modules: Vec<String> = dependencies.iter().enumerate().map(|(place, list)| {
            // The earlier one comes first, as in modules.dep.
            let mut list: Vec<usize> =
                list.iter().filter(|_| place > 0).map(|index| index.index(place.max(1))).collect();
            list.sort_unstable();
            list.dedup();
            let list: Vec<String> = list.iter().map(|other| format!("m{other}")).collect();
            format!("m{place}: {}", list.join(" "))
        }).collect();
        let soft = soft.iter().map(|(one, other)| format!("softdep m{one} pre: m{other}\n"));
        let config: String =
            soft.chain(commands.iter().map(|one| format!("install m{one} command of m{one}\n"))).collect();
        let names: Vec<String> = names.iter().map(|name| format!("m{}", name % count)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let load = |threads| {
            let machine = Machine::new(&modules, &config);
            let refused = refused.map(|name| format!("m{name}"));
            let machine = refused.iter().fold(machine, |machine, name| machine.refusing(name));
            let recorder = Recorder { records_commands: true, ..Recorder::default() };
            let events = machine.load_with(&names, threads, recorder);
            let entries = fs::read_dir(&machine.loads.sysfs).unwrap();
            let loaded: HashSet<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            (events, loaded)
        };
        let (sequence, at_once) = (load(0), load(threads));
        if refused.is_none() {
            prop_assert_eq!(sequence, at_once);
        } else {
            let outcomes = |events: Vec<String>| {
                events.into_iter().filter(|line| line.split(' ').count() == 2).collect::<Vec<_>>()
            };
            prop_assert_eq!(outcomes(sequence.0), outcomes(at_once.0));
            prop_assert!(sequence.1.is_subset(&at_once.1));
        }
    }
}
