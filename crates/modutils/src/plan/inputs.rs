//! What a plan must know: the modules that it may come to, and what the names in soft dependencies mean.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    ptr,
};

use bstr::BString;

use crate::{
    Context, ModuleName, Result,
    lookup::{Candidate, is_builtin, lookup},
};

/// What a plan must know of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanFacts {
    /// Its file, by `modules.dep`; `None` for a module without one.
    pub file: Option<PathBuf>,
    /// The modules it needs, the one to load first in front.
    pub dependencies: Vec<ModuleName>,
    /// Whether its own line was not read, so that its dependencies are not known: it is one of another
    /// module's, whose line has them all.
    pub is_only_listed: bool,
    /// Whether it is part of the kernel.
    pub builtin: bool,
}

/// The facts of all modules that a plan may come to, and what the names in softdeps mean.
#[derive(Clone, Debug, Default)]
pub struct PlanInputs {
    /// By module.
    pub modules: HashMap<ModuleName, PlanFacts>,
    /// By a name as a softdep writes it.
    pub names: HashMap<BString, Vec<Candidate>>,
    /// The modules whose own facts, and whose dependencies', are known.
    gathered: HashSet<ModuleName>,
    /// How many dependencies, in lines that need not be read, have been met.
    met: usize,
    /// How many may be.
    allowed: usize,
}

/// Each line of `modules.dep` has all that its module needs, also by way of others. The lines of these only say which of
/// them need which: in a chain, they are as many as its length squared. Up to so many times what was asked for they are
/// read all the same, for all trees of modules that exist.
const PROPORTION: usize = 16;
/// How many dependencies small requests may come to.
const MIN_ALLOWED: usize = 4096;

/// A module whose facts are wanted.
enum Wanted {
    /// With its dependencies, as a plan begins at it.
    Whole(ModuleName),
    /// As a dependency of another.
    Listed(ModuleName),
}

