//! Puts the files into the module directory so that a reader, or a machine that loses power, finds
//! either all the old ones or sound new ones.

use std::{
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::{
    complete::CompleteIndexes,
    directory::{Directory, again, make_directory, sync},
    lock::{self, Lock},
    observer::Observer,
    output_file::OutputFile,
    report::Report,
    same_place::Place,
};
use crate::{Errno, Error, Level, Notice, Result, Sink, files};

/// The mode of the files, whatever the umask is: every program reads them.
const FILE_MODE: u32 = 0o644;

/// How often a directory is opened that another one replaces while its lock is waited for.
const MOST_OPENED: u32 = 64;

/// The output directory, locked against other runs of depmod. All that is written is written there by its handle: what
/// has the path meanwhile may be another directory, which another run has locked.
#[derive(Debug)]
pub struct OutputDirectory {
    directory: Directory,
    /// `None` where it cannot be locked.
    lock: Option<Lock>,
}

impl OutputDirectory {
    /// Opens the directory, made if it `may_be_made` and is missing, and waits until no other depmod has it; for two
    /// minutes at most for each of them.
    ///
    /// # Errors
    /// Where it cannot be made or opened, or the wait is interrupted.
    pub fn lock(
        path: &Path,
        may_be_made: bool,
        is_interrupted: &dyn Fn() -> bool,
        sink: &mut Sink,
    ) -> Result<Self> {
        let mut first_real = None;
        for _ in 0..MOST_OPENED {
            if may_be_made {
                make_directory(path).map_err(Error::io("create directory", path))?;
            }
            let directory = Directory::open(path).map_err(Error::io("open directory", path))?;
            let real = again(|| files::canonicalize(path)).map_err(Error::io("open directory", path))?;
            // A link in its place leads to where nobody who named the path meant to write.
            if *first_real.get_or_insert_with(|| real.clone()) != real {
                return Err(Self::replaced(path));
            }
            let lock = lock::lock(&directory, lock::PATIENCE, is_interrupted, sink);
            let lock = lock.map_err(Error::io("lock", path))?;
            // While another had the lock, another directory may have come into its place.
            if directory.has_its_path().map_err(Error::io("open directory", path))? {
                return Ok(Self { directory, lock });
            }
        }
        Err(Self::replaced(path))
    }

    /// The directory as one that modules are read from, if it is the one of this path.
    pub(super) fn as_place(&self, path: &Path) -> Option<io::Result<Place>> {
        (self.directory.path() == path).then(|| self.directory.try_clone().and_then(Place::of))
    }

    fn replaced(path: &Path) -> Error {
        Error::io("write to", path)(io::Error::other("another directory has taken its place"))
    }

    /// Puts complete indexes into the place of the old ones; the observer can interrupt it up to the first
    /// replacement.
    ///
    /// # Errors
    /// Where a step fails or the run is interrupted. The old files are then as they were, as far as
    /// the file system can take back renames.
    pub fn publish(&self, indexes: CompleteIndexes, observer: &dyn Observer) -> Result<Report> {
        self.write(indexes.files(), &|| observer.is_interrupted(), &mut |notice| {
            observer.notice(notice);
        })?;
        let names: Vec<&str> = indexes.files().iter().map(|file| file.name).collect();
        Ok(Report::written_to(self.directory.path(), &names, indexes.into_omissions()))
    }

    /// Writes all files beside the old ones, has them reach the disk, then renames them in their
    /// order, and has that reach the disk. `is_interrupted` is asked before each step up to the first
    /// rename; from there on it goes quickly to the end.
    ///
    /// # Errors
    /// Where a step fails or the run is interrupted; before all others, where a directory is in the
    /// place of a file. The old files are then as they were, also where a rename fails after others:
    /// those are taken back, as far as the file system can. The temporary files are gone in any case;
    /// one that cannot be removed is reported.
    fn write(&self, files: &[OutputFile], is_interrupted: &dyn Fn() -> bool, sink: &mut Sink) -> Result<()> {
        let path = self.directory.path();
        let go_on = || {
            if is_interrupted() {
                return Err(Error::io("write", path)(ErrorKind::Interrupted.into()));
            }
            Ok(())
        };
        let replacements: Vec<_> = files.iter().map(|file| self.replacement(file.name)).collect();
        replacements.iter().try_for_each(Replacement::check)?;
        // Room for all names now: without memory for one, the process would end and leave the others.
        let names = Vec::with_capacity(replacements.len() * 2);
        let mut temporaries = Temporaries { directory: &self.directory, names };
        let written = self.write_beside(files, &replacements, &mut temporaries, &go_on);
        let replaced = written.and_then(|()| self.replace_all(&replacements, &mut temporaries, sink));
        temporaries.remove(sink);
        replaced
    }

    /// Writes the temporary files and has them reach the disk.
    fn write_beside<'a>(
        &self,
        files: &[OutputFile],
        replacements: &'a [Replacement<'_>],
        temporaries: &mut Temporaries<'a>,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let mut open = Vec::with_capacity(files.len());
        for (file, replacement) in files.iter().zip(replacements) {
            go_on()?;
            let name = &replacement.new;
            let could_not = |action| Error::io(action, self.directory.path().join(name));
            temporaries.names.push(name);
            let mut handle = self.directory.create(name, FILE_MODE).map_err(could_not("create"))?;
            handle.write_all(&file.bytes).map_err(could_not("write"))?;
            open.push((handle, name));
        }
        // All are written before the first one is waited for: the disk can work on them together.
        for (handle, name) in &open {
            go_on()?;
            sync(handle).map_err(Error::io("write to disk", self.directory.path().join(name)))?;
        }
        go_on()
    }

    /// Renames all files in their order and has that reach the disk, or leaves the old ones.
    fn replace_all<'a>(
        &self,
        replacements: &'a [Replacement<'_>],
        temporaries: &mut Temporaries<'a>,
        sink: &mut Sink,
    ) -> Result<()> {
        let (directory, path) = (&self.directory, self.directory.path());
        if !directory.has_its_path().map_err(Error::io("write to", path))? {
            return Err(Self::replaced(path));
        }
        let before: Vec<_> = replacements.iter().map(|replacement| replacement.keep(temporaries)).collect();
        let mut done = 0;
        let mut replaced = replacements.iter().try_for_each(|replacement| {
            let Replacement { target, new, .. } = replacement;
            let renamed = directory.rename(new, target);
            renamed.map_err(Error::io("rename a new file to", replacement.path()))?;
            temporaries.forget(new);
            done += 1;
            Ok(())
        });
        if replaced.is_ok() {
            replaced = directory.sync().map_err(Error::io("write to disk", path));
        }
        if replaced.is_err() {
            for (replacement, before) in replacements.iter().zip(&before).take(done).rev() {
                if let Err(error) = replacement.restore(before) {
                    sink(Notice::of(Level::Error, &error));
                }
            }
        }
        replaced
    }

    /// The names for a file. The temporary ones are fixed, so that a run that was killed
    /// leaves nothing that the next one does not take; without a lock they hold the process id,
    /// lest two runs write to the same file.
    fn replacement(&self, name: &'static str) -> Replacement<'_> {
        let own = if self.lock.is_some() { String::new() } else { format!(".{}", std::process::id()) };
        let (new, old) = (format!("{name}{own}.tmp"), format!("{name}{own}.old.tmp"));
        Replacement { directory: &self.directory, target: name, new, old }
    }
}

