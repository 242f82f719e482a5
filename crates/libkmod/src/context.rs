//! What `struct kmod_ctx` is: the configuration, the indexes, and the modules that C has pointers to.

use std::{
    collections::HashMap,
    ffi::{CStr, CString, OsStr, c_void},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicPtr, Ordering},
    },
};

use modutils::{Context, Errno, Error, Index, ModuleName, Release, Result, Root};

use crate::{
    configuration::{ConfigIterator, Entries, Kind},
    log::{ERROR, Log},
    module::KmodModule,
    text::c_path,
};

/// A context of the C interface.
pub(crate) struct KmodContext {
    /// Where things are and what is configured. Its own indexes are never opened.
    base: Context,
    /// The same with all indexes in memory, while resources are loaded.
    loaded: Mutex<Option<Context>>,
    /// The modules that C has pointers to, by name and alias.
    modules: Mutex<HashMap<Key, Weak<KmodModule>>>,
    directory: CString,
    entries: Entries,
    log: Arc<Log>,
    user_data: AtomicPtr<c_void>,
}

/// By what a module is the same as another one: its name, and the alias that it was found by.
pub(crate) type Key = (ModuleName, Option<bstr::BString>);

/// What `kmod_validate_resources` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// Nothing has changed.
    Valid = 0,
    /// The indexes are to be loaded again.
    Reload = 1,
    /// The configuration is to be read again, by a new context.
    Recreate = 2,
}

impl KmodContext {
    /// Reads the configuration for the modules in a directory, the running kernel's unless one is given;
    /// from the system's directories, or from these files and directories.
    ///
    /// # Errors
    /// When the release or the current directory are needed and unavailable.
    pub(crate) fn new(directory: Option<&[u8]>, paths: Option<Vec<PathBuf>>, log: Log) -> Result<Arc<Self>> {
        let log = Arc::new(log);
        let directory = match directory {
            Some(directory) => absolute(directory).map_err(Error::io("locate", "."))?,
            None => Root::default().modules(&Release::running()?),
        };
        let sink = log.clone();
        let builder = Context::builder().directory(&directory);
        let builder = builder.on_notice(move |notice| sink.notice(c"kmod_new", &notice));
        let base = match paths {
            Some(paths) => builder.config_paths(paths),
            None => builder,
        };
        let (loaded, modules, entries) = Default::default();
        let (directory, user_data) = (c_path(&directory), AtomicPtr::default());
        Ok(Arc::new(Self { base: base.build()?, loaded, modules, directory, entries, log, user_data }))
    }

    /// The module directory.
    pub(crate) fn directory(&self) -> &CStr {
        &self.directory
    }

    /// Where messages go.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The pointer that the host keeps here.
    pub(crate) fn user_data(&self) -> *mut c_void {
        self.user_data.load(Ordering::Relaxed)
    }

    /// Keeps a pointer of the host.
    pub(crate) fn set_user_data(&self, data: *mut c_void) {
        self.user_data.store(data, Ordering::Relaxed);
    }

    /// What is configured; no question about indexes is to be asked of it.
    pub(crate) fn base(&self) -> &Context {
        &self.base
    }

    /// The context to ask about indexes: the one in memory, or else one that reads the files as they are
    /// now.
    pub(crate) fn indexes(&self) -> Context {
        lock(&self.loaded).clone().unwrap_or_else(|| self.base.reopened())
    }

    /// Reads all indexes into memory, unless they are there.
    ///
    /// # Errors
    /// When one cannot be read, or is missing; aliases of built-in modules may be missing.
    pub(crate) fn load(&self) -> Result<()> {
        let mut loaded = lock(&self.loaded);
        if loaded.is_some() {
            return Ok(());
        }
        let context = self.base.reopened();
        context.read_indexes()?;
        for index in [Index::Dependencies, Index::Aliases, Index::Symbols, Index::Builtin] {
            if !context.has_index(index)? {
                return Err(Error::io("open", self.path_of(index))(Errno::ENOENT.into()));
            }
        }
        *loaded = Some(context);
        Ok(())
    }

    /// Drops what [`KmodContext::load`] has read.
    pub(crate) fn unload(&self) {
        lock(&self.loaded).take();
    }

