//! Everything that a set of modules needs: for builders of initramfs images and of other roots.
//!
//! ```
//! use modutils::{Context, ModuleName, closure::{Closure, Follow, Presence}};
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! # let lines = [("top", "top.ko: base.ko"), ("base", "base.ko:")];
//! # std::fs::write(directory.join("modules.dep.bin"), testkit::index(lines))?;
//! # for name in ["top.ko", "base.ko"] { std::fs::write(directory.join(name), "")?; }
//!
//! let context = Context::builder().directory(directory).without_configuration().build()?;
//! let top = context.module(ModuleName::new("top"));
//! let closure = Closure::of_modules(&context, &[top], &Follow::default())?;
//! for member in closure.members() {
//!     assert!(matches!(member.presence, Presence::File { .. }));
//! }
//! assert_eq!(closure.members().count(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "depmod")]
mod confined;
mod firmware;
#[cfg(feature = "depmod")]
mod install;
#[cfg(feature = "depmod")]
mod packing;
#[cfg(feature = "kernel")]
mod running;
mod select;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

pub use firmware::{Firmware, FirmwareSearch};
#[cfg(feature = "depmod")]
pub use install::{Copied, Destination};
#[cfg(feature = "depmod")]
pub use packing::Packing;
#[cfg(feature = "kernel")]
pub use running::of_running_machine;
pub use select::matching;

use crate::{
    Context, Error, Module, ModuleName, Result, files,
    module_file::{ModuleFile, Wanted, read_in_order},
    relations::{Relation, Relations},
};

/// Which arrows of the graph a closure follows; dependencies always.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Follow {
    /// Modules that softdeps name.
    pub soft: bool,
    /// Modules that weakdeps name.
    pub weak: bool,
}

impl Default for Follow {
    /// All arrows: an image that lacks a weak dependency may lack a driver's better half.
    fn default() -> Self {
        Self { soft: true, weak: true }
    }
}

/// Where a member of a closure is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// In a file of so many bytes.
    File {
        /// Its path.
        path: PathBuf,
        /// Its size in bytes, as it is on the disk.
        size: u64,
    },
    /// In the kernel.
    BuiltIn,
    /// The index lists this file, and it does not exist.
    Gone(PathBuf),
    /// Nowhere: the tree has no such module.
    Absent,
}

/// A module of a closure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Member {
    /// The module.
    pub module: Module,
    /// Where it is.
    pub presence: Presence,
    /// Whether it was requested, and not only needed by others.
    pub requested: bool,
    /// The members that pulled it in, and how.
    pub reasons: BTreeSet<(ModuleName, Relation)>,
}

impl Member {
    /// Whether the set is incomplete without it: it was requested or is needed, and is in no file and
    /// not in the kernel. A soft or weak dependency that the tree does not have is no loss, as for modprobe.
    pub fn is_missing(&self) -> bool {
        match &self.presence {
            Presence::File { .. } | Presence::BuiltIn => false,
            Presence::Gone(_) => true,
            Presence::Absent => {
                self.requested || self.reasons.iter().any(|(_, relation)| *relation == Relation::Needs)
            }
        }
    }

