//! One depmod at a time writes into a directory.
//!
//! The lock is flock(2) on a file in the directory that only whoever may write there can make, and that nobody else can
//! open: whoever can only read the directory cannot keep depmod from it. The file goes when the lock is released, and
//! the next run takes one that was left by a run that was killed.

use std::{
    fs::{File, Metadata},
    io::{self, ErrorKind, Read, Write},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    thread,
    time::{Duration, Instant},
};

use nix::errno::Errno;
use nix::fcntl::{FlockArg, OFlag};

use super::directory::{Directory, again};
use crate::{Level, Notice, Sink, shown::shown_path};

/// The file that is locked.
const NAME: &str = ".depmod.lock";

/// How long one run of depmod is waited for that has the lock. None takes so long, but one may hang.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How often a file that others can open is replaced by one of ours. Some file systems show all files like that, and some
/// files cannot be removed: there is no lock then.
const MOST_REPLACED: usize = 3;
/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock on a directory, released when it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    directory: Directory,
    /// The lock ends with it.
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Processes that wait see that the file they have locked has no name any more.
        let _ = self.directory.remove(NAME);
    }
}

/// Who has the lock: what the file holds, and which file it is.
type Holder = (u64, i64, i64, Vec<u8>);

/// Waits until no other run has the directory; as long as runs come and go, and for one of them no longer than
/// `patience`. `None` without a lock: some file systems have none, or none that is ours alone, some directories cannot be
/// written to, and somebody may keep it for ever.
///
/// # Errors
/// Where the wait is interrupted.
pub(super) fn lock(
    directory: &Directory,
    patience: Duration,
    is_interrupted: &dyn Fn() -> bool,
    sink: &mut Sink,
) -> io::Result<Option<Lock>> {
    lock_by(&|| attempt(directory), directory, patience, is_interrupted, sink)
}

/// The same with any way of attempting it.
fn lock_by(
    attempt: &dyn Fn() -> io::Result<Attempt>,
    directory: &Directory,
    patience: Duration,
    is_interrupted: &dyn Fn() -> bool,
    sink: &mut Sink,
) -> io::Result<Option<Lock>> {
    let (mut since, mut holder, mut reported) = (Instant::now(), None, false);
    let mut replaced = 0_usize;
    loop {
        if is_interrupted() {
            return Err(ErrorKind::Interrupted.into());
        }
        match attempt() {
            Ok(Attempt::Locked(lock)) => return Ok(Some(lock)),
            Ok(Attempt::Gone) => continue,
            Ok(Attempt::Anybodys) if replaced < MOST_REPLACED => {
                replaced = replaced.saturating_add(1);
                continue;
            }
            Ok(Attempt::Anybodys) => return Ok(None),
            Ok(Attempt::Held(now)) => {
                if holder.as_ref() != Some(&now) {
                    (since, holder) = (Instant::now(), Some(now));
                }
            }
            Err(error) => {
                if error.kind() == ErrorKind::IsADirectory {
                    let path = shown_path(&directory.path().join(NAME));
                    sink(Notice::warning(format!("{path}: a directory, going on without a lock")));
                }
                return Ok(None);
            }
        }
        let path = shown_path(directory.path());
        if since.elapsed() >= patience {
            sink(Notice::warning(format!("{path}: still locked by another, going on")));
            return Ok(None);
        }
        if !reported {
            sink(Notice::new(Level::Notice, format!("{path}: locked by another depmod, waiting")));
            reported = true;
        }
        thread::sleep(PAUSE);
    }
}

enum Attempt {
    /// We have the lock.
    Locked(Lock),
    /// The file was removed meanwhile, by the run that had the lock.
    Gone,
    /// Others could open the file, or it was a link, and it was to be removed.
    Anybodys,
    /// Another run has it.
    Held(Holder),
}

/// Takes the lock if nobody has it; it ends when the file is closed.
#[expect(
    deprecated,
    reason = "nix's newer Flock unlocks when it is dropped, and panics where that fails; the standard library has the \
              lock from Rust 1.89 on"
)]
pub(super) fn lock_now(file: &File) -> nix::Result<()> {
    nix::fcntl::flock(file.as_raw_fd(), FlockArg::LockExclusiveNonblock)
}

