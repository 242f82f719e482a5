//! A module as the running kernel has it.

use super::Module;
use crate::{
    Context, Result,
    kernel::{Kernel, PresentParameter, Section, State},
};

/// The running kernel.
impl Context {
    /// The running kernel, seen through the root's /proc and /sys.
    pub fn kernel(&self) -> Kernel {
        Kernel::running(self.root())
    }

    /// The loaded modules, newest first. A malformed line of /proc/modules is a notice.
    ///
    /// # Errors
    /// When /proc/modules cannot be read.
    pub fn loaded(&self) -> Result<Vec<Module>> {
        let loaded = self.kernel().loaded_modules(&mut |notice| self.notify(notice))?;
        Ok(loaded.into_iter().map(|line| self.module(line.name)).collect())
    }
}

/// By the running kernel, which is asked each time: /proc and /sys below the context's root. What it reports
/// is about the module that has this name now, whatever file that came from.
impl Module {
    /// Whether it is loaded, and in which state.
    pub fn state(&self) -> State {
        self.context().kernel().state(self.name())
    }

    /// The bytes that it takes in memory; `None` where the kernel does not report it.
    pub fn size(&self) -> Option<i64> {
        self.context().kernel().size(self.name())
    }

    /// How many use it; `None` where the kernel does not report it, as one that cannot unload modules.
    pub fn reference_count(&self) -> Option<i64> {
        self.context().kernel().references(self.name())
    }

    /// The loaded modules that use it.
    ///
    /// # Errors
    /// When it is not loaded, or the kernel's list cannot be read.
    pub fn holders(&self) -> Result<Vec<Self>> {
        let holders = self.context().kernel().holders(self.name())?;
        Ok(holders.into_iter().map(|holder| self.context().module(holder)).collect())
    }

    /// Where the kernel has put its sections, by name.
    ///
    /// # Errors
    /// When it is not loaded, or the kernel's list cannot be read.
    pub fn sections(&self) -> Result<Vec<Section>> {
        self.context().kernel().sections(self.name())
    }

    /// Its parameters with the values that they have now, as far as the kernel shows them, by name.
    /// Which parameters it takes is in its [`modinfo`](Module::modinfo).
    pub fn parameters(&self) -> Vec<PresentParameter> {
        self.context().kernel().parameters(self.name())
    }
}
