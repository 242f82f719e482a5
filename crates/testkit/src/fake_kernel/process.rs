//! The memory and the open files of a process whose system call waits for an answer.

use std::ffi::{CStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// The calling process: its memory and its open files. It is stopped while its call waits.
pub(super) struct Process {
    pid: u32,
    memory: File,
}

impl Process {
    pub(super) fn new(pid: u32) -> Result<Process, Errno> {
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
        memory.map(|memory| Process { pid, memory }).map_err(|_| Errno::ESRCH)
    }

    pub(super) fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, address).map_err(|_| Errno::EFAULT)?;
        Ok(bytes)
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.memory.write_all_at(bytes, address).map_err(|_| Errno::EFAULT)
    }

    /// A string up to its NUL, read page by page because the next page may not be mapped.
    pub(super) fn string(&self, address: u64) -> Result<OsString, Errno> {
        const PAGE: u64 = 4096;
        let mut bytes = Vec::new();
        loop {
            let from = address + bytes.len() as u64;
            bytes.extend(self.read(from, (PAGE - from % PAGE) as usize)?);
            if let Ok(text) = CStr::from_bytes_until_nul(&bytes) {
                return Ok(OsString::from_vec(text.to_bytes().to_vec()));
            }
        }
    }

    pub(super) fn file(&self, fd: u64) -> Result<Vec<u8>, Errno> {
        fs::read(self.fd(fd)).map_err(|error| error.raw_os_error().map_or(Errno::EBADF, Errno::from_raw))
    }

    /// The path of an open file as the process sees it.
    pub(super) fn path(&self, fd: u64, root: &Path) -> PathBuf {
        let path = fs::read_link(self.fd(fd)).unwrap_or_default();
        path.strip_prefix(root).map_or(path.clone(), |inside| Path::new("/").join(inside))
    }

    fn fd(&self, fd: u64) -> String {
        format!("/proc/{}/fd/{}", self.pid, fd as i32)
    }
}
