//! The plan that loads a module with all it needs.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
    ptr,
    rc::Rc,
};

use bstr::BString;

use super::{
    Action, Condition, OnError, Plan, Step,
    soft::{Progress, Side, SoftLines, union},
};
use crate::{
    ModuleName,
    config::{BlacklistLine, ModprobeConfig, SoftdepLine},
    lookup::Candidate,
    plan::inputs::{PlanFacts, PlanInputs},
};

/// How to load a module.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    parameters: BString,
    ignore_commands: bool,
    use_blacklist: bool,
    omit_blacklisted: bool,
}

impl LoadOptions {
    /// Parameters of the module, after the configured ones, as `NAME=VALUE NAME=VALUE`.
    #[must_use]
    pub fn parameters(self, parameters: impl Into<BString>) -> Self {
        Self { parameters: parameters.into(), ..self }
    }

    /// Whether to ignore the module's own install command and soft dependencies (`--ignore-install`).
    #[must_use]
    pub fn ignore_commands(self, ignore_commands: bool) -> Self {
        Self { ignore_commands, ..self }
    }

    /// Whether a blacklist stops modules that are asked for by their own names, too
    /// (`--use-blacklist`).
    #[must_use]
    pub fn use_blacklist(self, use_blacklist: bool) -> Self {
        Self { use_blacklist, ..self }
    }

    /// Whether modules on a blacklist are omitted from the plan, also those that others need. A caller
    /// looks first whether the module itself is on one: the plan has no step for it then.
    #[must_use]
    pub fn omit_blacklisted(self, omit_blacklisted: bool) -> Self {
        Self { omit_blacklisted, ..self }
    }
}

/// The line that forbids loading a candidate: a blacklist stops modules found by an alias, and every
/// one if the options ask for it.
pub(crate) fn blacklisted<'a>(
    config: &'a ModprobeConfig,
    candidate: &Candidate,
    options: &LoadOptions,
) -> Option<&'a BlacklistLine> {
    let stops = options.use_blacklist || candidate.alias.is_some();
    stops.then(|| config.blacklisted(&candidate.module)).flatten()
}

/// Plans to load a module: its dependencies with their soft dependencies, its own soft dependencies
/// `pre:`, itself, its soft dependencies `post:`. Each module has one step, at the first place where
/// it is wanted.
pub(crate) fn load(
    config: &ModprobeConfig,
    known: &PlanInputs,
    target: &Candidate,
    options: &LoadOptions,
) -> Plan {
    let (places, lines, steps) = Default::default();
    let mut planner = Planner { config, known, target, options, places, lines, steps };
    planner.check_target();
    planner.walk();
    planner.add_edges();
    planner.mark_errors();
    let place = planner.places.get(&target.module).copied().unwrap_or_default();
    Plan { module: target.module.clone(), steps: planner.steps, target: place }
}

struct Planner<'a> {
    config: &'a ModprobeConfig,
    known: &'a PlanInputs,
    target: &'a Candidate,
    options: &'a LoadOptions,
    places: HashMap<ModuleName, usize>,
    /// The softdep lines of modules, as far as they were asked for.
    lines: HashMap<ModuleName, SoftLines<'a>>,
    steps: Vec<Step>,
}

