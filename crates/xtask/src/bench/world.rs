//! Where both sides work: a root for each, entered by chroot(2), with the same module trees.
//!
//! ```text
//! bench/ours/    our static binary and its links
//! bench/theirs/  the packaged kmod with its libraries
//!   lib/modules/6.0.0-NAME/   in both: the tree called NAME, whose files are the same inodes
//! ```
//!
//! A side writes its indexes in its own directories, as depmod does on any machine. The files are copies: the cache's
//! are linked to by tests that run meanwhile, which changes what depmod's cache looks at.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::{process, reference, trees};

/// Where our depmod keeps what it remembers of a tree.
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

/// The two roots. They go away with this value.
pub(super) struct BenchRoots {
    dir: PathBuf,
    /// Where we come back to: the root that we were started in, and the directory.
    outside: (File, File),
    /// Nobody else measures meanwhile.
    _lock: File,
}

impl BenchRoots {
    /// Makes the roots, without module trees.
    ///
    /// # Errors
    /// When the packaged kmod can't be had, or a file not be written.
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

    /// Brings a tree of the cache into both roots.
    ///
    /// # Errors
    /// When it can't be had or copied.
    pub(super) fn bring(&self, cache: &Cache, tree: &str) -> Result<()> {
        let from = trees::provide(cache, tree)?.with_context(|| format!("no tree called {tree}"))?.modules();
        let [ours, theirs] = BenchSide::BOTH.map(|side| self.modules(side, tree));
        process::run(Command::new("cp").arg("-a").arg(&from).arg(&theirs))?;
        process::run(Command::new("cp").arg("-al").arg(&theirs).arg(&ours))
    }

    /// Puts another file of the same content in the place of a module: another inode, made now.
    ///
    /// # Errors
    /// When the file system says so.
    pub(super) fn replace(&self, side: BenchSide, tree: &str, module: &str) -> Result<()> {
        let path = self.modules(side, tree).join(module);
        let draft = path.with_extension("draft");
        fs::copy(&path, &draft).with_context(|| path.display().to_string())?;
        fs::rename(draft, path).map_err(Into::into)
    }

    /// Does some work in a side's root. What it opens and starts belongs there.
    ///
    /// # Errors
    /// When chroot(2) isn't allowed, or the work fails.
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

    /// Forgets what our depmod remembers of all trees.
    ///
    /// # Errors
    /// When the file system says so.
    pub(super) fn forget(&self) -> Result<()> {
        match fs::remove_dir_all(self.root(BenchSide::Ours).join(CACHE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => bail!("cannot forget: {error}"),
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
        // What is left, the next run removes.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The version that a tree has in the roots: depmod and modprobe are asked for it by that.
pub(super) fn version(tree: &str) -> String {
    format!("6.0.0-{tree}")
}

/// Flushes pending writes to the disk, so that they do not happen during a measurement.
pub(super) fn flush_writes() -> Result<()> {
    process::run(&mut Command::new("sync"))
}
