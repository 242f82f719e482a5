//! depmod as one call: options in, indexes written, a report out.

mod in_place;

use std::{
    io::ErrorKind,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use bstr::ByteSlice;

use self::in_place::Found;
use super::{
    Analysis, Checks, analyse,
    cache::{self, CachedFacts, Store},
    facts::Facts,
    failure::Failure,
    for_each_need,
    graph::Check,
    observer::Observer,
    omission::Omissions,
    output::{self, IndexInput},
    preview::Preview,
    quick, read_facts,
    report::Report,
    same_place::Place,
    symvers::{self, KernelSymbols, Source},
    tree::{Configuration, Tree, TreeFile},
    write::OutputDirectory,
};
use crate::{Error, Level, Notice, Release, Root, config::Family, files, stamp::Stamp, threads::beside};

/// Makes the indexes of a module directory, `modules.dep` and the others: depmod in one call.
///
/// Either all files are replaced or none is, and none is unless everything that is there could be
/// read. A module that is damaged is listed without its dependencies, and is in the report.
///
/// ```
/// use modutils::depmod::{Omitted, Run};
/// use testkit::{Crc, ModuleBuilder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let directory = tempfile::tempdir()?;
/// let module = |name: &str| ModuleBuilder::new(name).modinfo("license", "GPL");
/// let file = |name: &str| directory.path().join(name);
/// std::fs::write(file("provider.ko"), module("provider").export("service", Crc::None).build())?;
/// std::fs::write(file("user.ko"), module("user").needs("service", None).alias("pci:v1*").build())?;
/// std::fs::write(file("damaged.ko"), "not a module")?;
///
/// let report = Run::new(directory.path()).without_configuration().execute(&())?;
/// assert!(report.is_complete());
/// assert_eq!(report.written().last(), Some(&file("modules.dep")));
/// let damaged = report.omissions().iter().find(|omission| omission.what() == Omitted::Module);
/// assert_eq!(damaged.expect("a damaged module").path(), file("damaged.ko"));
///
/// let dependencies = std::fs::read_to_string(file("modules.dep"))?;
/// assert_eq!(dependencies, "damaged.ko:\nprovider.ko:\nuser.ko: provider.ko\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    /// A confined root lasts as long as something has it.
    _root: Root,
    directory: PathBuf,
    output: PathBuf,
    release: Release,
    config_paths: Vec<PathBuf>,
    without_externals: bool,
    files: Option<Vec<PathBuf>>,
    quick: bool,
    kernel_symbols: Option<(Source, PathBuf)>,
    symbol_prefix: Option<u8>,
    check_symbols: bool,
    warn_duplicates: bool,
    report_needs: bool,
    threads: Option<NonZeroUsize>,
    cache: Option<PathBuf>,
}

/// The modules with their facts, and what was not read of them.
struct Modules<'a> {
    files: Vec<TreeFile>,
    facts: Vec<Facts<'a>>,
    stamps: Vec<Option<Stamp>>,
    omissions: Omissions,
}

