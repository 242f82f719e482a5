//! The plan that unloads a module, and what it leaves unused.

use std::{borrow::Cow, collections::HashSet};

use super::{Action, Condition, OnError, Plan, Step, soft::Side, with_options};
use crate::{
    ModuleName,
    config::{CommandLine, ModprobeConfig},
    lookup::Candidate,
    plan::inputs::{PlanFacts, PlanInputs},
};

/// How to remove a module.
#[derive(Clone, Debug, Default)]
pub struct RemoveOptions {
    ignore_commands: bool,
    #[cfg(feature = "kernel")]
    holders: bool,
}

impl RemoveOptions {
    /// Whether to ignore the module's own remove command and soft dependencies (`--ignore-remove`).
    #[must_use]
    pub fn ignore_commands(mut self, ignore_commands: bool) -> Self {
        self.ignore_commands = ignore_commands;
        self
    }
}

/// What takes the running kernel to plan.
#[cfg(feature = "kernel")]
impl RemoveOptions {
    /// Whether to remove all modules first that use it, directly or by way of others
    /// (`--remove-holders`).
    ///
    /// kmod knows direct holders only.
    #[must_use]
    pub fn holders(self, holders: bool) -> Self {
        Self { holders, ..self }
    }

    #[cfg(feature = "kernel")]
    /// Whether to remove holders.
    pub(crate) fn with_holders(&self) -> bool {
        self.holders
    }
}

/// Plans to unload a module: its soft dependencies `post:` backwards, the modules that use it, itself, then
/// each module it depends on that nobody uses then, and its soft dependencies `pre:` backwards. A
/// module may have several steps: which of them finds it unused is only known when its turn comes.
///
/// The modules that use it are `holders`, the last one to be unloaded first: modules that use one of them
/// stand behind it, as `Kernel::all_holders` has them.
pub(crate) fn unload(
    config: &ModprobeConfig,
    known: &PlanInputs,
    target: &Candidate,
    options: &RemoveOptions,
    holders: &[ModuleName],
) -> Plan {
    let plan = Plan { module: target.module.clone(), steps: Vec::new(), target: 0 };
    let is_holder = holders.iter().collect();
    let mut planner = Planner { config, known, target, options, holders, is_holder, plan };
    planner.walk();
    planner.plan
}

struct Planner<'a> {
    config: &'a ModprobeConfig,
    known: &'a PlanInputs,
    target: &'a Candidate,
    options: &'a RemoveOptions,
    holders: &'a [ModuleName],
    is_holder: HashSet<&'a ModuleName>,
    plan: Plan,
}

