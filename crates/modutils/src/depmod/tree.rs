//! The module files of a directory, as the indexes list them: found, chosen and put into module order.

use std::{
    io,
    path::{Path, PathBuf},
};

use bstr::BString;

use super::{
    choose,
    lines::unlistable,
    module_order,
    omission::{Omission, Omissions, Omitted},
    same_place::Place,
    scan,
};
use crate::{
    Errno, Error, Level, Malformed, ModuleName, Notice, Release, Result, Root, Sink,
    config::{DepmodConfig, Family},
    files,
    formats::extension::is_module_file,
    root::below,
};

/// A module file that the indexes will list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// The module's name.
    pub name: ModuleName,
    /// The file's path.
    pub path: PathBuf,
    /// How the indexes name it: relative to the module directory where it is in it.
    pub listed: BString,
}

/// depmod.d, and what of it could not be read.
#[derive(Debug, Default)]
pub struct Configuration {
    config: DepmodConfig,
    omissions: Omissions,
}

impl Configuration {
    /// Reads files and directories.
    pub fn read(paths: &[PathBuf], release: &Release, sink: &mut Sink) -> Self {
        let (config, errors) = DepmodConfig::load(paths, release, sink);
        let mut omissions = Omissions::default();
        omissions.append(errors.into_iter().map(|error| {
            let notice = Notice::of(Level::Error, &error);
            let path = error.path().unwrap_or(Path::new("depmod.d")).to_owned();
            Omission::new(Omitted::Configuration, path, error, notice)
        }));
        Self { config, omissions }
    }
}

impl Configuration {
    /// The same without external directories.
    pub(super) fn without_externals(mut self) -> Self {
        self.config.externals.clear();
        self
    }
}

/// The module files of a directory, in module order, and what kept others from being found.
#[derive(Debug)]
pub struct Tree {
    files: Vec<TreeFile>,
    omissions: Omissions,
}

impl Tree {
    /// The modules of a kernel, by the configuration of the system: the modules that depmod would list.
    ///
    /// # Errors
    /// As [`Tree::find`].
    pub fn of_release(root: &Root, release: &Release, sink: &mut Sink) -> Result<Self> {
        let config = Configuration::read(&Family::Depmod.directories(root), release, sink);
        Self::find(&root.modules(release), config, sink)
    }

    /// All modules in a module directory and in the external directories of the configuration. External directories
    /// that are given by a relative path are below the current directory, or in a confined root below that root.
    ///
    /// # Errors
    /// Where the module directory cannot be read.
    pub fn find(directory: &Path, configuration: Configuration, sink: &mut Sink) -> Result<Self> {
        Self::find_in(directory, None, configuration, sink)
    }

    /// The same; what is read is read in `place`, the directory opened.
    ///
    /// # Errors
    /// As [`Tree::find`].
    pub fn find_in(
        directory: &Path,
        place: Option<&Place>,
        configuration: Configuration,
        sink: &mut Sink,
    ) -> Result<Self> {
        let Configuration { mut config, mut omissions } = configuration;
        for external in config.externals.iter_mut().filter(|external| external.is_relative()) {
            // Without a current directory a relative path is as good as lost, and stays as it is.
            if let Some(start) = files::start_of_relative_paths(directory) {
                *external = below(&start, external);
            }
        }
        let found = scan::scan(directory, &config, &mut omissions, sink)?;
        let mut files = choose::choose(found, &config, &mut omissions, sink);
        module_order::sort(&mut files, directory, place, &mut omissions, sink);
        Ok(Self { files, omissions })
    }

    /// The modules in files that the caller names.
    ///
    /// # Errors
    /// Where one is not there, is no module file by its name, is named twice, is a copy of another
    /// one, or has a path that cannot be listed.
    pub fn named(
        directory: &Path,
        place: Option<&Place>,
        paths: &[PathBuf],
        configuration: Configuration,
        sink: &mut Sink,
    ) -> Result<Self> {
        // Whether a copy is preferred is no question here; a configuration that could not be read is
        // an omission all the same.
        let Configuration { mut omissions, .. } = configuration;
        let mut files: Vec<TreeFile> = Vec::with_capacity(paths.len());
        for path in paths {
            let could_not = |error| Error::io("create module", path)(error);
            files::metadata(path).map_err(could_not)?;
            let name = ModuleName::from_path(path).filter(|_| path.file_name().is_some_and(is_module_file));
            let name = name.ok_or_else(|| could_not(io::Error::from(Errno::ENOENT)))?;
            match files.iter().find(|file| file.name == name) {
                Some(file) if file.path == *path => {
                    return Err(Error::io("add module", path)(Errno::EEXIST.into()));
                }
                Some(_) => return Err(could_not(io::Error::from(Errno::EEXIST))),
                None => {
                    let listed = scan::listed(directory, path);
                    if let Some(why) = unlistable(&listed) {
                        let fault = Malformed::file(format!("the indexes cannot list a path with {why}"));
                        return Err(fault.at(path));
                    }
                    files.push(TreeFile { name, path: path.clone(), listed });
                }
            }
        }
        module_order::sort(&mut files, directory, place, &mut omissions, sink);
        Ok(Self { files, omissions })
    }

    /// The files.
    pub fn files(&self) -> &[TreeFile] {
        &self.files
    }

    #[cfg(feature = "internals")]
    /// What was not read.
    pub fn omissions(&self) -> &[Omission] {
        self.omissions.as_slice()
    }

    /// Whether everything that is there was read.
    pub fn is_complete(&self) -> bool {
        !self.omissions.has_unread()
    }

    /// The files alone.
    pub(crate) fn into_files(self) -> Vec<TreeFile> {
        self.files
    }

    /// The files and the omissions.
    pub(super) fn into_parts(self) -> (Vec<TreeFile>, Omissions) {
        (self.files, self.omissions)
    }
}
