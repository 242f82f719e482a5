//! A module of a context, about which everything else is asked.

#[cfg(feature = "kernel")]
mod running;

use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bstr::{BStr, BString, ByteSlice};

use crate::{
    Context, Errno, Error, Malformed, ModuleName, Result,
    config::Line,
    files,
    index::DependencyLine,
    lookup::{self, Candidate},
    module_file::{ExportedSymbol, ModInfo, ModuleFile, NeededSymbol, Signature, SymbolVersion},
    once::get_or_try_init,
};

/// A module of a [`Context`]: one in the module directory, in a file, part of the kernel, loaded, or
/// none of these and only a name.
///
/// It is a handle: a clone is cheap and means the same module, and threads may share it. Nothing is
/// read before it is asked for; facts of indexes and the module's file are kept from then on, those of the
/// kernel are requested each time.
///
/// ```
/// use modutils::{Context, ModuleName};
/// # use testkit::ModuleBuilder;
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// # let usb_storage = ModuleBuilder::new("usb_storage").modinfo("license", "GPL").needs("usb_register", None);
/// # std::fs::write(directory.join("usb-storage.ko"), usb_storage.build())?;
/// # let lines = [("usb_storage", "usb-storage.ko: usbcore.ko usb-common.ko"), ("usbcore", "usbcore.ko:")];
/// # std::fs::write(directory.join("modules.dep.bin"), testkit::index(lines))?;
///
/// let context = Context::builder().directory(directory).without_configuration().build()?;
/// let module = context.module(ModuleName::new("usb-storage"));
///
/// assert_eq!(module.path()?, Some(&*directory.join("usb-storage.ko")));
/// // What it needs, in the order of loading.
/// let names: Vec<String> = module.dependencies()?.iter().map(|one| one.name().to_string()).collect();
/// assert_eq!(names, ["usb_common", "usbcore"]);
/// // Now its file is opened.
/// assert_eq!(module.modinfo()?.value("license"), Some("GPL".into()));
/// assert_eq!(module.needs()?[0].name, "usb_register");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    context: Context,
    candidate: Candidate,
    /// The file that another module's line in `modules.dep` names. Its own line counts, if it has one.
    listed: Option<PathBuf>,
    line: OnceLock<Option<DependencyLine>>,
    /// The file that its own line names.
    own: OnceLock<Option<PathBuf>>,
    builtin: OnceLock<bool>,
    file: OnceLock<ModuleFile>,
}

// Threads share modules as they share their context.
const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Module>();
};

/// The modules of softdep lines. All are optional: loading goes on where one cannot be loaded.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SoftDependencies {
    /// Those to load before the module.
    pub pre: Vec<Module>,
    /// Those to load after it.
    pub post: Vec<Module>,
}

/// Modules without a search.
impl Context {
    /// The module of this name, which need not exist.
    pub fn module(&self, name: ModuleName) -> Module {
        Module::new(self, Candidate::named(name))
    }

    /// The module in a file, wherever that is. Dependencies and configuration are those of the file's name.
    ///
    /// # Errors
    /// When there is no such file, or its name could not be that of a module.
    pub fn module_in_file(&self, path: &Path) -> Result<Module> {
        let failed = |action, error| Error::io(action, path)(error);
        files::metadata(path).map_err(|error| failed("open", error))?;
        let directory = std::env::current_dir().map_err(|error| failed("locate", error))?;
        let candidate = Candidate::in_file(&absolute(path.as_os_str(), &directory));
        let no_name = || Malformed::file("no module name in this path").with_errno(Errno::ENOENT).at(path);
        candidate.map(|candidate| Module::new(self, candidate)).ok_or_else(no_name)
    }
}

/// What it is.
impl Module {
    pub(crate) fn new(context: &Context, candidate: Candidate) -> Self {
        Self::listed(context, candidate, None)
    }