/// What is left to do of the walk, on an explicit stack as for loading. Steps belong to the module
/// whose check they follow: where it is not loaded, what surrounds it stays too.
enum Task<'a> {
    /// A module with all around it, unless it was entered before.
    Enter(Cow<'a, Candidate>, Option<usize>),
    /// Several, the last one first.
    EnterAll(Vec<&'a Candidate>, usize),
    /// A module, then what it depends on, then its soft dependencies `pre:`.
    Place(ModuleName, usize),
}

impl<'a> Planner<'a> {
    fn walk(&mut self) {
        let mut entered = HashSet::new();
        let mut tasks = vec![Task::Enter(Cow::Borrowed(self.target), None)];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Enter(candidate, given) => {
                    let module = candidate.into_owned().module;
                    if entered.insert(module.clone()) {
                        let check = self.check(&module, given);
                        let post = self.soft_dependencies(&module, Side::Post);
                        let is_target = self.is_target(&module);
                        tasks.push(Task::Place(module, check));
                        if is_target {
                            let holders = self.holders.iter().cloned().map(Candidate::named);
                            tasks.extend(holders.map(|holder| Task::Enter(Cow::Owned(holder), Some(check))));
                        }
                        tasks.push(Task::EnterAll(post, check));
                    }
                }
                Task::EnterAll(mut candidates, given) => {
                    if let Some(candidate) = candidates.pop() {
                        tasks.push(Task::EnterAll(candidates, given));
                        tasks.push(Task::Enter(Cow::Borrowed(candidate), Some(given)));
                    }
                }
                Task::Place(module, check) => {
                    let place = self.place(&module, check);
                    tasks.push(Task::EnterAll(self.soft_dependencies(&module, Side::Pre), place));
                }
            }
        }
    }

    /// What the names before or after a module mean. Backwards, a name's first place counts, not its
    /// last.
    fn soft_dependencies(&self, module: &ModuleName, side: Side) -> Vec<&'a Candidate> {
        if self.options.ignore_commands && *module == self.target.module {
            return Vec::new();
        }
        let known = self.known;
        let mut named = HashSet::new();
        let names = self.config.softdeps(module).flat_map(|line| side.names(line));
        let meant = names.filter(|name| named.insert(*name)).filter_map(|name| known.names.get(name));
        let mut seen = HashSet::new();
        meant.flatten().filter(|candidate| seen.insert(&candidate.module)).collect()
    }

    /// The command that takes the place of unloading a module.
    fn command(&self, module: &ModuleName) -> Option<&CommandLine> {
        self.config.remove(module).filter(|_| !(self.options.ignore_commands && self.is_target(module)))
    }

    fn is_target(&self, module: &ModuleName) -> bool {
        *module == self.target.module
    }

    fn check(&mut self, module: &ModuleName, given: Option<usize>) -> usize {
        // Whether there is something to do for a command only the command knows.
        let condition = match self.command(module) {
            Some(_) => Condition::Always,
            None if !self.facts(module).builtin => Condition::Loaded,
            None if self.is_target(module) => Condition::Always,
            None => Condition::Never,
        };
        self.push(module, Action::Check, condition, given)
    }

    fn place(&mut self, module: &ModuleName, check: usize) -> usize {
        let PlanFacts { builtin, mut dependencies, .. } = self.facts(module);
        let action = match self.command(module) {
            Some(line) => {
                // What a command leaves unused is the command's affair.
                dependencies.clear();
                Action::RunRemove { command: with_options(&line.command, b"") }
            }
            None => Action::Unload { builtin },
        };
        let place = self.push(module, action, Condition::Always, Some(check));
        if self.is_target(module) {
            self.plan.target = place;
        }
        for dependency in dependencies {
            let action = Action::Unload { builtin: false };
            let step = self.push(&dependency, action, Condition::Unused, Some(place));
            if let Some(step) = self.plan.steps.get_mut(step) {
                step.on_error = OnError::Ignore;
            }
        }
        place
    }

    fn facts(&self, module: &ModuleName) -> PlanFacts {
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
        let matters = self.is_target(module) || self.is_holder.contains(module);
        let on_error = if matters { OnError::Stop } else { OnError::Ignore };
        let follows = place.checked_sub(1).into_iter().collect();
        let needs = given.into_iter().collect();
        let step = Step::new(module.clone(), action, condition);
        self.plan.steps.push(Step { given, needs, follows, on_error, ..step });
        place
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{World, assert_sound, lines},
        *,
    };

    fn plan_with(world: &World, target: &str, options: &RemoveOptions, holders: &[ModuleName]) -> Plan {
        let target = Candidate::named(ModuleName::new(target));
        let plan = unload(&world.config, &world.known, &target, options, holders);
        assert_sound(&plan);
        plan
    }

    fn plan(world: &World, target: &str) -> Plan {
        plan_with(world, target, &RemoveOptions::default(), &[])
    }

    fn steps(world: &World, target: &str) -> Vec<String> {
        lines(&plan(world, target))
    }

    const MODULES: [&str; 6] = ["base:", "mid: base", "top: base mid", "pre:", "pre2:", "post: base"];

    #[test]
    fn dependencies_go_when_nobody_uses_them_any_more() {
        let world = World::new(&MODULES, "");
        let plan = plan(&world, "top");
        assert_eq!(lines(&plan), ["rmmod top", "rmmod base", "rmmod mid"]);
        let conditions: Vec<Condition> = plan.steps.iter().map(|step| step.condition).collect();
        assert_eq!(conditions, [Condition::Loaded, Condition::Always, Condition::Unused, Condition::Unused]);
        // Nothing happens to them unless the module itself went.
        assert!(
            plan.steps[2..]
                .iter()
                .all(|step| step.given == Some(plan.target) && step.on_error == OnError::Ignore)
        );
        assert_eq!(plan.steps[plan.target].on_error, OnError::Stop);
    }

    #[test]
    fn soft_dependencies_go_backwards_around_the_module() {
        let world = World::new(&MODULES, "softdep mid pre: pre pre2 post: post top\n");
        assert_eq!(
            steps(&world, "mid"),
            [
                "rmmod top",
                "rmmod base",
                "rmmod mid",
                "rmmod post",
                "rmmod base",
                "rmmod mid",
                "rmmod base",
                "rmmod pre2",
                "rmmod pre"
            ]
        );
    }

    #[test]
    fn several_softdep_lines_are_merged_by_first_places() {
        let world = World::new(&MODULES, "softdep mid pre: pre pre2\nsoftdep mid pre: pre\n");
        assert_eq!(steps(&world, "mid"), ["rmmod mid", "rmmod base", "rmmod pre2", "rmmod pre"]);
    }

    #[test]
    fn modules_that_all_name_each_other_end_soon() {
        let modules: Vec<String> = (0..1500).map(|number| format!("m{number}")).collect();
        let names = modules.join(" ");
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        let world = World::new(&modules, &format!("softdep m* pre: {names} post: {names}\n"));
        assert_eq!(steps(&world, "m0").len(), 1500);
    }

    #[test]
    fn a_circle_of_soft_dependencies_ends() {
        let world = World::new(&["a:", "b:"], "softdep a pre: b\nsoftdep b pre: a\n");
        assert_eq!(steps(&world, "a"), ["rmmod a", "rmmod b"]);
    }

    #[test]
    fn a_remove_command_takes_the_place_of_the_module_and_its_dependencies() {
        let world =
            World::new(&MODULES, "remove to* echo $CMDLINE_OPTS.\nsoftdep top pre: pre\noptions top a=1\n");
        let plan = plan(&world, "top");
        assert_eq!(lines(&plan), ["remove echo .", "rmmod pre"]);
        // Whether there is something to remove only the command knows.
        assert_eq!(plan.steps[0].condition, Condition::Always);
    }

    #[test]
    fn dependencies_go_without_their_remove_commands() {
        let world = World::new(&MODULES, "remove base echo\n");
        assert_eq!(steps(&world, "mid"), ["rmmod mid", "rmmod base"]);
    }

    #[test]
    fn to_ignore_commands_leaves_out_those_of_the_named_module_only() {
        let world = World::new(
            &MODULES,
            "remove mid echo m\nsoftdep mid post: pre\nremove pre echo p\nsoftdep pre pre: mid\n",
        );
        let options = RemoveOptions::default().ignore_commands(true);
        assert_eq!(lines(&plan_with(&world, "mid", &options, &[])), ["rmmod mid", "rmmod base"]);
        assert_eq!(lines(&plan_with(&world, "pre", &options, &[])), ["rmmod pre"]);
    }

    #[test]
    fn holders_go_first_in_reverse_and_a_failure_of_one_stops_all() {
        let world = World::new(&MODULES, "remove post echo\n");
        let holders = [ModuleName::new("post"), ModuleName::new("mid")];
        let plan = plan_with(&world, "base", &RemoveOptions::default(), &holders);
        assert_eq!(lines(&plan), ["rmmod mid", "rmmod base", "remove echo", "rmmod base"]);
        let mid = plan.steps.iter().find(|step| step.line().is_some()).unwrap();
        assert_eq!(mid.on_error, OnError::Stop);
    }

    #[test]
    fn the_target_as_a_dependency_of_a_soft_one_stops_nothing() {
        let world = World::new(&MODULES, "softdep mid post: top\n");
        let plan = plan(&world, "mid");
        let as_dependency = plan.steps.iter().position(|step| step.condition == Condition::Unused);
        assert_ne!(as_dependency, Some(plan.target));
        let unused = plan.steps.iter().filter(|step| step.condition == Condition::Unused);
        assert!(unused.into_iter().all(|step| step.on_error == OnError::Ignore));
    }

    #[test]
    fn the_kernels_name_takes_the_place_of_the_files() {
        let plan = plan(&World::new(&MODULES, ""), "mid").renamed(&ModuleName::new("inner"));
        assert_eq!(lines(&plan), ["rmmod inner", "rmmod base"]);
        assert_eq!(plan.module(), &ModuleName::new("inner"));
    }

    #[test]
    fn a_builtin_target_is_refused_and_a_builtin_soft_dependency_left_alone() {
        let world = World::new(&["!b", "m:"], "softdep m pre: b\n");
        let target = plan(&world, "b");
        assert_eq!(target.steps[target.target].action, Action::Unload { builtin: true });
        assert_eq!(target.steps[0].condition, Condition::Always);
        let soft = plan(&world, "m");
        assert_eq!(soft.steps[2].condition, Condition::Never);
    }
}
