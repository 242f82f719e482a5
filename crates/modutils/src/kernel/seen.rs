//! What was seen of the kernel and of module files, kept for as long as nothing is changed.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{Kernel, modules_disabled};
use crate::{ModuleName, files};

/// Answers that are not asked for again: a dry run of many names visits the same modules often.
#[derive(Debug, Default)]
pub(super) struct Seen {
    live: Mutex<HashMap<ModuleName, bool>>,
    there: Mutex<HashSet<PathBuf>>,
    disabled: OnceLock<bool>,
}

impl Seen {
    /// Whether a module is in use, as it was when it was looked at first.
    pub(super) fn is_live(&self, kernel: &Kernel, module: &ModuleName) -> bool {
        if let Some(&known) = lock(&self.live).get(module) {
            return known;
        }
        let live = kernel.is_live(module);
        lock(&self.live).insert(module.clone(), live);
        live
    }

    /// Whether loading and removing are known to be switched off.
    pub(super) fn is_disabled(&self, kernel: &Kernel) -> bool {
        *self.disabled.get_or_init(|| modules_disabled(kernel.root()) == Some(true))
    }

    /// Looks whether a module's file is there, unless it was found before.
    pub(super) fn find_file(&self, path: &Path) -> io::Result<()> {
        if lock(&self.there).contains(path) {
            return Ok(());
        }
        files::metadata(path)?;
        lock(&self.there).insert(path.to_owned());
        Ok(())
    }
}

/// An answer is there or is not: a thread that panicked leaves none half.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    #[test]
    fn what_was_seen_first_is_kept() {
        let system = tempfile::tempdir().unwrap();
        let kernel = Kernel::running(&Root::default().with_system(system.path()));
        let (module, directory) = (ModuleName::new("m"), system.path().join("sys/module/m"));
        let (seen, file) = (Seen::default(), system.path().join("m.ko"));
        assert!(!seen.is_live(&kernel, &module) && seen.find_file(&file).is_err());
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("initstate"), "live\n").unwrap();
        assert!(!seen.is_live(&kernel, &module) && kernel.is_live(&module));
        // A file that was missing is looked up again.
        std::fs::write(&file, "").unwrap();
        assert!(seen.find_file(&file).is_ok());
        std::fs::remove_file(&file).unwrap();
        assert!(seen.find_file(&file).is_ok() && Seen::default().find_file(&file).is_err());
    }
}
