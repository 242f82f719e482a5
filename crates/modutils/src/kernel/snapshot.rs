//! What was seen of the kernel and of module files, kept for as long as nothing is changed.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Kernel;
use crate::ModuleName;

/// Answers that are not asked for again: a dry run of many names comes to the same modules often.
#[derive(Debug, Default)]
pub struct Snapshot {
    live: Mutex<HashMap<ModuleName, bool>>,
    there: Mutex<HashSet<PathBuf>>,
}

impl<'a> Kernel<'a> {
    /// The same kernel, of which each module's state is looked at once.
    #[must_use]
    pub fn with_snapshot(self, snapshot: &'a Snapshot) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }

    /// Whether a module is in use: [`Kernel::state`] is [`State::Live`](super::State::Live), at less
    /// cost.
    pub fn is_live(&self, module: &ModuleName) -> bool {
        let Some(snapshot) = self.snapshot else { return self.is_live_now(module) };
        if let Some(&known) = lock(&snapshot.live).get(module) {
            return known;
        }
        let live = self.is_live_now(module);
        lock(&snapshot.live).insert(module.clone(), live);
        live
    }

    /// Looks whether a module's file is there.
    ///
    /// # Errors
    /// When it is not, or cannot be looked at.
    pub fn find_file(&self, path: &Path) -> io::Result<()> {
        if self.snapshot.is_some_and(|snapshot| lock(&snapshot.there).contains(path)) {
            return Ok(());
        }
        std::fs::metadata(path)?;
        if let Some(snapshot) = self.snapshot {
            lock(&snapshot.there).insert(path.to_owned());
        }
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
    fn a_snapshot_keeps_what_was_seen_first() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let (module, directory) = (ModuleName::new("m"), system.path().join("sys/module/m"));
        let (snapshot, file) = (Snapshot::default(), system.path().join("m.ko"));
        let kept = Kernel::running(&root).with_snapshot(&snapshot);
        assert!(!kept.is_live(&module) && kept.find_file(&file).is_err());
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("initstate"), "live\n").unwrap();
        assert!(!kept.is_live(&module) && Kernel::running(&root).is_live(&module));
        // A file that was missing is looked for again.
        std::fs::write(&file, "").unwrap();
        assert!(kept.find_file(&file).is_ok());
        std::fs::remove_file(&file).unwrap();
        assert!(kept.find_file(&file).is_ok() && Kernel::running(&root).find_file(&file).is_err());
    }
}
