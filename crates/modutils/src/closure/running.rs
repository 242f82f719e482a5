//! The modules that the running machine uses or has devices for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use bstr::BString;

use crate::{Context, Module, Notice, Result, config::read};

/// Directories of /sys are nested by device; no machine comes near this depth.
const MAX_DEPTH: usize = 64;

/// The loaded modules, and the modules that match the modalias of a device of this machine and are not blacklisted: what
/// an image for this machine needs.
///
/// # Errors
/// When the kernel's list of modules, or an index, cannot be read.
pub fn of_running_machine(context: &Context, notices: &mut dyn FnMut(Notice)) -> Result<Vec<Module>> {
    let mut found = BTreeMap::new();
    for loaded in context.kernel().loaded_modules(&mut |notice| notices(notice))? {
        found.insert(loaded.name.clone(), context.module(loaded.name));
    }
    let devices = context.root().system("/sys/devices");
    for alias in modaliases(&devices) {
        for module in context.lookup(&alias)? {
            if module.blacklisted().is_none() {
                found.entry(module.name().clone()).or_insert(module);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The modaliases of the devices below a directory of /sys. Links lead to devices that have their own directory.
fn modaliases(devices: &Path) -> BTreeSet<BString> {
    let mut aliases = BTreeSet::new();
    let mut waiting: Vec<(PathBuf, usize)> = vec![(devices.to_owned(), 0)];
    while let Some((directory, depth)) = waiting.pop() {
        // A device that was unplugged meanwhile has no directory any more.
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && depth < MAX_DEPTH {
                waiting.push((entry.path(), depth.saturating_add(1)));
            } else if entry.file_name() == "modalias" {
                let Ok(alias) = read(&entry.path()) else { continue };
                if !alias.trim_ascii().is_empty() {
                    aliases.insert(alias.trim_ascii().into());
                }
            }
        }
    }
    aliases
}
