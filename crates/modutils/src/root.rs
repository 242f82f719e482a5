//! Where things are: every path the library touches is made here.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The module directory below a root, unless another is given.
const MODULE_DIRECTORY: &str = "lib/modules";

/// The roots of all paths.
///
/// `--dirname` and `--basedir` move the module directories only; configuration, /proc and /sys are
/// the running system's all the same. Tests move these too, with [`Root::with_system`].
#[derive(Clone, Debug)]
pub struct Root {
    system: PathBuf,
    base: PathBuf,
    module_directory: PathBuf,
}

impl Default for Root {
    fn default() -> Self {
        Self { system: "/".into(), base: PathBuf::new(), module_directory: MODULE_DIRECTORY.into() }
    }
}

impl Root {
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

    /// The base of module directories; empty for those of this system.
    #[cfg(feature = "diagnose")]
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// Whether module directories are below a base, and not those of this system.
    pub(crate) fn has_base(&self) -> bool {
        !self.base.as_os_str().is_empty()
    }

    /// The directory of one kernel's modules.
    pub fn modules(&self, release: &Release) -> PathBuf {
        self.all_modules().join(&release.0)
    }

    /// The directory that holds a directory for each kernel.
    pub fn all_modules(&self) -> PathBuf {
        below(&self.base, &self.module_directory)
    }

    /// The directory of one kernel's modules below another base (`depmod --outdir`).
    pub fn modules_below(&self, base: &Path, release: &Release) -> PathBuf {
        below(base, &self.module_directory).join(&release.0)
    }

    /// A file of one kernel's in the boot directory below the base: `/boot/System.map-6.1.0`.
    pub fn boot(&self, kind: &str, release: &Release) -> PathBuf {
        let mut file = OsString::from(kind);
        file.push("-");
        file.push(&release.0);
        below(&self.base, Path::new("boot")).join(file)
    }

    /// The directory of firmware files below the base.
    pub fn firmware(&self) -> PathBuf {
        below(&self.base, Path::new("lib/firmware"))
    }

    /// Where a link below the base leads: an absolute one means a path below the base, as it will when
    /// the base is the root.
    pub fn behind_link(&self, path: &Path) -> PathBuf {
        match std::fs::read_link(path) {
            Ok(target) if target.is_absolute() => below(&self.base, below_root(&target)),
            _ => path.to_owned(),
        }
    }

    /// A path of the running system: `/proc/cmdline`, `/etc/modprobe.d`.
    pub fn system(&self, path: impl AsRef<Path>) -> PathBuf {
        self.system.join(below_root(path.as_ref()))
    }
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
