//! Which devices are a module's own, and what its block devices are part of.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};

use super::User;
use crate::{ModuleName, Root, config::lines::words, config::read, glob::fnmatch, kernel::Kernel};

/// A device's number, with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) is_block: bool,
    pub(super) major: u64,
    pub(super) minor: u64,
}

/// What distinguishes a module's devices from others.
pub(super) struct Devices<'a> {
    root: &'a Root,
    pub(super) module: &'a ModuleName,
    /// `char-major-M-N` and `block-major-M-*`, as `MODULE_ALIAS_CHARDEV` and its kin make them.
    aliases: Vec<&'a [u8]>,
    /// Majors that are registered under the module's name: whether of a block device, and the number.
    majors: Vec<(bool, u64)>,
    /// Character devices that are registered under its name otherwise.
    numbers: Vec<(u64, u64)>,
}

/// Modules whose devices are registered under another name, as /proc/devices shows it.
const NAMES: [(&str, &str); 15] = [
    ("brd", "ramdisk"),
    ("cpuid", "cpu/cpuid"),
    ("dm_mod", "device-mapper"),
    ("kvm_amd", "kvm"),
    ("kvm_intel", "kvm"),
    ("md_mod", "md"),
    ("md_mod", "mdp"),
    ("mmc_block", "mmc"),
    ("msr", "cpu/msr"),
    ("null_blk", "nullb"),
    ("ppp_generic", "ppp"),
    ("sd_mod", "sd"),
    ("sr_mod", "sr"),
    ("virtio_blk", "virtblk"),
    ("nvme_core", "nvme"),
];

/// `MISC_MAJOR` of `include/uapi/linux/major.h`.
const MISC: u64 = 10;
/// What softdog calls itself; it has no device that would show whose it is.
const SOFTDOG: (&str, &[u8]) = ("softdog", b"Software Watchdog");
/// `WATCHDOG_MINOR` of `include/linux/miscdevice.h`, which the first watchdog has as well.
const WATCHDOG: u64 = 130;

impl<'a> Devices<'a> {
    pub(super) fn of(root: &'a Root, module: &'a ModuleName, aliases: &'a [BString]) -> Self {
        let is_number =
            |alias: &&[u8]| alias.starts_with(b"char-major-") || alias.starts_with(b"block-major-");
        let aliases = aliases.iter().map(|alias| alias.as_slice()).filter(is_number).collect();
        let list = read(&root.system("/proc/devices")).unwrap_or_default();
        let numbers = numbers(root, module);
        Self { root, module, aliases, majors: majors(&list, module), numbers }
    }

    /// Whether the device of a number is the module's: the module declares it itself, the number is
    /// registered under its name, or the device behind it has a driver of the module.
    pub(super) fn has(&self, number: Number) -> bool {
        let Number { is_block, major, minor } = number;
        let kind = if is_block { "block" } else { "char" };
        let alias = format!("{kind}-major-{major}-{minor}");
        self.aliases.iter().any(|pattern| fnmatch(pattern, alias.as_bytes()))
            || self.majors.contains(&(is_block, major))
            || (!is_block && self.numbers.contains(&(major, minor)))
            || self.is_driven(&self.root.system(format!("/sys/dev/{kind}/{major}:{minor}")))
    }

    /// Whether a device, or one that it is part of, has a driver of the module.
    fn is_driven(&self, device: &Path) -> bool {
        let Ok(device) = fs::canonicalize(device) else { return false };
        device.ancestors().any(|part| link_name(&part.join("driver/module")).as_ref() == Some(self.module))
    }

    /// What the module's block devices stand for, and what is made of them.
    pub(super) fn block_users(&self, users: &mut Vec<User>) {
        for entry in fs::read_dir(self.root.system("/sys/block")).into_iter().flatten().flatten() {
            let (path, device) = (entry.path(), BString::from(entry.file_name().as_bytes()));
            let Some((major, minor)) = number(&read(&path.join("dev")).unwrap_or_default()) else { continue };
            if !self.has(Number { is_block: true, major, minor }) {
                continue;
            }
            if let Ok(file) = read(&path.join("loop/backing_file")) {
                users.push(User::Loop { device: device.clone(), file: file.trim_end().into() });
            }
            for holder in names(&path.join("holders")) {
                users.push(User::Stacked { device: device.clone(), by: holder });
            }
        }
    }
}

/// The devices that are bound to a module's drivers.
pub(super) fn bound(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    let drivers = Kernel::running(root).module_directory(module).join("drivers");
    for driver in names(&drivers) {
        let path = drivers.join(OsStr::from_bytes(&driver));
        let is_device = |name: &BString| {
            let target = fs::read_link(path.join(OsStr::from_bytes(name)));
            name != "module"
                && target.is_ok_and(|target| target.as_os_str().as_bytes().contains_str("/devices/"))
        };
        let devices = names(&path).into_iter().filter(is_device);
        users.extend(devices.map(|device| User::Device { driver: driver.clone(), device }));
    }
}

/// The module that a link leads to.
pub(super) fn link_name(link: &Path) -> Option<ModuleName> {
    let target: PathBuf = fs::read_link(link).ok()?;
    Some(ModuleName::new(target.file_name()?.as_bytes()))
}

