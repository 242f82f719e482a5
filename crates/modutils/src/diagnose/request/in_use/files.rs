//! What processes have open, what is mounted, and what is swapped on.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use nix::sys::stat::{major, minor};

use super::{
    User,
    devices::{Devices, Number, number},
};
use crate::{ModuleName, Root, config::lines::words, config::read};

/// Adds the processes that use a module's devices and file systems; whether there were processes that could not
/// be looked into.
pub(super) fn users(root: &Root, aliases: &[BString], devices: &Devices, users: &mut Vec<User>) -> bool {
    let (mut processes, mut mounts, mut hidden) = (Vec::new(), Vec::new(), false);
    let kinds = Kinds { aliases };
    let inodes = inodes(devices.module);
    let mut namespaces = HashSet::new();
    let own = root.system("/proc/self");
    namespaces.extend(fs::read_link(own.join("ns/mnt")).ok());
    mounted(&own, None, &kinds, devices, &mut mounts);
    // What this process was started with open is not what holds the module when it has ended.
    let others = processes_of(root).into_iter().filter(|(id, _)| *id != std::process::id());
    for (id, process) in others {
        match open_devices(&process, devices, inodes) {
            Ok(nodes) => {
                let name = BString::from(read(&process.join("comm")).unwrap_or_default().trim_end());
                let user = |node| User::Process { id, name: name.clone(), node };
                processes.extend(nodes.into_iter().map(user));
            }
            Err(error) => hidden |= error.kind() == std::io::ErrorKind::PermissionDenied,
        }
        let namespace = fs::read_link(process.join("ns/mnt"));
        if namespace.is_ok_and(|namespace| namespaces.insert(namespace)) {
            mounted(&process, Some(id), &kinds, devices, &mut mounts);
        }
    }
    users.extend(processes);
    users.extend(mounts);
    swapped(root, devices, users);
    hidden
}

/// The file systems that a module has: those of its aliases `fs-TYPE`. Its name does not matter: one called
/// `proc` does not have `/proc`.
struct Kinds<'a> {
    aliases: &'a [BString],
}

impl Kinds<'_> {
    fn has(&self, kind: &[u8]) -> bool {
        // `fuse.sshfs` is a `fuse` that sshfs has mounted.
        let kind = kind.split_once_str(".").map_or(kind, |(kind, _)| kind);
        self.aliases.iter().any(|alias| alias.strip_prefix(b"fs-") == Some(kind))
    }
}

/// The directories of the processes, by their ids.
fn processes_of(root: &Root) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(root.system("/proc")).into_iter().flatten().flatten();
    let numbered =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let mut processes: Vec<(u32, PathBuf)> = numbered.collect();
    processes.sort();
    processes
}

/// How the files of a module begin that are no devices and have no path.
fn inodes(module: &ModuleName) -> Option<&'static [u8]> {
    // Virtual machines and their processors (`virt/kvm/kvm_main.c`).
    matches!(module.as_bytes(), b"kvm" | b"kvm_intel" | b"kvm_amd").then_some(b"anon_inode:kvm-")
}

