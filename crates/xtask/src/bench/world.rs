//! A root for each side, entered by chroot(2), with the same module trees.
//!
//! ```text
//! bench/ours/    our static binary and its links
//! bench/theirs/  the packaged kmod with its libraries
//!   lib/modules/6.0.0-NAME/   in both: the tree called NAME, whose files are the same inodes
//! ```
//!
//! Each side writes its indexes into its own directories, as depmod does on any machine. The module files are copies:
//! concurrent tests link to the files of xtask's cache, which changes the ctime that depmod's own cache compares.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::{process, reference, trees};

/// The directory of our depmod's cache.
const CACHE: &str = "var/cache/modutils";

/// Whose tools.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BenchSide {
    Ours,
    Theirs,
}

impl BenchSide {
    pub(super) const BOTH: [BenchSide; 2] = [BenchSide::Ours, BenchSide::Theirs];
}

/// The two roots. They are removed with this value.
pub(super) struct BenchRoots {
    dir: PathBuf,
    /// The root and the working directory that this process returns to.
    outside: (File, File),
    /// Only one measurement at a time.
    _lock: File,
}

impl BenchRoots {
    /// Makes the roots, without module trees.
    ///
    /// # Errors
    /// When the packaged kmod is unavailable, or a file cannot be written.
    pub(super) fn new(cache: &Cache, binary: &Path) -> Result<BenchRoots> {
        let packaged = reference::provide(cache, "kmod34")?;
        let lock = cache.lock("bench")?;
        let dir = cache.root().join("bench");
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        fs::create_dir_all(&dir)?;
        let world = BenchRoots { dir, outside: (File::open("/")?, File::open(".")?), _lock: lock };
        process::run(Command::new("cp").arg("-a").arg(packaged).arg(world.root(BenchSide::Theirs)))?;
        let ours = world.root(BenchSide::Ours);
        reference::skeleton(&ours)?;
        fs::copy(binary, ours.join("usr/bin/kmod"))?;
        for tool in reference::TOOLS {
            symlink("../bin/kmod", ours.join("usr/sbin").join(tool))?;
        }
        for directory in ["etc/modprobe.d", "etc/depmod.d", "usr/lib/modprobe.d", "usr/lib/depmod.d"] {
            let (from, to) = (world.root(BenchSide::Theirs).join(directory), ours.join(directory));
            process::run(Command::new("cp").args(["-a", "--no-target-directory"]).arg(from).arg(to))?;
        }
        for side in BenchSide::BOTH {
            let root = world.root(side);
            fs::create_dir_all(root.join("sys/module"))?;
            fs::create_dir_all(root.join("usr/lib/modules"))?;
            fs::create_dir_all(root.join("var/cache"))?;
            fs::write(root.join("proc/modules"), "")?;
            fs::write(root.join("proc/cmdline"), "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet\n")?;
        }
        Ok(world)
    }

    /// The directory of a side's root.
    pub(super) fn root(&self, side: BenchSide) -> PathBuf {
        self.dir.join(if side == BenchSide::Ours { "ours" } else { "theirs" })
    }

    /// The module directory of a tree, from outside.
    pub(super) fn modules(&self, side: BenchSide, tree: &str) -> PathBuf {
        self.root(side).join("usr/lib/modules").join(version(tree))
    }

    /// Copies a tree of the cache into both roots.
    ///
    /// # Errors
    /// When it is unavailable or cannot be copied.
    pub(super) fn add_tree(&self, cache: &Cache, tree: &str) -> Result<()> {
        let from = trees::provide(cache, tree)?.with_context(|| format!("no tree called {tree}"))?.modules();
        let [ours, theirs] = BenchSide::BOTH.map(|side| self.modules(side, tree));
        process::run(Command::new("cp").arg("-a").arg(&from).arg(&theirs))?;
        process::run(Command::new("cp").arg("-al").arg(&theirs).arg(&ours))
    }

    /// Replaces a module by a new file with the same content: a new inode and new times.
    ///
    /// # Errors
    /// When the file system fails.
    pub(super) fn replace(&self, side: BenchSide, tree: &str, module: &str) -> Result<()> {
        let path = self.modules(side, tree).join(module);
        let draft = path.with_extension("draft");
        fs::copy(&path, &draft).with_context(|| path.display().to_string())?;
        fs::rename(draft, path).map_err(Into::into)
    }

    /// Runs a function in a side's root: the files it opens and the processes it starts are in that root.
    ///
    /// # Errors
    /// When chroot(2) is not allowed, or the function fails.
    pub(super) fn within<T>(&self, side: BenchSide, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let enter = |root: &File| -> nix::Result<()> {
            nix::unistd::fchdir(root)?;
            nix::unistd::chroot(".")
        };
        let root = File::open(self.root(side))?;
        enter(&root).context("cannot enter a root: chroot(2) is root's")?;
        let result = work();
        let (outside, directory) = &self.outside;
        enter(outside)?;
        nix::unistd::fchdir(directory)?;
        result
    }

    /// Removes our depmod's cache of all trees.
    ///
    /// # Errors
    /// When the file system fails.
    pub(super) fn remove_depmod_cache(&self) -> Result<()> {
        match fs::remove_dir_all(self.root(BenchSide::Ours).join(CACHE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!("cannot remove depmod's cache: {error}")
            }
            _ => Ok(()),
        }
    }

    /// Compares indexes that both sides wrote.
    ///
    /// # Errors
    /// When they differ: the sides didn't do the same work.
    pub(super) fn check_indexes(&self, tree: &str) -> Result<()> {
        for name in ["modules.dep", "modules.dep.bin", "modules.alias.bin", "modules.symbols.bin"] {
            let [ours, theirs] = BenchSide::BOTH.map(|side| fs::read(self.modules(side, tree).join(name)));
            if ours? != theirs? {
                bail!("{name} of {tree} differs between the sides");
            }
        }
        Ok(())
    }
}

impl Drop for BenchRoots {
    fn drop(&mut self) {
        // The next run removes what could not be removed here.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The kernel version of a tree in the roots, as depmod and modprobe are given it.
pub(super) fn version(tree: &str) -> String {
    format!("6.0.0-{tree}")
}

/// Flushes pending writes to the disk, so that they do not happen during a measurement.
pub(super) fn flush_writes() -> Result<()> {
    process::run(&mut Command::new("sync"))
}