impl Run {
    /// For all modules in a module directory, which gets the indexes. Its name is taken for the kernel's
    /// release, for the lines of depmod.d that concern some kernels only.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        let release = Release::new(directory.file_name().unwrap_or_default());
        Self::of(directory, release, &Root::default())
    }

    /// For all modules of a kernel, as `depmod RELEASE` does.
    pub fn of_release(root: &Root, release: &Release) -> Self {
        Self::of(root.modules(release), release.clone(), root)
    }

    fn of(directory: PathBuf, release: Release, root: &Root) -> Self {
        Self {
            _root: root.clone(),
            output: directory.clone(),
            directory,
            release,
            config_paths: Family::Depmod.directories(root),
            without_externals: false,
            files: None,
            quick: false,
            kernel_symbols: None,
            symbol_prefix: None,
            check_symbols: false,
            warn_duplicates: false,
            report_needs: false,
            threads: None,
            cache: None,
        }
    }

    /// Writes the files into another directory, which is made if it is missing.
    #[must_use]
    pub fn output(self, directory: impl Into<PathBuf>) -> Self {
        Self { output: directory.into(), ..self }
    }

    /// Reads these files and directories in place of the system's depmod.d directories.
    #[must_use]
    pub fn config_paths(self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { config_paths: paths.into_iter().map(Into::into).collect(), ..self }
    }

    /// Reads no configuration: modules in `updates` are preferred to others of the same name.
    #[must_use]
    pub fn without_configuration(self) -> Self {
        Self { config_paths: Vec::new(), ..self }
    }

    /// Lists no modules of external directories: those of a root that files are copied from are not in the copy.
    #[must_use]
    pub(crate) fn without_externals(self) -> Self {
        Self { without_externals: true, ..self }
    }

    /// Lists the modules in these files, and no others. Nothing is kept for the next run then.
    #[must_use]
    pub fn files(self, files: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { files: Some(files.into_iter().map(Into::into).collect()), ..self }
    }

    /// Leaves the indexes as they are where they list these modules and no module is newer.
    #[must_use]
    pub fn quick(self, quick: bool) -> Self {
        Self { quick, ..self }
    }

    /// Takes the kernel's own symbols with their CRCs from its `Module.symvers`.
    #[must_use]
    pub fn module_symvers(self, file: impl Into<PathBuf>) -> Self {
        Self { kernel_symbols: Some((Source::Symvers, file.into())), ..self }
    }

    /// Takes the kernel's own symbols from its `System.map`.
    #[must_use]
    pub fn system_map(self, file: impl Into<PathBuf>) -> Self {
        Self { kernel_symbols: Some((Source::SystemMap, file.into())), ..self }
    }

    /// Ignores this byte in front of symbols' names.
    #[must_use]
    pub fn symbol_prefix(self, prefix: u8) -> Self {
        Self { symbol_prefix: Some(prefix), ..self }
    }

    /// Warns of needed symbols that nobody exports and, with a `Module.symvers`, of those with another
    /// CRC. It needs the kernel's own symbols.
    #[must_use]
    pub fn check_symbols(self, check_symbols: bool) -> Self {
        Self { check_symbols, ..self }
    }

    /// Warns of aliases that a module has twice.
    #[must_use]
    pub fn warn_duplicates(self, warn_duplicates: bool) -> Self {
        Self { warn_duplicates, ..self }
    }

    /// Reports to the observer which module needs which other one, and by which symbol
    /// ([`Observer::symbol_needed`]).
    #[must_use]
    pub fn report_needs(self, report_needs: bool) -> Self {
        Self { report_needs, ..self }
    }

    /// Uses so many threads, in place of one for each processor.
    #[must_use]
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Keeps what modules contain in this directory, for the next run to read only modules that
    /// have changed. The directory must belong to root alone; without one, every module is read.
    #[must_use]
    pub fn cache(self, directory: impl Into<PathBuf>) -> Self {
        Self { cache: Some(directory.into()), ..self }
    }

    /// Reads the modules and writes the indexes.
    ///
    /// # Errors
    /// Where something that is there cannot be read, modules need each other in circles, or the files
    /// cannot be written. The files that were there before are then as they were.
    pub fn execute(&self, observer: &dyn Observer) -> Result<Report, Failure> {
        // From the lock on, what would end the program would leave a file behind.
        observer.before_publication();
        let done = self.execute_locked(observer);
        observer.after_publication();
        done
    }

    fn execute_locked(&self, observer: &dyn Observer) -> Result<Report, Failure> {
        let sink = || |notice| observer.notice(notice);
        let configuration = self.read_configuration(observer);
        self.check_directory()?;
        // Locked before modules are read: whoever writes last has also read last.
        // Where there is no module directory, none is made for its indexes: it may only be away for a moment.
        let may_be_made = self.files.is_some() || self.output != self.directory;
        let is_interrupted = || observer.is_interrupted();
        let output = OutputDirectory::lock(&self.output, may_be_made, &is_interrupted, &mut sink())?;
        let store = self.open_cache(observer);
        let kept = OnceLock::new();
        let known = |_| {
            let Some(store) = &store else { return CachedFacts::default() };
            let mut known =
                CachedFacts::parse(kept.get_or_init(|| store.bytes(&self.directory)), &self.directory);
            known.look();
            known
        };
        let threads = self.thread_count();
        let (found, place) = self.read_in_place(&output, configuration, &known, observer)?;
        let (known, modules) = match found {
            Found::Current(omissions) => return Ok(Report::current(omissions)),
            Found::Read { known, modules } => (known, modules),
        };
        let Modules { files, facts, stamps, omissions } = *modules;
        let kernel_symbols = self.read_kernel_symbols(observer)?;
        let checks = self.checks(kernel_symbols.as_ref());
        self.show_needs(&files, &facts, &checks, observer);

        // What needs no graph is made beside it.
        let directory = &self.directory;
        let sources = IndexInput {
            files: &files,
            facts: &facts,
            directory,
            place: place.as_ref(),
            warn_duplicates: self.warn_duplicates,
        };
        let of_facts = |share| {
            let prepare = |_| cache::prepare(&known, directory, &files, &facts, &stamps);
            (store.as_ref().and_then(prepare), output::of_facts(&sources, share))
        };
        let ((cached, of_facts), of_graph) = beside(threads, &of_facts, |share| {
            let analysed = analyse(&files, &facts, &checks, &mut sink());
            analysed.map(|analysis| output::of_graph(&analysis, share))
        });
        let of_graph = of_graph.map_err(|cycles| Failure::of_cycles(&cycles, &files))?;
        let made = output::all([of_facts, of_graph], omissions, directory, &mut sink())?;
        let report = output.publish(made.complete()?, observer)?;
        // Last: what is kept must not show a quick run a file that the indexes do not know.
        if let Some(Err(error)) = store.map(|store| cache::keep(&store, directory, cached)) {
            observer.notice(Notice::of(Level::Debug, &error));
        }
        Ok(report)
    }

    /// Reads the modules, and shows what would be written; `None` where the indexes would stay as they
    /// are ([`Run::quick`]). Nothing is locked, written or kept.
    ///
    /// # Errors
    /// Where the module directory cannot be read, or modules need each other in circles. A preview
    /// that lacks something that exists reports it ([`Preview::is_complete`]).
    pub fn preview(&self, observer: &dyn Observer) -> Result<Option<Preview>, Failure> {
        let mut sink = |notice| observer.notice(notice);
        let configuration = self.read_configuration(observer);
        let (tree, known) = (self.find(None, configuration, observer)?, CachedFacts::default());
        if self.is_current(&tree, &known) {
            return Ok(None);
        }
        let Modules { files, facts, omissions, .. } = self.read(tree, None, &known, observer)?;
        let kernel_symbols = self.read_kernel_symbols(observer)?;
        let checks = self.checks(kernel_symbols.as_ref());
        self.show_needs(&files, &facts, &checks, observer);
        let analysis = analyse(&files, &facts, &checks, &mut sink)
            .map_err(|cycles| Failure::of_cycles(&cycles, &files))?;
        let texts = output::texts(&analysis, &mut sink);
        let Analysis { dependencies, .. } = analysis;
        Ok(Some(Preview::new((files, facts), dependencies, texts, omissions)))
    }

    fn read_configuration(&self, observer: &dyn Observer) -> Configuration {
        Configuration::read(&self.config_paths, &self.release, &mut |notice| observer.notice(notice))
    }

    /// As many threads as asked for, or as there are processors for us.
    fn thread_count(&self) -> NonZeroUsize {
        self.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// Where there is no module directory, none is made for its indexes.
    fn check_directory(&self) -> Result<(), Failure> {
        match files::metadata(&self.directory) {
            Err(error) if self.files.is_none() && error.kind() == ErrorKind::NotFound => {
                Err(Failure::Search(Error::io("open directory", &self.directory)(error)))
            }
            _ => Ok(()),
        }
    }

    /// The cache. That it is unavailable interests only callers that want every notice.
    fn open_cache(&self, observer: &dyn Observer) -> Option<Store> {
        let directory = self.cache.as_deref().filter(|_| self.files.is_none())?;
        let opened = Store::open(directory);
        opened.map_err(|error| observer.notice(Notice::of(Level::Debug, &error))).ok()
    }

    fn find(
        &self,
        place: Option<&Place>,
        configuration: Configuration,
        observer: &dyn Observer,
    ) -> Result<Tree, Failure> {
        let sink = &mut |notice| observer.notice(notice);
        let configuration =
            if self.without_externals { configuration.without_externals() } else { configuration };
        match &self.files {
            Some(files) => {
                Tree::named(&self.directory, place, files, configuration, sink).map_err(Failure::NamedFile)
            }
            None => Tree::find_in(&self.directory, place, configuration, sink).map_err(Failure::Search),
        }
    }

    fn is_current(&self, tree: &Tree, known: &CachedFacts<'_>) -> bool {
        self.quick
            && quick::is_current(tree.files(), &self.output)
            && !tree.files().iter().any(|file| known.has_changed(file))
    }

    /// Reads all modules. Messages about them wait until the observer has no bar to draw any more.
    ///
    /// # Errors
    /// When the observer interrupts it: some modules may not have been read.
    fn read<'a>(
        &self,
        tree: Tree,
        place: Option<&Place>,
        known: &CachedFacts<'a>,
        observer: &dyn Observer,
    ) -> Result<Modules<'a>, Failure> {
        let stopped = AtomicBool::new(false);
        let (files, mut omissions) = tree.into_parts();
        let mut notices = Vec::new();
        observer.reading(files.len());
        let (facts, stamps) = read_facts(
            &files,
            place,
            known,
            self.thread_count(),
            &|| {
                observer.module_read();
                // What was asked once counts, whatever the answer is later.
                if observer.is_interrupted() {
                    stopped.store(true, Ordering::Relaxed);
                }
                !stopped.load(Ordering::Relaxed)
            },
            &mut omissions,
            &mut |notice| {
                notices.push(notice);
            },
        );
        observer.all_read();
        notices.into_iter().for_each(|notice| observer.notice(notice));
        if stopped.into_inner() {
            return Err(Error::io("read", &self.directory)(ErrorKind::Interrupted.into()).into());
        }
        Ok(Modules { files, facts, stamps, omissions })
    }

    /// The kernel's symbols; `None` where no file was named, or it has none.
    fn read_kernel_symbols(&self, observer: &dyn Observer) -> Result<Option<KernelSymbols>, Failure> {
        let Some((source, path)) = &self.kernel_symbols else { return Ok(None) };
        let sink = &mut |notice| observer.notice(notice);
        symvers::read(*source, path, self.symbol_prefix, sink).map_err(Failure::KernelSymbols)
    }

    fn checks<'a>(&self, kernel_symbols: Option<&'a KernelSymbols>) -> Checks<'a> {
        let check = match self.kernel_symbols.as_ref().filter(|_| kernel_symbols.is_some()) {
            Some((Source::Symvers, _)) if self.check_symbols => Check::UnknownAndVersions,
            Some((Source::SystemMap, _)) if self.check_symbols => Check::Unknown,
            _ => Check::Nothing,
        };
        let kernel_symbols = kernel_symbols.map(Vec::as_slice).unwrap_or_default();
        Checks { kernel_symbols, symbol_prefix: self.symbol_prefix, check }
    }

    /// Before anything can go wrong with cycles: the symbols are what makes them.
    fn show_needs(
        &self,
        files: &[TreeFile],
        facts: &[Facts<'_>],
        checks: &Checks<'_>,
        observer: &dyn Observer,
    ) {
        if self.report_needs {
            for_each_need(files, facts, checks, |user, symbol, owner| {
                observer.symbol_needed(&user.path, symbol.as_bstr(), &owner.path);
            });
        }
    }
}

#[cfg(test)]
mod foreign_text;
#[cfg(test)]
mod tests;
