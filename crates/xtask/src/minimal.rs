//! The smallest system: an initial file system with our static binary, a busybox and the modules of a stock kernel,
//! nothing else. It loads what its devices need, mounts a disk whose drivers are modules, and goes on from there.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::disk::{self, FileSystem};
use crate::initramfs::Initramfs;
use crate::qemu::{self, Machine, SerialAction};
use crate::scenarios::{ScenarioResult, ScenarioVerdict};
use crate::trees::KernelTree;
use crate::{busybox, reference, workspace};

/// The modules without which there is no disk and no file system.
const NEEDED: [&str; 2] = ["virtio_blk", "squashfs"];

/// Boots the system with the kernel of a tree, and prints a row for it.
///
/// # Errors
/// When the disk or the archive can't be made; a machine that does not boot is a failed scenario.
pub(crate) fn run(cache: &Cache, tree: &KernelTree, binary: &Path) -> Result<ScenarioResult> {
    let start = Instant::now();
    let (busybox, scripts) = (busybox::provide(cache)?, workspace::root().join("integration/vm"));
    let disk = disk::image(FileSystem::Squashfs, &busybox, &scripts.join("root-init"))?;
    let archive = archive(tree, binary, &busybox, &scripts.join("minimal-init"))?;
    let kernel = tree.kernel();
    let machine = Machine { disk: Some(disk.path()), ..Machine::of(&kernel, &archive) };
    let mut log = Vec::new();
    let came_up = came_up(&machine, &mut log);
    if let Err(error) = &came_up {
        log.push(format!("{error:#}"));
    }
    let outcome = ScenarioResult {
        name: format!("minimal-system-{}", tree.version),
        verdict: if came_up.is_ok() { ScenarioVerdict::Passed } else { ScenarioVerdict::Failed },
        seconds: format!("{:.1}", start.elapsed().as_secs_f64()),
        log,
    };
    outcome.print();
    Ok(outcome)
}

/// Boots the machine to the disk, whose first process reports what is loaded.
fn came_up(machine: &Machine, log: &mut Vec<String>) -> Result<()> {
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
    for needed in NEEDED {
        if !modules.split(' ').any(|module| module == needed) {
            bail!("{needed} is not loaded");
        }
    }
    log.push(format!("= from the disk, with {} modules loaded", modules.split_whitespace().count()));
    Ok(())
}

fn archive(tree: &KernelTree, binary: &Path, busybox: &Path, init: &Path) -> Result<Vec<u8>> {
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
    root.copy_tree(&tree.modules(), &format!("lib/modules/{}", tree.version))?;
    Ok(root.finish())
}
