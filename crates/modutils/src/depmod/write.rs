//! Puts the files into the module directory so that a reader, or a machine that loses power, finds
//! either all the old ones or sound new ones.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    num::NonZeroUsize,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::{output::OutputFile, parallel};
use crate::{Error, Result};

/// How many threads wait for the disk.
const WAITING: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// The output directory, locked against other runs of depmod.
///
/// The lock is flock(2) on the directory itself: it leaves no file behind and ends with the process.
#[derive(Debug)]
pub struct OutputDirectory {
    path: PathBuf,
    /// Without a lock where the file system has none, as some network file systems.
    handle: Result<Flock<File>, File>,
}

impl OutputDirectory {
    /// Opens the directory, made if it is missing, and waits until no other depmod has it.
    ///
    /// # Errors
    /// Where it cannot be made or opened.
    pub fn lock(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create directory", path))?;
        let mut handle = Ok(File::open(path).map_err(Error::io("open directory", path))?);
        let handle = loop {
            handle = match handle.map(|file| Flock::lock(file, FlockArg::LockExclusive)) {
                Ok(Ok(lock)) => break Ok(lock),
                Ok(Err((file, Errno::EINTR))) => Ok(file),
                Ok(Err((file, _))) => Err(file),
                Err(file) => break Err(file),
            };
        };
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Writes all files beside the old ones, has them reach the disk, then renames them in their
    /// order, and has that reach the disk.
    ///
    /// # Errors
    /// Where a step fails; before all others, where a directory is in the place of a file. The old
    /// files are then as they were, also where a rename fails after others: those are taken back,
    /// as far as the file system can. The temporary files are gone in any case.
    pub fn write(&self, files: &[OutputFile]) -> Result<()> {
        let replacements: Vec<_> = files.iter().map(|file| self.replacement(file.name)).collect();
        replacements.iter().try_for_each(Replacement::check)?;
        let mut temporaries = Temporaries(Vec::new());
        let mut open = Vec::with_capacity(files.len());
        for (file, replacement) in files.iter().zip(&replacements) {
            let path = &replacement.new;
            let mut handle = create(path).map_err(Error::io("create", path))?;
            temporaries.0.push(path.clone());
            handle.write_all(&file.bytes).map_err(Error::io("write", path))?;
            open.push((handle, path));
        }
        // All are written before the first one is waited for, and all are waited for at once: the
        // disk can work on them together.
        let sync =
            |(handle, path): &(File, &PathBuf)| handle.sync_all().map_err(Error::io("write to disk", path));
        let synced = parallel::map(WAITING, open.len(), || (), |(), at| open.get(at).map_or(Ok(()), sync));
        synced.into_iter().collect::<Result<()>>()?;
        replace_all(&replacements)?;
        self.file().sync_all().map_err(Error::io("write to disk", &self.path))
    }

    /// The paths for a file. The temporary ones have fixed names, so that a run that was killed
    /// leaves nothing that the next one does not take; without a lock they hold the process id,
    /// lest two runs write to the same file.
    fn replacement(&self, name: &str) -> Replacement {
        let own = match self.handle {
            Ok(_) => String::new(),
            Err(_) => format!(".{}", std::process::id()),
        };
        Replacement {
            target: self.path.join(name),
            new: self.path.join(format!("{name}{own}.tmp")),
            old: self.path.join(format!("{name}{own}.old.tmp")),
        }
    }

    fn file(&self) -> &File {
        match &self.handle {
            Ok(lock) => lock,
            Err(file) => file,
        }
    }
}

/// The paths that replacing a file takes.
struct Replacement {
    /// The file.
    target: PathBuf,
    /// Its new content, until it is renamed.
    new: PathBuf,
    /// A second name of the old file, until all are renamed.
    old: PathBuf,
}

/// What there is to go back to when a later file cannot be replaced.
enum Before {
    /// No file was there.
    Nothing,
    /// The old file has a second name.
    Kept,
    /// The file system has no hard links: there is no going back.
    Lost,
}

impl Replacement {
    /// Whether a rename can be expected to work: none replaces a directory.
    fn check(&self) -> Result<()> {
        match fs::symlink_metadata(&self.target) {
            Ok(metadata) if metadata.is_dir() => {
                Err(Error::io("replace", &self.target)(Errno::EISDIR.into()))
            }
            _ => Ok(()),
        }
    }

    /// Gives the old file a second name. The link is to what has the name, even a symbolic link.
    fn keep(&self) -> Before {
        // One that is there is left from a run that was killed.
        let _ = fs::remove_file(&self.old);
        match fs::hard_link(&self.target, &self.old) {
            Ok(()) => Before::Kept,
            Err(error) if error.kind() == ErrorKind::NotFound => Before::Nothing,
            Err(_) => Before::Lost,
        }
    }

