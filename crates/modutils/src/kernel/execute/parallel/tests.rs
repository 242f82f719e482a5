//! Plans carried out at once on a kernel that keeps what it is given.

use std::{collections::HashSet, ffi::CStr, fs, fs::File, io::Read, path::PathBuf, time::Duration};

use nix::kmod::{DeleteModuleFlags, ModuleInitFlags};
use proptest::prelude::*;

use super::*;
use crate::{
    Errno, Root,
    config::ModprobeConfig,
    kernel::{Calls, Force, Mode, execute},
    lookup::{Candidate, Facts, Known},
    plan::{self, LoadRequest},
};

/// A kernel that shows in sysfs what it has loaded, and refuses some modules.
struct Machine {
    directory: tempfile::TempDir,
    root: Root,
    config: ModprobeConfig,
    known: Known,
    refused: HashSet<String>,
    /// Modules whose loading ends when another one's has begun.
    await_each_other: Option<[&'static str; 2]>,
    begun: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Machine {
    /// Modules as `name: dependency...`.
    fn new(modules: &[String], config_text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("sys/module")).unwrap();
        let mut config = ModprobeConfig::default();
        config.add_file(&std::path::Path::new("/t").into(), config_text.as_bytes(), &mut |_| ());
        let mut known = Known::default();
        for module in modules {
            let (name, dependencies) = module.split_once(':').unwrap();
            let file = directory.path().join(format!("{name}.ko"));
            fs::write(&file, format!("module {name}")).unwrap();
            let dependencies = dependencies.split_whitespace().map(ModuleName::new).collect();
            known
                .modules
                .insert(ModuleName::new(name), Facts { file: Some(file), dependencies, builtin: false });
            known.names.insert(name.into(), vec![Candidate::named(ModuleName::new(name))]);
        }
        let root = Root::default().with_system(directory.path());
        let (refused, begun, changed) = Default::default();
        Self { directory, root, config, known, refused, await_each_other: None, begun, changed }
    }

    fn named(modules: &[&str], config: &str) -> Self {
        Self::new(&modules.iter().map(ToString::to_string).collect::<Vec<_>>(), config)
    }

    fn sysfs(&self) -> PathBuf {
        self.directory.path().join("sys/module")
    }

    fn plans(&self, names: &[&str]) -> Vec<Plan> {
        let plan = |name: &&str| {
            let target = Candidate::named(ModuleName::new(name));
            plan::load(&self.config, &self.known, &target, &LoadRequest::default())
        };
        names.iter().map(plan).collect()
    }

    /// What is told of the plans for these names, carried out by so many threads; by none, one after
    /// the other.
    fn load(&self, names: &[&str], jobs: usize) -> Vec<String> {
        let plans = self.plans(names);
        let kernel = Kernel::with_calls(&self.root, self);
        let execution = Execution {
            mode: Mode::Run,
            first_time: false,
            force: Force::default(),
            force_unload: false,
            wait: None,
            environment: vec![("SYSFS".into(), self.sysfs().into())],
        };
        let mut told = Vec::new();
        let mut tell = |place: usize, what: Told| {
            told.push(match what {
                Told::Event(Event::Begin(step)) => format!("{place} begins {}", step.module),
                Told::Event(Event::Failed(step, failure)) => format!("{place} {}: {failure}", step.module),
                Told::Ended(outcome) => format!("{place} {outcome:?}"),
            });
        };
        match NonZeroUsize::new(jobs) {
            Some(jobs) => execute_all(&kernel, &plans, &execution, jobs, &mut tell),
            None => {
                for (place, plan) in plans.iter().enumerate() {
                    let outcome = execute(&kernel, plan, &execution, &mut |event| {
                        tell(place, Told::Event(event));
                        Flow::Continue
                    });
                    tell(place, Told::Ended(outcome));
                }
            }
        }
        told
    }

    fn begun(&self) -> Vec<String> {
        self.begun.lock().unwrap().clone()
    }

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

impl Calls for Machine {
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
        fs::create_dir(self.sysfs().join(name)).map_err(|_| Errno::EEXIST)?;
        fs::write(self.sysfs().join(name).join("initstate"), "live\n").unwrap();
        Ok(())
    }

    fn delete_module(&self, _: &CStr, _: DeleteModuleFlags) -> std::result::Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
}

#[test]
fn independent_modules_are_loaded_at_once_and_told_in_order() {
    let mut machine = Machine::named(&["base:", "left: base", "right: base"], "");
    machine.await_each_other = Some(["left", "right"]);
    let told = machine.load(&["left", "right"], 2);
    assert_eq!(told, ["0 begins base", "0 begins left", "0 Done", "1 begins right", "1 Done"]);
    assert_eq!(machine.begun()[0], "base");
}

#[test]
fn the_dependencies_of_one_module_are_loaded_at_once() {
    let mut machine = Machine::named(&["left:", "right:", "top: left right"], "");
    machine.await_each_other = Some(["left", "right"]);
    assert_eq!(machine.load(&["top"], 2).last().unwrap(), "0 Done");
    assert_eq!(machine.begun()[2], "top");
}

#[test]
fn a_module_that_several_plans_want_is_loaded_once() {
    let machine = Machine::named(&["base:", "a: base", "b: base a"], "");
    let told = machine.load(&["a", "b", "a", "base"], 4);
    assert_eq!(
        told,
        ["0 begins base", "0 begins a", "0 Done", "1 begins b", "1 Done", "2 Needless", "3 Needless"]
    );
    assert_eq!(machine.begun(), ["base", "a", "b"]);
}

#[test]
fn soft_dependencies_keep_their_order_and_may_fail() {
    let mut machine = Machine::named(&["pre:", "mid:", "post:"], "softdep mid pre: pre post: post\n");
    machine.refused.insert("pre".into());
    let told = machine.load(&["mid"], 3);
    assert_eq!(told, ["0 begins pre", "0 pre: No such device", "0 begins mid", "0 begins post", "0 Done"]);
    assert_eq!(machine.begun(), ["pre", "mid", "post"]);
}

#[test]
fn a_failure_ends_its_own_plan_only() {
    let mut machine = Machine::named(&["bad:", "a: bad", "b:"], "");
    machine.refused.insert("bad".into());
    let told = machine.load(&["a", "b", "bad"], 3);
    let bad = "bad: No such device";
    assert_eq!(
        told,
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
    let told = machine.load(&["a", "b"], 2);
    assert!(told[0].starts_with("0 base: could not open "), "{told:?}");
    assert_eq!(told[1..], ["0 Failed", "1 begins b", "1 Done"]);
}

#[test]
fn a_command_runs_alone_in_its_place() {
    let config = "install cmd test -e \"$SYSFS/a\" && ! test -e \"$SYSFS/b\"\n";
    let machine = Machine::named(&["a:", "cmd:", "b:"], config);
    let told = machine.load(&["a", "cmd", "b"], 3);
    assert_eq!(told, ["0 begins a", "0 Done", "1 begins cmd", "1 Done", "2 begins b", "2 Done"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Where nothing fails, what is told is the same word for word; where something does, the outcomes.
    #[test]
    fn plans_at_once_come_to_what_they_come_to_in_sequence(
        dependencies in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..9),
        soft in prop::collection::vec((0..9_usize, 0..9_usize), 0..3),
        names in prop::collection::vec(0..9_usize, 1..7),
        refused in prop::option::of(0..9_usize),
        jobs in 1..5_usize,
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
        let config: String =
            soft.iter().map(|(one, other)| format!("softdep m{one} pre: m{other}\n")).collect();
        let names: Vec<String> = names.iter().map(|name| format!("m{}", name % count)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let load = |jobs| {
            let mut machine = Machine::new(&modules, &config);
            machine.refused.extend(refused.map(|name| format!("m{name}")));
            let told = machine.load(&names, jobs);
            let loaded: HashSet<_> =
                fs::read_dir(machine.sysfs()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            (told, loaded)
        };
        let (sequence, at_once) = (load(0), load(jobs));
        if refused.is_none() {
            prop_assert_eq!(sequence, at_once);
        } else {
            let outcomes = |told: Vec<String>| {
                told.into_iter().filter(|line| line.split(' ').count() == 2).collect::<Vec<_>>()
            };
            prop_assert_eq!(outcomes(sequence.0), outcomes(at_once.0));
            prop_assert!(sequence.1.is_subset(&at_once.1));
        }
    }
}
