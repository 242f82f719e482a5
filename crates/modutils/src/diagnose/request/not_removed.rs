//! Why the kernel did not drop a module that nothing uses, or that is not there.

use super::{in_use::in_use, similar::similar};
use crate::{
    Errno, ModuleName, Root,
    diagnose::{Remark, rights, words::printable},
    kernel::{Kernel, State},
};

/// What the kernel's answer to delete_module(2) means here; nothing where no more is known than the
/// number means.
///
/// The kinds are `in_use`, `modules_disabled`, `not_permitted`, `permanent`, `coming` and `going`.
pub fn not_removed(root: &Root, module: &ModuleName, errno: Errno) -> Vec<Remark> {
    let kernel = Kernel::running(root);
    let (kind, line) = match errno {
        Errno::EAGAIN => {
            let lines = in_use(root, module).lines();
            let remark = (!lines.is_empty()).then(|| Remark::new("in_use", lines));
            return remark.into_iter().collect();
        }
        Errno::EPERM if rights::modules_disabled(root) == Some(true) => (
            "modules_disabled",
            "Loading and unloading are switched off until the next boot (kernel.modules_disabled is 1).",
        ),
        Errno::EPERM if rights::is_permitted(root) == Some(false) => {
            ("not_permitted", "Only root, with CAP_SYS_MODULE, may unload modules.")
        }
        Errno::EBUSY if is_permanent(&kernel, module) => {
            ("permanent", "It has no exit function, or must not run it: it stays until the machine stops.")
        }
        Errno::EBUSY if kernel.state(module) == State::Coming => ("coming", "It is still being loaded."),
        Errno::EBUSY if kernel.state(module) == State::Going => ("going", "It is being unloaded already."),
        _ => return Vec::new(),
    };
    vec![Remark::new(kind, vec![line.into()])]
}

/// The loaded modules whose names are almost that of one that is not loaded; none where there are none.
/// Its kind is `similar`.
pub fn not_loaded(root: &Root, module: &ModuleName) -> Option<Remark> {
    let loaded = Kernel::running(root).loaded_modules(&mut |_| ()).unwrap_or_default();
    let names = similar(module.as_bytes(), loaded.iter().map(|loaded| loaded.name.as_bytes()));
    let names: Vec<String> = names.iter().map(printable).collect();
    let line = || format!("Did you mean {}?", names.join(" or "));
    (!names.is_empty()).then(|| Remark::new("similar", vec![line()]))
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
        let why = |name: &str, errno| {
            let remarks = not_removed(&root, &ModuleName::new(name), errno);
            remarks.iter().flat_map(Remark::text).cloned().collect::<String>()
        };
        assert_eq!(why("stays", Errno::EPERM), "");
        write("proc/self/status", "Name:\trmmod\nCapEff:\t0000000000000000\n");
        assert!(why("stays", Errno::EPERM).starts_with("Only root"));
        write("proc/sys/kernel/modules_disabled", "1\n");
        assert!(why("stays", Errno::EPERM).contains("modules_disabled"));
        write("proc/modules", "stays 4096 1 [permanent], Live 0x0\nother 4096 1 - Live 0x0\n");
        assert!(why("stays", Errno::EBUSY).starts_with("It has no exit function"));
        assert_eq!(why("other", Errno::EBUSY), "");
        let meant = not_loaded(&root, &ModuleName::new("satys")).unwrap();
        assert_eq!((meant.kind(), meant.text()), ("similar", &["Did you mean stays?".into()][..]));
        assert_eq!(not_loaded(&root, &ModuleName::new("entirely")), None);
    }
}
