//! What the running kernel reports about itself in /proc and /sys. What cannot be read is not known.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use bstr::{BString, ByteSlice};

use super::view::Running;
use crate::{
    ModuleName, Root,
    config::{cmdline::refused_by_kernel, read},
    diagnose::rights,
    kernel::{Kernel, modules::states},
};

/// Reads it.
pub fn state(root: &Root) -> Running {
    let word = |path: &str| {
        let text = read(&root.system(path)).ok()?;
        Some(BString::from(text.trim_ascii()))
    };
    let flag = |path: &str| match word(path)?.as_slice() {
        b"1" | b"Y" => Some(true),
        b"0" | b"N" => Some(false),
        _ => None,
    };
    let modules = read(&root.system("/proc/modules")).unwrap_or_default();
    let command_line = word("/proc/cmdline").unwrap_or_default();
    let has = |path: &str| root.system(path).exists();
    // Every kernel that has /sys shows parameters of its own there.
    let has_sys = has("/sys/module/kernel/parameters");
    let shown = word("/sys/kernel/security/lockdown").and_then(|levels| chosen(&levels));
    // Where that file system is mounted, a kernel that can be locked down shows how far it is.
    let is_shown = shown.is_some() || has("/sys/kernel/security/lsm");
    let lockdown = shown.or_else(|| if is_shown { Some("none".into()) } else { at_boot(&command_line) });
    let in_user_namespace = rights::in_user_namespace(root);
    Running {
        loaded: states(&modules).map(|(name, state)| (ModuleName::new(name), state)).collect(),
        modules_disabled: rights::modules_disabled(root),
        blacklist: refused_by_kernel(&command_line),
        enforces_signatures: flag("/sys/module/module/parameters/sig_enforce"),
        sig_enforce_at_boot: enforced_at_boot(&command_line),
        has_sys,
        has_proc: has("/proc/self/status"),
        decompresses: has("/sys/module/compression"),
        decoder: Kernel::running(root).compression(),
        may_be_locked_down: lockdown.is_none() && may_boot_securely(root),
        lockdown,
        appraises: appraises(root, &command_line),
        is_filtered: rights::is_filtered(root),
        keys: fs::read(root.system("/proc/keys")).ok().and_then(|text| asymmetric_keys(&text)),
        is_permitted: if in_user_namespace { Some(false) } else { rights::is_permitted(root) },
        in_user_namespace,
    }
}

/// A process that has a file open for writing: its id and name. Nothing is known of processes that may not be inspected.
pub fn writer(root: &Root, path: &Path) -> Option<(u32, BString)> {
    let file = fs::metadata(path).ok()?;
    let is_it = |other: &fs::Metadata| (other.dev(), other.ino()) == (file.dev(), file.ino());
    for process in fs::read_dir(root.system("/proc")).ok()?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let process = process.path();
        for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            // The link leads to the open file itself.
            if !fs::metadata(entry.path()).is_ok_and(|other| is_it(&other)) {
                continue;
            }
            let info = read(&process.join("fdinfo").join(entry.file_name())).unwrap_or_default();
            if writes(&info) {
                let name = read(&process.join("comm")).unwrap_or_default();
                return Some((id, name.trim_ascii().into()));
            }
        }
    }
    None
}

/// Whether the flags in `/proc/PID/fdinfo/FD`, in octal, are those of a file open for writing: `O_WRONLY` or `O_RDWR`.
fn writes(info: &[u8]) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix(b"flags:"));
    let last = flags.and_then(|flags| flags.trim_ascii().last());
    matches!(last, Some(b'1' | b'2' | b'5' | b'6'))
}

/// The level that the command line asks for: of several the highest, for it is never lowered.
fn at_boot(command_line: &[u8]) -> Option<BString> {
    let asked = |level: &&&str| {
        command_line.fields().any(|word| word.strip_prefix(b"lockdown=") == Some(level.as_bytes()))
    };
    ["confidentiality", "integrity"].iter().find(asked).map(|level| (*level).into())
}

/// Whether the command line switches `sig_enforce` on, which nothing switches off again.
fn enforced_at_boot(command_line: &[u8]) -> bool {
    command_line.fields().any(|word| match word.strip_prefix(b"module.sig_enforce") {
        Some(b"") => true,
        Some([b'=', value @ ..]) => {
            matches!(value, [b'y' | b'Y' | b't' | b'T' | b'1', ..] | [b'o' | b'O', b'n' | b'N', ..])
        }
        _ => false,
    })
}

/// Whether the firmware may have booted the kernel securely, which distributions' kernels answer with a lockdown.
fn may_boot_securely(root: &Root) -> bool {
    if !root.system("/sys/firmware/efi").exists() {
        return false;
    }
    let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    // Four bytes of attributes, then the value.
    !matches!(read(&root.system(variable)).as_deref(), Ok([_, _, _, _, 0]))
}