/// The names in a directory, sorted; none where it cannot be read.
pub(super) fn names(directory: &Path) -> Vec<BString> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<BString> = entries.map(|entry| entry.file_name().as_bytes().into()).collect();
    names.sort();
    names
}

/// The majors in the text of /proc/devices that are registered under a module's name.
fn majors(list: &[u8], module: &ModuleName) -> Vec<(bool, u64)> {
    let mut is_block = false;
    let mut majors = Vec::new();
    for line in list.lines() {
        let mut words = words(line);
        match (words.next(), words.next()) {
            (Some(b"Block"), _) => is_block = true,
            (Some(major), Some(name)) if is_registered(name, module) => {
                majors.extend(
                    major.to_str().ok().and_then(|major| major.parse().ok()).map(|major| (is_block, major)),
                );
            }
            _ => {}
        }
    }
    majors
}

/// Whether devices that are registered under a name are the module's.
fn is_registered(name: &[u8], module: &ModuleName) -> bool {
    let by_table =
        |(of, other): &(&str, &str)| of.as_bytes() == module.as_bytes() && other.as_bytes() == name;
    ModuleName::new(name) == *module || NAMES.iter().any(by_table)
}

/// The character devices of /proc/misc with the module's name, and the watchdogs that call themselves as it does.
fn numbers(root: &Root, module: &ModuleName) -> Vec<(u64, u64)> {
    let misc = read(&root.system("/proc/misc")).unwrap_or_default();
    let mut numbers: Vec<(u64, u64)> = misc
        .lines()
        .filter_map(|line| {
            let mut words = words(line);
            let (minor, name) = (words.next()?.to_str().ok()?.parse().ok()?, words.next()?);
            is_registered(name, module).then_some((MISC, minor))
        })
        .collect();
    let (softdog, identity) = SOFTDOG;
    if module.as_bytes() == softdog.as_bytes() {
        let directory = root.system("/sys/class/watchdog");
        for name in names(&directory) {
            let watchdog = directory.join(OsStr::from_bytes(&name));
            let text = |file: &str| read(&watchdog.join(file)).unwrap_or_default();
            if text("identity").trim() != identity {
                continue;
            }
            numbers.extend(number(&text("dev")));
            numbers.extend((name == "watchdog0").then_some((MISC, WATCHDOG)));
        }
    }
    numbers
}

/// `MAJOR:MINOR`.
pub(super) fn number(text: &[u8]) -> Option<(u64, u64)> {
    let (major, minor) = text.trim().to_str().ok()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_is_known_by_name_and_kind() {
        let list = b"Character devices:\n 10 misc\n 21 sg\n202 cpu/msr\n\nBlock devices:\n  7 loop\n252 nullb\n253 sg\n";
        assert_eq!(majors(list, &ModuleName::new("msr")), [(false, 202)]);
        assert_eq!(majors(list, &ModuleName::new("null-blk")), [(true, 252)]);
        assert_eq!(majors(list, &ModuleName::new("sg")), [(false, 21), (true, 253)]);
        assert_eq!(majors(list, &ModuleName::new("loop")), [(true, 7)]);
        assert!(majors(list, &ModuleName::new("devices:")).is_empty());
    }

    #[test]
    fn misc_devices_are_known_by_name_and_a_software_watchdog_by_what_it_calls_itself() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let watchdog = system.path().join("sys/class/watchdog/watchdog0");
        fs::create_dir_all(&watchdog).unwrap();
        fs::create_dir_all(system.path().join("proc")).unwrap();
        fs::write(system.path().join("proc/misc"), "232 kvm\n130 watchdog\nodd\n").unwrap();
        fs::write(watchdog.join("identity"), "Software Watchdog\n").unwrap();
        fs::write(watchdog.join("dev"), "247:0\n").unwrap();
        let numbers = |module: &str| numbers(&root, &ModuleName::new(module));
        assert_eq!(numbers("kvm"), [(10, 232)]);
        assert_eq!(numbers("kvm-intel"), [(10, 232)]);
        assert_eq!(numbers("softdog"), [(247, 0), (10, 130)]);
        assert!(numbers("iTCO_wdt").is_empty() && numbers("odd").is_empty());
    }

    #[test]
    fn a_device_is_known_by_alias_or_driver() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let (card, node) =
            (system.path().join("sys/devices/pci0/card"), "sys/devices/pci0/card/input/event3");
        fs::create_dir_all(system.path().join(node)).unwrap();
        fs::create_dir_all(system.path().join("sys/drv")).unwrap();
        fs::create_dir_all(system.path().join("sys/dev/char")).unwrap();
        std::os::unix::fs::symlink("../../module/my_card", system.path().join("sys/drv/module")).unwrap();
        std::os::unix::fs::symlink(system.path().join("sys/drv"), card.join("driver")).unwrap();
        std::os::unix::fs::symlink(system.path().join(node), system.path().join("sys/dev/char/13:67"))
            .unwrap();
        let module = ModuleName::new("my-card");
        let aliases = [BString::from("char-major-10-2*"), BString::from("pci:v*")];
        let devices = Devices::of(&root, &module, &aliases);
        let has = |is_block, major, minor| devices.has(Number { is_block, major, minor });
        assert!(has(false, 10, 237) && has(false, 13, 67));
        assert!(!has(true, 10, 237) && !has(false, 10, 100) && !has(false, 13, 68));
    }
}