/// The names that replacing a file takes.
struct Replacement<'d> {
    directory: &'d Directory,
    /// The file.
    target: &'static str,
    /// Its new content, until it is renamed.
    new: String,
    /// A second name of the old file, until all are renamed.
    old: String,
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

impl Replacement<'_> {
    /// The file's path, for messages.
    fn path(&self) -> PathBuf {
        self.directory.path().join(self.target)
    }

    /// Whether a rename can be expected to work: none replaces a directory.
    fn check(&self) -> Result<()> {
        match self.directory.look_at(self.target) {
            Ok(there) if there.is_dir() => Err(Error::io("replace", self.path())(Errno::EISDIR.into())),
            _ => Ok(()),
        }
    }

    /// Gives the old file a second name. The link is to what has the name, even a symbolic link. A
    /// second name that is there is left from a run that was killed.
    fn keep<'a>(&'a self, temporaries: &mut Temporaries<'a>) -> Before {
        let link = || self.directory.link(self.target, &self.old);
        let kept = link().or_else(|error| {
            let left = self.directory.remove(&self.old);
            if error.kind() == ErrorKind::NotFound { Err(error) } else { left.and_then(|()| link()) }
        });
        match kept {
            Ok(()) => {
                temporaries.names.push(&self.old);
                Before::Kept
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !self.is_there() => Before::Nothing,
            Err(_) => Before::Lost,
        }
    }

    fn is_there(&self) -> bool {
        !self.directory.look_at(self.target).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Takes a rename back.
    fn restore(&self, before: &Before) -> Result<()> {
        let restored = match before {
            Before::Nothing => self.directory.remove(self.target),
            Before::Kept => self.directory.rename(&self.old, self.target),
            Before::Lost => Err(ErrorKind::Unsupported.into()),
        };
        restored.map_err(Error::io("put back the old", self.path()))
    }
}

