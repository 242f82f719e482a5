//! What the running kernel reports about itself in /proc and /sys. What cannot be read is not known, which is not the
//! same as that there is nothing.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use bstr::{BString, ByteSlice};

use super::view::Running;
use crate::{
    ModuleName, Root,
    config::{cmdline::refused_by_kernel, read},
    diagnose::rights,
    files,
    formats::kernel_config::KernelConfig,
    kernel::{Kernel, modules::states},
};

/// Reads it. Of a part that cannot be read, what the kernel was built with may show that there is none.
pub fn state(root: &Root, config: Option<&KernelConfig>) -> Running {
    let word = |path: &str| {
        let text = read(&root.system(path)).ok()?;
        Some(BString::from(text.trim_ascii()))
    };
    let flag = |path: &str| match word(path)?.as_slice() {
        b"1" | b"Y" => Some(true),
        b"0" | b"N" => Some(false),
        _ => None,
    };
    let modules = read(&root.system("/proc/modules")).ok();
    let loaded = |text: &Vec<u8>| states(text).map(|(name, state)| (ModuleName::new(name), state)).collect();
    let command_line = word("/proc/cmdline");
    let is_off = |option| config.and_then(|config| config.is_on(option)) == Some(false);
    let has = |path: &str| root.system(path).exists();
    // Every kernel that has /sys shows parameters of its own there.
    let has_sys = has("/sys/module/kernel/parameters");
    let shown = word("/sys/kernel/security/lockdown").and_then(|levels| chosen(&levels));
    // Where that file system is mounted, a kernel that can be locked down shows how far it is.
    let is_shown = shown.is_some() || has("/sys/kernel/security/lsm");
    let lockdown = shown.or_else(|| match is_shown || is_off("SECURITY_LOCKDOWN_LSM") {
        true => Some("none".into()),
        false => at_boot(command_line.as_deref()?),
    });
    let in_user_namespace = rights::in_user_namespace(root);
    Running {
        loaded: modules.as_ref().map(loaded),
        proprietary: modules.iter().flat_map(|text| proprietary(text)).collect(),
        modules_disabled: rights::modules_disabled(root),
        blacklist: command_line.as_deref().map(|line| refused_by_kernel(line)),
        enforces_signatures: flag("/sys/module/module/parameters/sig_enforce"),
        sig_enforce_at_boot: command_line.as_deref().map(|line| enforced_at_boot(line)),
        has_sys,
        shows_kernel: has("/sys/kernel/notes"),
        has_btf: has("/sys/kernel/btf/vmlinux"),
        decompresses: has("/sys/module/compression"),
        decoder: Kernel::running(root).compression(),
        may_be_locked_down: lockdown.is_none() && (command_line.is_none() || may_boot_securely(root)),
        lockdown,
        appraises: appraises(root, command_line.as_deref().map(Vec::as_slice), config),
        is_filtered: rights::is_filtered(root),
        keys: fs::read(root.system("/proc/keys")).ok().and_then(|text| asymmetric_keys(&text)),
        is_permitted: match in_user_namespace {
            Some(true) => Some(false),
            Some(false) => rights::is_permitted(root),
            None => rights::is_permitted(root).filter(|permitted| !permitted),
        },
        in_user_namespace,
    }
}

/// The modules that taint the kernel as proprietary, by the letters in parentheses at the ends of their lines.
fn proprietary(modules: &[u8]) -> impl Iterator<Item = ModuleName> + '_ {
    modules.lines().filter_map(|line| {
        let taints = line.fields().last()?.strip_prefix(b"(")?;
        taints.contains(&b'P').then(|| line.fields().next().map(ModuleName::new))?
    })
}

