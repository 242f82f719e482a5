//! The module trees: kernels as Debian packages them, and one of them recompressed in every way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::mirror::Mirror;
use crate::packages::{self, DPKG_DEB, GZIP, XZ, ZSTD};
use crate::{process, reference};

/// A tree by name.
struct Recipe {
    name: &'static str,
    origin: Origin,
}

/// Where a tree comes from.
enum Origin {
    /// The newest kernel of a Debian release.
    Debian { suite: &'static str, arch: &'static str, flavour: &'static str },
    /// Another tree, each module passed through a program (which replaces the file).
    Derived {
        from: &'static str,
        suffix: &'static str,
        program: packages::Program,
        flags: &'static [&'static str],
    },
}

const RECIPES: [Recipe; 8] = [
    debian("bookworm-cloud", "bookworm", "amd64", "cloud-amd64"),
    debian("trixie-cloud", "trixie", "amd64", "cloud-amd64"),
    debian("trixie-amd64", "trixie", "amd64", "amd64"),
    debian("trixie-s390x", "trixie", "s390x", "s390x"),
    debian("trixie-armhf", "trixie", "armhf", "armmp"),
    derived("trixie-amd64-plain", "trixie-amd64", ".ko.xz", XZ, &["--decompress", "--quiet"]),
    derived("trixie-amd64-zst", "trixie-amd64-plain", ".ko", ZSTD, &["--rm", "--quiet"]),
    derived("trixie-amd64-gz", "trixie-amd64-plain", ".ko", GZIP, &["--no-name"]),
];

/// A kernel's files in the cache.
pub(crate) struct Tree {
    /// The directory that has `lib/modules` and `boot`.
    pub(crate) root: PathBuf,
    /// The kernel's version, the name of the directory in `lib/modules`.
    pub(crate) version: String,
}

impl Tree {
    /// The directory of the modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.version)
    }

    /// The kernel to boot.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.root.join("boot").join(format!("vmlinuz-{}", self.version))
    }
}

/// A kernel and its modules named on the command line, for machines without apt.
#[derive(Args)]
pub(crate) struct Given {
    /// Boot this kernel instead of Debian's (with --modules)
    #[arg(long, value_name = "FILE", requires = "modules")]
    kernel: Option<PathBuf>,
    /// Its modules: a directory like /lib/modules/VERSION
    #[arg(long, value_name = "DIR", requires = "kernel")]
    modules: Option<PathBuf>,
    /// A static busybox, the guest's shell, instead of Debian's
    #[arg(long, value_name = "FILE")]
    busybox: Option<PathBuf>,
}

impl Given {
    /// The tree that was named, if one was: links in `dir`, an empty directory.
    ///
    /// # Errors
    /// When a file isn't there.
    pub(crate) fn tree(&self, dir: &Path) -> Result<Option<Tree>> {
        let (Some(kernel), Some(modules)) = (&self.kernel, &self.modules) else { return Ok(None) };
        let real = |path: &Path| fs::canonicalize(path).with_context(|| path.display().to_string());
        let modules = real(modules)?;
        let version =
            modules.file_name().context("--modules names no directory")?.to_string_lossy().into_owned();
        let tree = Tree { root: dir.to_owned(), version };
        for (link, target) in [(tree.kernel(), real(kernel)?), (tree.modules(), modules)] {
            fs::create_dir_all(link.parent().context("a file in the tree")?)?;
            symlink(target, link)?;
        }
        Ok(Some(tree))
    }

    /// The shell that was named, or Debian's.
    ///
    /// # Errors
    /// When Debian's can't be had.
    pub(crate) fn busybox(&self, cache: &Cache) -> Result<PathBuf> {
        self.busybox.clone().map_or_else(|| crate::guest::busybox(cache), Ok)
    }
}

/// The trees by name, each after those it is derived from.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RECIPES.iter().map(|recipe| recipe.name)
}

/// The tree called `name`, from the cache or made now; none if there is no such tree.
///
/// # Errors
/// When a package can't be had or unpacked, or a module not recompressed.
pub(crate) fn provide(cache: &Cache, name: &str) -> Result<Option<Tree>> {
    let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) else { return Ok(None) };
    let root = cache.provide(&format!("trees/{name}"), |draft| match recipe.origin {
        Origin::Debian { suite, arch, flavour } => {
            packages::need(&[DPKG_DEB])?;
            let deb = Mirror::default().kernel(cache, suite, arch, flavour)?;
            unpack(&deb, draft)
        }
        Origin::Derived { from, suffix, program, flags } => {
            packages::need(&[program])?;
            let from = provide(cache, from)?.context("derived from no tree")?;
            eprintln!("trees: making {name}");
            process::run(Command::new("cp").arg("-a").arg(&from.root).arg(draft))?;
            let files = files_below(draft, suffix)?;
            recompress(&files, || {
                let mut command = Command::new(program.name);
                command.args(flags);
                command
            })
        }
    })?;
    open(root).map(Some)
}

/// The files below `dir` whose paths end in `suffix`, sorted.
///
/// # Errors
/// When a directory can't be read.
pub(crate) fn files_below(dir: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                todo.push(entry.path());
            } else if entry.path().to_string_lossy().ends_with(suffix) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Takes a directory that has `lib/modules/VERSION` as a tree.
fn open(root: PathBuf) -> Result<Tree> {
    let dir = root.join("lib/modules");
    let mut entries = fs::read_dir(&dir).with_context(|| dir.display().to_string())?;
    let only = entries.next().with_context(|| format!("{} is empty", dir.display()))??;
    Ok(Tree { version: only.file_name().to_string_lossy().into_owned(), root })
}

/// Unpacks a kernel package; keeps its modules and what it boots.
fn unpack(deb: &Path, draft: &Path) -> Result<()> {
    fs::create_dir(draft)?;
    reference::unpack(deb, draft)?;
    let merged = draft.join("usr/lib/modules");
    if merged.is_dir() {
        fs::create_dir_all(draft.join("lib"))?;
        fs::rename(merged, draft.join("lib/modules"))?;
    }
    fs::remove_dir_all(draft.join("usr"))?;
    Ok(())
}

/// Runs the program over all files, on every core.
fn recompress(files: &[PathBuf], program: impl Fn() -> Command + Sync) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    // Small parts, dealt in turn: module sizes differ much, and a command line has its bounds.
    let parts: Vec<&[PathBuf]> = files.chunks(50).collect();
    let work = |thread: usize| -> Result<()> {
        parts.iter().skip(thread).step_by(threads).try_for_each(|part| process::run(program().args(*part)))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        for worker in workers {
            match worker.join() {
                Ok(result) => result?,
                Err(_) => bail!("a worker panicked"),
            }
        }
        Ok(())
    })
}

const fn debian(
    name: &'static str,
    suite: &'static str,
    arch: &'static str,
    flavour: &'static str,
) -> Recipe {
    Recipe { name, origin: Origin::Debian { suite, arch, flavour } }
}

const fn derived(
    name: &'static str,
    from: &'static str,
    suffix: &'static str,
    program: packages::Program,
    flags: &'static [&'static str],
) -> Recipe {
    Recipe { name, origin: Origin::Derived { from, suffix, program, flags } }
}
