//! Plans for modules of a context: what they need to know is looked up here, so that `plan` need not.

use std::iter;

use crate::{
    Context, Module, ModuleName, Result,
    config::Line,
    plan::{self, LoadOptions, Plan, RemoveOptions, inputs::PlanInputs},
};

/// Makes plans for modules of a context.
///
/// What it has looked up for one plan serves for the next ones: many names lead to the same modules.
#[derive(Clone, Debug)]
pub struct Planner {
    context: Context,
    known: PlanInputs,
}

impl Planner {
    /// Of a context, without having looked up anything.
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone(), known: PlanInputs::default() }
    }

    /// Looks up what plans for these modules need. The plans do that as well; here, an index that cannot
    /// be read is noticed before the first of several modules is loaded.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn gather(&mut self, modules: &[Module]) -> Result<()> {
        self.known.gather(&self.context, modules.iter().map(Module::name))
    }

    /// The line of a blacklist that forbids loading a module: one that was found by an alias, or with
    /// [`LoadOptions::use_blacklist`] any. [`Planner::load`] does not ask, for it is no failure:
    /// modprobe(8) skips such modules.
    pub fn blacklisted(&self, module: &Module, options: &LoadOptions) -> Option<Line<'_>> {
        plan::blacklisted(self.context.modprobe_config(), module.candidate(), options).map(Line::from)
    }

    /// Plans to load a module: its dependencies with their soft dependencies, its own soft dependencies
    /// `pre:`, itself, its soft dependencies `post:`. Each module has one step, at the first place where
    /// it is wanted.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn load(&mut self, module: &Module, options: &LoadOptions) -> Result<Plan> {
        let target = module.candidate();
        self.known.gather(&self.context, [&target.module])?;
        Ok(plan::load(self.context.modprobe_config(), &self.known, target, options))
    }

    /// Plans to remove a module: its soft dependencies `post:` backwards, its holders when that is asked
    /// for, itself, then each module it depends on that nobody uses then, and its soft dependencies
    /// `pre:` backwards. A module may have several steps: which of them finds it unused is only known
    /// when its turn comes.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn remove(&mut self, module: &Module, options: &RemoveOptions) -> Result<Plan> {
        let target = module.candidate();
        let holders = self.holders(&target.module, options);
        self.known.gather(&self.context, iter::once(&target.module).chain(&holders))?;
        Ok(plan::unload(self.context.modprobe_config(), &self.known, target, options, &holders))
    }

    /// The loaded modules that are to be removed before this one.
    #[cfg(feature = "kernel")]
    fn holders(&self, module: &ModuleName, options: &RemoveOptions) -> Vec<ModuleName> {
        if options.with_holders() { self.context.kernel().all_holders(module) } else { Vec::new() }
    }

    /// None: without the kernel, that cannot be asked for.
    #[cfg(not(feature = "kernel"))]
    fn holders(&self, _: &ModuleName, _: &RemoveOptions) -> Vec<ModuleName> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::Root;

    /// A system whose modules are `base`, and `top`, which needs it.
    fn context(system: &Path, config: &str) -> Context {
        let (modules, configuration) = (system.join("modules"), system.join("etc/modprobe.d"));
        fs::create_dir(&modules).unwrap();
        fs::create_dir_all(&configuration).unwrap();
        fs::write(configuration.join("a.conf"), config).unwrap();
        let lines = [("base", "base.ko:"), ("top", "top.ko: base.ko")];
        fs::write(modules.join("modules.dep.bin"), testkit::index(lines)).unwrap();
        let root = Root::default().with_system(system);
        Context::builder().root(root).directory(modules).build().unwrap()
    }

    fn lines(plan: &Plan) -> Vec<String> {
        plan.steps().iter().filter_map(|step| Some(step.line()?.to_string())).collect()
    }

    #[test]
    fn what_is_configured_for_an_alias_counts_when_a_module_was_found_by_it() {
        let system = tempfile::tempdir().unwrap();
        let context = context(system.path(), "alias al top\noptions al a=1\nblacklist top\n");
        let (by_alias, by_name) = (context.lookup(b"al").unwrap(), context.module(ModuleName::new("top")));
        let mut planner = Planner::new(&context);
        let options = LoadOptions::default().parameters("b=2");
        let ends = |plan: &Plan, end: &str| lines(plan)[1].ends_with(end);
        assert!(ends(&planner.load(&by_alias[0], &options).unwrap(), "/top.ko a=1 b=2"));
        assert!(ends(&planner.load(&by_name, &options).unwrap(), "/top.ko b=2"));
        let line = planner.blacklisted(&by_alias[0], &options).unwrap();
        assert!(line.origin.to_string().ends_with("a.conf line 3"));
        assert_eq!(planner.blacklisted(&by_name, &options), None);
        assert!(planner.blacklisted(&by_name, &options.use_blacklist(true)).is_some());
    }

    #[cfg(feature = "kernel")]
    #[test]
    fn holders_are_removed_when_that_is_asked_for() {
        let system = tempfile::tempdir().unwrap();
        let context = context(system.path(), "");
        fs::create_dir_all(system.path().join("sys/module/base/holders/top")).unwrap();
        let base = context.module(ModuleName::new("base"));
        let remove = |options| lines(&Planner::new(&context).remove(&base, &options).unwrap());
        assert_eq!(remove(RemoveOptions::default()), ["rmmod base"]);
        assert_eq!(remove(RemoveOptions::default().holders(true)), ["rmmod top", "rmmod base", "rmmod base"]);
    }

    #[test]
    fn an_index_that_cannot_be_read_is_noticed_before_the_first_plan() {
        let system = tempfile::tempdir().unwrap();
        let context = context(system.path(), "");
        fs::write(system.path().join("modules/modules.dep.bin"), "no index").unwrap();
        let modules = [context.module(ModuleName::new("base"))];
        let mut planner = Planner::new(&context);
        assert!(planner.gather(&modules).is_err());
        assert!(planner.load(&modules[0], &LoadOptions::default()).is_err());
    }
}
