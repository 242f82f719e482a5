//! What `struct kmod_module` is: a name with what it was found by, and strings that stay where they are.

use std::{
    ffi::{CStr, CString, c_int, c_long, c_uint},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use modutils::{
    Context, Errno, Error, ModuleName, Result,
    kernel::{Force, State},
};

use crate::{
    context::{Key, KmodContext, kept},
    log::ERROR,
    text::{c_path, c_string},
};

/// A module of the C interface. There is one for a name, or for a name and the alias that led to it.
pub(crate) struct KmodModule {
    context: Arc<KmodContext>,
    /// The module, to be asked about configuration only.
    module: modutils::Module,
    key: Key,
    name: CString,
    /// The path of its file, as C gave or received it.
    path: OnceLock<CString>,
    options: OnceLock<Option<CString>>,
    install_command: OnceLock<Option<CString>>,
    remove_command: OnceLock<Option<CString>>,
    is_builtin: OnceLock<bool>,
}

/// `enum kmod_module_initstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InitState {
    /// It is part of the kernel.
    Builtin = 0,
    /// It is in use.
    Live = 1,
    /// It is being initialised.
    Coming = 2,
    /// It is being unloaded.
    Going = 3,
}

impl KmodModule {
    /// The object for a module that there is none for.
    pub(crate) fn new(context: &Arc<KmodContext>, module: modutils::Module, key: Key) -> Self {
        let name = c_string(module.name().as_bytes());
        let (path, options, install_command, remove_command, is_builtin) = Default::default();
        let context = context.clone();
        Self { context, module, key, name, path, options, install_command, remove_command, is_builtin }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// Its name as the library has it.
    pub(crate) fn module_name(&self) -> &ModuleName {
        self.module.name()
    }

    /// The context that it is of.
    pub(crate) fn context(&self) -> &Arc<KmodContext> {
        &self.context
    }

    /// Whether it was found by an alias.
    pub(crate) fn has_alias(&self) -> bool {
        self.module.alias().is_some()
    }

    /// The module, to be asked about indexes and its file.
    pub(crate) fn within(&self, context: &Context) -> modutils::Module {
        let module = self.module.within(context);
        match self.path.get() {
            Some(path) => module.with_file(as_path(path)),
            None => module,
        }
    }

    /// The same in the indexes as they are now.
    pub(crate) fn now(&self) -> modutils::Module {
        self.within(&self.context.indexes())
    }

    /// Where its file is.
    ///
    /// # Errors
    /// When the index cannot be read, or its line about the module is malformed.
    pub(crate) fn path(&self) -> Result<Option<&CStr>> {
        let find = || Ok(self.now().path()?.map(c_path));
        Ok(kept(&self.path, find)?.map(CString::as_c_str))
    }

    /// Takes a path for its own, unless it has one. Whether its path is this.
    pub(crate) fn take_path(&self, path: &Path) -> bool {
        let path = c_path(path);
        *self.path.get_or_init(|| path.clone()) == path
    }

    /// Its parameters as they are configured; `None` for none.
    pub(crate) fn options(&self) -> Option<&CStr> {
        let find = || Some(self.module.options()).filter(|text| !text.is_empty());
        self.options.get_or_init(|| find().map(|text| c_string(&text))).as_deref()
    }

    /// The command to run instead of loading it.
    pub(crate) fn install_command(&self) -> Option<&CStr> {
        let find = || self.module.install_command().map(|text| c_string(text));
        self.install_command.get_or_init(find).as_deref()
    }

    /// The command to run instead of removing it.
    pub(crate) fn remove_command(&self) -> Option<&CStr> {
        let find = || self.module.remove_command().map(|text| c_string(text));
        self.remove_command.get_or_init(find).as_deref()
    }

    /// Whether its name is on a blacklist.
    pub(crate) fn is_blacklisted(&self) -> bool {
        self.module.blacklisted().is_some()
    }

    /// Whether it is part of the kernel.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub(crate) fn is_builtin(&self) -> Result<bool> {
        let find = || self.now().is_builtin().map(Some);
        Ok(kept(&self.is_builtin, find)?.copied().unwrap_or_default())
    }

    /// Objects for modules.
    pub(crate) fn objects(&self, modules: &[modutils::Module]) -> Vec<Arc<Self>> {
        modules.iter().map(|module| self.context.module(module)).collect()
    }
}

