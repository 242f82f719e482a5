//! Where things are: every path the library touches is made here.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Errno, Error, Result, config,
    files::{self, InRoot},
};

/// The module directory below a root, unless another is given.
const MODULE_DIRECTORY: &str = "lib/modules";

/// What stays the running system's in a confined root: the kernel, its devices and its log.
const OF_THE_KERNEL: [&str; 3] = ["proc", "sys", "dev"];

/// The roots of all paths.
///
/// `--dirname` and `--basedir` move the module directories only; configuration, /proc and /sys are
/// the running system's all the same. Tests move these too, with [`Root::with_system`]. `--root` is
/// [`Root::inside`]: a directory that will be the root of a system.
#[derive(Clone, Debug)]
pub struct Root {
    system: PathBuf,
    base: PathBuf,
    module_directory: PathBuf,
    command_line: Option<PathBuf>,
    inside: Option<Arc<InRoot>>,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            system: "/".into(),
            base: PathBuf::new(),
            module_directory: MODULE_DIRECTORY.into(),
            command_line: None,
            inside: None,
        }
    }
}

impl Root {
    /// The system in a directory: its modules, configuration and firmware. Links there, absolute ones and those with
    /// `..`, lead to what they will lead to when the directory is the root: nothing outside of it is read or written.
    /// /proc, /sys and /dev stay those of the running system; but its kernel command line configures nothing here, see
    /// [`Root::with_command_line`].
    ///
    /// Paths begin with the directory, and are resolved inside of it by every function of this library that gets one,
    /// as long as this root or something that was opened with it exists. Other programs and the standard library know
    /// nothing of that: [`Root::open`] opens a file for them. A base ([`Root::with_base`]) and a module directory are
    /// paths in the root.
    ///
    /// ```
    /// use modutils::{Context, Release, Root};
    /// # use std::{fs, os::unix::fs::symlink};
    /// # let image = tempfile::tempdir()?;
    /// # let image = image.path();
    /// # fs::create_dir_all(image.join("usr/lib/modules/6.12.0"))?;
    /// # fs::create_dir_all(image.join("etc/modprobe.d"))?;
    /// # symlink("/usr/lib", image.join("lib"))?;
    /// # fs::write(image.join("etc/modprobe.d/local.conf"), "options dm_mod major=240\n")?;
    /// # let lines = [("dm_mod", "kernel/dm-mod.ko:")];
    /// # fs::write(image.join("usr/lib/modules/6.12.0/modules.dep.bin"), testkit::index(lines))?;
    ///
    /// // In this image /lib is a link to /usr/lib: to that of the image.
    /// let context = Context::builder().root(Root::inside(image)?).release(Release::new("6.12.0")).build()?;
    /// let found = context.lookup(b"dm-mod")?;
    /// assert_eq!(found[0].path()?, Some(&*image.join("lib/modules/6.12.0/kernel/dm-mod.ko")));
    /// assert_eq!(found[0].options(), "major=240");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn inside(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        let failed = || Error::io("open directory", directory);
        if directory.as_os_str().is_empty() {
            return Err(failed()(Errno::ENOENT.into()));
        }
        let path = std::path::absolute(directory).map_err(failed())?;
        let root = InRoot::open_root(path).map_err(failed())?;
        // Nothing is outside of /.
        let inside = if root.is_systems().map_err(failed())? { None } else { Some(files::add_root(root)) };
        Ok(Self { inside, ..Self::default() })
    }

    /// A path that someone gives for a file of this system: in a confined root ([`Root::inside`]) it is below the root,
    /// also a relative one; otherwise it is as it was given.
    pub fn locate(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.inside.as_ref().map_or_else(|| path.to_owned(), |root| root.host_path(path))
    }

    /// Opens a file for reading; one of a confined root inside of that.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        files::open(path).map_err(Error::io("open", path))
    }

    /// Makes or overwrites a file, with the directories that it is in; one of a confined root inside of that.
    ///
    /// # Errors
    /// When it, or one of the directories, cannot be made.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            files::create_all_dirs(parent).map_err(Error::io("create directory", parent))?;
        }
        files::create(path).map_err(Error::io("create", path))
    }

    /// What a path leads to; in a confined root, inside of that.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        let path = path.as_ref();
        files::metadata(path).map_err(Error::io("open", path))
    }

    /// Whether this is a root made by [`Root::inside`], and not `/`.
    pub fn is_confined(&self) -> bool {
        self.inside.is_some()
    }

    /// Module directories below `base` (`modprobe --dirname`, `depmod --basedir`). Paths begin with it
    /// as it is written, then a slash: `/base/` gives `/base//lib/modules`, as scripts know it from kmod.
    #[must_use]
    pub fn with_base(mut self, base: impl Into<PathBuf>) -> Self {
        self.base = base.into();
        self
    }

    /// Module directories in `directory` below the base (`depmod --moduledir`).
    #[must_use]
    pub fn with_module_directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.module_directory = below_root(directory.as_ref()).to_owned();
        self
    }

    /// Configuration, /proc and /sys below `system`.
    #[must_use]
    pub fn with_system(mut self, system: impl Into<PathBuf>) -> Self {
        self.system = system.into();
        self
    }

    /// The kernel command line is in `file`, instead of `/proc/cmdline`. In a confined root ([`Root::inside`]) it is a path
    /// of the root, unless it is below `/proc`, which is the running kernel's; without a file such a root has none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn with_command_line(mut self, file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let is_running = file.is_absolute() && is_of_the_kernel(below_root(file));
        let file = if is_running { file.to_owned() } else { self.locate(file) };
        config::read(&file).map_err(Error::io("read", &file))?;
        self.command_line = Some(file);
        Ok(self)
    }

    /// The file with the kernel command line, if there is one.
    pub(crate) fn command_line(&self) -> Option<PathBuf> {
        let own = || (!self.is_confined()).then(|| self.system("/proc/cmdline"));
        self.command_line.clone().or_else(own)
    }

    /// The base of module directories; empty for those of this system.
    pub(crate) fn base(&self) -> PathBuf {
        match (&self.inside, self.base.as_os_str().is_empty()) {
            (Some(root), true) => root.path().to_owned(),
            (Some(root), false) => root.host_path(&self.base),
            (None, _) => self.base.clone(),
        }
    }

    /// The base as it was given.
    #[cfg(feature = "diagnose")]
    pub(crate) fn given_base(&self) -> Option<&Path> {
        (!self.base.as_os_str().is_empty()).then_some(&*self.base)
    }

    /// Whether module directories are below a base, and not those of this system.
    pub(crate) fn has_base(&self) -> bool {
        self.inside.is_some() || !self.base.as_os_str().is_empty()
    }

    /// The directory of one kernel's modules.
    pub fn modules(&self, release: &Release) -> PathBuf {
        self.all_modules().join(&release.0)
    }

    /// The directory that holds a directory for each kernel.
    pub fn all_modules(&self) -> PathBuf {
        below(&self.base(), &self.module_directory)
    }

    /// The kernels that have a module directory, in the order of their names.
    ///
    /// # Errors
    /// When the directory of all of them cannot be read.
    pub fn releases(&self) -> Result<Vec<Release>> {
        let directory = self.all_modules();
        let failed = || Error::io("read", &directory);
        let mut releases = Vec::new();
        for path in files::read_dir(&directory).map_err(failed())? {
            let path = path.map_err(failed())?;
            if files::metadata(&path).is_ok_and(|found| found.is_dir()) {
                releases.push(Release::new(path.file_name().unwrap_or_default()));
            }
        }
        releases.sort();
        Ok(releases)
    }

    /// The directory of one kernel's modules below another base (`depmod --outdir`).
    pub fn modules_below(&self, base: &Path, release: &Release) -> PathBuf {
        below(&self.locate(base), &self.module_directory).join(&release.0)
    }

    /// A file of one kernel's in the boot directory below the base: `/boot/System.map-6.1.0`.
    pub fn boot(&self, kind: &str, release: &Release) -> PathBuf {
        let mut file = OsString::from(kind);
        file.push("-");
        file.push(&release.0);
        below(&self.base(), Path::new("boot")).join(file)
    }

    /// The directory of firmware files below the base.
    pub fn firmware(&self) -> PathBuf {
        below(&self.base(), Path::new("lib/firmware"))
    }

    /// Where a link below the base leads: an absolute one means a path below the base, as it will when
    /// the base is the root.
    pub fn behind_link(&self, path: &Path) -> PathBuf {
        match files::read_link(path) {
            Ok(target) if target.is_absolute() => below(&self.base(), below_root(&target)),
            _ => path.to_owned(),
        }
    }

    /// A path of the running system: `/proc/cmdline`, `/etc/modprobe.d`; the latter in a confined root is that of the
    /// root.
    pub fn system(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = below_root(path.as_ref());
        match &self.inside {
            Some(root) if !is_of_the_kernel(path) => root.host_path(path),
            _ => self.system.join(path),
        }
    }
}

