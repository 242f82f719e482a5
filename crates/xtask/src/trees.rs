//! The module trees: kernels as Debian packages them, and one of them recompressed in every way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::mirror::{self, Kernel};
use crate::packages::{self, DPKG_DEB, GZIP, XZ, ZSTD};
use crate::progress::Progress;
use crate::{busybox, process, reference};

/// A tree by name.
struct Recipe {
    name: &'static str,
    origin: Origin,
}

/// Where a tree comes from.
enum Origin {
    /// A kernel of a Debian release, of whichever version the mirror has.
    Debian(Kernel),
    /// Another tree, each module passed through a program (which replaces the file).
    Derived {
        from: &'static str,
        suffix: &'static str,
        program: packages::Program,
        flags: &'static [&'static str],
    },
}

/// The trees of other architectures and of the newest kernel are optional: any kernel series is accepted there.
const RECIPES: [Recipe; 11] = [
    debian("bookworm-cloud", BOOKWORM, "amd64", "cloud-amd64"),
    debian("trixie-cloud", TRIXIE, "amd64", "cloud-amd64"),
    debian("trixie-amd64", TRIXIE, "amd64", "amd64"),
    optional("trixie-s390x", TRIXIE, "s390x", "s390x"),
    optional("trixie-armhf", TRIXIE, "armhf", "armmp"),
    optional("trixie-arm64", TRIXIE, "arm64", "arm64"),
    optional("sid-cloud", SID, "amd64", "cloud-amd64"),
    optional("sid-amd64", SID, "amd64", "amd64"),
    derived("trixie-amd64-plain", "trixie-amd64", ".ko.xz", XZ, &["--decompress", "--quiet"]),
    derived("trixie-amd64-zst", "trixie-amd64-plain", ".ko", ZSTD, &["--rm", "--quiet"]),
    derived("trixie-amd64-gz", "trixie-amd64-plain", ".ko", GZIP, &["--no-name"]),
];

/// A release of Debian and the series of its kernel.
type Release = (&'static str, &'static str);

const BOOKWORM: Release = ("bookworm", "6.1");
const TRIXIE: Release = ("trixie", "6.12");
/// The newest kernel, which has no CONFIG_MODVERSIONS.
const SID: Release = ("sid", "7");

/// A kernel's files in the cache.
pub(crate) struct KernelTree {
    /// The directory that has `lib/modules` and `boot`.
    pub(crate) root: PathBuf,
    /// The kernel's version, the name of the directory in `lib/modules`.
    pub(crate) version: String,
}

impl KernelTree {
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
pub(crate) struct KernelOptions {
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

impl KernelOptions {
    /// The tree that was named, if one was: links in `dir`, an empty directory.
    ///
    /// # Errors
    /// When a file isn't there.
    pub(crate) fn tree(&self, dir: &Path) -> Result<Option<KernelTree>> {
        let (Some(kernel), Some(modules)) = (&self.kernel, &self.modules) else { return Ok(None) };
        let real = |path: &Path| fs::canonicalize(path).with_context(|| path.display().to_string());
        let modules = real(modules)?;
        let version =
            modules.file_name().context("--modules names no directory")?.to_string_lossy().into_owned();
        let tree = KernelTree { root: dir.to_owned(), version };
        for (link, target) in [(tree.kernel(), real(kernel)?), (tree.modules(), modules)] {
            fs::create_dir_all(link.parent().context("a file in the tree")?)?;
            symlink(target, link)?;
        }
        Ok(Some(tree))
    }

    /// The shell that was named, or Debian's.
    ///
    /// # Errors
    /// When Debian's is unavailable.
    pub(crate) fn busybox(&self, cache: &Cache) -> Result<PathBuf> {
        self.busybox.clone().map_or_else(|| busybox::provide(cache), Ok)
    }
}

/// The names of the trees, each after the tree it is derived from.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RECIPES.iter().map(|recipe| recipe.name)
}

/// Whether the tests can do without the tree, and count the tests that need it as skipped.
pub(crate) fn is_optional(name: &str) -> bool {
    recipe(name).is_some_and(|recipe| matches!(recipe.origin, Origin::Debian(kernel) if kernel.any_series))
}

/// The tree that `name` is derived from, if there is one.
pub(crate) fn made_from(name: &str) -> Option<&'static str> {
    match recipe(name)?.origin {
        Origin::Derived { from, .. } => Some(from),
        Origin::Debian(_) => None,
    }
}

