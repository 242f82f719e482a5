//! The modules of the fake kernel: what is loaded, what may be loaded, and the files that show it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::image::ModuleImage;

const IGNORE_MODVERSIONS: u32 = 1;
const IGNORE_VERMAGIC: u32 = 2;
const COMPRESSED_FILE: u32 = 4;

/// A loaded module.
#[derive(Debug, Clone)]
pub(super) struct KernelModule {
    pub(super) name: OsString,
    pub(super) size: u64,
    pub(super) depends: Vec<OsString>,
    /// References by anything but modules: open files, mounts.
    pub(super) users: u32,
    pub(super) state: &'static str,
}

/// The state of the fake kernel.
#[derive(Debug)]
pub(super) struct Modules {
    root: PathBuf,
    pub(super) release: String,
    /// In loading order.
    loaded: Vec<KernelModule>,
    pub(super) load_errors: BTreeMap<OsString, Errno>,
    pub(super) removal_errors: BTreeMap<OsString, Errno>,
    pub(super) crcs: BTreeMap<Vec<u8>, u32>,
    pub(super) decompresses: Option<String>,
    pub(super) finit_error: Option<Errno>,
}

impl Modules {
    pub(super) fn new(root: &Path, release: &str) -> Modules {
        let modules = Modules {
            root: root.to_owned(),
            release: release.to_owned(),
            loaded: Vec::new(),
            load_errors: BTreeMap::new(),
            removal_errors: BTreeMap::new(),
            crcs: BTreeMap::new(),
            decompresses: None,
            finit_error: None,
        };
        fs::create_dir_all(modules.sys_module()).expect("the root is writable");
        modules.publish();
        modules
    }

    /// `/sys/module` of the root.
    pub(super) fn sys_module(&self) -> PathBuf {
        self.root.join("sys/module")
    }

    /// `finit_module` with a file.
    pub(super) fn finit(&mut self, file: &[u8], flags: u32) -> Result<(), Errno> {
        if let Some(errno) = self.finit_error {
            return Err(errno);
        }
        if flags & !(IGNORE_MODVERSIONS | IGNORE_VERMAGIC | COMPRESSED_FILE) != 0 {
            return Err(Errno::EINVAL);
        }
        if flags & COMPRESSED_FILE == 0 {
            return self.load(file, flags);
        }
        let plain = ModuleImage::decompress(file, self.decompresses.as_deref())?;
        self.load(&plain, flags)
    }

    /// Loads a plain image.
    pub(super) fn load(&mut self, image: &[u8], flags: u32) -> Result<(), Errno> {
        let image = ModuleImage::parse(image)?;
        if let Some(errno) = self.load_errors.get(&image.name) {
            return Err(*errno);
        }
        if self.find(&image.name).is_some() {
            return Err(Errno::EEXIST);
        }
        self.check_built_for(&image, flags)?;
        if image.depends.iter().any(|name| self.find(name).is_none()) {
            return Err(Errno::ENOENT);
        }
        self.insert(KernelModule {
            name: image.name,
            size: image.size,
            depends: image.depends,
            users: 0,
            state: "live",
        });
        Ok(())
    }

