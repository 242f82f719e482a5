//! Puts the files into the module directory so that a reader, or a machine that loses power, finds
//! either all the old ones or sound new ones.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::Errno;

use super::{complete::CompleteIndexes, observer::Observer, output_file::OutputFile, report::Report};
use crate::{Error, Level, Notice, Result, Sink};

/// The modes of what is made, whatever the umask is: every program reads these files.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// How long another's lock is waited for. No run of depmod takes so long, but whoever may read the
/// directory may lock it, and must not stop depmod by that.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time between two looks at another's lock.
const PAUSE: Duration = Duration::from_millis(20);

/// The output directory, locked against other runs of depmod.
///
/// The lock is flock(2) on the directory itself: it leaves no file behind and ends with the process.
#[derive(Debug)]
pub struct OutputDirectory {
    path: PathBuf,
    handle: File,
    /// Whether we have the lock. Some network file systems have none.
    locked: bool,
}

impl OutputDirectory {
    /// Opens the directory, made if it is missing, and waits until no other depmod has it; for two
    /// minutes at most.
    ///
    /// # Errors
    /// Where it cannot be made or opened.
    pub fn lock(path: &Path, sink: &mut Sink) -> Result<Self> {
        Self::lock_within(path, PATIENCE, sink)
    }

    fn lock_within(path: &Path, patience: Duration, sink: &mut Sink) -> Result<Self> {
        make_directory(path).map_err(Error::io("create directory", path))?;
        let handle = File::open(path).map_err(Error::io("open directory", path))?;
        let start = Instant::now();
        let mut reported = false;
        let locked = loop {
            match handle.try_lock() {
                Ok(()) => break true,
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => continue,
                Err(TryLockError::Error(_)) => break false,
                Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                    let what = format!("{}: still locked by another, going on", path.display());
                    sink(Notice::warning(what));
                    break false;
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if !reported {
                let what = format!("{}: locked by another depmod, waiting", path.display());
                sink(Notice::new(Level::Notice, what));
                reported = true;
            }
            thread::sleep(PAUSE);
        };
        Ok(Self { path: path.to_owned(), handle, locked })
    }

    /// Puts complete indexes into the place of the old ones; the observer can hold back signals
    /// meanwhile, and interrupt it up to the first replacement.
    ///
    /// # Errors
    /// Where a step fails or the run is interrupted. The old files are then as they were, as far as
    /// the file system can take back renames.
    pub fn publish(&self, indexes: CompleteIndexes, observer: &dyn Observer) -> Result<Report> {
        observer.before_publication();
        let written = self.write(indexes.files(), &|| observer.is_interrupted(), &mut |notice| {
            observer.notice(notice);
        });
        observer.after_publication();
        written?;
        let names: Vec<&str> = indexes.files().iter().map(|file| file.name).collect();
        Ok(Report::written_to(&self.path, &names, indexes.into_omissions()))
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
        let go_on = || {
            if is_interrupted() {
                return Err(Error::io("write", &self.path)(ErrorKind::Interrupted.into()));
            }
            Ok(())
        };
        let replacements: Vec<_> = files.iter().map(|file| self.replacement(file.name)).collect();
        replacements.iter().try_for_each(Replacement::check)?;
        // Room for all names now: without memory for one, the process would end and leave the others.
        let mut temporaries = Temporaries(Vec::with_capacity(replacements.len() * 2));
        let written = self.write_beside(files, &replacements, &mut temporaries, &go_on);
        let replaced = written.and_then(|()| self.replace_all(&replacements, &mut temporaries, sink));
        temporaries.remove(sink);
        replaced
    }

    /// Writes the temporary files and has them reach the disk.
    fn write_beside<'a>(
        &self,
        files: &[OutputFile],
        replacements: &'a [Replacement],
        temporaries: &mut Temporaries<'a>,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let mut open = Vec::with_capacity(files.len());
        for (file, Replacement { new: path, .. }) in files.iter().zip(replacements) {
            go_on()?;
            let mut handle = create(path).map_err(Error::io("create", path))?;
            temporaries.0.push(path);
            let mode = Permissions::from_mode(FILE_MODE);
            again(|| handle.set_permissions(mode.clone())).map_err(Error::io("set the mode of", path))?;
            handle.write_all(&file.bytes).map_err(Error::io("write", path))?;
            open.push((handle, path));
        }
        // All are written before the first one is waited for: the disk can work on them together.
        for (handle, path) in &open {
            go_on()?;
            sync(handle).map_err(Error::io("write to disk", path))?;
        }
        go_on()
    }