    /// Whether files have changed: those of the configuration, or indexes that are in memory.
    pub(crate) fn validity(&self) -> Validity {
        let loaded = lock(&self.loaded).clone();
        if self.base.changed_on_disk().configuration {
            Validity::Recreate
        } else if loaded.is_some_and(|context| context.changed_on_disk().indexes) {
            Validity::Reload
        } else {
            Validity::Valid
        }
    }

    /// A walk over the lines of a kind.
    pub(crate) fn walk(&self, kind: Kind) -> ConfigIterator {
        self.entries.walk(kind, &self.base)
    }

    /// The path of an index.
    pub(crate) fn path_of(&self, index: Index) -> PathBuf {
        self.base.directory().join(index.file_name())
    }

    /// The module of a name, which ends before its first dot and need not exist.
    pub(crate) fn module_named(self: &Arc<Self>, name: &[u8]) -> Arc<KmodModule> {
        let end = name.iter().position(|&byte| byte == b'.').unwrap_or(name.len());
        let name = ModuleName::new(name.get(..end).unwrap_or_default());
        self.module(&self.base.module(name))
    }

    /// The module in a file. There is one object of its name: it gets this path, unless it has another.
    ///
    /// # Errors
    /// When nothing, or a directory, is at the path, or the module of this name is known at another one.
    pub(crate) fn module_at(
        self: &Arc<Self>,
        path: &[u8],
        function: &CStr,
    ) -> Result<Arc<KmodModule>, Errno> {
        let path = Path::new(OsStr::from_bytes(path));
        let failed = |error: Error| match error {
            // A file that does not exist is no fault to log: the number reports it.
            error if error.is_not_found() => error.errno(),
            error => self.log.failed(function, &error),
        };
        if path.is_dir() {
            return Err(failed(Error::io("take for a module:", path)(Errno::from_raw(libc::EISDIR).into())));
        }
        let found = self.base.module_in_file(path).map_err(failed)?;
        let module = self.module(&self.base.module(found.name().clone()));
        let path = found.path().map_err(failed)?.unwrap_or(path);
        if !module.take_path(path) {
            let known = module.path().map_err(failed)?.unwrap_or_default();
            let parts =
                [path.as_os_str().as_bytes(), b": module '", module.name().to_bytes(), b"' is known at "];
            self.log.message(ERROR, function, &[&parts.concat(), known.to_bytes()].concat());
            return Err(Errno::EEXIST);
        }
        Ok(module)
    }

    /// The object for a module: the one that C has already, or a new one.
    pub(crate) fn module(self: &Arc<Self>, module: &modutils::Module) -> Arc<KmodModule> {
        let key: Key = (module.name().clone(), module.alias().map(ToOwned::to_owned));
        let mut modules = lock(&self.modules);
        if let Some(known) = modules.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let module = Arc::new(KmodModule::new(self, module.within(&self.base), key.clone()));
        modules.insert(key, Arc::downgrade(&module));
        module
    }

    /// Forgets a module that is going, unless another object has its place already.
    pub(crate) fn forget(&self, key: &Key) {
        let mut modules = lock(&self.modules);
        if modules.get(key).is_some_and(|module| module.strong_count() == 0) {
            modules.remove(key);
        }
    }
}

/// A directory, below the current one where it does not begin with a slash.
fn absolute(directory: &[u8]) -> io::Result<PathBuf> {
    if directory.starts_with(b"/") {
        return Ok(OsStr::from_bytes(directory).into());
    }
    let mut path = std::env::current_dir()?.into_os_string().into_vec();
    path.push(b'/');
    path.extend_from_slice(directory);
    Ok(std::ffi::OsString::from_vec(path).into())
}

/// What is locked is whole at any time: a thread that panicked left nothing half.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value that is found once and kept, unless it could not be found.
pub(crate) fn kept<T>(cell: &OnceLock<T>, find: impl FnOnce() -> Result<Option<T>>) -> Result<Option<&T>> {
    if let Some(value) = cell.get() {
        return Ok(Some(value));
    }
    Ok(find()?.map(|value| cell.get_or_init(|| value)))
}