impl PlanInputs {
    /// Gathers the facts for plans that begin at some modules; known modules are not looked up
    /// again.
    ///
    /// # Errors
    /// When an index cannot be read. Nothing is known then.
    pub fn gather<'a>(
        &mut self,
        context: &Context,
        modules: impl IntoIterator<Item = &'a ModuleName>,
    ) -> Result<()> {
        let unknown = modules.into_iter().filter(|module| !self.gathered.contains(*module));
        let waiting = unknown.cloned().map(Wanted::Whole).collect();
        let gathered = self.gather_all(context, waiting);
        if gathered.is_err() {
            *self = Self::default();
        }
        gathered
    }

    fn gather_all(&mut self, context: &Context, mut waiting: Vec<Wanted>) -> Result<()> {
        // A line may concern all modules, and name thousands.
        let mut read = HashSet::new();
        while let Some(wanted) = waiting.pop() {
            let module = match wanted {
                Wanted::Whole(module) | Wanted::Listed(module) if self.gathered.contains(&module) => continue,
                Wanted::Whole(module) => {
                    let listed = self.add_whole(context, &module, &mut waiting)?;
                    self.allowed = self.allowed.saturating_add(listed.saturating_mul(PROPORTION));
                    self.gathered.insert(module.clone());
                    module
                }
                Wanted::Listed(module) if self.met <= self.allowed.max(MIN_ALLOWED) => {
                    let listed = self.add_whole(context, &module, &mut waiting)?;
                    self.met = self.met.saturating_add(listed);
                    self.gathered.insert(module.clone());
                    module
                }
                Wanted::Listed(module) => {
                    if self.modules.get(&module).is_some_and(|facts| facts.is_only_listed) {
                        continue;
                    }
                    self.add_listed(context, &module)?;
                    module
                }
            };
            let lines = context.modprobe_config().softdeps(&module);
            for line in lines.filter(|line| read.insert(ptr::from_ref(*line))) {
                for name in line.pre.iter().chain(&line.post) {
                    if !self.names.contains_key(name) {
                        let meant = lookup(context, name)?;
                        waiting.extend(meant.iter().map(|candidate| Wanted::Whole(candidate.module.clone())));
                        self.names.insert(name.clone(), meant);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what a module's own line has, and returns how many dependencies that are.
    fn add_whole(
        &mut self,
        context: &Context,
        module: &ModuleName,
        waiting: &mut Vec<Wanted>,
    ) -> Result<usize> {
        let builtin = is_builtin(context, module)?;
        let mut dependencies = Vec::new();
        let mut file = None;
        if let Some(line) = context.indexes().dependency_line(module)? {
            file = Some(line.path);
            for path in line.dependencies.into_iter().rev() {
                let Some(dependency) = ModuleName::from_path(&path) else { continue };
                if !self.gathered.contains(&dependency) {
                    waiting.push(Wanted::Listed(dependency.clone()));
                }
                // Until its own line is read, if it has one, the path in this line is its file.
                self.modules.entry(dependency.clone()).or_default().file.get_or_insert(path);
                dependencies.push(dependency);
            }
        }
        let listed = dependencies.len();
        let facts = self.modules.entry(module.clone()).or_default();
        let file = file.or(facts.file.take());
        *facts = PlanFacts { file, dependencies, builtin, is_only_listed: false };
        Ok(listed)
    }

    /// Adds the facts of a module that another one needs, without its own dependencies.
    fn add_listed(&mut self, context: &Context, module: &ModuleName) -> Result<()> {
        let builtin = is_builtin(context, module)?;
        let file = context.indexes().file_of(module)?;
        let facts = self.modules.entry(module.clone()).or_default();
        let file = file.or(facts.file.take());
        *facts = PlanFacts { file, builtin, is_only_listed: true, ..PlanFacts::default() };
        Ok(())
    }
}

/// Gathers the facts for a plan that begins at some candidates.
///
/// # Errors
/// When an index cannot be read.
pub fn gather(context: &Context, candidates: &[Candidate]) -> Result<PlanInputs> {
    let mut known = PlanInputs::default();
    known.gather(context, candidates.iter().map(|candidate| &candidate.module))?;
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{LoadOptions, Planner};

    /// Modules of which each needs all before it.
    fn chain(directory: &std::path::Path, count: usize) -> Context {
        let line = |at: usize| {
            let all: String = (0..at).rev().map(|before| format!(" m{before}.ko")).collect();
            (format!("m{at}"), format!("m{at}.ko:{all}"))
        };
        std::fs::write(directory.join("modules.dep.bin"), testkit::index((0..count).map(line))).unwrap();
        Context::builder().directory(directory).without_configuration().build().unwrap()
    }

    #[test]
    fn the_lines_of_a_long_chain_are_not_all_read_and_its_steps_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let context = chain(directory.path(), 1000);
        let last = context.module(ModuleName::new("m999"));
        let known = gather(&context, &[last.candidate().clone()]).unwrap();
        let dependencies: usize = known.modules.values().map(|facts| facts.dependencies.len()).sum();
        assert_eq!(known.modules.len(), 1000);
        assert!(dependencies < 20_000, "{dependencies}");

        let plan = Planner::new(&context).load(&last, &LoadOptions::default()).unwrap();
        assert_eq!(plan.steps().len(), 1001);
        let waits = |place: usize| place == 0 || plan.steps()[place].follows.contains(&(place - 1));
        assert!((0..=1000).all(waits));
        let needed: Vec<usize> = (1..1000).collect();
        let mut needs = plan.steps()[1000].needs.clone();
        needs.sort_unstable();
        assert_eq!(needs, needed);
    }

    #[test]
    fn a_module_that_was_only_listed_is_whole_when_a_plan_begins_at_it() {
        let directory = tempfile::tempdir().unwrap();
        let context = chain(directory.path(), 300);
        let mut known = PlanInputs::default();
        known.gather(&context, [&ModuleName::new("m299")]).unwrap();
        let listed = known.modules.iter().find(|(_, facts)| facts.is_only_listed);
        let name = listed.map(|(name, _)| name.clone()).unwrap();
        known.gather(&context, [&name]).unwrap();
        let place: usize = name.to_string()[1..].parse().unwrap();
        assert_eq!(known.modules[&name].dependencies.len(), place);
        assert!(!known.modules[&name].is_only_listed);
    }

    #[test]
    fn what_needs_what_is_known_of_modules_in_usual_numbers() {
        let directory = tempfile::tempdir().unwrap();
        let context = chain(directory.path(), 60);
        let last = context.module(ModuleName::new("m59"));
        let plan = Planner::new(&context).load(&last, &LoadOptions::default()).unwrap();
        assert!(plan.steps()[1..].iter().all(|step| step.follows.is_empty()));
        assert_eq!(plan.steps()[30].needs.len(), 29);
    }
}
