//! Files in memory, for the parts of the library that need a path.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// A directory for one process, in memory where the system has such a place.
///
/// # Panics
/// When there is no room for a directory.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).expect("a scratch directory")
}

/// A file in memory with a path.
pub struct MemoryFile {
    file: File,
}

impl MemoryFile {
    /// A file that holds `bytes`.
    ///
    /// # Panics
    /// When the system has no memory left for it.
    pub fn new(bytes: &[u8]) -> Self {
        let mut file = File::from(memfd_create("fuzz", MFdFlags::MFD_CLOEXEC).expect("a file in memory"));
        file.write_all(bytes).expect("memory for the file");
        Self { file }
    }

    /// A path that opens it.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }
}
