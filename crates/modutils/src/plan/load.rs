//! The plan that loads a module with all it needs.

use std::collections::{HashMap, HashSet};

use bstr::BString;

use super::{Action, Condition, OnError, Plan, Step};
use crate::{
    ModuleName,
    config::{BlacklistLine, ModprobeConfig},
    lookup::{Candidate, Facts, Known},
};

/// How a module is to be loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// Parameters from the command line, after the configured ones.
    pub options: BString,
    /// Leave out the module's own install command and soft dependencies (`--ignore-install`).
    pub ignore_commands: bool,
}

/// The line that forbids loading a candidate: a blacklist stops modules found by an alias; every one
/// with `use_blacklist` (`modprobe --use-blacklist`).
pub fn blacklisted<'a>(
    config: &'a ModprobeConfig,
    candidate: &Candidate,
    use_blacklist: bool,
) -> Option<&'a BlacklistLine> {
    (use_blacklist || candidate.alias.is_some()).then(|| config.blacklisted(&candidate.module)).flatten()
}

/// Plans to load a module: its dependencies with their soft dependencies, its own soft dependencies
/// `pre:`, itself, its soft dependencies `post:`. Each module has one step, at the first place where
/// it is wanted.
pub fn load(config: &ModprobeConfig, known: &Known, target: &Candidate, request: &LoadRequest) -> Plan {
    let mut planner = Planner { config, known, target, request, places: HashMap::new(), steps: Vec::new() };
    planner.check_target();
    planner.walk();
    planner.add_edges();
    planner.mark_errors();
    let place = planner.places.get(&target.module).copied().unwrap_or_default();
    Plan { steps: planner.steps, target: place }
}

struct Planner<'a> {
    config: &'a ModprobeConfig,
    known: &'a Known,
    target: &'a Candidate,
    request: &'a LoadRequest,
    places: HashMap<ModuleName, usize>,
    steps: Vec<Step>,
}

/// What is left to do of the walk. It is kept on a stack of its own: a chain of soft dependencies may
/// be longer than the thread's stack is deep.
enum Task {
    /// A module with its dependencies, unless it was entered before.
    Enter(Candidate),
    /// A module between its soft dependencies.
    Surround(Candidate),
    /// A module alone.
    Place(Candidate),
}

impl Planner<'_> {
    /// A module that is there already needs nothing, not even what it depends on.
    fn check_target(&mut self) {
        self.push(self.target.module.clone(), Action::Check, None);
    }

    fn walk(&mut self) {
        let mut entered = HashSet::new();
        let mut tasks = vec![Task::Enter(self.target.clone())];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Enter(candidate) => {
                    if entered.insert(candidate.module.clone()) {
                        let dependencies = self.dependencies(&candidate.module).iter().rev();
                        let dependencies = dependencies.map(|name| Candidate::named(name.clone()));
                        let dependencies: Vec<Task> = dependencies.map(Task::Surround).collect();
                        tasks.push(Task::Surround(candidate));
                        tasks.extend(dependencies);
                    }
                }
                Task::Surround(candidate) => {
                    let (pre, post) = self.soft_dependencies(&candidate.module);
                    tasks.extend(post.into_iter().rev().map(Task::Enter));
                    tasks.push(Task::Place(candidate));
                    tasks.extend(pre.into_iter().rev().map(Task::Enter));
                }
                Task::Place(candidate) => self.place(candidate),
            }
        }
    }

    fn dependencies(&self, module: &ModuleName) -> &[ModuleName] {
        self.known.modules.get(module).map_or(&[], |facts| &facts.dependencies)
    }

    /// What stands before and after a module, all its softdep lines taken together.
    fn soft_dependencies(&self, module: &ModuleName) -> (Vec<Candidate>, Vec<Candidate>) {
        let (mut pre, mut post) = (Vec::new(), Vec::new());
        if self.request.ignore_commands && *module == self.target.module {
            return (pre, post);
        }
        let meant = |name: &BString| self.known.names.get(name).into_iter().flatten().cloned();
        for line in self.config.softdeps(module) {
            pre.extend(line.pre.iter().flat_map(meant));
            post.extend(line.post.iter().flat_map(meant));
        }
        (pre, post)
    }

    fn place(&mut self, candidate: Candidate) {
        if self.places.contains_key(&candidate.module) {
            return;
        }
        let is_target = candidate.module == self.target.module;
        let candidate = if is_target { self.target.clone() } else { candidate };
        let action = self.action(&candidate, is_target);
        self.places.insert(candidate.module.clone(), self.steps.len());
        self.push(candidate.module, action, Some(0));
    }

    fn push(&mut self, module: ModuleName, action: Action, given: Option<usize>) {
        let builtin = self.known.modules.get(&module).is_some_and(|facts| facts.builtin);
        let condition = if builtin { Condition::Never } else { Condition::NotLoaded };
        let (needs, follows) = (Vec::new(), Vec::new());
        self.steps.push(Step { module, action, condition, given, needs, follows, on_error: OnError::Ignore });
    }

    fn action(&self, candidate: &Candidate, is_target: bool) -> Action {
        let configured =
            self.config.options(&candidate.module, candidate.alias.as_ref().map(|alias| &***alias));
        let given: &[u8] = if is_target { &self.request.options } else { b"" };
        // As kmod has it, with a blank at the end where nothing is given.
        let blank: &[u8] = if configured.is_empty() { b"" } else { b" " };
        let options = BString::from([configured.as_slice(), blank, given].concat());
        let unknown = Facts::default();
        let facts = self.known.modules.get(&candidate.module).unwrap_or(&unknown);
        if !(is_target && self.request.ignore_commands)
            && let Some(line) = self.config.install(&candidate.module)
        {
            return Action::RunInstall { command: line.command.clone(), options };
        }
        if facts.builtin {
            return Action::Builtin;
        }
        match candidate.file.as_ref().or(facts.file.as_ref()) {
            Some(file) => Action::Load { file: file.clone(), options },
            None => Action::NoFile,
        }
    }

    fn add_edges(&mut self) {
        for place in 1..self.steps.len() {
            let Some(module) = self.steps.get(place).map(|step| step.module.clone()) else { continue };
            // A dependency with a later place is part of a cycle in a damaged index.
            let earlier =
                |module: &ModuleName| self.places.get(module).copied().filter(|&other| other < place);
            let later = |module: &ModuleName| self.places.get(module).copied().filter(|&other| other > place);
            let needs: Vec<usize> = self.dependencies(&module).iter().filter_map(earlier).collect();
            let (pre, post) = self.soft_dependencies(&module);
            let before: Vec<usize> = pre.iter().filter_map(|candidate| earlier(&candidate.module)).collect();
            let after: Vec<usize> = post.iter().filter_map(|candidate| later(&candidate.module)).collect();
            if let Some(step) = self.steps.get_mut(place) {
                step.needs = needs;
                step.follows.extend(before);
            }
            for other in after {
                if let Some(step) = self.steps.get_mut(other) {
                    step.follows.push(place);
                }
            }
        }
    }

    /// The failure of the target, or of a step that it needs, ends the whole; others are soft.
    fn mark_errors(&mut self) {
        let mut waiting: Vec<usize> = self.places.get(&self.target.module).copied().into_iter().collect();
        while let Some(place) = waiting.pop() {
            if let Some(step) = self.steps.get_mut(place)
                && step.on_error == OnError::Ignore
            {
                step.on_error = OnError::Stop;
                waiting.extend(&step.needs);
            }
        }
    }
}