/// Whether an integrity policy with rules for modules may be in force: one that the command line names, or one that
/// was loaded since.
fn appraises(root: &Root, command_line: &[u8]) -> bool {
    let policy = command_line.fields().filter_map(|word| word.strip_prefix(b"ima_policy="));
    let mut by_name = policy.flat_map(|list| list.split(|&byte| byte == b'|'));
    let is_rule = |line: &[u8]| line.starts_with(b"appraise") && line.contains_str("func=MODULE_CHECK");
    let loaded = read(&root.system("/sys/kernel/security/ima/policy")).unwrap_or_default();
    let is_off = command_line.fields().any(|word| matches!(word, b"ima_appraise=off" | b"ima_appraise=log"));
    !is_off && (by_name.any(|name| name == b"secure_boot") || loaded.lines().any(is_rule))
}

/// The word in brackets: `none [integrity] confidentiality`.
fn chosen(levels: &[u8]) -> Option<BString> {
    let (_, rest) = levels.split_once_str("[")?;
    Some(rest.split_once_str("]")?.0.into())
}

/// The descriptions of the keys that verify signatures. `None` where none is shown: those of the
/// kernel are shown to root alone.
fn asymmetric_keys(text: &[u8]) -> Option<Vec<BString>> {
    let description = |line: &[u8]| {
        // Serial number, flags, uses, expiry, permissions, owner, group, type.
        let mut fields = line.fields();
        let kind = fields.nth(7)?;
        let start = line.find(kind)? + kind.len();
        (kind == b"asymmetri").then(|| BString::from(line.get(start..).unwrap_or_default().trim_ascii()))
    };
    let keys: Vec<BString> = text.lines().filter_map(description).collect();
    Some(keys).filter(|keys| !keys.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::State;

    #[test]
    fn the_kernels_state_is_read_from_its_files() {
        let system = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = system.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let root = Root::default().with_system(system.path());
        let nothing = state(&root);
        assert_eq!((nothing.modules_disabled, nothing.lockdown, nothing.keys), (None, None, None));
        write("proc/modules", "fat 1 0 - Live 0x0\n");
        write("sys/module/fat/initstate", "live\n");
        write("proc/sys/kernel/modules_disabled", "1\n");
        write("proc/cmdline", "quiet module_blacklist=a,b-c x=y\n");
        write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        write("sys/module/module/parameters/sig_enforce", "N\n");
        write("proc/self/status", "Name:\tx\nCapEff:\t0000000000010000\n");
        write(
            "proc/keys",
            "0a I--Q---  1 perm 1f3f0000 0 65534 keyring  _uid_ses.0: 1\n\
             2b I------  1 perm 1f030000 0 0 asymmetri Build key: 6ccece: X509.rsa bb419ea1 []\n",
        );
        let state = state(&root);
        assert_eq!(state.loaded.keys().collect::<Vec<_>>(), [&ModuleName::new("fat")]);
        assert_eq!(state.modules_disabled, Some(true));
        // The kernel compares names as they stand.
        assert_eq!(state.blacklist, ["a", "b-c"]);
        assert!(!state.in_user_namespace && !state.is_filtered && !state.may_be_locked_down);
        assert_eq!(state.lockdown, Some("integrity".into()));
        assert_eq!(state.enforces_signatures, Some(false));
        assert_eq!(state.is_permitted, Some(true));
        write("sys/kernel/security/lockdown", "");
        write("proc/cmdline", "lockdown=integrity lockdown=confidentiality module.sig_enforce\n");
        write("proc/self/uid_map", "         0       1000          1\n");
        write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\nSeccomp:\t2\n");
        write("proc/modules", "fat 1 0 - Live 0x0\na-b 1 1 - Loading 0x0\n");
        let narrow = super::state(&root);
        assert_eq!(narrow.lockdown, Some("confidentiality".into()));
        assert!(narrow.sig_enforce_at_boot && narrow.in_user_namespace && narrow.is_filtered);
        assert_eq!(narrow.is_permitted, Some(false));
        assert_eq!(narrow.loaded[&ModuleName::new("a_b")], State::Coming);
        assert_eq!(narrow.loaded[&ModuleName::new("fat")], State::Live);
        write("sys/kernel/security/lsm", "capability\n");
        assert_eq!(super::state(&root).lockdown, Some("none".into()));
        assert!(writes(b"pos:\t0\nflags:\t0100001\n") && writes(b"flags:\t02\n"));
        assert!(!writes(b"flags:\t0100000\n") && !writes(b""));
        assert_eq!(state.keys.unwrap(), ["Build key: 6ccece: X509.rsa bb419ea1 []"]);
    }
}