    /// Takes a rename back. What failed is told already; there is nothing to do about more.
    fn restore(&self, before: &Before) {
        let _ = match before {
            Before::Nothing => fs::remove_file(&self.target),
            Before::Kept => fs::rename(&self.old, &self.target),
            Before::Lost => Ok(()),
        };
    }
}

/// Renames all files in their order, or none.
fn replace_all(replacements: &[Replacement]) -> Result<()> {
    let _kept = Temporaries(replacements.iter().map(|replacement| replacement.old.clone()).collect());
    let before: Vec<Before> = replacements.iter().map(Replacement::keep).collect();
    for (done, Replacement { target, new, .. }) in replacements.iter().enumerate() {
        if let Err(error) = fs::rename(new, target) {
            for (replacement, before) in replacements.iter().zip(&before).take(done).rev() {
                replacement.restore(before);
            }
            return Err(Error::io("rename a new file to", target)(error));
        }
    }
    Ok(())
}

/// Makes a new file, never through a link. One that is there is left from a run that was killed,
/// since we have the lock.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        other => other,
    }
}

/// Removes what it holds when it goes.
struct Temporaries(Vec<PathBuf>);

impl Drop for Temporaries {
    fn drop(&mut self) {
        for path in &self.0 {
            // One that was renamed is not there; there is nothing to do about one that stays.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn files() -> [OutputFile; 2] {
        ["modules.alias", "modules.dep"].map(|name| OutputFile { name, bytes: b"new".to_vec() })
    }

    #[test]
    fn files_are_written_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("lib/modules/1.0");
        OutputDirectory::lock(&made).unwrap().write(&files()).unwrap();
        assert_eq!(names(&made), ["modules.alias", "modules.dep"]);
        assert_eq!(fs::read(made.join("modules.dep")).unwrap(), b"new");
    }

    #[test]
    fn a_directory_in_the_place_of_a_file_is_told_before_anything_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("modules.dep")).unwrap();
        let error = OutputDirectory::lock(directory.path()).unwrap().write(&files()).unwrap_err();
        assert!(error.to_string().contains("modules.dep: Is a directory"), "{error}");
        assert_eq!(names(directory.path()), ["modules.dep"]);
    }

    #[test]
    fn files_renamed_before_a_failure_are_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("modules.alias"), "old").unwrap();
        fs::write(path("modules.dep"), "old").unwrap();
        let output = OutputDirectory::lock(directory.path()).unwrap();
        let replacements =
            ["modules.alias", "modules.devname", "modules.dep"].map(|name| output.replacement(name));
        // The last one lacks its new content.
        for replacement in &replacements[..2] {
            fs::write(&replacement.new, "new").unwrap();
        }
        let error = replace_all(&replacements).unwrap_err();
        assert!(error.to_string().contains("modules.dep"), "{error}");
        assert_eq!(names(directory.path()), ["modules.alias", "modules.dep"]);
        for name in ["modules.alias", "modules.dep"] {
            assert_eq!(fs::read(path(name)).unwrap(), b"old", "{name}");
        }
    }

    #[test]
    fn what_a_killed_run_left_is_taken_and_no_link_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("modules.alias.tmp"), "left").unwrap();
        fs::write(path("modules.alias.old.tmp"), "left").unwrap();
        fs::write(path("elsewhere"), "untouched").unwrap();
        std::os::unix::fs::symlink("elsewhere", path("modules.dep.tmp")).unwrap();
        OutputDirectory::lock(directory.path()).unwrap().write(&files()).unwrap();
        assert_eq!(names(directory.path()), ["elsewhere", "modules.alias", "modules.dep"]);
        assert_eq!(fs::read(path("elsewhere")).unwrap(), b"untouched");
        assert!(fs::symlink_metadata(path("modules.dep")).unwrap().is_file());
    }

    #[test]
    fn without_a_lock_temporary_names_are_those_of_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let handle = Err(File::open(directory.path()).unwrap());
        let output = OutputDirectory { path: directory.path().to_owned(), handle };
        let replacement = output.replacement("modules.dep");
        let id = std::process::id();
        assert_eq!(replacement.new, directory.path().join(format!("modules.dep.{id}.tmp")));
        output.write(&files()).unwrap();
        assert_eq!(names(directory.path()), ["modules.alias", "modules.dep"]);
    }

    #[test]
    fn a_second_run_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let first = OutputDirectory::lock(directory.path()).unwrap();
        let path = directory.path().to_owned();
        let (sender, receiver) = mpsc::channel();
        let second = thread::spawn(move || {
            let lock = OutputDirectory::lock(&path).unwrap();
            sender.send(()).unwrap();
            drop(lock);
        });
        assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err());
        drop(first);
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        second.join().unwrap();
    }
}
