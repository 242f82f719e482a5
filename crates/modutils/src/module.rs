//! A module of a context, about which everything else is asked.

use std::{fmt, path::Path, sync::Arc};

use bstr::{BStr, ByteSlice};

use crate::{Context, Errno, Error, Malformed, ModuleName, Result, lookup, lookup::Candidate};

/// A module of a [`Context`]: one in the module directory, in a file, part of the kernel, loaded, or
/// none of these and only a name.
///
/// It is a handle: a clone is cheap and means the same module, and threads may share it. Nothing is
/// read before it is asked for.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    context: Context,
    candidate: Candidate,
}

// Threads share modules as they share their context.
const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Module>();
};

/// Modules.
impl Context {
    /// The module of this name, which need not exist.
    pub fn module(&self, name: ModuleName) -> Module {
        Module::new(self, Candidate::named(name))
    }

    /// The module in a file, wherever that is.
    ///
    /// # Errors
    /// When there is no such file, or its name could not be that of a module.
    pub fn module_in_file(&self, path: &Path) -> Result<Module> {
        let failed = |action, error| Error::io(action, path)(error);
        std::fs::metadata(path).map_err(|error| failed("open", error))?;
        let directory = std::env::current_dir().map_err(|error| failed("locate", error))?;
        let candidate = Candidate::in_file(&lookup::absolute(path.as_os_str(), &directory));
        let no_name = || Malformed::file("no module name in this path").with_errno(Errno::ENOENT).at(path);
        candidate.map(|candidate| Module::new(self, candidate)).ok_or_else(no_name)
    }

    /// The modules that a name, alias or modalias means, in the order in which they are to be tried.
    /// None for a name that nothing knows, or that cannot be one.
    ///
    /// The sources are searched in the order of modprobe(8), and the first that has the name ends the
    /// search: configured aliases, modules, symbols (`symbol:NAME`), names that have a command, aliases
    /// that modules declare, built-in modules and their aliases.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn lookup(&self, query: &[u8]) -> Result<Vec<Module>> {
        lookup::lookup(self, query).map(|candidates| self.modules_of(candidates))
    }

    /// The module of that very name, in a file or built in. Aliases do not count, except those of
    /// built-in modules (`modinfo --modname`). A name ends before its first dot, as in `rmmod`.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn lookup_name(&self, name: &[u8]) -> Result<Vec<Module>> {
        lookup::lookup_name(self, name).map(|candidates| self.modules_of(candidates))
    }

    /// The loaded modules, newest first. A malformed line of /proc/modules is a notice.
    ///
    /// # Errors
    /// When /proc/modules cannot be read.
    pub fn loaded(&self) -> Result<Vec<Module>> {
        let loaded = self.kernel().loaded_modules(&mut |notice| self.notify(notice))?;
        Ok(loaded.into_iter().map(|line| self.module(line.name)).collect())
    }

    fn modules_of(&self, candidates: Vec<Candidate>) -> Vec<Module> {
        candidates.into_iter().map(|candidate| Module::new(self, candidate)).collect()
    }
}

impl Module {
    fn new(context: &Context, candidate: Candidate) -> Self {
        Self(Arc::new(Inner { context: context.clone(), candidate }))
    }

    /// Its name.
    pub fn name(&self) -> &ModuleName {
        &self.candidate().module
    }

    /// The alias by which it was found, which options may be attached to and a blacklist applies to.
    /// `None` where it was asked for by its own name, or by a file.
    pub fn alias(&self) -> Option<&BStr> {
        self.candidate().alias.as_ref().map(|alias| alias.as_bstr())
    }

    /// The context that it is of.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// What plans begin with.
    pub(crate) fn candidate(&self) -> &Candidate {
        &self.0.candidate
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.candidate().fmt(f)
    }
}