    /// Renames all files in their order and has that reach the disk, or leaves the old ones.
    fn replace_all<'a>(
        &self,
        replacements: &'a [Replacement],
        temporaries: &mut Temporaries<'a>,
        sink: &mut Sink,
    ) -> Result<()> {
        let before: Vec<_> = replacements.iter().map(|replacement| replacement.keep(temporaries)).collect();
        let mut done = 0;
        let mut replaced = replacements.iter().try_for_each(|Replacement { target, new, .. }| {
            again(|| fs::rename(new, target)).map_err(Error::io("rename a new file to", target))?;
            temporaries.forget(new);
            done += 1;
            Ok(())
        });
        if replaced.is_ok() {
            replaced = sync(&self.handle).map_err(Error::io("write to disk", &self.path));
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

    /// The paths for a file. The temporary ones have fixed names, so that a run that was killed
    /// leaves nothing that the next one does not take; without a lock they hold the process id,
    /// lest two runs write to the same file.
    fn replacement(&self, name: &str) -> Replacement {
        let own = if self.locked { String::new() } else { format!(".{}", std::process::id()) };
        Replacement {
            target: self.path.join(name),
            new: self.path.join(format!("{name}{own}.tmp")),
            old: self.path.join(format!("{name}{own}.old.tmp")),
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

    /// Gives the old file a second name. The link is to what has the name, even a symbolic link. A
    /// second name that is there is left from a run that was killed.
    fn keep<'a>(&'a self, temporaries: &mut Temporaries<'a>) -> Before {
        let link = || again(|| fs::hard_link(&self.target, &self.old));
        let kept = link().or_else(|error| {
            let left = again(|| fs::remove_file(&self.old));
            if error.kind() == ErrorKind::NotFound { Err(error) } else { left.and_then(|()| link()) }
        });
        match kept {
            Ok(()) => {
                temporaries.0.push(&self.old);
                Before::Kept
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !self.is_there() => Before::Nothing,
            Err(_) => Before::Lost,
        }
    }

    fn is_there(&self) -> bool {
        !fs::symlink_metadata(&self.target).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Takes a rename back.
    fn restore(&self, before: &Before) -> Result<()> {
        let restored = match before {
            Before::Nothing => remove(&self.target),
            Before::Kept => again(|| fs::rename(&self.old, &self.target)),
            Before::Lost => Err(ErrorKind::Unsupported.into()),
        };
        restored.map_err(Error::io("put back the old", &self.target))
    }
}

/// Makes a directory and those above it, each of which reaches the disk with its name.
fn make_directory(path: &Path) -> io::Result<()> {
    let make = || again(|| DirBuilder::new().mode(DIRECTORY_MODE).create(path));
    let made = match (make(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            make_directory(parent)?;
            make()
        }
        (made, _) => made,
    };
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if again(|| fs::metadata(path))?.is_dir() {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
        Ok(()) => {
            let directory = File::open(path)?;
            again(|| directory.set_permissions(Permissions::from_mode(DIRECTORY_MODE)))?;
            match path.parent() {
                Some(parent) if parent != Path::new("") => sync(&File::open(parent)?),
                _ => sync(&File::open(".")?),
            }
        }
    }
}

/// Makes a new file, never through a link. One that is there is left from a run that was killed,
/// since we have the lock.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            again(|| fs::remove_file(path))?;
            options.open(path)
        }
        other => other,
    }
}

/// Has a file or directory reach the disk. A file system that knows no such thing has done what it
/// can.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if error.raw_os_error().is_some_and(|errno| UNKNOWN.contains(&Errno::from_raw(errno))) => {
            Ok(())
        }
        other => other,
    }
}

const UNKNOWN: [Errno; 2] = [Errno::EINVAL, Errno::EOPNOTSUPP];

/// Removes a file. A disk or network that failed once may not the second time, and a file that
/// stays is worse than that.
fn remove(path: &Path) -> io::Result<()> {
    again(|| fs::remove_file(path)).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => fs::remove_file(path),
    })
}

/// Does a system call until no signal comes between.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Files that are not to stay. They go with it, should a panic come before [`Temporaries::remove`].
#[derive(Default)]
struct Temporaries<'a>(Vec<&'a Path>);

impl Temporaries<'_> {
    /// Forgets a file that was renamed.
    fn forget(&mut self, renamed: &Path) {
        self.0.retain(|path| *path != renamed);
    }

    /// Removes all; an old file that was put back has its own name again.
    fn remove(mut self, sink: &mut Sink) {
        for path in std::mem::take(&mut self.0) {
            if let Err(error) = remove(path) {
                sink(Notice::of(Level::Warning, &Error::io("remove", path)(error)));
            }
        }
    }
}

impl Drop for Temporaries<'_> {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = remove(path);
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

    fn locked(directory: &Path) -> OutputDirectory {
        OutputDirectory::lock(directory, &mut |_| ()).unwrap()
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
            fs::write(&replacement.new, "new").unwrap();
        }
        let error = output.replace_all(&replacements, &mut Temporaries::default(), &mut |_| ()).unwrap_err();
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
        let handle = File::open(directory.path()).unwrap();
        let output = OutputDirectory { path: directory.path().to_owned(), handle, locked: false };
        let replacement = output.replacement("modules.dep");
        let id = std::process::id();
        assert_eq!(replacement.new, directory.path().join(format!("modules.dep.{id}.tmp")));
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
    fn a_lock_that_is_never_given_back_does_not_stop_a_run() {
        let directory = tempfile::tempdir().unwrap();
        let _other = locked(directory.path());
        let mut notices = Vec::new();
        let second =
            OutputDirectory::lock_within(directory.path(), PAUSE, &mut |notice| notices.push(notice));
        second.unwrap().write(&files(), &|| false, &mut |_| ()).unwrap();
        let levels: Vec<Level> = notices.iter().map(|notice| notice.level).collect();
        assert_eq!(levels, [Level::Notice, Level::Warning]);
        assert_eq!(names(directory.path()), ["modules.alias", "modules.dep"]);
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
