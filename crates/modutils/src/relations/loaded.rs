//! The graph of what is loaded.

use std::collections::HashSet;

use super::{Relation, Relations};
use crate::{Context, ModuleName, Result};

impl Relations {
    /// Those of the loaded modules: which uses which is taken from the kernel.
    ///
    /// # Errors
    /// When the kernel's list, or an index, cannot be read.
    pub fn of_loaded(context: &Context) -> Result<Self> {
        let mut relations = Self::default();
        let loaded = context.kernel().loaded_modules(&mut |_| ())?;
        for module in &loaded {
            relations.nodes.entry(module.name.clone()).or_default().found = true;
            for holder in &module.holders {
                let node = relations.nodes.entry(holder.clone()).or_default();
                node.to.insert((Relation::Needs, module.name.clone()));
            }
        }
        relations.add_soft(context, context.modprobe_config())?;
        let is_loaded: HashSet<ModuleName> = loaded.into_iter().map(|module| module.name).collect();
        relations.nodes.retain(|name, _| is_loaded.contains(name));
        for node in relations.nodes.values_mut() {
            node.to.retain(|(_, name)| is_loaded.contains(name));
        }
        Ok(relations)
    }
}
