//! What the kernel itself works with a module for: schedulers of disks, arrays, mapped devices, character sets of file
//! systems, defaults of the network, what is configured in configfs.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use bstr::{BString, ByteSlice};

use super::{User, devices::names};
use crate::{ModuleName, Root, config::lines::words, config::read};

/// Subsystems of configfs in which each directory uses the module (`configfs_register_subsystem`).
const CONFIGURED: [(&str, &str); 5] = [
    ("null_blk", "nullb"),
    ("netconsole", "netconsole"),
    ("libcomposite", "usb_gadget"),
    ("gpio_sim", "gpio-sim"),
    ("gpio_virtuser", "gpio-virtuser"),
];

/// `IFF_PERSIST` of `include/uapi/linux/if_tun.h`.
const PERSISTENT: u32 = 0x0800;

/// Adds all of it.
pub(super) fn users(root: &Root, module: &ModuleName, aliases: &[BString], users: &mut Vec<User>) {
    block_devices(root, module, aliases, users);
    character_sets(root, module, users);
    defaults(root, module, users);
    configured(root, module, users);
    persistent(root, module, users);
    tls(root, module, users);
}

fn add(users: &mut Vec<User>, what: Vec<u8>, end: Vec<u8>) {
    users.push(User::Kernel { what: what.into(), end: end.into() });
}

/// The schedulers of disks, the levels of arrays, what the device mapper has made.
fn block_devices(root: &Root, module: &ModuleName, aliases: &[BString], users: &mut Vec<User>) {
    let directory = root.system("/sys/block");
    let is_scheduler = |name: &[u8]| {
        let full = [name, b"-iosched"].concat();
        ModuleName::new(&full) == *module || aliases.iter().any(|alias| **alias == *full)
    };
    for name in names(&directory) {
        let device = directory.join(OsStr::from_bytes(&name));
        let text = |path: &str| read(&device.join(path)).unwrap_or_default().trim().to_vec();
        let schedulers = text("queue/scheduler");
        let chosen = schedulers.split_once_str("[").and_then(|(_, rest)| rest.split_once_str("]"));
        if chosen.is_some_and(|(scheduler, _)| is_scheduler(scheduler)) {
            let file = [b"echo none >/sys/block/", name.as_slice(), b"/queue/scheduler"].concat();
            add(users, [b"It schedules what the disk ", name.as_slice(), b" does"].concat(), file);
        }
        let level = text("md/level");
        if !level.is_empty() && aliases.iter().any(|alias| alias.strip_prefix(b"md-") == Some(&level)) {
            let end = [b"mdadm --stop /dev/", name.as_slice()].concat();
            add(users, [b"The array ", name.as_slice(), b" is of its kind, ", &level].concat(), end);
        }
        let (mapped, id) = (text("dm/name"), text("dm/uuid"));
        if !mapped.is_empty() && has_mapped(module, &id) {
            let what = [b"The device ", name.as_slice(), b" is made with it, ", &mapped].concat();
            add(users, what, [b"dmsetup remove ", mapped.as_slice()].concat());
        }
    }
}

/// Whether a mapped device is a module's: all are the device mapper's, and cryptsetup(8) names its kinds in the ids that
/// it gives them.
fn has_mapped(module: &ModuleName, id: &[u8]) -> bool {
    match module.as_bytes() {
        b"dm_mod" => true,
        b"dm_verity" => id.starts_with(b"CRYPT-VERITY-"),
        b"dm_integrity" => id.starts_with(b"CRYPT-INTEGRITY-"),
        b"dm_crypt" => id.starts_with(b"CRYPT-LUKS") || id.starts_with(b"CRYPT-PLAIN"),
        _ => false,
    }
}

/// The file systems that are mounted with the character set of a module `nls_SET`.
fn character_sets(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    let Some(set) = module.as_bytes().strip_prefix(b"nls_") else { return };
    let text = read(&root.system("/proc/self/mountinfo")).unwrap_or_default();
    for line in text.lines() {
        let Some((place, what)) = line.split_once_str(" - ") else { continue };
        let (Some(point), Some(options)) = (words(place).nth(4), words(what).nth(2)) else { continue };
        let is_it = |option: &[u8]| {
            let Some((key, value)) = option.split_once_str("=") else { return false };
            let value = match key {
                b"codepage" => [b"cp", value].concat(),
                b"iocharset" | b"nls" => value.to_vec(),
                _ => return false,
            };
            ModuleName::new(&value).as_bytes() == set
        };
        if options.split_str(",").any(is_it) {
            let what = [b"The file system on ", point, b" is mounted with its character set"].concat();
            add(users, what, [b"umount ", point].concat());
        }
    }
}