/// Files that are not to stay. They go with it, should a panic come before [`Temporaries::remove`].
struct Temporaries<'a> {
    directory: &'a Directory,
    names: Vec<&'a str>,
}

impl Temporaries<'_> {
    /// Forgets a file that was renamed.
    fn forget(&mut self, renamed: &str) {
        self.names.retain(|name| *name != renamed);
    }

    /// Removes all; an old file that was put back has its own name again.
    fn remove(mut self, sink: &mut Sink) {
        for name in std::mem::take(&mut self.names) {
            if let Err(error) = self.directory.remove(name) {
                let path = self.directory.path().join(name);
                sink(Notice::of(Level::Warning, &Error::io("remove", path)(error)));
            }
        }
    }
}

impl Drop for Temporaries<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = self.directory.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, sync::mpsc, thread, time::Duration};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        // Some tests look while a lock is held.
        names.retain(|name| name != ".depmod.lock");
        names.sort();
        names
    }

    fn files() -> [OutputFile; 2] {
        ["modules.alias", "modules.dep"].map(|name| OutputFile { name, bytes: b"new".to_vec() })
    }

    fn locked(directory: &Path) -> OutputDirectory {
        OutputDirectory::lock(directory, true, &|| false, &mut |_| ()).unwrap()
    }

    #[test]
    fn files_are_written_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("lib/modules/1.0");
        locked(&made).write(&files(), &|| false, &mut |_| ()).unwrap();
        assert_eq!(names(&made), ["modules.alias", "modules.dep"]);
        assert_eq!(fs::read(made.join("modules.dep")).unwrap(), b"new");
    }

    #[test]
    fn a_directory_in_the_place_of_a_file_is_told_before_anything_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("modules.dep")).unwrap();
        let error = locked(directory.path()).write(&files(), &|| false, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("modules.dep: Is a directory"), "{error}");
        assert_eq!(names(directory.path()), ["modules.dep"]);
    }

    #[test]
    fn files_renamed_before_a_failure_are_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("modules.alias"), "old").unwrap();
        fs::write(path("modules.dep"), "old").unwrap();
        let output = locked(directory.path());
        let replacements =
            ["modules.alias", "modules.devname", "modules.dep"].map(|name| output.replacement(name));
        // The last one lacks its new content.
        for replacement in &replacements[..2] {
            fs::write(path(&replacement.new), "new").unwrap();
        }
        let mut temporaries = Temporaries { directory: &output.directory, names: Vec::new() };
        let error = output.replace_all(&replacements, &mut temporaries, &mut |_| ()).unwrap_err();
        drop(temporaries);
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
        locked(directory.path()).write(&files(), &|| false, &mut |_| ()).unwrap();
        assert_eq!(names(directory.path()), ["elsewhere", "modules.alias", "modules.dep"]);
        assert_eq!(fs::read(path("elsewhere")).unwrap(), b"untouched");
        assert!(fs::symlink_metadata(path("modules.dep")).unwrap().is_file());
    }

    #[test]
    fn without_a_lock_temporary_names_are_those_of_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputDirectory { directory: Directory::open(directory.path()).unwrap(), lock: None };
        let replacement = output.replacement("modules.dep");
        let id = std::process::id();
        assert_eq!(replacement.new, format!("modules.dep.{id}.tmp"));
        output.write(&files(), &|| false, &mut |_| ()).unwrap();
        assert_eq!(names(directory.path()), ["modules.alias", "modules.dep"]);
    }

    #[test]
    fn files_and_directories_that_are_made_have_their_modes() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("lib/modules/1.0");
        fs::create_dir_all(directory.path().join("lib")).unwrap();
        locked(&made).write(&files(), &|| false, &mut |_| ()).unwrap();
        assert_eq!(mode(&made.join("modules.dep")), 0o644);
        assert_eq!(mode(&made), 0o755);
    }

    #[test]
    fn links_in_the_place_of_files_are_replaced_and_what_they_lead_to_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("target"), "untouched").unwrap();
        std::os::unix::fs::symlink("target", path("modules.dep")).unwrap();
        fs::hard_link(path("target"), path("modules.alias")).unwrap();
        locked(directory.path()).write(&files(), &|| false, &mut |_| ()).unwrap();
        assert_eq!(names(directory.path()), ["modules.alias", "modules.dep", "target"]);
        assert_eq!(fs::read(path("target")).unwrap(), b"untouched");
        assert!(fs::symlink_metadata(path("modules.dep")).unwrap().is_file());
    }

    #[test]
    fn an_interrupted_run_leaves_the_old_files_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("modules.dep"), "old").unwrap();
        // Asked before each of two files is written, before each is synced, and before the renames.
        for steps in 0..5 {
            let asked = std::cell::Cell::new(0);
            let interrupted = || asked.replace(asked.get() + 1) == steps;
            let error = locked(directory.path()).write(&files(), &interrupted, &mut |_| ()).unwrap_err();
            assert!(matches!(error, Error::Io { source, .. } if source.kind() == ErrorKind::Interrupted));
            assert_eq!(names(directory.path()), ["modules.dep"]);
            assert_eq!(fs::read(directory.path().join("modules.dep")).unwrap(), b"old");
        }
    }

    #[test]
    fn a_directory_that_is_replaced_while_its_lock_is_waited_for_is_not_written_to() {
        let place = tempfile::tempdir().unwrap();
        let (path, aside) = (place.path().join("m"), place.path().join("aside"));
        fs::create_dir(&path).unwrap();
        let first = locked(&path);
        let second = thread::spawn({
            let path = path.clone();
            move || locked(&path).write(&files(), &|| false, &mut |_| ())
        });
        thread::sleep(Duration::from_millis(100));
        fs::rename(&path, &aside).unwrap();
        fs::create_dir(&path).unwrap();
        drop(first);
        second.join().unwrap().unwrap();
        assert_eq!(names(&aside), [""; 0]);
        assert_eq!(names(&path), ["modules.alias", "modules.dep"]);
    }

    #[test]
    fn what_takes_the_place_of_the_directory_in_the_middle_of_a_run_is_not_written_to() {
        let place = tempfile::tempdir().unwrap();
        let (path, aside) = (place.path().join("m"), place.path().join("aside"));
        let elsewhere = place.path().join("elsewhere");
        for link in [false, true] {
            for directory in [&path, &elsewhere] {
                fs::create_dir(directory).unwrap();
            }
            let output = locked(&path);
            // Asked before each step: at the third one a file has been written.
            let asked = std::cell::Cell::new(0);
            let swap = || {
                if asked.replace(asked.get() + 1) == 2 {
                    fs::rename(&path, &aside).unwrap();
                    match link {
                        true => std::os::unix::fs::symlink(&elsewhere, &path).unwrap(),
                        false => fs::create_dir(&path).unwrap(),
                    }
                }
                false
            };
            let error = output.write(&files(), &swap, &mut |_| ()).unwrap_err().to_string();
            assert!(error.ends_with("m: another directory has taken its place"), "{error}");
            drop(output);
            for directory in [&aside, &elsewhere, &path] {
                assert_eq!(names(directory), [""; 0], "{}", directory.display());
            }
            let _ = fs::remove_file(&path);
            for directory in [&path, &aside, &elsewhere] {
                let _ = fs::remove_dir(directory);
            }
        }
    }

    #[test]
    fn a_second_run_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let first = locked(directory.path());
        let path = directory.path().to_owned();
        let (sender, receiver) = mpsc::channel();
        let second = thread::spawn(move || {
            let lock = locked(&path);
            sender.send(()).unwrap();
            drop(lock);
        });
        assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err());
        drop(first);
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        second.join().unwrap();
    }
}