/// What is left to do of the walk. It is kept on an explicit stack: a chain of soft dependencies may
/// be longer than the thread's stack is deep.
enum Task<'a> {
    /// A module with its dependencies, unless it was visited.
    Enter(&'a Candidate),
    /// What the names of lines mean, likewise.
    /// So many lines are done with.
    EnterNamed(Side, SoftLines<'a>, usize),
    /// A module between its soft dependencies.
    Surround(Cow<'a, Candidate>),
    /// A module alone.
    Place(Cow<'a, Candidate>),
}

impl<'a> Planner<'a> {
    /// A module that is there already needs nothing, not even what it depends on.
    fn check_target(&mut self) {
        self.push(self.target.module.clone(), Action::Check, None);
    }

    fn walk(&mut self) {
        let mut entered = HashSet::new();
        let mut progress = Progress::default();
        let mut tasks = vec![Task::Enter(self.target)];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Enter(candidate) => {
                    if entered.insert(&candidate.module) {
                        tasks.push(Task::Surround(Cow::Borrowed(candidate)));
                        let dependencies = self.dependencies(&candidate.module).iter().rev();
                        let dependencies = dependencies.map(|name| Candidate::named(name.clone()));
                        tasks.extend(dependencies.map(|dependency| Task::Surround(Cow::Owned(dependency))));
                    }
                }
                Task::EnterNamed(side, lines, done) => {
                    let left = lines.get(done..).unwrap_or_default();
                    if let Some((candidate, more)) = progress.next(left, side, self.known) {
                        tasks.push(Task::EnterNamed(side, lines, done.saturating_add(more)));
                        tasks.push(Task::Enter(candidate));
                    }
                }
                Task::Surround(candidate) => {
                    // What a module that is visited again brings along has been visited, or is about to be.
                    let lines = self.soft(&candidate.module);
                    tasks.push(Task::EnterNamed(Side::Post, lines.clone(), 0));
                    tasks.push(Task::Place(candidate));
                    tasks.push(Task::EnterNamed(Side::Pre, lines, 0));
                }
                Task::Place(candidate) => self.place(candidate.into_owned()),
            }
        }
    }

    fn dependencies(&self, module: &ModuleName) -> &'a [ModuleName] {
        self.known.modules.get(module).map_or(&[], |facts| &facts.dependencies)
    }

    /// The softdep lines of a module.
    fn soft(&mut self, module: &ModuleName) -> SoftLines<'a> {
        if self.options.ignore_commands && *module == self.target.module {
            return SoftLines::default();
        }
        if let Some(lines) = self.lines.get(module) {
            return lines.clone();
        }
        let lines: SoftLines<'a> = self.config.softdeps(module).collect();
        self.lines.insert(module.clone(), lines.clone());
        lines
    }

    fn place(&mut self, candidate: Candidate) {
        if self.places.contains_key(&candidate.module) {
            return;
        }
        if self.options.omit_blacklisted && self.config.blacklisted(&candidate.module).is_some() {
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
        self.steps.push(Step { given, ..Step::new(module, action, condition) });
    }

    fn action(&self, candidate: &Candidate, is_target: bool) -> Action {
        let configured =
            self.config.options(&candidate.module, candidate.alias.as_ref().map(|alias| &***alias));
        let given: &[u8] = if is_target { &self.options.parameters } else { b"" };
        // As kmod has it, with a blank at the end where nothing is given.
        let blank: &[u8] = if configured.is_empty() { b"" } else { b" " };
        let options = BString::from([configured.as_slice(), blank, given].concat());
        let unknown = PlanFacts::default();
        let facts = self.known.modules.get(&candidate.module).unwrap_or(&unknown);
        if let Some(line) = self.config.denied(&candidate.module).filter(|_| !facts.builtin) {
            return Action::Denied { origin: line.origin.clone(), reason: line.reason.clone() };
        }
        let is_bare = is_target && self.options.ignore_commands;
        if let Some(line) = self.config.install(&candidate.module).filter(|_| !is_bare) {
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
        let is_only_listed =
            |step: &Step| self.known.modules.get(&step.module).is_some_and(|facts| facts.is_only_listed);
        // What such a module needs has an earlier place, whichever that is.
        let in_sequence = self.steps.iter().any(is_only_listed);
        // A line may concern all modules, and its names mean the same ones over and over.
        let mut places_of_lines: HashMap<(*const SoftdepLine, Side), Rc<[usize]>> = HashMap::new();
        for place in 1..self.steps.len() {
            let Some(module) = self.steps.get(place).map(|step| step.module.clone()) else { continue };
            let lines = self.soft(&module);
            let mut softly = |side| {
                let places = lines.iter().map(|&line| {
                    let places = places_of_lines.entry((ptr::from_ref(line), side));
                    Rc::clone(places.or_insert_with(|| self.places_of(line, side)))
                });
                union(places.collect())
            };
            let [before, after] = [Side::Pre, Side::Post].map(&mut softly);
            // A dependency with a later place is part of a cycle in a damaged index.
            let earlier =
                |module: &ModuleName| self.places.get(module).copied().filter(|&other| other < place);
            let needs: Vec<usize> = self.dependencies(&module).iter().filter_map(earlier).collect();
            if let Some(step) = self.steps.get_mut(place) {
                step.needs = needs;
                step.follows.extend(in_sequence.then(|| place.saturating_sub(1)));
                step.follows.extend(before.iter().filter(|&&other| other < place));
            }
            for &other in after.iter().filter(|&&other| other > place) {
                if let Some(step) = self.steps.get_mut(other) {
                    step.follows.push(place);
                }
            }
        }
    }

    /// The places of the modules that a side of a line means, in order and each once.
    fn places_of(&self, line: &SoftdepLine, side: Side) -> Rc<[usize]> {
        let names: HashSet<&BString> = side.names(line).iter().collect();
        let meant = names.into_iter().filter_map(|name| self.known.names.get(name)).flatten();
        let places: BTreeSet<usize> =
            meant.filter_map(|candidate| self.places.get(&candidate.module).copied()).collect();
        places.into_iter().collect()
    }

    /// The failure of the target, or of a step that it needs, ends the whole; others are soft.
    fn mark_errors(&mut self) {
        let mut waiting: Vec<usize> = self.places.get(&self.target.module).copied().into_iter().collect();
        while let Some(place) = waiting.pop() {
            let Some(step) = self.steps.get_mut(place) else { continue };
            if step.on_error == OnError::Ignore {
                step.on_error = OnError::Stop;
                waiting.extend(&step.needs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{World, assert_sound, lines},
        *,
    };
    use proptest::collection::vec;

    fn plan_with(world: &World, target: &Candidate, options: &LoadOptions) -> Plan {
        let plan = load(&world.config, &world.known, target, options);
        assert_sound(&plan);
        plan
    }

    fn plan(world: &World, target: &str) -> Plan {
        plan_with(world, &named(target), &LoadOptions::default())
    }

    fn named(module: &str) -> Candidate {
        Candidate::named(ModuleName::new(module))
    }

    /// The modules of the steps, in order.
    fn order(plan: &Plan) -> Vec<String> {
        plan.steps[1..].iter().map(|step| step.module.to_string()).collect()
    }

    fn step<'a>(plan: &'a Plan, module: &str) -> &'a Step {
        plan.steps[1..].iter().find(|step| step.module.as_bytes() == module.as_bytes()).unwrap()
    }

    const MODULES: [&str; 7] =
        ["base:", "mid: base", "top: base mid", "pre:", "pre2: base", "post:", "!blt:"];

    #[test]
    fn dependencies_come_first_and_must_succeed() {
        let plan = plan(&World::new(&MODULES, ""), "top");
        assert_eq!(lines(&plan), ["insmod /m/base.ko ", "insmod /m/mid.ko ", "insmod /m/top.ko "]);
        assert_eq!(step(&plan, "top").needs, [1, 2]);
        assert_eq!(step(&plan, "mid").needs, [1]);
        assert!(plan.steps[1..].iter().all(|step| step.on_error == OnError::Stop));
        assert_eq!(plan.target, 3);
    }

    #[test]
    fn a_module_that_is_there_needs_nothing_else() {
        let plan = plan(&World::new(&MODULES, ""), "top");
        assert_eq!(
            (plan.steps[0].action.clone(), plan.steps[0].condition),
            (Action::Check, Condition::NotLoaded)
        );
        assert_eq!(plan.steps[0].module, ModuleName::new("top"));
        assert!(plan.steps[1..].iter().all(|step| step.given == Some(0)));
    }

    #[test]
    fn soft_dependencies_stand_around_the_module_and_may_fail() {
        let world = World::new(&MODULES, "softdep mid pre: pre post: post pre: pre2\n");
        let plan = plan(&world, "mid");
        assert_eq!(order(&plan), ["base", "pre", "pre2", "mid", "post"]);
        for soft in ["pre", "pre2", "post"] {
            assert_eq!(step(&plan, soft).on_error, OnError::Ignore, "{soft}");
        }
        assert_eq!(step(&plan, "mid").follows, [2, 3]);
        assert_eq!(step(&plan, "mid").needs, [1]);
        assert_eq!(step(&plan, "post").follows, [4]);
        // Needed by a soft dependency and by the module itself: it must succeed.
        assert_eq!(step(&plan, "base").on_error, OnError::Stop);
    }

    #[test]
    fn what_a_soft_dependency_needs_may_fail_with_it() {
        let plan = plan(&World::new(&["a:", "s: t", "t:"], "softdep a pre: s\n"), "a");
        assert_eq!(order(&plan), ["t", "s", "a"]);
        assert_eq!(step(&plan, "t").on_error, OnError::Ignore);
        assert_eq!(step(&plan, "s").needs, [1]);
    }

    #[test]
    fn soft_dependencies_of_dependencies_count() {
        let plan = plan(&World::new(&MODULES, "softdep base pre: pre post: post\n"), "mid");
        assert_eq!(order(&plan), ["pre", "base", "post", "mid"]);
    }

    #[test]
    fn each_module_has_one_step_at_its_first_place() {
        // The soft dependency is an alias of the module itself, and of one of its dependencies.
        let world = World::new(&MODULES, "softdep top pre: al\n").alias("al", &["top", "base", "pre2"]);
        assert_eq!(order(&plan(&world, "top")), ["base", "mid", "pre2", "top"]);
    }

    #[test]
    fn circles_of_soft_dependencies_end() {
        let plan = plan(&World::new(&["a:", "b:"], "softdep a pre: b\nsoftdep b pre: a post: a\n"), "a");
        assert_eq!(order(&plan), ["b", "a"]);
    }

    #[test]
    fn modules_that_all_softly_want_each_other_end_soon() {
        let modules: Vec<String> = (0..1000).map(|number| format!("m{number}")).collect();
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        let world = World::new(&modules, "softdep m* pre: all post: all\n").alias("all", &modules);
        assert_eq!(plan(&world, "m0").steps.len(), 1001);
    }

    /// Each of these took memory by the square of their number while the plan was made.
    #[test]
    fn modules_that_all_name_each_other_end_soon() {
        let modules: Vec<String> = (0..1500).map(|number| format!("m{number}")).collect();
        let names = modules.join(" ");
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        let world = World::new(&modules, &format!("softdep m* pre: {names} post: {names}\n"));
        assert_eq!(plan(&world, "m0").steps.len(), 1501);
    }

    /// The walk as its documentation has it, which visits again whatever it comes to again.
    fn walked_simply(world: &World, target: &str) -> Vec<String> {
        struct Walk<'a>(&'a World, HashSet<ModuleName>, Vec<ModuleName>);
        impl Walk<'_> {
            fn enter(&mut self, module: &ModuleName) {
                if self.1.insert(module.clone()) {
                    let facts = self.0.known.modules.get(module);
                    for dependency in facts.into_iter().flat_map(|facts| &facts.dependencies) {
                        self.surround(dependency);
                    }
                    self.surround(module);
                }
            }

            fn surround(&mut self, module: &ModuleName) {
                self.enter_named(module, Side::Pre);
                if !self.2.contains(module) {
                    self.2.push(module.clone());
                }
                self.enter_named(module, Side::Post);
            }

            fn enter_named(&mut self, module: &ModuleName, side: Side) {
                for line in self.0.config.softdeps(module) {
                    for candidate in
                        side.names(line).iter().filter_map(|name| self.0.known.names.get(name)).flatten()
                    {
                        self.enter(&candidate.module);
                    }
                }
            }
        }
        let mut walk = Walk(world, HashSet::new(), Vec::new());
        walk.enter(&ModuleName::new(target));
        walk.2.iter().map(ToString::to_string).collect()
    }

    proptest::proptest! {
        #[test]
        fn the_order_is_that_of_the_simple_walk(
            dependencies in vec(vec(0..7_usize, 0..3), 7),
            softdeps in vec((0..9_usize, vec(0..9_usize, 0..4), vec(0..9_usize, 0..4)), 0..8),
            aliases in vec(vec(0..7_usize, 0..4), 2),
        ) {
            let name = |&number: &usize| ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "al", "all"][number];
            let words = |numbers: &[usize]| numbers.iter().map(name).collect::<Vec<_>>().join(" ");
            let modules: Vec<String> = dependencies.iter().enumerate().map(|(module, needed)| {
                let mut needed = needed.clone();
                needed.retain(|&other| other != module);
                format!("m{module}: {}", words(&needed))
            }).collect();
            let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
            let lines = softdeps.iter().map(|(module, pre, post)| {
                let pattern = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m[0-3]", "m*"][*module];
                format!("softdep {pattern} pre: {} post: {}\n", words(pre), words(post))
            });
            let mut world = World::new(&modules, &lines.collect::<String>());
            for (alias, meant) in ["al", "all"].into_iter().zip(&aliases) {
                world = world.alias(alias, &meant.iter().map(name).collect::<Vec<_>>());
            }
            let plan = plan(&world, "m0");
            proptest::prop_assert_eq!(order(&plan), walked_simply(&world, "m0"));
        }
    }

    /// Cubic once: each of the others needs each of the first ones, which name all of the others.
    #[test]
    fn soft_dependencies_of_what_many_modules_need_are_visited_once() {
        let numbers = || 0..700;
        let all = |letter: &str| numbers().map(|number| format!("{letter}{number}")).collect::<Vec<_>>();
        let (needed, others) = (all("n"), all("o"));
        let modules: Vec<String> = needed.iter().map(|name| format!("{name}:")).collect();
        let users = others.iter().map(|name| format!("{name}: {}", needed.join(" ")));
        let modules: Vec<String> = modules.into_iter().chain(users).collect();
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        let lines: String =
            needed.iter().map(|name| format!("softdep {name} pre: {}\n", others.join(" "))).collect();
        assert_eq!(plan(&World::new(&modules, &lines), "n0").steps.len(), 1401);
    }

    #[test]
    fn a_long_chain_of_soft_dependencies_is_followed_to_its_end() {
        let modules: Vec<String> = (0..20_000).map(|number| format!("m{number}")).collect();
        let lines: String =
            (1..20_000).map(|number| format!("softdep m{} pre: m{number}\n", number - 1)).collect();
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        let plan = plan(&World::new(&modules, &lines), "m0");
        assert_eq!((plan.steps.len(), plan.target), (20_001, 20_000));
    }

    #[test]
    fn a_circle_in_a_damaged_index_still_gives_an_order() {
        let plan = plan(&World::new(&["a: b", "b: a"], ""), "a");
        assert_eq!(order(&plan), ["b", "a"]);
        assert_eq!((&step(&plan, "b").needs, &step(&plan, "a").needs), (&vec![], &vec![1]));
    }

    #[test]
    fn options_of_the_configuration_come_before_given_ones() {
        let world =
            World::new(&MODULES, "options top a=1\noptions al b=\"x y\"\noptions top c\noptions mid m=1\n");
        let target = Candidate { alias: Some("al".into()), ..named("top") };
        let given = LoadOptions::default().parameters("x=1");
        let with = lines(&plan_with(&world, &target, &given));
        assert_eq!(
            with,
            ["insmod /m/base.ko ", "insmod /m/mid.ko m=1 ", "insmod /m/top.ko a=1 b=\"x y\" c x=1"]
        );
        let without = lines(&plan_with(&world, &target, &LoadOptions::default()));
        assert_eq!(without[2], "insmod /m/top.ko a=1 b=\"x y\" c ");
        let plain = lines(&plan_with(&World::new(&MODULES, ""), &named("base"), &given));
        assert_eq!(plain, ["insmod /m/base.ko x=1"]);
    }

    #[test]
    fn an_install_command_takes_the_modules_place_and_its_dependencies_stay() {
        let world = World::new(&MODULES, "install mi* echo $CMDLINE_OPTS\noptions mid a=1\n");
        assert_eq!(lines(&plan(&world, "mid")), ["insmod /m/base.ko ", "install echo $CMDLINE_OPTS a=1 "]);
        assert_eq!(lines(&plan(&world, "top"))[1], "install echo $CMDLINE_OPTS a=1 ");
    }

    #[test]
    fn soft_dependencies_do_not_disable_the_install_command() {
        let world = World::new(&MODULES, "install mid cmd\nsoftdep mid pre: pre\n");
        assert_eq!(lines(&plan(&world, "mid")), ["insmod /m/base.ko ", "insmod /m/pre.ko ", "install cmd "]);
    }

    #[test]
    fn to_ignore_commands_concerns_the_named_module_only() {
        let world = World::new(&MODULES, "install mid cmd\nsoftdep mid pre: pre\ninstall base bcmd\n");
        let options = LoadOptions::default().ignore_commands(true);
        assert_eq!(
            lines(&plan_with(&world, &named("mid"), &options)),
            ["install bcmd ", "insmod /m/mid.ko "]
        );
    }

    #[test]
    fn blacklisted_modules_are_omitted_when_that_is_asked_for() {
        let world = World::new(&MODULES, "blacklist base\nblacklist pre\nsoftdep mid pre: pre pre2\n");
        let omitting = LoadOptions::default().omit_blacklisted(true);
        assert_eq!(order(&plan_with(&world, &named("mid"), &omitting)), ["pre2", "mid"]);
        assert_eq!(order(&plan(&world, "mid")), ["base", "pre", "pre2", "mid"]);
        assert_eq!(order(&plan_with(&world, &named("base"), &omitting)), [""; 0]);
    }

    #[test]
    fn a_builtin_module_is_only_shown() {
        let built_in = plan(&World::new(&MODULES, ""), "blt");
        assert_eq!(lines(&built_in), ["builtin blt"]);
        assert!(built_in.steps.iter().all(|step| step.condition == Condition::Never));
        let with_command = plan(&World::new(&MODULES, "install blt cmd\n"), "blt");
        assert_eq!(lines(&with_command), ["install cmd "]);
    }

    #[test]
    fn a_file_named_by_the_caller_is_loaded_with_the_dependencies_of_its_name() {
        let target = Candidate { file: Some("/elsewhere/mid.ko".into()), ..named("mid") };
        let plan = plan_with(&World::new(&MODULES, ""), &target, &LoadOptions::default());
        assert_eq!(lines(&plan), ["insmod /m/base.ko ", "insmod /elsewhere/mid.ko "]);
    }

    #[test]
    fn a_module_without_a_file_has_a_step_that_cannot_be_done() {
        let plan = plan(&World::new(&MODULES, ""), "nowhere");
        assert_eq!(plan.steps[plan.target].action, Action::NoFile);
        assert!(lines(&plan).is_empty());
    }

    #[test]
    fn a_denied_module_is_denied_however_it_is_asked_for() {
        let mut world = World::new(&MODULES, "install mid echo\nsoftdep pre pre: mid\n");
        let file = std::path::Path::new("/deny.conf").into();
        world.config.add_modutils_file(&file, b"deny mi[d] it bites\ndeny blt\n", &mut |_| ());
        let asked = Candidate { file: Some("/elsewhere/mid.ko".into()), ..named("mid") };
        let options = LoadOptions::default().ignore_commands(true);
        for (plan, on_error) in [
            (plan(&world, "mid"), OnError::Stop),
            (plan_with(&world, &asked, &options), OnError::Stop),
            (plan(&world, "top"), OnError::Stop),
            (plan(&world, "pre"), OnError::Ignore),
        ] {
            let step = step(&plan, "mid");
            assert!(
                matches!(&step.action, Action::Denied { reason, .. } if reason == "it bites"),
                "{step:?}"
            );
            assert_eq!(step.on_error, on_error);
        }
        // What is part of the kernel is there.
        assert_eq!(step(&plan(&world, "blt"), "blt").action, Action::Builtin);
    }

    #[test]
    fn a_blacklist_stops_aliases_and_with_the_option_names() {
        let world = World::new(&MODULES, "blacklist mid\n");
        let by_alias = Candidate { alias: Some("al".into()), ..named("mid") };
        let (by_default, always) = (LoadOptions::default(), LoadOptions::default().use_blacklist(true));
        assert!(blacklisted(&world.config, &by_alias, &by_default).is_some());
        assert!(blacklisted(&world.config, &named("mid"), &by_default).is_none());
        assert!(blacklisted(&world.config, &named("mid"), &always).is_some());
        assert!(blacklisted(&world.config, &named("top"), &always).is_none());
    }
}