/// Whether a path without the slash at its beginning is the running system's also in a confined root.
fn is_of_the_kernel(path: &Path) -> bool {
    OF_THE_KERNEL.iter().any(|top| path.starts_with(top))
}

/// A kernel release, as `uname -r` prints it: the name of a directory in the module directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(OsString);

impl Release {
    /// A release given by the caller.
    pub fn new(release: impl Into<OsString>) -> Self {
        Self(release.into())
    }

    /// The running kernel's release.
    ///
    /// # Errors
    /// When `uname(2)` fails.
    pub fn running() -> Result<Self> {
        let uname =
            nix::sys::utsname::uname().map_err(|errno| Error::io("ask uname about", "/")(errno.into()))?;
        Ok(Self(uname.release().to_owned()))
    }

    /// The release as the operating system's string.
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

/// The path in a directory, after one more slash even where the directory ends in one.
pub(crate) fn below(directory: &Path, path: &Path) -> PathBuf {
    let mut joined = directory.as_os_str().to_owned();
    joined.push("/");
    joined.push(path);
    joined.into()
}

fn below_root(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_moves_module_directories_only() {
        let root = Root::default().with_base("/sysroot");
        assert_eq!(root.modules(&Release::new("6.1.0")), Path::new("/sysroot/lib/modules/6.1.0"));
        assert_eq!(root.system("/etc/modprobe.d"), Path::new("/etc/modprobe.d"));
        let written = |base: &str| Root::default().with_base(base).all_modules().into_os_string();
        assert_eq!([written(""), written("/b/")], ["/lib/modules", "/b//lib/modules"]);
        let root = root.with_module_directory("/usr/lib/modules");
        assert_eq!(root.modules(&Release::new("6.1.0")), Path::new("/sysroot/usr/lib/modules/6.1.0"));
    }
}