/// The module's devices that a process has open, each once.
fn open_devices(process: &Path, devices: &Devices, inodes: Option<&[u8]>) -> std::io::Result<Vec<BString>> {
    let mut nodes: Vec<BString> = Vec::new();
    for entry in fs::read_dir(process.join("fd"))?.flatten() {
        let link = inodes.and_then(|inodes| {
            let link = fs::read_link(entry.path()).ok()?;
            link.as_os_str().as_encoded_bytes().starts_with(inodes).then_some(link)
        });
        if let Some(link) = link {
            let node = BString::from(link.as_os_str().as_encoded_bytes());
            if !nodes.contains(&node) {
                nodes.push(node);
            }
            continue;
        }
        // The link leads to the open file itself, wherever its path has gone.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        let is_block = metadata.file_type().is_block_device();
        if !is_block && !metadata.file_type().is_char_device() {
            continue;
        }
        let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
        if !devices.has(Number { is_block, major, minor }) {
            continue;
        }
        let path = fs::read_link(entry.path()).map(PathBuf::into_os_string);
        let node = path.map_or_else(|_| BString::default(), |path| BString::from(path.as_encoded_bytes()));
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    Ok(nodes)
}

/// Adds what is mounted where a process lives, proc_pid_mountinfo(5).
fn mounted(process: &Path, seen_by: Option<u32>, kinds: &Kinds, devices: &Devices, mounts: &mut Vec<User>) {
    let text = read(&process.join("mountinfo")).unwrap_or_default();
    for mount in text.lines().filter_map(Mount::parse) {
        let is_on = |(major, minor)| devices.has(Number { is_block: true, major, minor });
        if kinds.has(mount.kind) || mount.device.is_some_and(is_on) {
            let (kind, point) = (mount.kind.into(), unescaped(mount.point));
            mounts.push(User::Mount { kind, point, seen_by });
        }
    }
}

/// A line of mountinfo.
struct Mount<'a> {
    device: Option<(u64, u64)>,
    point: &'a [u8],
    kind: &'a [u8],
}

impl<'a> Mount<'a> {
    /// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS… - TYPE SOURCE OPTIONS`.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (place, what) = line.split_once_str(" - ")?;
        let (mut place, mut what) = (words(place).skip(2), words(what));
        let device = number(place.next()?).filter(|(major, _)| *major != 0);
        Some(Self { device, point: place.nth(1)?, kind: what.next()? })
    }
}

/// The kernel writes blanks and similar bytes in paths as three octal digits after a backslash.
fn unescaped(path: &[u8]) -> BString {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| byte == b'\\').and_then(|digits| digits.to_str().ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    bytes.into()
}

fn swapped(root: &Root, devices: &Devices, users: &mut Vec<User>) {
    let text = read(&root.system("/proc/swaps")).unwrap_or_default();
    for path in text.lines().skip(1).filter_map(|line| words(line).next()).map(unescaped) {
        let Some(metadata) = path.to_path().ok().and_then(|path| fs::metadata(root.system(path)).ok()) else {
            continue;
        };
        let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
        if metadata.file_type().is_block_device() && devices.has(Number { is_block: true, major, minor }) {
            users.push(User::Swap(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mount_is_known_by_its_type_or_its_device() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let write = |path: &str, text: &str| {
            let path = system.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/devices", "Block devices:\n  7 loop\n");
        write(
            "proc/self/mountinfo",
            "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n2 1 7:0 / /mnt/a\\040b rw - iso9660 /dev/loop0 ro\n\
             3 1 0:40 / /home/me rw - fuse.sshfs you: rw\nnonsense\n",
        );
        let found = |module: &str, aliases: &[&str]| {
            let module = crate::ModuleName::new(module);
            let aliases: Vec<BString> = aliases.iter().map(|alias| BString::from(*alias)).collect();
            let mut found = Vec::new();
            users(&root, &aliases, &Devices::of(&root, &module, &aliases), &mut found);
            found.iter().map(User::text).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            found("loop", &[]),
            "A file system of type iso9660 is mounted on /mnt/a b (umount /mnt/a b)."
        );
        assert_eq!(found("isofs", &["fs-iso9660", "iso9660"]), found("loop", &[]));
        assert_eq!(found("ext4", &["fs-ext4"]), "A file system of type ext4 is mounted on / (umount /).");
        assert_eq!(
            found("fuse", &["fs-fuse"]),
            "A file system of type fuse.sshfs is mounted on /home/me (umount /home/me)."
        );
        assert_eq!(found("vfat", &["fs-vfat"]), "");
        assert_eq!(found("ext4", &[]), "", "a name is no type");
    }

    proptest! {
        #[test]
        fn any_mountinfo_is_read(text in proptest::collection::vec(prop_oneof![Just(b' '), Just(b'-'), Just(b'\n'), Just(b'\\'), Just(b'0'), any::<u8>()], 0..200)) {
            for mount in text.lines().filter_map(Mount::parse) {
                prop_assert!(unescaped(mount.point).len() <= mount.point.len());
            }
        }
    }
}