/// Modules that the network uses by default.
fn defaults(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    for (file, prefix) in
        [("net/ipv4/tcp_congestion_control", &b"tcp_"[..]), ("net/core/default_qdisc", b"sch_")]
    {
        let value = read(&root.system(format!("/proc/sys/{file}"))).unwrap_or_default();
        let value = value.trim();
        if !value.is_empty() && ModuleName::new([prefix, value].concat()) == *module {
            let name = file.replace('/', ".");
            add(users, format!("It is the default of {name}").into(), format!("sysctl {name}=…").into());
        }
    }
}

/// What is configured in configfs.
fn configured(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    for (_, part) in CONFIGURED.iter().filter(|(name, _)| module.as_bytes() == name.as_bytes()) {
        let shown = format!("/sys/kernel/config/{part}");
        let directory = root.system(&shown);
        let is_directory = |name: &BString| directory.join(OsStr::from_bytes(name)).is_dir();
        for name in names(&directory).into_iter().filter(is_directory) {
            let path = [shown.as_bytes(), b"/", &name].concat();
            add(
                users,
                [b"It is configured in ", path.as_slice()].concat(),
                [b"rmdir ", path.as_slice()].concat(),
            );
        }
    }
}

/// Interfaces of tun that stay without a process.
fn persistent(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    if module.as_bytes() != b"tun" {
        return;
    }
    let directory = root.system("/sys/class/net");
    for name in names(&directory) {
        if flags(&directory.join(OsStr::from_bytes(&name)).join("tun_flags"))
            .is_some_and(|flags| flags & PERSISTENT != 0)
        {
            let what = [b"The network interface ", name.as_slice(), b" is persistent"].concat();
            add(users, what, [b"ip link delete ", name.as_slice()].concat());
        }
    }
}

fn flags(file: &Path) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

/// Connections that the kernel encrypts, by its counts in /proc/net/tls_stat.
fn tls(root: &Root, module: &ModuleName, users: &mut Vec<User>) {
    if module.as_bytes() != b"tls" {
        return;
    }
    let text = read(&root.system("/proc/net/tls_stat")).unwrap_or_default();
    let current = text.lines().filter(|line| line.starts_with(b"TlsCurr"));
    let counts = current.filter_map(|line| words(line).nth(1)?.to_str().ok()?.parse::<u64>().ok());
    let count = counts.fold(0, u64::saturating_add);
    if count > 0 {
        users.push(User::Sockets { protocol: "TLS".into(), count });
    }
}

