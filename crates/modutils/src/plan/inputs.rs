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
        let waiting = unknown.cloned().collect();
        let gathered = self.gather_all(context, waiting);
        if gathered.is_err() {
            *self = Self::default();
        }
        gathered
    }

    fn gather_all(&mut self, context: &Context, mut waiting: Vec<ModuleName>) -> Result<()> {
        // A line may concern all modules, and name thousands.
        let mut read = HashSet::new();
        while let Some(module) = waiting.pop() {
            if self.gathered.contains(&module) {
                continue;
            }
            add_facts(context, &module, self, &mut waiting)?;
            let lines = context.modprobe_config().softdeps(&module);
            for line in lines.filter(|line| read.insert(ptr::from_ref(*line))) {
                for name in line.pre.iter().chain(&line.post) {
                    if !self.names.contains_key(name) {
                        let meant = lookup(context, name)?;
                        waiting.extend(meant.iter().map(|candidate| candidate.module.clone()));
                        self.names.insert(name.clone(), meant);
                    }
                }
            }
            self.gathered.insert(module);
        }
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

fn add_facts(
    context: &Context,
    module: &ModuleName,
    known: &mut PlanInputs,
    waiting: &mut Vec<ModuleName>,
) -> Result<()> {
    let builtin = is_builtin(context, module)?;
    let mut dependencies = Vec::new();
    let mut file = None;
    if let Some(line) = context.indexes().dependency_line(module)? {
        file = Some(line.path);
        for path in line.dependencies.into_iter().rev() {
            let Some(dependency) = ModuleName::from_path(&path) else { continue };
            waiting.push(dependency.clone());
            // Until its own line is read, if it has one, the path in this line is its file.
            known.modules.entry(dependency.clone()).or_default().file.get_or_insert(path);
            dependencies.push(dependency);
        }
    }
    let facts = known.modules.entry(module.clone()).or_default();
    facts.file = file.or(facts.file.take());
    facts.dependencies = dependencies;
    facts.builtin = builtin;
    Ok(())
}