    /// The path of its file, where that exists.
    pub fn path(&self) -> Option<&Path> {
        match &self.presence {
            Presence::File { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// A set of modules with all that they need.
#[derive(Clone, Debug)]
pub struct Closure {
    members: BTreeMap<ModuleName, Member>,
}

impl Closure {
    /// The closure of some modules. Dependencies are those of `modules.dep`, soft and weak ones those of the
    /// configuration; of a module in a file outside of the tree they are what the file itself declares.
    ///
    /// # Errors
    /// When an index cannot be read, or the file of a module outside of the tree.
    pub fn of_modules(context: &Context, modules: &[Module], follow: &Follow) -> Result<Self> {
        let relations = Relations::of_tree(context)?;
        let mut closure = Self { members: BTreeMap::new() };
        let mut waiting: Vec<ModuleName> = Vec::new();
        for module in modules {
            if !closure.members.contains_key(module.name()) {
                closure.add(module.clone())?;
                waiting.push(module.name().clone());
            }
            if let Some(member) = closure.members.get_mut(module.name()) {
                member.requested = true;
            }
        }
        while let Some(name) = waiting.pop() {
            for (relation, needed) in closure.arrows(context, &relations, &name)? {
                if !follow.follows(relation) {
                    continue;
                }
                if !closure.members.contains_key(&needed) {
                    closure.add(context.module(needed.clone()))?;
                    waiting.push(needed.clone());
                }
                if let Some(member) = closure.members.get_mut(&needed) {
                    member.reasons.insert((name.clone(), relation));
                }
            }
        }
        Ok(closure)
    }

    /// The modules, by name.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The firmware that the members may load, by name. Files are read by as many threads as there are
    /// processors. Members that are missing have none; a file that cannot be read is given to `unreadable`.
    pub fn firmware(
        &self,
        search: &FirmwareSearch,
        mut unreadable: impl FnMut(&ModuleName, Error),
    ) -> Vec<Firmware> {
        let mut users: BTreeMap<Vec<u8>, BTreeSet<ModuleName>> = BTreeMap::new();
        let mut add = |name: &ModuleName, files: Vec<Vec<u8>>| {
            for file in files {
                users.entry(file).or_default().insert(name.clone());
            }
        };
        for member in self.members().filter(|member| member.presence == Presence::BuiltIn) {
            match member.module.firmware() {
                Ok(files) => add(member.module.name(), files.iter().map(|file| file.to_vec()).collect()),
                Err(error) => unreadable(member.module.name(), error),
            }
        }
        let files = self
            .members()
            .filter_map(|member| Some((member.module.name().clone(), member.path()?.to_owned())));
        read_in_order(&FirmwareNames, files, |(name, _), read| match read {
            Some(Ok(files)) => add(&name, files),
            Some(Err(error)) => unreadable(&name, error),
            None => {}
        });
        let found = |(name, needed_by): (Vec<u8>, BTreeSet<ModuleName>)| Firmware {
            files: search.find(&name),
            name: name.into(),
            needed_by,
        };
        users.into_iter().map(found).collect()
    }

    fn add(&mut self, module: Module) -> Result<()> {
        let presence = match module.path()? {
            Some(path) => match files::metadata(path) {
                Ok(metadata) => Presence::File { path: path.to_owned(), size: metadata.len() },
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Presence::Gone(path.to_owned()),
                Err(error) => return Err(Error::io("open", path)(error)),
            },
            None if module.is_builtin()? => Presence::BuiltIn,
            None => Presence::Absent,
        };
        let member = Member { presence, requested: false, reasons: BTreeSet::new(), module };
        self.members.insert(member.module.name().clone(), member);
        Ok(())
    }

    /// Where arrows lead from a module.
    fn arrows(
        &self,
        context: &Context,
        relations: &Relations,
        name: &ModuleName,
    ) -> Result<Vec<(Relation, ModuleName)>> {
        let listed = context.module(name.clone());
        let member = self.members.get(name);
        match member.and_then(|member| Some((member, member.path()?))) {
            Some((member, path)) if listed.path()? != Some(path) => declared(context, &member.module),
            _ => Ok(relations.node(name).map(|node| node.to.iter().cloned().collect()).unwrap_or_default()),
        }
    }
}

impl Follow {
    fn follows(&self, relation: Relation) -> bool {
        match relation {
            Relation::Needs => true,
            Relation::Before | Relation::After => self.soft,
            Relation::Weak => self.weak,
        }
    }
}

/// What a module outside of the tree declares in `.modinfo`, for depmod to put into the indexes: `depends`, `softdep`
/// and `weakdep`.
fn declared(context: &Context, module: &Module) -> Result<Vec<(Relation, ModuleName)>> {
    let modinfo = module.modinfo()?;
    let mut arrows = Vec::new();
    let names = modinfo.values("depends").flat_map(|value| value.split(|&byte| byte == b','));
    arrows.extend(names.filter(|name| !name.is_empty()).map(|name| (Relation::Needs, ModuleName::new(name))));
    let mut add = |relation, name: &[u8]| -> Result<()> {
        let found = context.lookup(name)?;
        if found.is_empty() {
            arrows.push((relation, ModuleName::new(name)));
        }
        arrows.extend(found.iter().map(|module| (relation, module.name().clone())));
        Ok(())
    };
    for value in modinfo.values("softdep") {
        let mut relation = None;
        for word in value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            match word {
                b"pre:" => relation = Some(Relation::Before),
                b"post:" => relation = Some(Relation::After),
                name => relation.map_or(Ok(()), |relation| add(relation, name))?,
            }
        }
    }
    for value in modinfo.values("weakdep") {
        for name in value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            add(Relation::Weak, name)?;
        }
    }
    Ok(arrows)
}

/// Reads the names of firmware files.
struct FirmwareNames;

impl Wanted for FirmwareNames {
    type File = (ModuleName, PathBuf);
    type Facts = Vec<Vec<u8>>;

    fn path<'a>(&self, (_, path): &'a Self::File) -> Option<&'a Path> {
        Some(path)
    }

    fn take(&self, module: &ModuleFile) -> Result<Self::Facts> {
        Ok(module.modinfo()?.values("firmware").map(|name| name.to_vec()).collect())
    }

    fn size(&self, facts: &Self::Facts) -> usize {
        facts.iter().map(|name| name.len().saturating_add(size_of::<Vec<u8>>())).sum()
    }
}

#[cfg(test)]
mod tests;
