//! Why the kernel did not drop a module that nothing uses, or that is not there.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::{
    in_use::{coming, in_use},
    not_found::not_found,
    similar::similar,
};
use crate::{
    Context, Errno, Error, ModuleName, Root,
    diagnose::{Remark, rights, words::printable},
    files,
    kernel::{Kernel, State},
    module_file::ModuleFile,
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
        Errno::EBUSY if kernel.is_permanent(module) => (
            "permanent",
            "It has no exit function, or must not run it: the kernel removes it by force at most (rmmod -f).",
        ),
        Errno::EBUSY if kernel.state(module) == State::Coming => ("coming", coming(root)),
        Errno::EBUSY if kernel.state(module) == State::Going => ("going", "It is being unloaded already."),
        _ => return Vec::new(),
    };
    vec![Remark::new(kind, vec![line.into()])]
}

/// Why no module can be removed that was asked for by this name: [`not_found`](super::not_found), but for a
/// file, and a module that is loaded although no index has it.
///
/// The kinds beside those of [`not_found`](super::not_found) are `takes_names` and `loaded`.
pub fn not_found_to_remove(context: &Context, name: &[u8], error: Option<&Error>) -> Vec<Remark> {
    let path = &context.root().locate(OsStr::from_bytes(name));
    if name.contains(&b'/') && files::is_file(path) {
        let file = ModuleFile::open(path).and_then(|file| file.kernel_name());
        let module = file.ok().or_else(|| ModuleName::from_path(path));
        let names = module.map(|module| format!("; this one is called {}", printable(&module)));
        let line = format!("modprobe -r takes the names of modules, not files{}.", names.unwrap_or_default());
        return vec![Remark::new("takes_names", vec![line]).about(name)];
    }
    let module = ModuleName::new(name);
    match Kernel::running(context.root()).state(&module) {
        // An index that cannot be read may have it.
        _ if error.is_some() => not_found(context, name, error),
        State::Absent | State::Unknown => not_found(context, name, error),
        _ => {
            let line = format!("It is loaded, and no index has it: rmmod {} removes it.", printable(&module));
            vec![Remark::new("loaded", vec![line])]
        }
    }
}

/// The loaded modules whose names are almost that of one that is not loaded; none where there are none.
/// A name that is right is not corrected: one of a module of the running kernel. Its kind is `similar`.
pub fn not_loaded(root: &Root, module: &ModuleName) -> Option<Remark> {
    let context = Context::builder().root(root.clone()).without_configuration().build();
    if context.and_then(|context| context.lookup_name(module.as_bytes())).is_ok_and(|found| !found.is_empty())
    {
        return None;
    }
    let loaded = Kernel::running(root).loaded_modules(&mut |_| ()).unwrap_or_default();
    let names = similar(module.as_bytes(), loaded.iter().map(|loaded| loaded.name.as_bytes()));
    let names: Vec<String> = names.iter().map(printable).collect();
    let line = || format!("Did you mean {}?", names.join(" or "));
    (!names.is_empty()).then(|| Remark::new("similar", vec![line()]))
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
        write("sys/module/slow/initstate", "coming\n");
        assert_eq!(why("slow", Errno::EBUSY), "It is still being loaded.");
        // The kernel had an error: it is tainted with D, and W.
        write("proc/sys/kernel/tainted", "640\n");
        assert!(why("slow", Errno::EBUSY).contains("stuck since an error of the kernel"));
        let meant = not_loaded(&root, &ModuleName::new("satys")).unwrap();
        assert_eq!((meant.kind(), meant.text()), ("similar", &["Did you mean stays?".into()][..]));
        assert_eq!(not_loaded(&root, &ModuleName::new("entirely")), None);
    }

    #[test]
    fn a_name_that_is_right_is_not_corrected() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path()).with_base(system.path());
        let directory = root.modules(&crate::Release::running().unwrap());
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::create_dir_all(system.path().join("proc")).unwrap();
        std::fs::write(system.path().join("proc/modules"), "fat 4096 0 - Live 0x0\n").unwrap();
        assert!(not_loaded(&root, &ModuleName::new("vfat")).is_some());
        std::fs::write(directory.join("modules.dep.bin"), testkit::index([("vfat", "vfat.ko:")])).unwrap();
        assert_eq!(not_loaded(&root, &ModuleName::new("vfat")), None);
    }

    #[test]
    fn what_was_asked_for_to_remove_is_a_file_or_loaded() {
        let system = tempfile::tempdir().unwrap();
        let file = system.path().join("renamed.ko");
        std::fs::write(&file, testkit::ModuleBuilder::new("inner").build()).unwrap();
        std::fs::create_dir_all(system.path().join("sys/module/inner")).unwrap();
        let root = Root::default().with_system(system.path()).with_base(system.path());
        let context = Context::builder().root(root).release(crate::Release::new("1")).build().unwrap();
        let why = |name: &str| not_found_to_remove(&context, name.as_bytes(), None);
        let taken = why(file.to_str().unwrap());
        assert_eq!(
            (taken[0].kind(), taken[0].text()),
            (
                "takes_names",
                &["modprobe -r takes the names of modules, not files; this one is called inner.".into()][..]
            )
        );
        assert_eq!(why("inner")[0].text(), ["It is loaded, and no index has it: rmmod inner removes it."]);
        assert_eq!(why("other")[0].kind(), "no_directory");
    }
}
