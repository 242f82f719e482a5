//! Copies a closure into another root: all of it, or nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Component, Path, PathBuf},
};

use super::{
    Closure, Firmware,
    confined::{self, ConfinedRoot},
    packing::Packing,
};
use crate::{
    Context, Errno, Error, Malformed, ModuleName, Release, Result, Root,
    config::{Directive, Family, Line},
    depmod,
    file::{Compression, Contents, open_regular},
    glob::fnmatch,
    module_file::ModuleFile,
};

/// Files of a module directory that depmod reads, besides the modules.
const LISTS: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];
/// As many links from one firmware file to the next as are kept.
const MAX_LINKS: usize = 8;

/// Where a closure is copied to, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Destination {
    /// The root. It is made if it is missing; links in it lead to places inside of it.
    pub root: PathBuf,
    /// The release whose module directory is made. It must not exist yet, or be empty.
    pub release: Release,
    /// The directory that firmware was searched below: files keep their paths below it.
    pub firmware: PathBuf,
    /// How module files are compressed.
    pub packing: Packing,
}

impl Destination {
    /// A root, and the kernel and firmware directory that are copied from.
    pub fn new(root: impl Into<PathBuf>, release: Release, firmware: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), release, firmware: firmware.into(), packing: Packing::AsIs }
    }
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Module files.
    pub modules: usize,
    /// Firmware files and links to them.
    pub firmware: usize,
    /// Files of configuration.
    pub configuration: usize,
}

impl Closure {
    /// Copies the modules, the firmware that was found, and the configuration that concerns the modules into a root,
    /// and writes the indexes of its module directory. Modes are kept, and links between firmware files.
    ///
    /// Everything is made in a separate directory inside of the root first. A failure leaves the root as it was; so
    /// does a file that is there already with other content, and a module directory that is not empty.
    ///
    /// # Errors
    /// When a file cannot be read or written, or exists with other content; when depmod fails.
    pub fn copy(&self, context: &Context, firmware: &[Firmware], to: &Destination) -> Result<Copied> {
        let made = !to.root.exists();
        fs::create_dir_all(&to.root).map_err(Error::io("create", &to.root))?;
        let copied = self.copy_into(context, firmware, to);
        if copied.is_err() && made {
            // Only an empty directory is removed.
            let _ = fs::remove_dir(&to.root);
        }
        copied
    }

    fn copy_into(&self, context: &Context, firmware: &[Firmware], to: &Destination) -> Result<Copied> {
        let stage = Stage::new(&to.root)?;
        let mut copied = Copied::default();
        for member in self.members() {
            if let Some(path) = member.path() {
                // depmod would list a file that is no module, and loading it would fail.
                ModuleFile::open(path)?.modinfo()?;
                stage.add_module(context.directory(), path, to.packing)?;
                copied.modules = copied.modules.saturating_add(1);
            }
        }
        stage.add_lists(context.directory())?;
        let mut files = BTreeMap::new();
        for file in firmware.iter().flat_map(|firmware| &firmware.files) {
            firmware_files(&to.firmware, file, &mut files);
        }
        copied.firmware = files.len();
        for (path, file) in files {
            stage.add_beside(&Path::new("lib/firmware").join(path), &file)?;
        }
        let modules: BTreeSet<&ModuleName> = self.members().map(|member| member.module.name()).collect();
        for file in concerned(context, &modules) {
            let path = configuration_path(context, &file);
            stage.add_beside(&path, &Source::File(file))?;
            copied.configuration = copied.configuration.saturating_add(1);
        }
        stage.index(&to.release, context.root())?;
        stage.publish(&to.release)?;
        Ok(copied)
    }
}

/// What becomes a file of the root.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// A copy of a file, with its mode.
    File(PathBuf),
    /// A link with this target.
    Link(PathBuf),
}

