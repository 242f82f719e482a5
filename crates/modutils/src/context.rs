//! What answers questions about the modules of one kernel: where they are, what is configured, and the
//! indexes, each opened once.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Notice, Release, Result, Root,
    config::{Config, ConfigPaths, ModprobeConfig},
    index::{Index, Indexes},
};

/// The modules of one kernel with their configuration and indexes.
///
/// It is a handle: a clone is cheap and means the same context, and threads may share it. The
/// configuration is read when it is built, an index when a question first needs it. What was read stays
/// as it was read: [`Context::changed_on_disk`] reports when a new context would differ.
///
/// ```
/// use modutils::{Context, Release, Root};
/// # use std::fs;
/// # let image = tempfile::tempdir()?;
/// # let image = image.path();
/// # let modules = image.join("lib/modules/6.12.0");
/// # fs::create_dir_all(&modules)?;
/// # fs::create_dir_all(image.join("etc/modprobe.d"))?;
/// # fs::write(image.join("etc/modprobe.d/local.conf"), "alias scratch dm-mod\noptions dm-mod major=240\n")?;
/// # let lines = [("dm_mod", "kernel/dm-mod.ko.xz: kernel/dax.ko.xz"), ("dax", "kernel/dax.ko.xz:")];
/// # fs::write(modules.join("modules.dep.bin"), testkit::index(lines))?;
///
/// // The kernel 6.12.0 of an image, whose configuration counts, and not that of the machine.
/// let root = Root::default().with_base(image).with_system(image);
/// let context = Context::builder()
///     .root(root)
///     .release(Release::new("6.12.0"))
///     .on_notice(|notice| eprintln!("{}", notice.message))
///     .build()?;
///
/// let found = context.lookup(b"scratch")?;
/// assert_eq!(found[0].name().as_bytes(), b"dm_mod");
/// assert_eq!(found[0].options(), "major=240");
/// assert_eq!(found[0].path()?, Some(&*modules.join("kernel/dm-mod.ko.xz")));
///
/// assert!(!context.changed_on_disk().configuration);
/// fs::write(image.join("etc/modprobe.d/local.conf"), "")?;
/// assert!(context.changed_on_disk().configuration);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    root: Root,
    config: Arc<ModprobeConfig>,
    indexes: Indexes,
    sink: Arc<NoticeSink>,
}

type NoticeSink = dyn Fn(Notice) + Send + Sync;

// Threads share a context: nothing in it may forbid that.
const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Context>();
};

/// What [`Context::changed_on_disk`] found changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// A file or directory of the configuration.
    pub configuration: bool,
    /// An index.
    pub indexes: bool,
}

/// How a [`Context`] is opened.
pub struct ContextBuilder {
    root: Root,
    directory: Option<Directory>,
    config: ConfigChoice,
    sink: Arc<NoticeSink>,
}

enum Directory {
    OfRelease(Release),
    Plain(PathBuf),
}

enum ConfigChoice {
    OfSystem,
    Paths(Vec<PathBuf>),
    None,
}

impl Context {
    /// How a context is opened: for the running kernel and with the system's configuration, unless the
    /// builder sets another.
    pub fn builder() -> ContextBuilder {
        ContextBuilder {
            root: Root::default(),
            directory: None,
            config: ConfigChoice::OfSystem,
            sink: Arc::new(drop),
        }
    }

    /// Where things are.
    pub fn root(&self) -> &Root {
        &self.0.root
    }

    /// The module directory, `/lib/modules/VERSION`.
    pub fn directory(&self) -> &Path {
        self.0.indexes.directory()
    }

