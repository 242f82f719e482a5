//! What an initramfs needs so that some modules can be loaded in it: their files, those of all their
//! dependencies, soft dependencies and weak dependencies, and firmware.
//!
//! `cargo run --example initramfs -- [--root DIR] [--release VERSION] NAME-OR-MODALIAS...`
//!
//! Prints a path per line; what is built in or unknown, and firmware, is named on standard error.

use std::{
    collections::{BTreeSet, HashSet},
    error::Error,
    path::PathBuf,
};

use modutils::{Context, Module, ModuleName, Release, Root};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut builder, mut names) = (Context::builder(), Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--root" => {
                builder = builder.root(Root::default().with_base(arguments.next().ok_or("--root DIR")?));
            }
            "--release" => {
                builder = builder.release(Release::new(arguments.next().ok_or("--release VERSION")?));
            }
            _ => names.push(argument),
        }
    }
    let context = builder.on_notice(|notice| eprintln!("{}", notice.message)).build()?;
    let mut image = Image::default();
    for name in &names {
        let found = context.lookup(name.as_bytes())?;
        if found.is_empty() {
            return Err(format!("{name}: no module of {}", context.directory().display()).into());
        }
        found.iter().try_for_each(|module| image.add(module))?;
    }
    image.files.iter().for_each(|file| println!("{}", file.display()));
    image.firmware.iter().for_each(|file| eprintln!("firmware: {file}"));
    image.builtin.iter().for_each(|module| eprintln!("built in: {module}"));
    Ok(())
}

/// What was collected so far.
#[derive(Default)]
struct Image {
    visited: HashSet<ModuleName>,
    files: BTreeSet<PathBuf>,
    firmware: BTreeSet<String>,
    builtin: BTreeSet<ModuleName>,
}

impl Image {
    /// Adds a module and all that it may need. A loop, not a recursion: soft dependencies may lead in circles.
    fn add(&mut self, module: &Module) -> modutils::Result<()> {
        let mut waiting = vec![module.clone()];
        while let Some(module) = waiting.pop() {
            if !self.visited.insert(module.name().clone()) {
                continue;
            }
            match module.path()? {
                Some(path) => drop(self.files.insert(path.to_owned())),
                None if module.is_builtin()? => drop(self.builtin.insert(module.name().clone())),
                None => continue,
            }
            self.firmware.extend(module.firmware()?.into_iter().map(ToString::to_string));
            let soft = module.soft_dependencies()?;
            waiting.extend(soft.pre.into_iter().chain(soft.post));
            waiting.extend(module.weak_dependencies()?);
            waiting.extend(module.dependencies()?);
        }
        Ok(())
    }
}
