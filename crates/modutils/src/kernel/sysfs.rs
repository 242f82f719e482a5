//! `/sys/module`: the state of a module, who uses it, and what the kernel can decompress.
//!
//! The files are those of `kernel/module/sysfs.c` and Documentation/ABI/testing/sysfs-module. Where /sys is not
//! mounted, in a chroot or early at boot, `/proc/modules` has the same facts.

use std::{collections::HashSet, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

use bstr::{BString, ByteSlice};

use super::{Kernel, LoadedModule};
use crate::{Error, ModuleName, Result, Root, config::read, file::Compression};

/// A module's state in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The kernel does not know it.
    Absent,
    /// It is being initialised; also a module built into the kernel, which has no state.
    Coming,
    /// It is in use.
    Live,
    /// It is being unloaded.
    Going,
    /// Neither `/sys/module` nor `/proc/modules` can be read.
    Unknown,
}

/// `kernel.modules_disabled`: once set, nothing is loaded or removed until the next boot. `None` where it
/// cannot be read.
pub(crate) fn modules_disabled(root: &Root) -> Option<bool> {
    match read(&root.system("/proc/sys/kernel/modules_disabled")).ok()?.trim_ascii() {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

impl Kernel {
    /// The state of a module.
    pub fn state(&self, module: &ModuleName) -> State {
        match read(&self.module_file(module, "initstate")) {
            Ok(state) => match state.trim_ascii() {
                b"live" => State::Live,
                b"going" => State::Going,
                _ => State::Coming,
            },
            Err(_) if self.is_in_sysfs(module) => State::Coming,
            Err(_) if self.has_sysfs() => State::Absent,
            Err(_) => self.listed_state(module),
        }
    }

    /// The state by `/proc/modules`.
    fn listed_state(&self, module: &ModuleName) -> State {
        match self.listed(module) {
            // A kernel that does not state it has no module that is coming or going for long.
            Some(LoadedModule { state: State::Unknown, .. }) => State::Live,
            Some(listed) => listed.state,
            None if self.has_list() => State::Absent,
            None => State::Unknown,
        }
    }

    /// Whether the state is [`State::Live`], at less cost: a name with a dash is not looked for. The kernel answers that such
    /// a module is there when it is to be loaded again.
    pub(super) fn is_live(&self, module: &ModuleName) -> bool {
        match read(&self.usual_directory(module).join("initstate")) {
            Ok(state) => state.trim_ascii() == b"live",
            Err(_) => !self.has_sysfs() && self.listed_state(module) == State::Live,
        }
    }

    /// Whether a module is part of the running kernel, whatever an index has: the kernel shows it in
    /// `/sys/module` without a state, and does not list it among the loaded ones.
    pub fn is_built_in(&self, module: &ModuleName) -> bool {
        let has_state = || self.module_file(module, "initstate").exists();
        // Any other path below or outside of /sys/module is no module.
        let is_name = |name: &[u8]| !name.is_empty() && !name.contains(&b'/') && !name.starts_with(b".");
        is_name(module.as_bytes())
            && self.is_in_sysfs(module)
            && !has_state()
            && self.has_list()
            && self.listed(module).is_none()
    }

    /// Whether a module cannot be unloaded, because it has no exit function.
    pub(crate) fn is_permanent(&self, module: &ModuleName) -> bool {
        self.listed(module).is_some_and(|listed| listed.permanent)
    }

    fn has_sysfs(&self) -> bool {
        self.root().system("/sys/module").is_dir()
    }

    fn has_list(&self) -> bool {
        self.root().system("/proc/modules").is_file()
    }

    /// The line of `/proc/modules`, where there is no `/sys/module` that would have more.
    fn listed_alone(&self, module: &ModuleName) -> Option<LoadedModule> {
        if self.has_sysfs() { None } else { self.listed(module) }
    }

    /// Whether the kernel shows a module in `/sys/module`: also built-in ones that have parameters.
    fn is_in_sysfs(&self, module: &ModuleName) -> bool {
        self.module_directory(module).is_dir()
    }

    /// How many use a module; `None` where the kernel does not report it, because it cannot unload modules.
    pub fn references(&self, module: &ModuleName) -> Option<i64> {
        self.number(module, "refcnt").or_else(|| self.listed_alone(module)?.references)
    }

    /// The bytes that a module takes in memory; `None` where the kernel does not report it.
    pub fn size(&self, module: &ModuleName) -> Option<i64> {
        self.number(module, "coresize").or_else(|| i64::try_from(self.listed_alone(module)?.size).ok())
    }

    /// The modules that use a module, in the order of the directory.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn holders(&self, module: &ModuleName) -> Result<Vec<ModuleName>> {
        let path = self.module_file(module, "holders");
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => {
                let listed = self.listed_alone(module).map(|listed| listed.holders);
                return listed.ok_or_else(|| Error::io("open", &path)(error));
            }
        };
        let name = |entry: fs::DirEntry| ModuleName::new(entry.file_name().as_encoded_bytes());
        entries.map(|entry| entry.map(name).map_err(Error::io("read", &path))).collect()
    }

    /// The modules that use a module, directly or by way of others, each before its users:
    /// backwards, they can be unloaded one after the other. A list that cannot be read is empty.
    pub fn all_holders(&self, module: &ModuleName) -> Vec<ModuleName> {
        let mut order = Vec::new();
        let mut entered = HashSet::new();
        // A module is placed when all that use it are; those are on top of it on the stack.
        let mut stack = vec![(module.clone(), false)];
        while let Some((module, users_are_placed)) = stack.pop() {
            if users_are_placed {
                order.push(module);
            } else if entered.insert(module.clone()) {
                let holders = self.holders(&module).unwrap_or_default();
                stack.push((module, true));
                stack.extend(holders.into_iter().map(|holder| (holder, false)));
            }
        }
        // The module itself, which all others lead to.
        order.pop();
        order.reverse();
        order
    }

    /// The compression of module files that the kernel undoes itself, when it does.
    pub(crate) fn compression(&self) -> Option<Compression> {
        let word = read(&self.root().system("/sys/module/compression")).ok()?;
        [Compression::Gzip, Compression::Xz, Compression::Zstd]
            .into_iter()
            .find(|compression| compression.name().as_bytes() == word.trim_ascii())
    }

    fn number(&self, module: &ModuleName, file: &str) -> Option<i64> {
        read(&self.module_file(module, file)).ok()?.trim_ascii().to_str().ok()?.parse().ok()
    }

    /// A module's name as the kernel has it: as the module itself has it, also with a dash, which the names that kbuild
    /// gives never have.
    pub(super) fn own_name(&self, module: &ModuleName) -> BString {
        let usual = BString::from(module.as_bytes());
        if !module.as_bytes().contains(&b'_') || self.usual_directory(module).is_dir() {
            return usual;
        }
        let mut names = fs::read_dir(self.root().system("/sys/module")).into_iter().flatten().flatten();
        let name = names.find_map(|entry| {
            let name = BString::from(entry.file_name().as_bytes());
            (name.contains(&b'-') && ModuleName::new(&name) == *module).then_some(name)
        });
        name.unwrap_or(usual)
    }

    /// The directory of a module whose name has no dash. The kernel has `!` in the place of a slash; so have names that
    /// would lead out of `/sys/module`, which no module has.
    fn usual_directory(&self, module: &ModuleName) -> PathBuf {
        let name = match module.as_bytes() {
            b"." | b".." => b"!".to_vec(),
            name => name.iter().map(|&byte| if byte == b'/' { b'!' } else { byte }).collect(),
        };
        self.root().system("/sys/module").join(OsStr::from_bytes(&name))
    }

    /// The directory of a module.
    pub(crate) fn module_directory(&self, module: &ModuleName) -> PathBuf {
        match self.own_name(module) {
            name if name.contains(&b'-') => self.root().system("/sys/module").join(OsStr::from_bytes(&name)),
            _ => self.usual_directory(module),
        }
    }

    pub(super) fn module_file(&self, module: &ModuleName, file: &str) -> PathBuf {
        self.module_directory(module).join(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_state_is_a_module_coming() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let kernel = Kernel::running(&root);
        let module = ModuleName::new("a-b");
        fs::create_dir_all(system.path().join("sys/module")).unwrap();
        assert_eq!(kernel.state(&module), State::Absent);
        let directory = system.path().join("sys/module/a_b");
        fs::create_dir_all(directory.join("holders/user")).unwrap();
        assert_eq!(kernel.state(&module), State::Coming);
        for (text, state) in [("live\n", State::Live), ("going\n", State::Going), ("coming\n", State::Coming)]
        {
            fs::write(directory.join("initstate"), text).unwrap();
            assert_eq!(kernel.state(&module), state);
        }
        assert_eq!(kernel.references(&module), None);
        fs::write(directory.join("refcnt"), "-1\n").unwrap();
        assert_eq!(kernel.references(&module), Some(-1));
        assert_eq!(kernel.holders(&module).unwrap(), [ModuleName::new("user")]);
    }

    #[test]
    fn a_module_with_a_dash_in_its_own_name_is_found_under_that() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let kernel = Kernel::running(&root);
        let module = ModuleName::new("made-by_hand");
        let directory = system.path().join("sys/module/made-by-hand");
        fs::create_dir_all(directory.join("parameters")).unwrap();
        fs::create_dir_all(directory.join("sections")).unwrap();
        for (file, text) in [
            ("initstate", "live\n"),
            ("refcnt", "2\n"),
            ("parameters/go", "1\n"),
            ("sections/.text", "0x10\n"),
        ] {
            fs::write(directory.join(file), text).unwrap();
        }
        assert_eq!((kernel.state(&module), kernel.references(&module)), (State::Live, Some(2)));
        assert_eq!(kernel.own_name(&module), "made-by-hand");
        assert_eq!(kernel.parameters(&module)[0].name, "go");
        assert_eq!(kernel.sections(&module).unwrap()[0].address, Some(16));
        // What has the usual name comes first.
        fs::create_dir_all(system.path().join("sys/module/made_by_hand")).unwrap();
        assert_eq!((kernel.state(&module), kernel.own_name(&module)), (State::Coming, "made_by_hand".into()));
        fs::create_dir_all(system.path().join("proc")).unwrap();
        fs::write(system.path().join("proc/modules"), "a-b 1 1 [permanent], Live 0x0\n").unwrap();
        assert!(
            kernel.is_permanent(&ModuleName::new("a_b")) && !kernel.is_permanent(&ModuleName::new("a_bc"))
        );
    }

    #[test]
    fn without_sys_the_list_of_modules_has_the_facts() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let kernel = Kernel::running(&root);
        let [base, top, other] = ["base", "top", "other"].map(ModuleName::new);
        assert_eq!(kernel.state(&base), State::Unknown);
        assert!(!kernel.is_built_in(&base));
        fs::create_dir_all(system.path().join("proc")).unwrap();
        let list = "top 8192 0 [permanent], Live 0x0\nbase 16384 1 top, Live 0x0\nnew 1 1 - Loading 0x0\n";
        fs::write(system.path().join("proc/modules"), list).unwrap();
        assert_eq!([&base, &other].map(|module| kernel.state(module)), [State::Live, State::Absent]);
        assert_eq!(kernel.state(&ModuleName::new("new")), State::Coming);
        assert!(kernel.is_live(&base) && !kernel.is_live(&other));
        assert_eq!((kernel.references(&base), kernel.size(&base)), (Some(1), Some(16384)));
        assert_eq!(kernel.holders(&base).unwrap(), std::slice::from_ref(&top));
        assert!(kernel.holders(&other).is_err());
        assert!(kernel.is_permanent(&top) && !kernel.is_permanent(&base));
        // With /sys, that decides.
        fs::create_dir_all(system.path().join("sys/module/other")).unwrap();
        assert_eq!([&base, &other].map(|module| kernel.state(module)), [State::Absent, State::Coming]);
        assert!(kernel.is_built_in(&other) && !kernel.is_built_in(&base));
    }

    #[test]
    fn no_name_leads_out_of_the_directory_of_modules() {
        let system = tempfile::tempdir().unwrap();
        fs::create_dir_all(system.path().join("sys/module")).unwrap();
        let root = Root::default().with_system(system.path());
        for name in [".", "..", "../module", "/tmp", "/"] {
            assert_eq!(Kernel::running(&root).state(&ModuleName::new(name)), State::Absent, "{name}");
        }
    }

    #[test]
    fn holders_of_holders_stand_behind_what_they_use() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let kernel = Kernel::running(&root);
        // `top` uses all, `left` uses `right` too, and a circle must not matter.
        for (module, holder) in [
            ("base", "left"),
            ("base", "right"),
            ("base", "top"),
            ("right", "left"),
            ("left", "top"),
            ("top", "base"),
        ] {
            fs::create_dir_all(system.path().join("sys/module").join(module).join("holders").join(holder))
                .unwrap();
        }
        let names: Vec<String> =
            kernel.all_holders(&ModuleName::new("base")).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["right", "left", "top"]);
        assert!(kernel.all_holders(&ModuleName::new("absent")).is_empty());
    }
}
