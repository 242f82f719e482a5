//! The module part of an initramfs generator: names, modaliases and patterns to files with all that they
//! need, what is built in, aliases for the image's own table, firmware, options, and what is blacklisted.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use modutils::{Context, Index, Module, ModuleName};

use crate::result::{CheckResult, ensure};

/// What goes into the image.
#[derive(Default)]
struct Image {
    visited: HashSet<ModuleName>,
    files: BTreeMap<ModuleName, PathBuf>,
    /// The modules to load after each.
    post: BTreeMap<ModuleName, Vec<ModuleName>>,
    firmware: BTreeSet<Vec<u8>>,
    builtin: BTreeSet<ModuleName>,
}

impl Image {
    fn add(&mut self, module: Module) -> modutils::Result<()> {
        let mut waiting = vec![module];
        while let Some(module) = waiting.pop() {
            if !self.visited.insert(module.name().clone()) {
                continue;
            }
            if module.is_builtin()? {
                self.builtin.insert(module.name().clone());
                continue;
            }
            let Some(path) = module.path()? else { continue };
            self.files.insert(module.name().clone(), path.to_owned());
            self.firmware.extend(module.firmware()?.iter().map(|file| file.to_vec()));
            let soft = module.soft_dependencies()?;
            if !soft.post.is_empty() {
                let names = soft.post.iter().map(|module| module.name().clone()).collect();
                self.post.insert(module.name().clone(), names);
            }
            waiting.extend(soft.pre);
            waiting.extend(soft.post);
            waiting.extend(module.weak_dependencies()?);
            waiting.extend(module.dependencies()?);
        }
        Ok(())
    }
}

pub fn check(directory: &Path) -> CheckResult {
    let context = Context::builder().directory(directory).without_configuration().build()?;
    context.load_indexes()?;
    let mut image = Image::default();
    for name in
        ["ext4", "virtio_net", "fs-vfat", "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00", "loop"]
    {
        let found = context.lookup(name.as_bytes())?;
        ensure(!found.is_empty(), format!("{name} was not found"))?;
        for module in found {
            image.add(module)?;
        }
    }
    ensure(context.lookup(b"no_such_module")?.is_empty(), "a module that does not exist was found")?;
    for (module, file) in &image.files {
        ensure(file.is_file(), format!("{module}: {} is not there", file.display()))?;
        // Every module that it needs is in the image, too.
        for dependency in context.module(module.clone()).dependencies()? {
            ensure(
                image.visited.contains(dependency.name()),
                format!("{module} lacks {}", dependency.name()),
            )?;
        }
    }
    // The image's own table of aliases.
    let mut aliases = 0;
    context.dump(Index::Aliases, |_pattern, module| {
        aliases += usize::from(image.files.contains_key(&ModuleName::new(module)));
    })?;
    ensure(aliases > 0, "no alias leads to a module of the image")?;
    Ok(format!("{} files, {} built in, {aliases} aliases", image.files.len(), image.builtin.len()))
}