/// Where the users of a module may be found that nothing in /proc and /sys shows.
pub(super) fn hint(module: &ModuleName, aliases: &[BString]) -> Option<&'static str> {
    let starts =
        |prefixes: &[&str]| prefixes.iter().any(|prefix| module.as_bytes().starts_with(prefix.as_bytes()));
    Some(match () {
        () if starts(&["xt_", "nft_", "ipt_", "ip6t_", "ebt_", "arpt_", "nf_", "ip_set"]) => {
            "A rule of the packet filter may be what uses it: nft list ruleset, iptables-save."
        }
        () if starts(&["sch_", "cls_", "act_", "em_"]) => {
            "The queue or a filter of a network interface may be what uses it: tc qdisc show, tc filter show."
        }
        () if starts(&["dm_"]) => "A mapped device may be what uses it: dmsetup table.",
        () if starts(&["tcp_"]) => "A connection may be what uses it: ss -ti.",
        () if starts(&["algif_", "af_alg", "vsock", "vmw_vsock", "hv_sock"]) => {
            "A socket of a process may be what uses it: lsof."
        }
        () if starts(&["nls_"]) => "A file system may be mounted with its character set elsewhere.",
        () if aliases.iter().any(|alias| alias.starts_with(b"fs-")) => {
            "A file system may be mounted where no process is any more, or no longer mounted (umount -l) with files still open: lsof."
        }
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_with_a_module_is_named() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let write = |path: &str, text: &str| {
            let path = system.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/block/sda/queue/scheduler", "none mq-deadline [bfq]\n");
        write("sys/block/sdb/queue/scheduler", "[kyber] none\n");
        write("sys/block/md0/md/level", "raid1\n");
        write("sys/block/dm-0/dm/name", "secret\n");
        write("sys/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-secret\n");
        let mount = "29 1 8:1 / /mnt rw - vfat /dev/sda1 rw,codepage=437,iocharset=iso8859-1\nnonsense\n";
        write("proc/self/mountinfo", mount);
        write("proc/sys/net/ipv4/tcp_congestion_control", "bbr\n");
        write("proc/sys/net/core/default_qdisc", "fq_codel\n");
        write("sys/kernel/config/nullb/features", "");
        fs::create_dir(system.path().join("sys/kernel/config/nullb/disk")).unwrap();
        write("sys/class/net/tap0/tun_flags", "0x1802\n");
        write("sys/class/net/tap1/tun_flags", "0x1002\n");
        write("proc/net/tls_stat", "TlsCurrTxSw 1\nTlsCurrRxSw 2\nTlsTxSw 9\n");
        let found = |module: &str, aliases: &[&str]| {
            let aliases: Vec<BString> = aliases.iter().map(|alias| BString::from(*alias)).collect();
            let mut found = Vec::new();
            users(&root, &ModuleName::new(module), &aliases, &mut found);
            found.iter().map(User::text).collect::<Vec<_>>().join("\n")
        };
        for (module, aliases, expected) in [
            (
                "bfq",
                &["bfq-iosched"][..],
                "It schedules what the disk sda does (echo none >/sys/block/sda/queue/scheduler).",
            ),
            (
                "kyber-iosched",
                &[],
                "It schedules what the disk sdb does (echo none >/sys/block/sdb/queue/scheduler).",
            ),
            (
                "raid1",
                &["md-personality-3", "md-raid1"],
                "The array md0 is of its kind, raid1 (mdadm --stop /dev/md0).",
            ),
            ("dm-mod", &[], "The device dm-0 is made with it, secret (dmsetup remove secret)."),
            ("dm-crypt", &[], "The device dm-0 is made with it, secret (dmsetup remove secret)."),
            ("nls_cp437", &[], "The file system on /mnt is mounted with its character set (umount /mnt)."),
            (
                "nls_iso8859-1",
                &[],
                "The file system on /mnt is mounted with its character set (umount /mnt).",
            ),
            (
                "tcp_bbr",
                &[],
                "It is the default of net.ipv4.tcp_congestion_control (sysctl net.ipv4.tcp_congestion_control=…).",
            ),
            (
                "sch_fq_codel",
                &[],
                "It is the default of net.core.default_qdisc (sysctl net.core.default_qdisc=…).",
            ),
            (
                "null_blk",
                &[],
                "It is configured in /sys/kernel/config/nullb/disk (rmdir /sys/kernel/config/nullb/disk).",
            ),
            ("tun", &[], "The network interface tap0 is persistent (ip link delete tap0)."),
            ("tls", &[], "There are 3 sockets of protocol TLS."),
        ] {
            assert_eq!(found(module, aliases), expected);
        }
        for (module, aliases) in [
            ("mq-deadline", &["mq-deadline-iosched"][..]),
            ("raid0", &["md-raid0"]),
            ("dm-verity", &[]),
            ("nls_utf8", &[]),
            ("sch_fq", &[]),
        ] {
            assert_eq!(found(module, aliases), "", "{module}");
        }
    }

    #[test]
    fn where_else_to_look_depends_on_the_modules_kind() {
        let hint = |module: &str, aliases: &[&str]| {
            let aliases: Vec<BString> = aliases.iter().map(|alias| BString::from(*alias)).collect();
            hint(&ModuleName::new(module), &aliases).unwrap_or_default()
        };
        assert!(hint("xt_conntrack", &[]).contains("nft") && hint("sch_fq", &[]).contains("tc qdisc"));
        assert!(hint("ext4", &["fs-ext4"]).contains("umount -l"));
        assert_eq!(hint("dummy", &["rtnl-link-dummy"]), "");
    }
}