/// The directory in which everything is made first.
struct Stage {
    root: PathBuf,
    directory: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed is left in the root under a name that nothing reads.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Stage {
    fn new(root: &Path) -> Result<Self> {
        let directory = nix::unistd::mkdtemp(&root.join(".kmod-closure-XXXXXX"));
        let directory = directory.map_err(|error| Error::io("create a directory in", root)(error.into()))?;
        Ok(Self { root: root.to_owned(), directory })
    }

    fn modules(&self) -> PathBuf {
        self.directory.join("modules")
    }

    fn beside(&self) -> PathBuf {
        self.directory.join("beside")
    }

    /// Adds a module at its path below the module directory; one from elsewhere in `updates`.
    fn add_module(&self, directory: &Path, path: &Path, packing: Packing) -> Result<()> {
        let inside = path.strip_prefix(directory).ok().map(Path::to_owned);
        let name = || Path::new("updates").join(path.file_name().unwrap_or_default());
        let place = self.modules().join(inside.unwrap_or_else(name));
        if packing == Packing::AsIs {
            return copy(path, &place);
        }
        let contents = Contents::open(path)?;
        let plain = contents.read_all()?;
        let bytes = packing.compress(&plain).map_err(Error::io("compress", path))?;
        let place = with_extension(&place, packing.extension(contents.compression()));
        write(&place, &bytes)?;
        copy_mode(path, &place)
    }

    fn add_lists(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(self.modules()).map_err(Error::io("create", self.modules()))?;
        for name in LISTS {
            let file = directory.join(name);
            if crate::files::exists(&file) {
                copy(&file, &self.modules().join(name))?;
            }
        }
        Ok(())
    }

    fn add_beside(&self, path: &Path, source: &Source) -> Result<()> {
        let place = self.beside().join(path);
        match source {
            Source::File(file) => copy(file, &place),
            Source::Link(target) => {
                make_parent(&place)?;
                std::os::unix::fs::symlink(target, &place).map_err(Error::io("create", &place))
            }
        }
    }

    fn index(&self, release: &Release, from: &Root) -> Result<()> {
        // The directory's name is taken for the release by depmod.d.
        let named = self.directory.join(release.as_os_str());
        fs::rename(self.modules(), &named).map_err(Error::io("rename", &named))?;
        let run = depmod::Run::new(&named).config_paths(Family::Depmod.directories(from)).without_externals();
        let result = run.execute(&()).map(|_| ());
        fs::rename(&named, self.modules()).map_err(Error::io("rename", &named))?;
        result.map_err(|failure| match failure {
            depmod::Failure::Output(error) | depmod::Failure::Search(error) => error,
            other => Malformed::file(other.to_string()).with_errno(Errno::EINVAL).at(&self.root),
        })
    }

    /// Moves everything to its place in the root.
    fn publish(self, release: &Release) -> Result<()> {
        let opened = ConfinedRoot::open(&self.root).map_err(Error::io("open", &self.root))?;
        let mut files = Vec::new();
        walk(&self.beside(), Path::new(""), &mut files).map_err(Error::io("read", self.beside()))?;
        let mut confined = opened;
        match self.move_all(&mut confined, release, &files) {
            Ok(()) => Ok(()),
            Err(error) => {
                confined.undo();
                Err(error)
            }
        }
    }

    fn move_all(&self, confined: &mut ConfinedRoot, release: &Release, files: &[PathBuf]) -> Result<()> {
        let failed = |path: &Path| Error::io("create", self.root.join(path));
        let mut moves = Vec::new();
        for file in files {
            let (parent, name) =
                (file.parent().unwrap_or(Path::new("")), file.file_name().unwrap_or_default());
            let directory = confined.directory(parent).map_err(failed(file))?;
            if !confined::exists(&directory, name) {
                moves.push((file, directory, name));
            } else if !is_same(&self.beside().join(file), &directory, name) {
                return Err(failed(file)(io::Error::from(Errno::EEXIST)));
            }
        }
        let parent =
            confined.directory(Path::new("lib/modules")).map_err(failed(Path::new("lib/modules")))?;
        for (file, directory, name) in moves {
            confined.take(&self.beside().join(file), directory, name).map_err(failed(file))?;
        }
        let place = Path::new("lib/modules").join(release.as_os_str());
        confined.take(&self.modules(), parent, release.as_os_str()).map_err(failed(&place))
    }
}

/// The files that one firmware file takes, by path below the firmware directory: links are kept as long as they lead to
/// a place below it, and the file behind them comes along.
fn firmware_files(directory: &Path, file: &Path, files: &mut BTreeMap<PathBuf, Source>) {
    let Ok(mut path) = file.strip_prefix(directory).map(Path::to_owned) else {
        // From another directory of the search: by its name alone.
        let name = PathBuf::from(file.file_name().unwrap_or_default());
        files.insert(name, Source::File(file.to_owned()));
        return;
    };
    for _ in 0..MAX_LINKS {
        let place = directory.join(&path);
        let target = crate::files::read_link(&place).ok();
        let Some((target, next)) = target.and_then(|target| {
            let next = below(path.parent()?, &target)?;
            Some((target, next))
        }) else {
            break;
        };
        files.insert(path, Source::Link(target));
        path = next;
    }
    let place = directory.join(&path);
    files.insert(path, Source::File(place));
}

/// The path of a relative link's target; `None` where it leads out of the directory.
fn below(parent: &Path, target: &Path) -> Option<PathBuf> {
    let mut path = parent.to_owned();
    for component in target.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(path)
}

/// The files of configuration with a line about one of the modules.
fn concerned(context: &Context, modules: &BTreeSet<&ModuleName>) -> BTreeSet<PathBuf> {
    let generated = |file: &Path| file.starts_with(context.directory()) || file.starts_with("/proc");
    let lines = context.config().lines().filter(|line| concerns(line, modules));
    let files = lines.map(|line| line.origin.file.to_path_buf());
    files.filter(|file| !generated(file) && crate::files::is_file(file)).collect()
}

fn concerns(line: &Line, modules: &BTreeSet<&ModuleName>) -> bool {
    let pattern: &[u8] = match line.directive {
        Directive::Alias { module, .. } => module,
        other => other.subject(),
    };
    modules.iter().any(|module| fnmatch(pattern, module.as_bytes()))
}

/// Where a file of configuration goes: to its own path, or where it is not in one of the system's directories (`-C`) to
/// /etc/modprobe.d.
fn configuration_path(context: &Context, file: &Path) -> PathBuf {
    let system = context.root().system("/");
    match file.strip_prefix(&system) {
        Ok(path) if path.iter().any(|part| part == "modprobe.d" || part == "modutils.d") => path.to_owned(),
        _ => Path::new("etc/modprobe.d").join(file.file_name().unwrap_or_default()),
    }
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let compressed = [Compression::Gzip, Compression::Xz, Compression::Zstd];
    let extensions = compressed.map(|compression| Packing::AsIs.extension(compression));
    let stem = extensions.iter().find_map(|old| name.strip_suffix(old.as_bytes())).unwrap_or(name);
    let mut new = OsString::from(OsStr::from_bytes(stem));
    new.push(extension);
    path.with_file_name(new)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    make_parent(to)?;
    let (mut file, metadata) = open_regular(from)?;
    let mut write = || -> io::Result<()> {
        let mut copy = fs::File::create(to)?;
        io::copy(&mut file, &mut copy)?;
        copy.set_permissions(metadata.permissions())
    };
    write().map_err(Error::io("copy", from))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    make_parent(path)?;
    fs::write(path, bytes).map_err(Error::io("write", path))
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))
}

fn copy_mode(from: &Path, to: &Path) -> Result<()> {
    let mode = crate::files::metadata(from).map_err(Error::io("open", from))?.permissions().mode();
    fs::set_permissions(to, fs::Permissions::from_mode(mode & 0o7777)).map_err(Error::io("write", to))
}

/// The files below a directory, by their paths below it. Nothing where the directory was not made.
fn walk(directory: &Path, path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let here = directory.join(path);
    if !here.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(here)? {
        let entry = entry?;
        let path = path.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            walk(directory, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file of the root has the content, or the target, of the new one.
fn is_same(new: &Path, directory: &std::os::fd::OwnedFd, name: &OsStr) -> bool {
    if let Ok(target) = fs::read_link(new) {
        return nix::fcntl::readlinkat(directory, name)
            .is_ok_and(|old| old.as_bytes() == target.as_os_str().as_bytes());
    }
    let read = |mut file: fs::File| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes)?;
        Ok(bytes)
    };
    let old = confined::open_file(directory, name).and_then(read);
    old.is_ok_and(|old| fs::read(new).is_ok_and(|new| new == old))
}

#[cfg(test)]
mod tests;
