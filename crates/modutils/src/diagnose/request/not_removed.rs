//! Why the kernel did not drop a module that nothing uses, or that is not there.

use crate::Errno;
use bstr::ByteSlice;

use super::similar::similar;
use crate::diagnose::words::shown;
use crate::{
    ModuleName, Root,
    config::read,
    kernel::{Kernel, State},
};

/// The bit of CAP_SYS_MODULE, `include/uapi/linux/capability.h`.
const CAP_SYS_MODULE: u32 = 16;

/// What the kernel's answer to delete_module(2) means here, in lines for people; none where nothing more
/// is known than the number says.
pub fn causes(root: &Root, module: &ModuleName, errno: Errno) -> Vec<String> {
    let kernel = Kernel::running(root);
    let line = match errno {
        Errno::EPERM if modules_are_disabled(root) => {
            "Loading and unloading are switched off until the next boot (kernel.modules_disabled is 1)."
        }
        Errno::EPERM if !may_unload(root) => "Only root, with CAP_SYS_MODULE, may unload modules.",
        Errno::EBUSY if is_permanent(&kernel, module) => {
            "It has no exit function, or must not run it: it stays until the machine stops."
        }
        Errno::EBUSY if kernel.state(module) == State::Coming => "It is still being loaded.",
        Errno::EBUSY if kernel.state(module) == State::Going => "It is being unloaded already.",
        _ => return Vec::new(),
    };
    vec![line.into()]
}

/// Loaded modules whose names are almost that of one that is not loaded.
pub fn not_loaded(root: &Root, module: &ModuleName) -> Vec<String> {
    let loaded = Kernel::running(root).loaded_modules(&mut |_| ()).unwrap_or_default();
    let names = similar(module.as_bytes(), loaded.iter().map(|loaded| loaded.name.as_bytes()));
    let names: Vec<String> = names.iter().map(shown).collect();
    if names.is_empty() { Vec::new() } else { vec![format!("Did you mean {}?", names.join(" or "))] }
}

fn modules_are_disabled(root: &Root) -> bool {
    read(&root.system("/proc/sys/kernel/modules_disabled")).is_ok_and(|switch| switch.trim() == b"1")
}

/// Whether this process has the capability, or cannot tell.
fn may_unload(root: &Root) -> bool {
    let status = read(&root.system("/proc/self/status")).unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix(b"CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim().to_str().ok()?, 16).ok());
    set.is_none_or(|set| set.checked_shr(CAP_SYS_MODULE).is_some_and(|set| set & 1 == 1))
}

fn is_permanent(kernel: &Kernel, module: &ModuleName) -> bool {
    let loaded = kernel.loaded_modules(&mut |_| ()).unwrap_or_default();
    loaded.iter().any(|loaded| loaded.name == *module && loaded.permanent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_answer_means_is_read_from_the_system() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let write = |path: &str, text: &str| {
            let path = system.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let why = |name: &str, errno| causes(&root, &ModuleName::new(name), errno).concat();
        assert_eq!(why("stays", Errno::EPERM), "");
        write("proc/self/status", "Name:\trmmod\nCapEff:\t0000000000000000\n");
        assert!(why("stays", Errno::EPERM).starts_with("Only root"));
        write("proc/sys/kernel/modules_disabled", "1\n");
        assert!(why("stays", Errno::EPERM).contains("modules_disabled"));
        write("proc/modules", "stays 4096 1 [permanent], Live 0x0\nother 4096 1 - Live 0x0\n");
        assert!(why("stays", Errno::EBUSY).starts_with("It has no exit function"));
        assert_eq!(why("other", Errno::EBUSY), "");
        assert_eq!(not_loaded(&root, &ModuleName::new("satys")), ["Did you mean stays?"]);
        assert!(not_loaded(&root, &ModuleName::new("entirely")).is_empty());
    }
}
