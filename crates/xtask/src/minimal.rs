//! The smallest system: an initial file system with our static binary, a busybox and the modules of a stock kernel,
//! nothing else. It loads what its devices need, mounts a disk whose drivers are modules, and goes on from there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::disk::{self, FileSystem};
use crate::initramfs::Initramfs;
use crate::qemu::{self, Machine, SerialAction};
use crate::scenarios::{ScenarioResult, ScenarioVerdict};
use crate::trees::KernelTree;
use crate::{busybox, process, reference, workspace};

/// The modules without which there is no disk and no file system.
const NEEDED: [&str; 2] = ["virtio_blk", "squashfs"];

/// The drivers of the other system, which has only what `kmod closure --copy` copies for these; the file system is a
/// module, too.
const CLOSURE: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];

/// Boots a system whose modules are a closure, and prints a row for it.
///
/// # Errors
/// When the closure, the disk or the archive can't be made; a machine that does not boot is a failed scenario.
pub(crate) fn run_closure(cache: &Cache, tree: &KernelTree, binary: &Path) -> Result<ScenarioResult> {
    let scripts = workspace::root().join("integration/vm");
    let busybox = busybox::provide(cache)?;
    let directory = tempfile::Builder::new().prefix("closure").tempdir_in(cache.root())?;
    let (indexed, copied) = (directory.path().join("indexed"), directory.path().join("copied"));
    let modules = indexed.join("lib/modules").join(&tree.version);
    std::fs::create_dir_all(&modules)?;
    for entry in std::fs::read_dir(tree.modules())? {
        let entry = entry?;
        std::os::unix::fs::symlink(entry.path(), modules.join(entry.file_name()))?;
    }
    let tool = |name: &str, words: &[&str]| {
        let mut command = Command::new(binary);
        std::os::unix::process::CommandExt::arg0(&mut command, name);
        command.args(words).arg(&indexed);
        command
    };
    process::run(tool("depmod", &["-C", "/dev/null", &tree.version, "-b"]).stderr(Stdio::null()))?;
    let words = ["closure", "-C", "/dev/null", "-S", &tree.version, "--compress", "none", "-d"];
    process::output(tool("kmod", &words).arg("--copy").arg(&copied).args(CLOSURE))?;
    let archive = archive(&copied.join("lib/modules"), binary, &busybox, &scripts.join("closure-init"))?;
    let disk = disk::image(FileSystem::Ext4, &busybox, &scripts.join("root-init"))?;
    Ok(boot(&format!("closure-system-{}", tree.version), tree, (&archive, disk.path()), &CLOSURE[1..]))
}

/// Boots the system with the kernel of a tree, and prints a row for it.
///
/// # Errors
/// When the disk or the archive can't be made; a machine that does not boot is a failed scenario.
pub(crate) fn run(cache: &Cache, tree: &KernelTree, binary: &Path) -> Result<ScenarioResult> {
    let (busybox, scripts) = (busybox::provide(cache)?, workspace::root().join("integration/vm"));
    let disk = disk::image(FileSystem::Squashfs, &busybox, &scripts.join("root-init"))?;
    let modules = tree.modules();
    let all = modules.parent().unwrap_or(&modules);
    let archive = archive(all, binary, &busybox, &scripts.join("minimal-init"))?;
    Ok(boot(&format!("minimal-system-{}", tree.version), tree, (&archive, disk.path()), &NEEDED))
}

fn boot(name: &str, tree: &KernelTree, (archive, disk): (&[u8], &Path), needed: &[&str]) -> ScenarioResult {
    let start = Instant::now();
    let kernel = tree.kernel();
    let machine = Machine { disk: Some(disk), ..Machine::of(&kernel, archive) };
    let mut log = Vec::new();
    let came_up = came_up(&machine, needed, &mut log);
    if let Err(error) = &came_up {
        log.push(format!("{error:#}"));
    }
    let outcome = ScenarioResult {
        name: name.to_owned(),
        verdict: if came_up.is_ok() { ScenarioVerdict::Passed } else { ScenarioVerdict::Failed },
        seconds: format!("{:.1}", start.elapsed().as_secs_f64()),
        log,
    };
    outcome.print();
    outcome
}

/// Boots the machine to the disk, whose first process reports what is loaded.
fn came_up(machine: &Machine, needed: &[&str], log: &mut Vec<String>) -> Result<()> {
    let mut modules = None;
    qemu::boot(machine, |line| {
        log.push(line.to_owned());
        match line.strip_prefix("@@ ") {
            Some("end") => return SerialAction::PowerOff,
            Some(rest) => modules = rest.strip_prefix("modules ").map(str::to_owned),
            None => {}
        }
        SerialAction::Read
    })?;
    let Some(modules) = modules else { bail!("the disk's first process did not start") };
    for needed in needed {
        if !modules.split(' ').any(|module| module == *needed) {
            bail!("{needed} is not loaded");
        }
    }
    log.push(format!("= from the disk, with {} modules loaded", modules.split_whitespace().count()));
    Ok(())
}

fn archive(modules: &Path, binary: &Path, busybox: &Path, init: &Path) -> Result<Vec<u8>> {
    let mut root = Initramfs::default();
    for empty in ["dev", "proc", "sys", "tmp", "disk"] {
        root.directory(empty);
    }
    root.device("dev/console", 5, 1);
    root.copy(busybox, "bin/busybox")?;
    root.copy(binary, "sbin/kmod")?;
    for tool in reference::TOOLS {
        root.link(&format!("sbin/{tool}"), "kmod");
    }
    root.file("init", 0o755, &std::fs::read(init)?);
    root.copy_tree(modules, "lib/modules")?;
    Ok(root.finish())
}
