//! Puts the files into the module directory so that a reader, or a machine that loses power, finds
//! either all the old ones or sound new ones.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::output::OutputFile;
use crate::{Error, Result};

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
    /// Where a step fails. Before the first rename all old files are as they were; the temporary
    /// files are gone in any case.
    pub fn write(&self, files: &[OutputFile]) -> Result<()> {
        let mut temporaries = Temporaries(Vec::new());
        let mut open = Vec::with_capacity(files.len());
        for file in files {
            let path = self.path.join(format!("{}.{}.tmp", file.name, std::process::id()));
            let mut handle = create(&path).map_err(Error::io("create", &path))?;
            temporaries.0.push(path.clone());
            handle.write_all(&file.bytes).map_err(Error::io("write", &path))?;
            open.push((handle, path));
        }
        // All are written before the first one is waited for: the disk can work on them together.
        for (handle, path) in &open {
            handle.sync_all().map_err(Error::io("write to disk", path))?;
        }
        for ((_, temporary), file) in open.iter().zip(files) {
            let path = self.path.join(file.name);
            fs::rename(temporary, &path).map_err(Error::io("rename a new file to", path))?;
        }
        temporaries.0.clear();
        self.file().sync_all().map_err(Error::io("write to disk", &self.path))
    }

    fn file(&self) -> &File {
        match &self.handle {
            Ok(lock) => lock,
            Err(file) => file,
        }
    }
}

/// Makes a new file. One that is there is left from a run that was killed, since we have the lock.
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
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
    fn a_failure_is_told_and_leaves_no_temporary() {
        let directory = tempfile::tempdir().unwrap();
        // The second file cannot be renamed over a directory.
        fs::create_dir(directory.path().join("modules.dep")).unwrap();
        let error = OutputDirectory::lock(directory.path()).unwrap().write(&files()).unwrap_err();
        assert!(error.to_string().contains("modules.dep"), "{error}");
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
