//! The cache: everything fetched or derived, outside the checkout and shared by all checkouts of a user.
//!
//! It is at `$MODUTILS_CACHE`, else `$XDG_CACHE_HOME/modutils`, else `~/.cache/modutils`:
//!
//! ```text
//! debs/FILE.deb                   packages as the mirror has them, checked against its index
//! trees/NAME/lib/modules/VERSION  the modules of a kernel, normalised from usr/lib/modules
//! trees/NAME/boot/                its vmlinuz, System.map and config
//! reference/kmod34/               a root to chroot into: Debian 13's kmod 34 and what it needs
//! reference/kmod30/               the same of Debian 12
//! images/NAME/                    a Debian release on a disk, its kernel, and the modules that mount the disk
//! roots/NAME/                     a Debian release for scripts in a chroot; `upgraded-*` also boot
//! guest/busybox                   the static shell of the virtual machines
//! locks/, draft/                  locks of entries being made, and incomplete entries
//! ```
//!
//! An entry appears under its name by a rename when it is complete, so a killed run leaves at most a draft that
//! the next run throws away. A lock file for each entry makes several runs wait for each other. An entry that
//! exists is used without asking the mirror: to fetch a newer one, delete it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The cache directory.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Finds the cache directory and creates it if it does not exist.
    ///
    /// # Errors
    /// When no variable names it, or it cannot be created.
    pub(crate) fn open() -> Result<Cache> {
        let root = directory().context("no directory for the cache: set MODUTILS_CACHE")?;
        fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        // Tests run in other directories: their path must not depend on ours.
        let root = fs::canonicalize(&root).with_context(|| root.display().to_string())?;
        Ok(Cache { root })
    }

    /// The directory of the cache.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the entry `name`. If it does not exist, `make` makes it at the path it is given.
    ///
    /// # Errors
    /// When `make` fails, or the file system does.
    pub(crate) fn provide(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let entry = self.root.join(name);
        if entry.exists() {
            return Ok(entry);
        }
        let flat = name.replace('/', "-");
        let _lock = self.lock(&flat)?;
        if entry.exists() {
            return Ok(entry);
        }
        self.clear_drafts(&flat)?;
        let draft = self.root.join("draft").join(format!("{flat}.{}", std::process::id()));
        for path in [&draft, &entry] {
            fs::create_dir_all(path.parent().context("an entry is in a directory")?)?;
        }
        if let Err(error) = make(&draft) {
            let _ = if draft.is_dir() { fs::remove_dir_all(&draft) } else { fs::remove_file(&draft) };
            return Err(error.context(format!("cannot make {}", entry.display())));
        }
        fs::rename(&draft, &entry).with_context(|| format!("cannot create {}", entry.display()))?;
        Ok(entry)
    }

    /// Removes the drafts of an entry that killed runs left behind. Our own draft has another name, because a program that
    /// a killed run started may still be writing.
    fn clear_drafts(&self, flat: &str) -> Result<()> {
        let Ok(drafts) = fs::read_dir(self.root.join("draft")) else { return Ok(()) };
        for draft in drafts {
            let draft = draft?;
            let name = draft.file_name().to_string_lossy().into_owned();
            let process = name.strip_prefix(flat).and_then(|rest| rest.strip_prefix('.'));
            if process.is_none_or(|id| id.parse::<u32>().is_err()) {
                continue;
            }
            let path = draft.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Waits until no other run makes the same entry. The lock ends with the file, or with the process.
    ///
    /// # Errors
    /// When the file system can't lock.
    pub(crate) fn lock(&self, flat: &str) -> Result<File> {
        let path = self.root.join("locks").join(flat);
        fs::create_dir_all(self.root.join("locks"))?;
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("cache: waiting for another run to make {flat}");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }
}

/// The directory of the cache, from the environment.
fn directory() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("MODUTILS_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("modutils")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/modutils")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(dir: &tempfile::TempDir) -> Cache {
        Cache { root: dir.path().to_owned() }
    }

    #[test]
    fn a_failed_entry_is_made_again_and_a_complete_one_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let failed = cache(&dir).provide("trees/a", |draft| {
            fs::create_dir(draft)?;
            fs::write(draft.join("half"), "")?;
            anyhow::bail!("killed")
        });
        assert!(failed.is_err());
        assert!(!dir.path().join("trees/a").exists());
        let left = dir.path().join("draft/trees-a.1");
        fs::create_dir(&left).unwrap();

        let made = cache(&dir).provide("trees/a", |draft| Ok(fs::create_dir(draft)?)).unwrap();
        assert!(!made.join("half").exists() && !left.exists());
        cache(&dir).provide("trees/a", |_| panic!("made twice")).unwrap();
    }
}
