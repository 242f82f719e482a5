//! Plans for modules of a context: what they need to know is looked up here, so that `plan` need not.

use std::slice;

use crate::{
    Context, Module, Result,
    config::Line,
    lookup::{Candidate, Known},
    plan::{self, LoadOptions, Plan, RemoveOptions},
};

/// Makes plans for modules of a context.
///
/// What it has looked up for one plan serves for the next ones: many names lead to the same modules.
#[derive(Clone, Debug)]
pub struct Planner {
    context: Context,
    known: Known,
}

impl Planner {
    /// Of a context, without having looked up anything.
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone(), known: Known::default() }
    }

    /// Looks up what plans for these modules need. The plans do that as well; here, an index that cannot
    /// be read is noticed before the first of several modules is loaded.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn gather(&mut self, modules: &[Module]) -> Result<()> {
        let candidates: Vec<Candidate> = modules.iter().map(|module| module.candidate().clone()).collect();
        self.known.gather(&self.context, &candidates)
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
        self.known.gather(&self.context, slice::from_ref(target))?;
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
        let holders = match options.with_holders() {
            true => self.context.kernel().all_holders(&target.module),
            false => Vec::new(),
        };
        let mut all = vec![target.clone()];
        all.extend(holders.iter().cloned().map(Candidate::named));
        self.known.gather(&self.context, &all)?;
        Ok(plan::unload(self.context.modprobe_config(), &self.known, target, options, &holders))
    }
}
