//! The kernel's log from a moment on: `/dev/kmsg` (Documentation/ABI/testing/dev-kmsg).

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
};

use bstr::{BString, ByteSlice};

use crate::{Errno, Root};

/// The longest record that the kernel gives, and some.
const RECORD: usize = 8192;
/// The most lines that are kept: the kernel may log one for each of many symbols.
const MOST_LINES: usize = 1000;

/// The log, wound to its end. `None` where there is none, or it may not be read.
pub(crate) fn end_of_log(root: &Root) -> Option<File> {
    let path = root.system("/dev/kmsg");
    let mut log = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).ok()?;
    // Something else in its place has no records.
    if !log.metadata().ok()?.file_type().is_char_device() {
        return None;
    }
    log.seek(SeekFrom::End(0)).ok()?;
    Some(log)
}

/// What the kernel has logged since the last call.
pub(crate) fn new_lines(log: &mut File) -> Vec<BString> {
    let mut lines = Vec::new();
    let mut record = vec![0; RECORD];
    while lines.len() < MOST_LINES {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(len) => lines.extend(text(record.get(..len).unwrap_or_default())),
            // Overwritten before it was read: what follows is still there.
            Err(error) if error.raw_os_error() == Some(Errno::EPIPE.raw()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    lines
}

/// The text of a record: after `priority,number,time,flags;`, the first line; what follows it is a dictionary.
fn text(record: &[u8]) -> Option<BString> {
    let (_, text) = record.split_once_str(";")?;
    Some(text.lines().next().unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gives_its_text() {
        let record = b"4,339,5140900,-;vfat: Unknown symbol a (err -2)\n SUBSYSTEM=x\n";
        assert_eq!(text(record), Some("vfat: Unknown symbol a (err -2)".into()));
        assert_eq!(text(b"4,1,2,-;a;b\n"), Some("a;b".into()));
        assert_eq!(text(b"no record"), None);
    }

    #[test]
    fn a_file_in_the_logs_place_is_no_log() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        assert!(end_of_log(&root).is_none());
        std::fs::create_dir(system.path().join("dev")).unwrap();
        std::fs::write(system.path().join("dev/kmsg"), "4,1,2,-;a\n").unwrap();
        assert!(end_of_log(&root).is_none());
    }
}