    /// `kernel/module/version.c`: a module of another release or with another CRC is refused, unless forced.
    fn check_built_for(&self, image: &ModuleImage, flags: u32) -> Result<(), Errno> {
        let release =
            |vermagic: &[u8]| vermagic.split(|byte| *byte == b' ').next() == Some(self.release.as_bytes());
        if flags & IGNORE_VERMAGIC == 0
            && image.vermagic.as_deref().is_some_and(|vermagic| !release(vermagic))
        {
            return Err(Errno::ENOEXEC);
        }
        let differs = |(symbol, crc): &(Vec<u8>, u64)| {
            self.crcs.get(symbol).is_some_and(|ours| u64::from(*ours) != *crc)
        };
        if flags & IGNORE_MODVERSIONS == 0 && image.versions.iter().any(differs) {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// `delete_module`.
    pub(super) fn delete(&mut self, name: &OsStr, flags: u32) -> Result<(), Errno> {
        let position = self.find(name).ok_or(Errno::ENOENT)?;
        if !self.holders(name).is_empty() {
            return Err(Errno::EWOULDBLOCK);
        }
        let module = &self.loaded[position];
        if module.state != "live" {
            return Err(Errno::EBUSY);
        }
        if let Some(errno) = self.removal_errors.get(name) {
            return Err(*errno);
        }
        if module.users > 0 && flags & libc::O_TRUNC as u32 == 0 {
            return Err(Errno::EWOULDBLOCK);
        }
        self.loaded.remove(position);
        fs::remove_dir_all(self.sys_module().join(name)).expect("a published module has a directory");
        self.publish();
        Ok(())
    }

    /// Adds a module without any check.
    pub(super) fn insert(&mut self, module: KernelModule) {
        self.loaded.push(module);
        self.publish();
    }

    /// Changes a loaded module. Does nothing if it is no longer loaded: a scheduled change may be too late.
    pub(super) fn change(&mut self, name: &OsStr, change: impl FnOnce(&mut KernelModule)) {
        if let Some(position) = self.find(name) {
            change(&mut self.loaded[position]);
            self.publish();
        }
    }

    /// The names of what is loaded, newest first as in /proc/modules.
    pub(super) fn names(&self) -> Vec<OsString> {
        self.loaded.iter().rev().map(|module| module.name.clone()).collect()
    }

    fn find(&self, name: &OsStr) -> Option<usize> {
        self.loaded.iter().position(|module| module.name == name)
    }

    fn holders(&self, name: &OsStr) -> Vec<&OsStr> {
        let holds = |module: &&KernelModule| module.depends.iter().any(|other| other == name);
        self.loaded.iter().filter(holds).map(|module| module.name.as_os_str()).collect()
    }

    /// Writes `/proc/modules` and `/sys/module` as they look now, each file in one step.
    fn publish(&self) {
        let mut lines = Vec::new();
        for module in self.loaded.iter().rev() {
            let holders = self.holders(&module.name);
            self.publish_directory(module, &holders);
            let used_by = match holders[..] {
                [] => OsString::from("-"),
                _ => holders.iter().fold(OsString::new(), |mut list, name| {
                    list.push(name);
                    list.push(",");
                    list
                }),
            };
            lines.extend_from_slice(module.name.as_bytes());
            let references = holders.len() + module.users as usize;
            write!(lines, " {} {references} ", module.size).expect("writing to memory succeeds");
            lines.extend_from_slice(used_by.as_bytes());
            writeln!(lines, " {} 0x0000000000000000", proc_state(module.state))
                .expect("writing to memory succeeds");
        }
        replace(&self.root.join("proc/modules"), &lines);
    }

    fn publish_directory(&self, module: &KernelModule, holders: &[&OsStr]) {
        let directory = self.sys_module().join(&module.name);
        let holding = directory.join("holders");
        fs::create_dir_all(&holding).expect("the root is writable");
        let line = |file: &str, text: String| replace(&directory.join(file), format!("{text}\n").as_bytes());
        line("initstate", module.state.to_owned());
        line("refcnt", (holders.len() as u32 + module.users).to_string());
        line("coresize", module.size.to_string());
        for entry in fs::read_dir(&holding).expect("just made").flatten() {
            if !holders.contains(&entry.file_name().as_os_str()) {
                fs::remove_file(entry.path()).expect("ours to remove");
            }
        }
        for holder in holders {
            // It may exist already.
            let _ = std::os::unix::fs::symlink(Path::new("../..").join(holder), holding.join(holder));
        }
    }
}

/// The state as `/proc/modules` names it, which differs from `/sys/module`.
fn proc_state(state: &str) -> &str {
    match state {
        "coming" => "Loading",
        "going" => "Unloading",
        _ => "Live",
    }
}

/// Replaces a file atomically: a reader sees the old text or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) {
    let directory = path.parent().expect("a path in the root");
    fs::create_dir_all(directory).expect("the root is writable");
    let mut name = path.file_name().expect("a file's path").to_owned();
    name.push(".new");
    let new = directory.join(name);
    fs::write(&new, bytes).and_then(|()| fs::rename(&new, path)).expect("the root is writable");
}
