//! What the running kernel reports about itself in /proc and /sys. What cannot be read is not known.

use std::fs;

use bstr::{BString, ByteSlice};

use super::view::Running;
use crate::{
    ModuleName, Root, config::cmdline::refused_by_kernel, config::read, diagnose::rights, kernel::Kernel,
    kernel::modules::parse_modules,
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
    let kernel = Kernel::running(root);
    let modules = read(&root.system("/proc/modules")).unwrap_or_default();
    let loaded = parse_modules(&modules).filter_map(Result::ok);
    let loaded = loaded.map(|module| (module.name.clone(), kernel.state(&module.name))).collect();
    Running {
        loaded,
        modules_disabled: rights::modules_disabled(root),
        blacklist: word("/proc/cmdline").map(|line| blacklist(&line)).unwrap_or_default(),
        enforces_signatures: flag("/sys/module/module/parameters/sig_enforce"),
        lockdown: word("/sys/kernel/security/lockdown").and_then(|levels| chosen(&levels)),
        keys: fs::read(root.system("/proc/keys")).ok().and_then(|text| asymmetric_keys(&text)),
        is_permitted: rights::is_permitted(root),
        decompresses: kernel.compression(),
    }
}

/// The names of `module_blacklist=`, which the kernel compares as they are.
fn blacklist(command_line: &[u8]) -> Vec<ModuleName> {
    let names = refused_by_kernel(command_line).into_iter();
    names.filter(|name| !name.is_empty()).map(ModuleName::new).collect()
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
        assert_eq!(state.blacklist, [ModuleName::new("a"), ModuleName::new("b_c")]);
        assert_eq!(state.lockdown, Some("integrity".into()));
        assert_eq!(state.enforces_signatures, Some(false));
        assert_eq!(state.is_permitted, Some(true));
        assert_eq!(state.keys.unwrap(), ["Build key: 6ccece: X509.rsa bb419ea1 []"]);
    }
}
