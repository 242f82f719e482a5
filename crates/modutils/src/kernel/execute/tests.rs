//! Plans carried out on a fake kernel.

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
fn a_dependencys_failure_ends_it_and_a_soft_ones_does_not() {
    let machine = Machine::new(&MODULES, "softdep top pre: soft\n").refusing("finit_module", Errno::EPERM);
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
    assert!(told[0].starts_with("failed mid: could not open ") && told[0].contains("/mid.ko"), "{told:?}");
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