    /// What is configured, as it was read when the context was built.
    pub fn config(&self) -> Config<'_> {
        Config::new(&self.0.config)
    }

    /// The same, to ask what it means for a module.
    pub(crate) fn modprobe_config(&self) -> &ModprobeConfig {
        &self.0.config
    }

    /// What depmod found.
    pub(crate) fn indexes(&self) -> &Indexes {
        &self.0.indexes
    }

    /// Opens all indexes and keeps them. Without it, each is opened when a question first needs it; with
    /// it, all questions are answered from the files that are there now, also when depmod replaces them.
    ///
    /// # Errors
    /// When an index cannot be read. One that is missing is no error: it has no keys.
    pub fn load_indexes(&self) -> Result<()> {
        self.0.indexes.open_all()
    }

    /// Reads all indexes into memory. As with [`Context::load_indexes`], all questions are answered from
    /// them; but no file stays open, for a process whose descriptors another part of it may close. An index
    /// that is open already stays as it is.
    ///
    /// # Errors
    /// When an index cannot be read. One that is missing is no error: it has no keys.
    pub fn read_indexes(&self) -> Result<()> {
        self.0.indexes.read_all()
    }

    /// Whether the module directory has an index. That one is missing does not make any other question
    /// fail.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn has_index(&self, index: Index) -> Result<bool> {
        self.0.indexes.open(index).map(|index| index.is_some())
    }

    /// A context with the same configuration, for which no index is open: questions to it are answered
    /// from the files that are there now.
    #[must_use]
    pub fn reopened(&self) -> Self {
        let Inner { root, config, indexes, sink } = &*self.0;
        let indexes = Indexes::new(indexes.directory().to_owned());
        Self(Arc::new(Inner { root: root.clone(), config: config.clone(), indexes, sink: sink.clone() }))
    }

    /// Whether files that this context has read are others now, or such as it found missing have
    /// appeared. A new context would read them; this one goes on with what it has.
    ///
    /// Files and directories are compared by device, inode, size and times of modification and change; a
    /// change within the tick of the file system's clock in which one was read may not show. Of indexes
    /// those count that are open. The files `modules.softdep` and `modules.weakdep`, which depmod writes,
    /// are configuration. The kernel command line does not change.
    pub fn changed_on_disk(&self) -> Changes {
        let Inner { config, indexes, .. } = &*self.0;
        Changes { configuration: config.has_changed(), indexes: indexes.has_changed() }
    }

    /// Gives all keys of an index, each with each of its values, in the order of `modprobe -c`. One that
    /// is missing has none.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged. What was given before holds all the same.
    pub fn dump(&self, index: Index, each: impl FnMut(&[u8], &[u8])) -> Result<()> {
        self.dump_behind(b"", index, each)
    }

    /// As [`Context::dump`], with each key behind some bytes, as a line begins: the bytes need not be
    /// joined for each of tens of thousands of keys.
    ///
    /// # Errors
    /// As [`Context::dump`].
    pub fn dump_behind(&self, start: &[u8], index: Index, mut each: impl FnMut(&[u8], &[u8])) -> Result<()> {
        match self.0.indexes.open(index)? {
            Some(index) => index.for_each_behind(start, &mut each),
            None => Ok(()),
        }
    }

    pub(crate) fn notify(&self, notice: Notice) {
        (self.0.sink)(notice);
    }

    #[cfg(test)]
    pub(crate) fn of_parts(root: Root, config: ModprobeConfig, indexes: Indexes) -> Self {
        Self(Arc::new(Inner { root, config: Arc::new(config), indexes, sink: Arc::new(drop) }))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { root, config, indexes, sink: _ } = &*self.0;
        f.debug_struct("Context")
            .field("root", root)
            .field("config", config)
            .field("indexes", indexes)
            .finish_non_exhaustive()
    }
}

impl ContextBuilder {
    /// Module directories, configuration, /proc and /sys below this root.
    #[must_use]
    pub fn root(self, root: Root) -> Self {
        Self { root, ..self }
    }

    /// The modules of the kernel of this release, below the root.
    #[must_use]
    pub fn release(self, release: Release) -> Self {
        Self { directory: Some(Directory::OfRelease(release)), ..self }
    }

    /// The modules in this very directory, whatever kernel they are for.
    #[must_use]
    pub fn directory(self, directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(Directory::Plain(directory.into())), ..self }
    }

    /// These files and directories in the place of modprobe.d (`modprobe --config`).
    #[must_use]
    pub fn config_paths(self, paths: Vec<PathBuf>) -> Self {
        Self { config: ConfigChoice::Paths(paths), ..self }
    }

    /// Without any configuration, as insmod, rmmod, lsmod and modinfo work.
    #[must_use]
    pub fn without_configuration(self) -> Self {
        Self { config: ConfigChoice::None, ..self }
    }

    /// Where notices go: faulty lines of configuration, and similar. Without it they are dropped.
    #[must_use]
    pub fn on_notice(self, sink: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), ..self }
    }

    /// Reads the configuration; an index is opened when it is first asked for.
    ///
    /// # Errors
    /// When the running kernel's release is needed and unavailable.
    pub fn build(self) -> Result<Context> {
        let Self { root, directory, config, sink } = self;
        let directory = match directory {
            Some(Directory::Plain(directory)) => directory,
            Some(Directory::OfRelease(release)) => root.modules(&release),
            None => root.modules(&Release::running()?),
        };
        let paths = match config {
            ConfigChoice::OfSystem => Some(None),
            ConfigChoice::Paths(paths) => Some(Some(paths)),
            ConfigChoice::None => None,
        };
        let config = paths.map(|paths| {
            let sources = ConfigPaths { paths, modules: Some(directory.clone()) };
            ModprobeConfig::load(&root, &sources, &mut |notice| sink(notice))
        });
        let (config, indexes) = (Arc::new(config.unwrap_or_default()), Indexes::new(directory));
        Ok(Context(Arc::new(Inner { root, config, indexes, sink })))
    }
}

#[cfg(test)]
mod tests;