/// The series of a Debian kernel: `6.12`.
pub(crate) fn series(name: &str) -> Option<&'static str> {
    match recipe(name)?.origin {
        Origin::Debian(kernel) => Some(kernel.series),
        Origin::Derived { from, .. } => series(from),
    }
}

fn recipe(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

/// The tree called `name`, from the cache or made now; none if there is no such tree.
///
/// # Errors
/// When a package is unavailable or cannot be unpacked, or a module cannot be recompressed.
pub(crate) fn provide(cache: &Cache, name: &str) -> Result<Option<KernelTree>> {
    let Some(recipe) = recipe(name) else { return Ok(None) };
    let root = cache.provide(&format!("trees/{name}"), |draft| match recipe.origin {
        Origin::Debian(kernel) => {
            packages::need(&[DPKG_DEB])?;
            unpack(&mirror::kernel(cache, &kernel)?, draft)
        }
        Origin::Derived { from, suffix, program, flags } => {
            packages::need(&[program])?;
            let from = provide(cache, from)?.context("derived from no tree")?;
            eprintln!("trees: making {name} from {}", from.version);
            process::run(Command::new("cp").arg("-a").arg(&from.root).arg(draft))?;
            let files = files_below(draft, suffix)?;
            recompress(name, &files, || {
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

/// Opens a directory that has `lib/modules/VERSION` as a tree.
fn open(root: PathBuf) -> Result<KernelTree> {
    let dir = root.join("lib/modules");
    let mut entries = fs::read_dir(&dir).with_context(|| dir.display().to_string())?;
    let only = entries.next().with_context(|| format!("{} is empty", dir.display()))??;
    Ok(KernelTree { version: only.file_name().to_string_lossy().into_owned(), root })
}

/// Unpacks a kernel's packages; keeps its modules and its boot files.
fn unpack(debs: &[PathBuf], draft: &Path) -> Result<()> {
    fs::create_dir(draft)?;
    debs.iter().try_for_each(|deb| reference::unpack(deb, draft))?;
    let merged = draft.join("usr/lib/modules");
    if merged.is_dir() {
        fs::create_dir_all(draft.join("lib"))?;
        fs::rename(merged, draft.join("lib/modules"))?;
    }
    if draft.join("usr").exists() {
        fs::remove_dir_all(draft.join("usr"))?;
    }
    let tree = open(draft.to_owned())?;
    let kernel = tree.modules().join("kernel");
    if !kernel.is_dir() {
        bail!("{debs:?} hold no modules: no directory {}", kernel.display());
    }
    // Since 7.2 these are with the modules.
    fs::create_dir_all(draft.join("boot"))?;
    for name in ["vmlinuz", "System.map", "config"] {
        let (with_modules, in_boot) =
            (tree.modules().join(name), draft.join(format!("boot/{name}-{}", tree.version)));
        if with_modules.is_file() && !in_boot.exists() {
            fs::hard_link(&with_modules, &in_boot).with_context(|| in_boot.display().to_string())?;
        }
    }
    Ok(())
}

/// Runs the program over all files, on every core.
fn recompress(name: &str, files: &[PathBuf], program: impl Fn() -> Command + Sync) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    // Small parts, distributed in turn: module sizes differ much, and the length of a command line is limited.
    let parts: Vec<&[PathBuf]> = files.chunks(50).collect();
    let progress = Mutex::new((0, Progress::new(&format!("trees: making {name}"))));
    let work = |thread: usize| -> Result<()> {
        for part in parts.iter().skip(thread).step_by(threads) {
            process::run(program().args(*part))?;
            if let Ok(mut progress) = progress.lock() {
                progress.0 += part.len();
                let done = progress.0;
                progress.1.update(|| format!("{done} of {} modules", files.len()));
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let work = &work;
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

const fn debian(name: &'static str, release: Release, arch: &'static str, flavour: &'static str) -> Recipe {
    let (suite, series) = release;
    Recipe { name, origin: Origin::Debian(Kernel { suite, series, arch, flavour, any_series: false }) }
}

const fn optional(name: &'static str, release: Release, arch: &'static str, flavour: &'static str) -> Recipe {
    let (suite, series) = release;
    Recipe { name, origin: Origin::Debian(Kernel { suite, series, arch, flavour, any_series: true }) }
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