    fn listed(context: &Context, candidate: Candidate, listed: Option<PathBuf>) -> Self {
        let (line, own, builtin, file) = Default::default();
        Self(Arc::new(Inner { context: context.clone(), candidate, listed, line, own, builtin, file }))
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

    /// The same module in another context, of which nothing has been asked yet.
    #[must_use]
    pub fn within(&self, context: &Context) -> Self {
        Self::listed(context, self.candidate().clone(), self.0.listed.clone())
    }

    /// The same module with its file at this path, whatever `modules.dep` names.
    #[must_use]
    pub fn with_file(&self, path: impl Into<PathBuf>) -> Self {
        let candidate = Candidate { file: Some(path.into()), ..self.candidate().clone() };
        Self::listed(self.context(), candidate, None)
    }

    /// What plans begin with.
    pub(crate) fn candidate(&self) -> &Candidate {
        &self.0.candidate
    }
}

/// By the indexes of the module directory.
impl Module {
    /// The path of its file: the file that was named, or else by `modules.dep`. `None` where none is
    /// known, as for a module that is built in. Whether the file is there has not been checked.
    ///
    /// # Errors
    /// When the index cannot be read, or its line about the module is malformed.
    pub fn path(&self) -> Result<Option<&Path>> {
        if let Some(file) = &self.candidate().file {
            return Ok(Some(file));
        }
        let own = || self.context().indexes().file_of(self.name());
        Ok(get_or_try_init(&self.0.own, own)?.as_deref().or(self.0.listed.as_deref()))
    }

    /// Whether it is part of the kernel, by `modules.builtin`.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn is_builtin(&self) -> Result<bool> {
        let is_builtin = || lookup::is_builtin(self.context(), self.name());
        get_or_try_init(&self.0.builtin, is_builtin).copied()
    }

    /// All modules that it needs, also by way of others, in the order of loading: the first in front.
    ///
    /// # Errors
    /// As for [`Module::path`].
    pub fn dependencies(&self) -> Result<Vec<Self>> {
        let paths = self.line()?.map(|line| line.dependencies.as_slice()).unwrap_or_default();
        let module = |path: &PathBuf| {
            let candidate = Candidate::named(ModuleName::from_path(path)?);
            Some(Self::listed(self.context(), candidate, Some(path.clone())))
        };
        Ok(paths.iter().rev().filter_map(module).collect())
    }

    fn line(&self) -> Result<Option<&DependencyLine>> {
        let line = || self.context().indexes().dependency_line(self.name());
        get_or_try_init(&self.0.line, line).map(Option::as_ref)
    }
}

/// By the configuration.
impl Module {
    /// The modules of all its softdep lines. Names in them are looked up as [`Context::lookup`] does;
    /// names that match no module are skipped.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn soft_dependencies(&self) -> Result<SoftDependencies> {
        let mut found = SoftDependencies::default();
        for line in self.context().modprobe_config().softdeps(self.name()) {
            self.add_meant(&line.pre, &mut found.pre)?;
            self.add_meant(&line.post, &mut found.post)?;
        }
        Ok(found)
    }

    /// The modules of all its weakdep lines: modules that may be useful to it, so that an initramfs should
    /// have them, but which are not loaded because of it. Names are looked up as for
    /// [`Module::soft_dependencies`].
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn weak_dependencies(&self) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for line in self.context().modprobe_config().weakdeps(self.name()) {
            self.add_meant(&line.names, &mut found)?;
        }
        Ok(found)
    }

    /// The parameters configured for it, and those for the alias that it was found by, joined by blanks
    /// in the order of the lines.
    pub fn options(&self) -> BString {
        self.context()
            .modprobe_config()
            .options(self.name(), self.candidate().alias.as_deref().map(Vec::as_slice))
    }

    /// The command to run instead of loading it.
    pub fn install_command(&self) -> Option<&BStr> {
        self.context().modprobe_config().install(self.name()).map(|line| line.command.as_bstr())
    }

    /// The command to run instead of removing it.
    pub fn remove_command(&self) -> Option<&BStr> {
        self.context().modprobe_config().remove(self.name()).map(|line| line.command.as_bstr())
    }

    /// The line that blacklists it: it is not loaded where an alias leads to it.
    pub fn blacklisted(&self) -> Option<Line<'_>> {
        self.context().modprobe_config().blacklisted(self.name()).map(Line::from)
    }

    /// The line that denies it: it is not loaded, whoever asks.
    pub fn denied(&self) -> Option<Line<'_>> {
        self.context().modprobe_config().denied(self.name()).map(Line::from)
    }

    fn add_meant(&self, names: &[BString], found: &mut Vec<Self>) -> Result<()> {
        for name in names {
            found.extend(self.context().lookup(name)?);
        }
        Ok(())
    }
}

