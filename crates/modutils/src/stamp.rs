//! By what a file is known to be the same as before.
//!
//! A file's change time is set by the kernel whenever its bytes or its other times are, and by nobody
//! else: a program can give a file any modification time, but not this one. It reports that to the
//! clock's tick only. So a file that has changed in the last moments before it was read has no stamp:
//! it might change once more within that tick, and nothing would show (git calls such entries "racily
//! clean").

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::files;

/// A change is settled when it is so old. Clocks of file systems tick every ten milliseconds at
/// slowest, or every two seconds where times are stored so.
const SETTLED: Duration = Duration::from_secs(3);

/// A file and the state that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The numbers of a stamp, in the order in which they are stored: device, inode, size, and the
    /// times of modification and of change, each as seconds and nanoseconds.
    numbers: [u64; 7],
}

impl Stamp {
    /// The bytes of a stamp.
    pub(crate) const LEN: usize = 7 * 8;

    /// The current stamp of a file; a change may not be settled yet.
    pub fn of(metadata: &Metadata) -> Self {
        let signed = |number: i64| u64::from_ne_bytes(number.to_ne_bytes());
        let numbers = [
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            signed(metadata.mtime()),
            signed(metadata.mtime_nsec()),
            signed(metadata.ctime()),
            signed(metadata.ctime_nsec()),
        ];
        Self { numbers }
    }

    /// The stamp of what is at a path; `None` where there is nothing, or it cannot be looked at.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        files::metadata(path).ok().as_ref().map(Self::of)
    }

    /// The stamp of a file that is going to be read; `None` where a later change might not show.
    pub fn settled(metadata: &Metadata) -> Option<Self> {
        let stamp = Self::of(metadata);
        stamp.is_settled_at(SystemTime::now()).then_some(stamp)
    }

    /// The device that the file is on.
    pub(crate) fn device(&self) -> u64 {
        let [device, ..] = self.numbers;
        device
    }

    fn is_settled_at(&self, now: SystemTime) -> bool {
        let [.., seconds, nanoseconds] = self.numbers;
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or(u32::MAX);
        // A change before 1970, or one in the future, is by another clock than ours.
        let changed = Some(seconds)
            .filter(|&seconds| i64::try_from(seconds).is_ok())
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds)));
        changed.and_then(|changed| changed.checked_add(SETTLED)).is_some_and(|settled| settled <= now)
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        for (place, number) in bytes.chunks_exact_mut(8).zip(self.numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut numbers = [0; 7];
        for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
            *number = u64::from_le_bytes(place.first_chunk().copied().unwrap_or_default());
        }
        Self { numbers }
    }
}

/// Paths that were looked at, each with the state that it was in; nothing was there, or it could not be
/// looked at, where a path has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Vec<(PathBuf, Option<Stamp>)>);

impl Seen {
    /// Notes a file or directory before it is read, or that there is none.
    pub(crate) fn note(&mut self, path: impl Into<PathBuf>, metadata: Option<&Metadata>) {
        self.0.push((path.into(), metadata.map(Stamp::of)));
    }

    /// Adds what others have noted.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Whether something is in another state now.
    pub(crate) fn has_changed(&self) -> bool {
        self.0.iter().any(|(path, then)| Stamp::at(path) != *then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_last_moments_is_not_settled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        assert_eq!(Stamp::settled(&metadata), None);
        let stamp = Stamp::of(&metadata);
        let changed = UNIX_EPOCH
            + Duration::new(metadata.ctime().cast_unsigned(), u32::try_from(metadata.ctime_nsec()).unwrap());
        assert!(!stamp.is_settled_at(changed + SETTLED - Duration::from_nanos(1)));
        assert!(stamp.is_settled_at(changed + SETTLED));
        assert!(!stamp.is_settled_at(changed - Duration::from_secs(3600)), "the clock was set back");
        assert!(!Stamp { numbers: [u64::MAX; 7] }.is_settled_at(changed));
    }

    #[test]
    fn a_stamp_is_stored_whole() {
        let stamp = Stamp { numbers: [1, 2, 3, 4, 5, u64::MAX, 7] };
        assert_eq!(Stamp::from_bytes(&stamp.to_bytes()), stamp);
    }

    /// The time of change shows what a program hides by setting the time of modification back.
    #[test]
    fn a_modification_time_set_back_shows() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = file.as_file().metadata().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        std::fs::write(file.path(), "").unwrap();
        file.as_file().set_modified(before.modified().unwrap()).unwrap();
        let after = file.as_file().metadata().unwrap();
        assert_eq!(before.modified().unwrap(), after.modified().unwrap());
        assert_ne!(Stamp::of(&before), Stamp::of(&after));
    }
}