fn attempt(directory: &Directory) -> io::Result<Attempt> {
    let own = directory.try_clone()?;
    // Without O_NONBLOCK, a pipe in its place would be waited for.
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NONBLOCK;
    let file = match directory.open_file(NAME, flags, 0o600) {
        // A link, or a socket.
        Err(error)
            if [Errno::ELOOP, Errno::ENXIO]
                .map(|errno| Some(errno as i32))
                .contains(&error.raw_os_error()) =>
        {
            // Another run may have removed it meanwhile, or put its lock there.
            match directory.look_at(NAME) {
                Ok(found) if found.is_file() => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Ok(_) => directory.remove(NAME)?,
                Err(error) => return Err(error),
            }
            return Ok(Attempt::Anybodys);
        }
        opened => opened?,
    };
    match lock_now(&file) {
        Ok(()) => {}
        Err(Errno::EWOULDBLOCK) => return holder(directory, file),
        Err(Errno::EINTR) => return Ok(Attempt::Gone),
        Err(error) => {
            // This file system has no locks, so nobody has one.
            directory.remove(NAME)?;
            return Err(error.into());
        }
    }
    let named = is_named(directory, &file);
    if let Ok(false) = named {
        return Ok(Attempt::Gone);
    }
    // From here on the file is removed, whatever happens.
    let mut lock = Lock { directory: own, file };
    named?;
    let metadata = again(|| lock.file.metadata())?;
    // One with a second name that nobody has locked is somebody's, who has put it in this place.
    if is_open_to_others(&metadata) || metadata.nlink() > 1 {
        return Ok(Attempt::Anybodys);
    }
    // Whoever waits sees by this that it is another's turn. That it could not be written harms nobody.
    let _ = lock.file.set_len(0).and_then(|()| write!(lock.file, "{}", std::process::id()));
    Ok(Attempt::Locked(lock))
}

/// Whether others could open a file: it was not made here, or the file system has no modes of its own.
fn is_open_to_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