/// What the running kernel has of it, asked each time.
impl KmodModule {
    /// Its state; `None` where the kernel does not know it.
    pub(crate) fn state(&self, function: &CStr) -> Option<InitState> {
        match self.is_builtin() {
            Ok(true) => return Some(InitState::Builtin),
            Ok(false) => {}
            // It may be loaded all the same.
            Err(error) => drop(self.context.log().failed(function, &error)),
        }
        match self.module.state() {
            State::Live => Some(InitState::Live),
            State::Coming => Some(InitState::Coming),
            State::Going => Some(InitState::Going),
            _ => None,
        }
    }

    /// Whether nothing needs to be done to have it.
    pub(crate) fn is_there(&self, function: &CStr) -> bool {
        matches!(self.state(function), Some(InitState::Live | InitState::Builtin))
    }

    /// How many use it.
    pub(crate) fn references(&self) -> Option<c_int> {
        self.module.reference_count().and_then(|count| count.try_into().ok())
    }

    /// The bytes that it takes in memory: by sysfs, or where that does not show it by /proc/modules.
    ///
    /// # Errors
    /// When it is not loaded, or nothing shows its size.
    pub(crate) fn size(&self, function: &CStr) -> Result<c_long, Errno> {
        if self.module.state() == State::Absent {
            return Err(Errno::ENOENT);
        }
        if let Some(size) = self.module.size() {
            return c_long::try_from(size).map_err(|_| Errno::ENOENT);
        }
        let mut drop_notices = |_| ();
        let loaded = self.module.context().kernel().loaded_modules(&mut drop_notices);
        let loaded = loaded.map_err(|error| self.context.log().failed(function, &error))?;
        let line = loaded.into_iter().find(|line| line.name == *self.module_name());
        line.and_then(|line| line.size.try_into().ok()).ok_or(Errno::ENOENT)
    }

    /// The modules that use it.
    ///
    /// # Errors
    /// When the kernel's list cannot be read.
    pub(crate) fn holders(&self) -> Result<Vec<Arc<Self>>> {
        self.module.holders().map(|holders| self.objects(&holders))
    }

    /// Gives it to the kernel.
    ///
    /// # Errors
    /// When no file is known, it cannot be read, or the kernel refuses it.
    pub(crate) fn insert(&self, flags: c_uint, parameters: &[u8], function: &CStr) -> Result<(), Errno> {
        let failed = |error: Error| self.context.log().failed(function, &error);
        let Some(path) = self.path().map_err(failed)? else {
            let text = [b"could not find module by name='", self.name.to_bytes(), b"'"].concat();
            self.context.log().message(ERROR, function, &text);
            return Err(Errno::ENOENT);
        };
        let kernel = self.module.context().kernel();
        // The caller logs why the kernel refused it, if it wants to.
        kernel.insert(&as_path(path), parameters, force(flags)).map_err(|error| match error {
            Error::NotLoaded { errno, .. } => errno,
            other => failed(other),
        })
    }

    /// Has the kernel drop it; whether the failure is logged is the caller's choice.
    ///
    /// # Errors
    /// When the kernel refuses that.
    pub(crate) fn remove(&self, force: bool, quiet: bool, function: &CStr) -> Result<(), Errno> {
        let removed = self.module.context().kernel().delete(self.module_name(), force);
        removed.map_err(|error| {
            if !quiet {
                let cause = error.cause();
                let text = [b"could not remove '", self.name.to_bytes(), b"': ", cause.as_bytes()].concat();
                self.context.log().message(ERROR, function, &text);
            }
            error.errno()
        })
    }

    /// The module as the kernel has it.
    pub(crate) fn running(&self) -> &modutils::Module {
        &self.module
    }
}

/// `KMOD_INSERT_FORCE_VERMAGIC`, `KMOD_INSERT_FORCE_MODVERSION`; the flags of `enum kmod_probe` have the same bits.
pub(crate) fn force(flags: c_uint) -> Force {
    Force::default().vermagic(flags & 1 != 0).modversions(flags & 2 != 0)
}

fn as_path(path: &CStr) -> PathBuf {
    std::ffi::OsStr::from_bytes(path.to_bytes()).into()
}

impl Drop for KmodModule {
    fn drop(&mut self) {
        self.context.forget(&self.key);
    }
}
