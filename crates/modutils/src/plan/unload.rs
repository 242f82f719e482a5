//! The plan that unloads a module, and what it leaves unused.

use std::collections::HashSet;

use super::{Action, Condition, OnError, Plan, Step, with_options};
use crate::{
    ModuleName,
    config::{CommandLine, ModprobeConfig},
    lookup::{Candidate, Facts, Known},
};

/// How a module is to be unloaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnloadRequest {
    /// Leave out the module's own remove command and soft dependencies (`--ignore-remove`).
    pub ignore_commands: bool,
    /// Unload the modules that use it first (`--remove-holders`).
    pub holders: bool,
}

/// Plans to unload a module: its soft dependencies `post:` backwards, those that use it when that is
/// asked for, itself, then each module it depends on that nobody uses then, and its soft
/// dependencies `pre:` backwards. A module may have several steps: which of them finds it unused is
/// only known when its turn comes.
pub fn unload(config: &ModprobeConfig, known: &Known, target: &Candidate, request: UnloadRequest) -> Plan {
    let mut planner = Planner { config, known, target, request, plan: Plan::default() };
    planner.walk();
    planner.plan
}

struct Planner<'a> {
    config: &'a ModprobeConfig,
    known: &'a Known,
    target: &'a Candidate,
    request: UnloadRequest,
    plan: Plan,
}

/// What is left to do of the walk, on a stack of its own as for loading. Steps belong to the module
/// whose check they follow: where it is not loaded, what surrounds it stays too.
enum Task {
    /// A module with all around it, unless it was entered before.
    Enter(Candidate, Option<usize>),
    /// A module, then what it depends on, then its soft dependencies `pre:`.
    Place(ModuleName, usize),
}

impl Planner<'_> {
    fn walk(&mut self) {
        let mut entered = HashSet::new();
        let mut tasks = vec![Task::Enter(self.target.clone(), None)];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Enter(candidate, given) => {
                    if entered.insert(candidate.module.clone()) {
                        let check = self.check(&candidate.module, given);
                        let (_, post) = self.soft_dependencies(&candidate.module);
                        tasks.push(Task::Place(candidate.module, check));
                        tasks.extend(post.into_iter().map(|candidate| Task::Enter(candidate, Some(check))));
                    }
                }
                Task::Place(module, check) => {
                    let place = self.place(&module, check);
                    let (pre, _) = self.soft_dependencies(&module);
                    tasks.extend(pre.into_iter().map(|candidate| Task::Enter(candidate, Some(place))));
                }
            }
        }
    }

    fn soft_dependencies(&self, module: &ModuleName) -> (Vec<Candidate>, Vec<Candidate>) {
        let (mut pre, mut post) = (Vec::new(), Vec::new());
        if self.request.ignore_commands && *module == self.target.module {
            return (pre, post);
        }
        let meant = |name| self.known.names.get(name).into_iter().flatten().cloned();
        for line in self.config.softdeps(module) {
            pre.extend(line.pre.iter().flat_map(meant));
            post.extend(line.post.iter().flat_map(meant));
        }
        (pre, post)
    }

    /// The command that takes the place of unloading a module.
    fn command(&self, module: &ModuleName) -> Option<&CommandLine> {
        self.config.remove(module).filter(|_| !(self.request.ignore_commands && self.is_target(module)))
    }

    fn is_target(&self, module: &ModuleName) -> bool {
        *module == self.target.module
    }

    fn check(&mut self, module: &ModuleName, given: Option<usize>) -> usize {
        // Whether there is something to do for a command only the command knows.
        let always = self.command(module).is_some() || self.facts(module).builtin;
        let condition = if always { Condition::Always } else { Condition::Loaded };
        self.push(module, Action::Check, condition, given)
    }

    fn place(&mut self, module: &ModuleName, check: usize) -> usize {
        let mut holders = None;
        if self.request.holders && self.is_target(module) {
            holders = Some(self.push(module, Action::UnloadHolders, Condition::Loaded, Some(check)));
        }
        let action = match self.command(module) {
            Some(line) => Action::RunRemove { command: with_options(&line.command, b"") },
            None => Action::Unload { builtin: self.facts(module).builtin },
        };
        let place = self.push(module, action, Condition::Always, Some(check));
        if let Some(step) = self.plan.steps.get_mut(place) {
            step.needs.extend(holders);
        }
        if self.is_target(module) {
            self.plan.target = place;
        }
        for dependency in self.facts(module).dependencies {
            self.push(&dependency, Action::Unload { builtin: false }, Condition::Unused, Some(place));
        }
        place
    }

    fn facts(&self, module: &ModuleName) -> Facts {
        self.known.modules.get(module).cloned().unwrap_or_default()
    }

    /// Each step waits for the one before it: what is unused depends on what went before.
    fn push(
        &mut self,
        module: &ModuleName,
        action: Action,
        condition: Condition,
        given: Option<usize>,
    ) -> usize {
        let place = self.plan.steps.len();
        let on_error = if self.is_target(module) { OnError::Stop } else { OnError::Ignore };
        let follows = place.checked_sub(1).into_iter().collect();
        let needs = given.into_iter().collect();
        self.plan.steps.push(Step {
            module: module.clone(),
            action,
            condition,
            given,
            needs,
            follows,
            on_error,
        });
        place
    }
}