/// Whether the file still has its name.
fn is_named(directory: &Directory, file: &File) -> io::Result<bool> {
    let metadata = again(|| file.metadata())?;
    match directory.look_at(NAME) {
        Ok(there) => Ok((there.dev(), there.ino()) == (metadata.dev(), metadata.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn holder(directory: &Directory, file: File) -> io::Result<Attempt> {
    let metadata = again(|| file.metadata())?;
    if is_open_to_others(&metadata) {
        directory.remove(NAME)?;
        return Ok(Attempt::Anybodys);
    }
    let mut bytes = Vec::new();
    file.take(32).read_to_end(&mut bytes)?;
    Ok(Attempt::Held((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), bytes)))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, sync::mpsc};

    use super::*;

    fn open(directory: &tempfile::TempDir) -> Directory {
        Directory::open(directory.path()).unwrap()
    }

    fn within(patience: Duration, directory: &Directory) -> Option<Lock> {
        lock(directory, patience, &|| false, &mut |_| ()).unwrap()
    }

    fn taken(directory: &Directory) -> Lock {
        within(PATIENCE, directory).unwrap()
    }

    fn is_empty(directory: &tempfile::TempDir) -> bool {
        fs::read_dir(directory).unwrap().next().is_none()
    }

    #[test]
    fn the_lock_leaves_no_file_and_nobody_else_can_open_it() {
        let place = tempfile::tempdir().unwrap();
        let directory = open(&place);
        let lock = taken(&directory);
        let metadata = fs::metadata(place.path().join(NAME)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
        drop(lock);
        assert!(is_empty(&place));
    }

    #[test]
    fn what_a_killed_run_left_is_taken_and_what_others_could_open_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let (directory, path) = (open(&place), place.path().join(NAME));
        for mode in [0o600, 0o644] {
            fs::write(&path, "1").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            // Only a file that others can open may be locked by them.
            let other = File::open(&path).unwrap();
            if mode == 0o644 {
                other.lock_shared().unwrap();
            }
            drop(taken(&directory));
            assert!(is_empty(&place));
        }
    }

    #[test]
    fn what_is_somebody_elses_is_replaced_and_not_written_to() {
        let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (held, target) = (directory.path().join(NAME), elsewhere.path().join("target"));
        fs::write(&target, "untouched").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        for plant in [
            &|| fs::hard_link(&target, &held).unwrap(),
            &|| std::os::unix::fs::symlink(&target, &held).unwrap(),
            &|| drop(std::os::unix::net::UnixListener::bind(&held).unwrap()),
        ] as [&dyn Fn(); 3]
        {
            plant();
            let locked = lock(&open(&directory), Duration::ZERO, &|| false, &mut |notice| panic!("{notice}"));
            assert!(locked.unwrap().is_some());
            assert!(!held.exists());
            assert_eq!(fs::read(&target).unwrap(), b"untouched");
        }
    }

    /// Backups make second names, of the lock as of all else.
    #[test]
    fn a_lock_that_is_held_is_waited_for_though_it_has_a_second_name() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directory = open(&place);
        let held = taken(&directory);
        fs::hard_link(place.path().join(NAME), elsewhere.path().join("backup")).unwrap();
        assert!(within(PAUSE, &directory).is_none() && place.path().join(NAME).exists());
        drop(held);
        assert!(within(PAUSE, &directory).is_some() && is_empty(&place));
    }

    #[test]
    fn a_reader_of_the_directory_locks_nobody_out() {
        let place = tempfile::tempdir().unwrap();
        let reader = File::open(place.path()).unwrap();
        reader.lock().unwrap();
        assert!(within(Duration::ZERO, &open(&place)).is_some());
    }

    #[test]
    fn a_lock_that_is_never_released_does_not_stop_a_run() {
        let place = tempfile::tempdir().unwrap();
        let directory = open(&place);
        let _other = taken(&directory);
        let mut levels = Vec::new();
        let waited = lock(&directory, PAUSE, &|| false, &mut |notice| levels.push(notice.level));
        assert!(waited.unwrap().is_none());
        assert_eq!(levels, [Level::Notice, Level::Warning]);
        let interrupted = lock(&directory, PATIENCE, &|| true, &mut |_| ());
        assert_eq!(interrupted.unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_has_no_lock() {
        let place = tempfile::tempdir().unwrap();
        // A directory in the place of the file is what root cannot open for writing either.
        fs::create_dir(place.path().join(NAME)).unwrap();
        assert!(within(PATIENCE, &open(&place)).is_none());
    }

    /// A file system with the same mode for all files made this a loop without an end.
    #[test]
    fn where_every_file_is_anybodys_there_is_no_lock() {
        let place = tempfile::tempdir().unwrap();
        let tries = std::cell::Cell::new(0);
        let attempt = || {
            tries.set(tries.get() + 1);
            assert!(tries.get() < 100, "it goes on and on");
            Ok(Attempt::Anybodys)
        };
        let locked = lock_by(&attempt, &open(&place), PATIENCE, &|| false, &mut |_| ());
        assert!(locked.unwrap().is_none() && tries.get() == MOST_REPLACED + 1);
    }

    /// The patience is for one run: many that come and go are waited for.
    #[test]
    fn runs_that_take_turns_are_waited_for_and_all_have_theirs() {
        let place = tempfile::tempdir().unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..50 {
                let (sender, directory) = (sender.clone(), open(&place));
                scope.spawn(move || {
                    let lock = within(Duration::from_millis(400), &directory);
                    // Exclusive: the file beside is there for nobody else.
                    let own =
                        directory.open_file("own", OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR, 0o600);
                    thread::sleep(Duration::from_millis(15));
                    let alone = own.is_ok() && directory.remove("own").is_ok();
                    sender.send((number, lock.is_some(), alone)).unwrap();
                    drop(lock);
                });
            }
        });
        drop(sender);
        let mut all: Vec<_> = receiver.iter().collect();
        all.sort_unstable();
        assert!(all.len() == 50 && all.iter().all(|&(_, locked, alone)| locked && alone), "{all:?}");
        assert!(is_empty(&place));
    }
}
