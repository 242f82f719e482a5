//! The modules for the devices of this machine: every `modalias` file below /sys, looked up as udev does.
//!
//! `cargo run --example modaliases -- [DIRECTORY]` (/sys/devices unless it is given)

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use modutils::{Context, ModuleName};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("/sys/devices"), PathBuf::from);
    let context = Context::builder().build()?;
    // Thousands of devices, five indexes: each is opened once.
    context.load_indexes()?;
    let mut modules: BTreeMap<ModuleName, Vec<PathBuf>> = BTreeMap::new();
    for file in modalias_files(&directory)? {
        let alias = fs::read(&file)?;
        for module in context.lookup(alias.trim_ascii())? {
            if module.blacklisted().is_none() {
                modules.entry(module.name().clone()).or_default().push(file.clone());
            }
        }
    }
    for (module, devices) in modules {
        println!("{module}: {} devices, first {}", devices.len(), devices[0].display());
    }
    Ok(())
}

fn modalias_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut files, mut waiting) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = waiting.pop() {
        // Devices come and go.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => waiting.push(entry.path()),
                kind if kind.is_file() && entry.file_name() == "modalias" => files.push(entry.path()),
                _ => {}
            }
        }
    }
    Ok(files)
}