/// By its file.
impl Module {
    /// Its file, opened when first asked for. `None` where no path is known.
    ///
    /// # Errors
    /// As for [`Module::path`] and [`ModuleFile::open`].
    pub fn file(&self) -> Result<Option<&ModuleFile>> {
        let Some(path) = self.path()? else { return Ok(None) };
        get_or_try_init(&self.0.file, || ModuleFile::open(path)).map(Some)
    }

    /// Its own description: the section `.modinfo` of its file, or for a module without one the
    /// entries in `modules.builtin.modinfo`.
    ///
    /// # Errors
    /// As for [`Module::file`]; when the file has no such section; when `modules.builtin.modinfo` cannot be
    /// read.
    pub fn modinfo(&self) -> Result<ModInfo<'_>> {
        match self.file()? {
            Some(file) => file.modinfo(),
            None => Ok(self.context().indexes().builtin_info()?.modinfo(self.name())),
        }
    }

    /// The firmware files that it may load, relative to the firmware directories.
    ///
    /// # Errors
    /// As for [`Module::modinfo`].
    pub fn firmware(&self) -> Result<Vec<&BStr>> {
        Ok(self.modinfo()?.values("firmware").collect())
    }

    /// The CRCs of the symbols that it was built against; none without a file.
    ///
    /// # Errors
    /// As for [`Module::file`] and [`ModuleFile::versions`].
    pub fn versions(&self) -> Result<Vec<SymbolVersion<'_>>> {
        self.file()?.map_or_else(|| Ok(Vec::new()), ModuleFile::versions)
    }

    /// The symbols that it offers to others; none without a file.
    ///
    /// # Errors
    /// As for [`Module::file`] and [`ModuleFile::exported_symbols`].
    pub fn exports(&self) -> Result<Vec<ExportedSymbol<'_>>> {
        self.file()?.map_or_else(|| Ok(Vec::new()), ModuleFile::exported_symbols)
    }

    /// The symbols that it needs from the kernel or from other modules; none without a file.
    ///
    /// # Errors
    /// As for [`Module::file`] and [`ModuleFile::needed_symbols`].
    pub fn needs(&self) -> Result<Vec<NeededSymbol<'_>>> {
        self.file()?.map_or_else(|| Ok(Vec::new()), ModuleFile::needed_symbols)
    }

    /// The signature of its file; `None` where it is not signed, or has no file.
    ///
    /// # Errors
    /// As for [`Module::file`] and [`ModuleFile::signature`].
    pub fn signature(&self) -> Result<Option<Signature>> {
        self.file()?.map_or(Ok(None), ModuleFile::signature)
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.candidate().fmt(f)
    }
}

/// A relative path as the tools show it: below the current directory, as written.
fn absolute(path: &OsStr, current_directory: &Path) -> PathBuf {
    if path.as_bytes().starts_with(b"/") {
        return path.into();
    }
    let joined = [current_directory.as_os_str().as_bytes(), b"/", path.as_bytes()].concat();
    OsStr::from_bytes(&joined).into()
}

#[cfg(test)]
mod tests;
