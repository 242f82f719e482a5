//! `cargo xtask packaging`: the Debian package and the programs that call the tools, in roots of Debian 12 and 13.
//!
//! Each script of `integration/packaging` runs in a chroot, a copy of a root that debootstrap made, with separate
//! namespaces for mounts and processes. If it leaves an initial file system in `/result`, that is booted, and must mount
//! the root file system with drivers that are modules.

mod root;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::disk::{self, FileSystem};
use crate::qemu::{self, Machine, SerialAction};
use crate::scenarios::{ScenarioResult, ScenarioVerdict};
use crate::system::UnderTest;
use crate::{binary, busybox, chroot, deb, libkmod, mirror, trees, workspace};

/// The options of `cargo xtask packaging`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only in a root of this release (default: all)
    #[arg(long, value_parser = root::SUITES)]
    suite: Option<String>,
    /// The static binary to pack (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The C library to pack (default: built now)
    #[arg(long)]
    libkmod: Option<PathBuf>,
    /// Run only the scripts whose names contain this
    script: Option<String>,
}

/// Runs the scripts and prints how many passed.
///
/// # Errors
/// When one fails, or a root cannot be made.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => binary::build_static()?,
    };
    let library = options.libkmod.clone().map_or_else(libkmod::build, Ok)?;
    let packed = UnderTest { binary: &binary, library: &library };
    let suites =
        root::SUITES.into_iter().filter(|suite| options.suite.as_deref().is_none_or(|only| only == *suite));
    let mut outcomes = Vec::new();
    for suite in suites {
        outcomes.extend(run_in(&Cache::open()?, suite, &packed, options.script.as_deref())?);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    println!("{} scripts passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        bail!("{failed} scripts failed");
    }
    Ok(())
}

/// Runs all scripts in roots of all releases.
///
/// # Errors
/// When a root or a package can't be made; a script that fails is a result.
pub(crate) fn run_all(cache: &Cache, packed: &UnderTest<'_>) -> Result<Vec<ScenarioResult>> {
    let mut outcomes = Vec::new();
    for suite in root::SUITES {
        outcomes.extend(run_in(cache, suite, packed, None)?);
    }
    Ok(outcomes)
}

fn run_in(
    cache: &Cache,
    suite: &str,
    packed: &UnderTest<'_>,
    only: Option<&str>,
) -> Result<Vec<ScenarioResult>> {
    let pristine = root::provide(cache, suite)?;
    let dir = workspace::root().join("integration/packaging");
    let mut scripts: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_for_this =
            header(&path, "suites")?.is_none_or(|suites| suites.split(' ').any(|one| one == suite));
        if name != "lib" && only.is_none_or(|part| name.contains(part)) && is_for_this {
            scripts.push(path);
        }
    }
    scripts.sort();
    println!("packaging in Debian's {suite}");
    let mut outcomes = Vec::new();
    for script in scripts {
        let outcome = run_script(cache, (suite, &pristine), packed, &script)?;
        outcome.print();
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// A line of a script's beginning, `# KEY: VALUE`: `suites`, the releases it is for, all by default, `trees`, the
/// module trees that are in its root, and `debs`, the packages that are beside it.
fn header(script: &Path, key: &str) -> Result<Option<String>> {
    let text = fs::read_to_string(script).with_context(|| script.display().to_string())?;
    let lines = text.lines().map_while(|line| line.strip_prefix("# "));
    let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    Ok(values.next().map(str::to_owned))
}

/// Runs a script in a fresh copy of a root.
fn run_script(
    cache: &Cache,
    (suite, pristine): (&str, &Path),
    packed: &UnderTest<'_>,
    script: &Path,
) -> Result<ScenarioResult> {
    let start = Instant::now();
    let directory = tempfile::Builder::new().prefix("packaging").tempdir_in(cache.root())?;
    let root = directory.path().join("root");
    crate::process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(pristine).arg(&root))?;
    let here = root.join("packaging");
    fs::create_dir_all(&here)?;
    fs::create_dir_all(root.join("result"))?;
    for version in [env!("CARGO_PKG_VERSION"), concat!(env!("CARGO_PKG_VERSION"), "+next")] {
        deb::build(packed.binary, &here, version)?;
        deb::replacing::build(packed.binary, packed.library, &here, version)?;
    }
    let workspace = workspace::root();
    for library in ["integration/vm/lib.sh", "integration/packaging/lib.sh"] {
        let name = if library.contains("vm") { "vm-lib.sh" } else { "lib.sh" };
        fs::copy(workspace.join(library), here.join(name)).with_context(|| library.to_owned())?;
    }
    fs::copy(script, here.join("script.sh"))?;
    for name in header(script, "debs")?.iter().flat_map(|names| names.split(' ')) {
        let package = mirror::package(cache, suite, "amd64", name, "")?;
        fs::copy(package, here.join(format!("{name}.deb"))).with_context(|| name.to_owned())?;
    }
    for name in header(script, "trees")?.iter().flat_map(|names| names.split(' ')) {
        let tree = trees::provide(cache, name)?.with_context(|| format!("the tree {name} is unavailable"))?;
        let modules = root.join("usr/lib/modules");
        crate::process::run(
            Command::new("cp").args(["--archive", "--reflink=auto"]).arg(tree.modules()).arg(modules),
        )?;
    }
    let (mut verdict, mut log) = in_root(&root)?;
    let image = root.join("result/initrd.img");
    if verdict == ScenarioVerdict::Passed
        && image.is_file()
        && let Err(error) = boot(cache, &root, &image, &mut log)
    {
        log.push(format!("{error:#}"));
        verdict = ScenarioVerdict::Failed;
    }
    Ok(ScenarioResult {
        name: script.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        verdict,
        seconds: format!("{:.1}", start.elapsed().as_secs_f64()),
        log,
    })
}

/// Runs `/packaging/script.sh` in a root; returns the verdict of its exit code, and its output.
fn in_root(root: &Path) -> Result<(ScenarioVerdict, Vec<String>)> {
    let inside = "cd /packaging; . ./vm-lib.sh; . ./lib.sh; . ./script.sh";
    let (succeeded, lines) = chroot::shell(root, inside)?;
    let verdict = if succeeded { ScenarioVerdict::Passed } else { ScenarioVerdict::Failed };
    Ok((verdict, lines))
}

/// Boots an initial file system with the root's kernel and a disk: it must find the root file system on it and start
/// what is there, which shows the modules that brought it there.
fn boot(cache: &Cache, root: &Path, image: &Path, log: &mut Vec<String>) -> Result<()> {
    let kernel = disk::newest(&root.join("boot"), "vmlinuz-")?;
    let busybox = busybox::provide(cache)?;
    let disk = disk::image(FileSystem::Ext4, &busybox, &workspace::root().join("integration/vm/root-init"))?;
    let initramfs = fs::read(image)?;
    let machine = Machine {
        parameters: "root=/dev/vda rootfstype=ext4 rw init=/init",
        disk: Some(disk.path()),
        ..Machine::of(&kernel, &initramfs)
    };
    let mut modules = String::new();
    qemu::boot(&machine, |line| {
        log.push(line.to_owned());
        match line.strip_prefix("@@ ") {
            Some("end") => return SerialAction::PowerOff,
            Some(list) => list.clone_into(&mut modules),
            None => {}
        }
        SerialAction::Read
    })?;
    // The file system is part of Debian's cloud kernels.
    if !modules.split(' ').any(|loaded| loaded == "virtio_blk") {
        bail!("the disk's driver is not loaded: {modules}");
    }
    log.push(format!("= booted to the root file system with {}", modules.trim()));
    Ok(())
}