/// A process that has a file open for writing: its id and name. Nothing is known of processes that may not be inspected.
pub fn writer(root: &Root, path: &Path) -> Option<(u32, BString)> {
    let file = files::metadata(path).ok()?;
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

/// Whether an integrity policy with rules for modules may be in force (IMA): one that the command line names, or one
/// that was loaded since, `/sys/kernel/security/ima/policy`.
fn appraises(root: &Root, command_line: Option<&[u8]>, config: Option<&KernelConfig>) -> Option<bool> {
    let option = |name| config.and_then(|config| config.is_on(name));
    if option("IMA_APPRAISE") == Some(false) {
        return Some(false);
    }
    // A kernel with the policy has this file system (CONFIG_IMA selects SECURITYFS), and with it the place to mount it.
    if root.system("/sys/kernel").exists() && !root.system("/sys/kernel/security").exists() {
        return Some(false);
    }
    let directory = root.system("/sys/kernel/security/ima");
    if !directory.exists() && root.system("/sys/kernel/security/lsm").exists() {
        // What else is in that file system shows that the kernel has no such policy.
        return Some(false);
    }
    let words = || command_line.into_iter().flat_map(|line| line.fields());
    // Where the firmware booted the kernel securely, it does not honour that.
    let can_be_off = option("IMA_APPRAISE_BOOTPARAM") != Some(false) && !may_boot_securely(root);
    let off = [&b"ima_appraise=off"[..], b"ima_appraise=log", b"ima_appraise=fix"];
    if can_be_off && words().any(|word| off.contains(&word)) {
        return Some(false);
    }
    let policies = words().filter_map(|word| word.strip_prefix(b"ima_policy="));
    let mut policies = policies.flat_map(|list| list.split(|&byte| byte == b'|'));
    let by_name = policies.any(|name| matches!(name, b"secure_boot" | b"appraise_tcb"))
        || words().any(|word| word == b"ima_appraise_tcb");
    if by_name {
        return Some(true);
    }
    let policy = directory.join("policy");
    let of_modules = |line: &[u8]| {
        // A rule that names no function is for all of them.
        line.starts_with(b"appraise")
            && (line.contains_str("func=MODULE_CHECK") || !line.contains_str("func="))
    };
    let is_loaded = match read(&policy) {
        Ok(rules) => Some(rules.lines().any(of_modules)),
        // A kernel built without either option removes the file once a policy is written to it.
        Err(error) if error.kind() != ErrorKind::NotFound && policy.exists() => {
            let once = option("IMA_WRITE_POLICY") == Some(false) && option("IMA_READ_POLICY") == Some(false);
            once.then_some(false)
        }
        Err(_) => None,
    };
    is_loaded.filter(|is_loaded| *is_loaded || command_line.is_some())
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
        let state = |root: &Root| super::state(root, None);
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
        let wide = state(&root);
        assert_eq!(wide.loaded.as_ref().unwrap().keys().collect::<Vec<_>>(), [&ModuleName::new("fat")]);
        assert_eq!(wide.modules_disabled, Some(true));
        // The kernel compares names as they stand.
        assert_eq!(wide.blacklist.as_deref(), Some(&["a".into(), "b-c".into()][..]));
        assert_eq!((wide.in_user_namespace, wide.is_filtered), (Some(false), Some(false)));
        assert!(!wide.may_be_locked_down);
        assert_eq!(wide.lockdown, Some("integrity".into()));
        assert_eq!(wide.enforces_signatures, Some(false));
        assert_eq!(wide.is_permitted, Some(true));
        write("sys/kernel/security/lockdown", "");
        write("proc/cmdline", "lockdown=integrity lockdown=confidentiality module.sig_enforce\n");
        write("proc/self/uid_map", "         0       1000          1\n");
        write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\nSeccomp:\t2\n");
        write("proc/modules", "fat 1 0 - Live 0x0\na-b 1 1 - Loading 0x0 (POE)\nP 1 0 - Live 0x0 (OE)\n");
        let narrow = state(&root);
        assert_eq!(narrow.lockdown, Some("confidentiality".into()));
        assert_eq!(narrow.sig_enforce_at_boot, Some(true));
        assert_eq!((narrow.in_user_namespace, narrow.is_filtered), (Some(true), Some(true)));
        assert_eq!(narrow.is_permitted, Some(false));
        let states = ["a_b", "fat", "vfat"].map(|module| narrow.state(&ModuleName::new(module)));
        assert_eq!(states, [State::Coming, State::Live, State::Absent]);
        assert_eq!(narrow.proprietary, [ModuleName::new("a-b")].into());
        write("sys/kernel/security/lsm", "capability\n");
        assert_eq!(state(&root).lockdown, Some("none".into()));
        assert!(writes(b"pos:\t0\nflags:\t0100001\n") && writes(b"flags:\t02\n"));
        assert!(!writes(b"flags:\t0100000\n") && !writes(b""));
        assert_eq!(wide.keys.unwrap(), ["Build key: 6ccece: X509.rsa bb419ea1 []"]);
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_not_empty() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let state = |config: Option<&str>| {
            let config = config.map(|text| KernelConfig::parse(text.as_bytes()).unwrap());
            super::state(&root, config.as_ref())
        };
        // A directory in the place of a file cannot be read, whoever tries.
        for path in ["modules", "cmdline", "self/status", "self/uid_map"] {
            fs::create_dir_all(system.path().join("proc").join(path)).unwrap();
        }
        let nothing = state(None);
        assert_eq!((&nothing.loaded, &nothing.blacklist), (&None, &None));
        assert_eq!(nothing.state(&ModuleName::new("fat")), State::Unknown);
        assert_eq!((nothing.sig_enforce_at_boot, nothing.appraises), (None, None));
        assert_eq!(
            (nothing.in_user_namespace, nothing.is_filtered, nothing.is_permitted),
            (None, None, None)
        );
        assert!(nothing.may_be_locked_down);
        // What the kernel was not built with it does not do.
        let built =
            state(Some("CONFIG_MODULES=y\n# CONFIG_SECURITYFS is not set\n# CONFIG_SECURITY is not set\n"));
        assert_eq!((built.appraises, built.may_be_locked_down), (Some(false), false));
    }

    #[test]
    fn an_integrity_policy_is_known_by_its_rules_or_by_what_shows_that_there_is_none() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let security = system.path().join("sys/kernel/security");
        let asks = |command_line: &str, config: &str| {
            let config = KernelConfig::parse(format!("CONFIG_MODULES=y\n{config}").as_bytes());
            appraises(&root, Some(command_line.as_bytes()), config.as_ref())
        };
        // The file system that has it is not mounted.
        assert_eq!(asks("", ""), None);
        assert_eq!(asks("ima_policy=tcb|secure_boot", ""), Some(true));
        assert_eq!(asks("ima_appraise_tcb", ""), Some(true));
        assert_eq!(asks("ima_policy=secure_boot ima_appraise=log", ""), Some(false));
        let ignored = "CONFIG_IMA_APPRAISE=y\n# CONFIG_IMA_APPRAISE_BOOTPARAM is not set\n";
        assert_eq!(asks("ima_policy=secure_boot ima_appraise=off", ignored), Some(true));
        assert_eq!(asks("", "# CONFIG_IMA is not set\n"), Some(false));
        // A kernel without that file system has no place for it.
        fs::create_dir_all(system.path().join("sys/kernel")).unwrap();
        assert_eq!(asks("", ""), Some(false));
        fs::create_dir_all(&security).unwrap();
        assert_eq!(asks("", ""), None);
        fs::write(security.join("lsm"), "capability").unwrap();
        assert_eq!(asks("", ""), Some(false));
        fs::create_dir_all(security.join("ima")).unwrap();
        // Written, and removed by the kernel then.
        assert_eq!(asks("", ""), None);
        let policy = security.join("ima/policy");
        for (rules, expected) in [
            ("measure func=MODULE_CHECK\n", false),
            ("appraise func=BPRM_CHECK fowner=0\n", false),
            ("appraise func=MODULE_CHECK appraise_type=imasig\n", true),
            ("appraise fowner=0\n", true),
        ] {
            fs::write(&policy, rules).unwrap();
            assert_eq!(asks("", ""), Some(expected), "{rules}");
        }
        fs::remove_file(&policy).unwrap();
        // One that cannot be read is still as the kernel made it where it is written once.
        fs::create_dir(&policy).unwrap();
        assert_eq!(asks("", ""), None);
        let once = "# CONFIG_IMA_READ_POLICY is not set\n# CONFIG_IMA_WRITE_POLICY is not set\n";
        assert_eq!(asks("", once), Some(false));
    }
}
