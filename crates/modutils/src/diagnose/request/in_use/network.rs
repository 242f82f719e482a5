//! Sockets, network interfaces, and the kernel's ciphers.

use std::{fs, os::unix::ffi::OsStrExt};

use bstr::{BStr, BString, ByteSlice};

use super::{
    User,
    devices::{link_name, names},
};
use crate::{ModuleName, Root, config::lines::words, config::read};

/// The protocols of a module that have sockets: /proc/net/protocols (`net/core/sock.c`) names the module
/// of each.
pub(super) fn sockets(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    let text = read(&root.system("/proc/net/protocols")).unwrap_or_default();
    let mut lines = text.lines();
    let head: Vec<&[u8]> = words(lines.next().unwrap_or_default()).collect();
    let column = |name: &[u8]| head.iter().position(|word| *word == name);
    let (Some(count), Some(owner)) = (column(b"sockets"), column(b"module")) else { return };
    for line in lines {
        let row: Vec<&[u8]> = words(line).collect();
        let (Some(protocol), Some(count), Some(owner)) = (row.first(), row.get(count), row.get(owner)) else {
            continue;
        };
        let count = count.to_str().ok().and_then(|count| count.parse().ok()).unwrap_or(0);
        if ModuleName::new(owner) == *module && count > 0 {
            users.push(User::Sockets { protocol: BString::from(*protocol), count });
        }
    }
}

/// The algorithms of a module that something works with: each in /proc/crypto (`crypto/proc.c`) is counted
/// once for being there.
pub(super) fn algorithms(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    let text = read(&root.system("/proc/crypto")).unwrap_or_default();
    for block in text.split_str("\n\n") {
        let value = |key: &str| block.lines().find_map(|line| entry(line, key));
        let count: u64 = value("refcnt").and_then(|count| count.to_str().ok()?.parse().ok()).unwrap_or(0);
        let owner = value("module").map(ModuleName::new);
        let Some(name) = value("name") else { continue };
        if owner.as_ref() == Some(module) && count > 1 {
            users.push(User::Algorithm(name.into()));
        }
    }
}

fn entry<'a>(line: &'a [u8], key: &str) -> Option<&'a BStr> {
    let (name, value) = line.split_once_str(":")?;
    (name.trim() == key.as_bytes()).then(|| value.trim().as_bstr())
}

/// The interfaces that a module drives, or whose kind is the module's: its aliases `rtnl-link-KIND` name
/// these.
pub(super) fn interfaces(root: &Root, module: &ModuleName, aliases: &[BString], users: &mut Vec<User>) {
    let directory = root.system("/sys/class/net");
    for name in names(&directory) {
        let interface = directory.join(std::ffi::OsStr::from_bytes(&name));
        let is_driven = link_name(&interface.join("device/driver/module")).as_ref() == Some(module);
        let events = fs::read(interface.join("uevent")).unwrap_or_default();
        let kind = events.lines().find_map(|line| line.strip_prefix(b"DEVTYPE="));
        let is_kind =
            |alias: &BString| alias.strip_prefix(b"rtnl-link-").is_some_and(|own| Some(own) == kind);
        if is_driven || aliases.iter().any(is_kind) {
            users.push(User::Interface(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_algorithms_are_a_modules_by_its_name() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        fs::create_dir_all(system.path().join("proc/net")).unwrap();
        let protocols = "protocol  size sockets  memory press maxhdr  slab module     cl\n\
                         SCTP      1 2  -1   NI  0   yes  sctp  y\nUNIX 1 9 -1 NI 0 yes kernel n\nshort\n";
        fs::write(system.path().join("proc/net/protocols"), protocols).unwrap();
        let crypto = "name         : ghash\nmodule       : ghash_generic\nrefcnt       : 3\n\n\
                      name         : crc32c\nmodule       : ghash_generic\nrefcnt       : 1\n";
        fs::write(system.path().join("proc/crypto"), crypto).unwrap();
        let found = |module: &str| {
            let (module, mut users) = (ModuleName::new(module), Vec::new());
            sockets(&root, &module, &mut users);
            algorithms(&root, &module, &mut users);
            users
        };
        assert_eq!(found("sctp"), [User::Sockets { protocol: "SCTP".into(), count: 2 }]);
        assert_eq!(found("ghash-generic"), [User::Algorithm("ghash".into())]);
        assert!(found("crc32c").is_empty());
    }
}
