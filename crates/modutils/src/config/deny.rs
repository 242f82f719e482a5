//! modutils.d(5): modules that are not to be loaded, whoever asks for them.
//!
//! A `blacklist` line only stops aliases, and kmod has nothing that stops more. What does is in
//! files of our own, which kmod does not read: in directories like those of modprobe.d, of the same
//! form and with the same precedence. `--config` does not replace them.

use std::{path::Path, sync::Arc};

use bstr::{BString, ByteSlice};

use super::{
    Family, Files, Origin,
    lines::{self, word},
    read,
};
use crate::{Alias, Error, ModuleName, Notice, Root, Sink, glob::fnmatch, stamp::Seen};

/// `deny PATTERN REASON...`, or a module of `modutils.deny=` on the kernel command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyLine {
    /// What is matched against a module's name.
    pub pattern: Alias,
    /// Why, in words for people; empty where nobody wrote it.
    pub reason: BString,
    /// Its location.
    pub origin: Origin,
}

impl DenyLine {
    /// Whether it concerns a module.
    pub fn denies(&self, module: &ModuleName) -> bool {
        fnmatch(self.pattern.as_bytes(), module.as_bytes())
    }
}

/// Reads the files of the system, in their order, and records what was read. What cannot be read is
/// reported to the sink.
pub(super) fn load(root: &Root, sink: &mut Sink) -> (Vec<DenyLine>, Seen) {
    let mut files = Files::default();
    files.add(&Family::Modutils.directories(root), sink);
    let mut lines = Vec::new();
    let seen = files.take_seen();
    for path in files.into_paths() {
        match read(&path) {
            Ok(bytes) => add_file(&mut lines, &path.into(), &bytes, sink),
            Err(error) => sink(Notice::error(Error::io("read", path)(error).to_string())),
        }
    }
    (lines, seen)
}

/// Adds the lines of a file.
pub(super) fn add_file(denies: &mut Vec<DenyLine>, file: &Arc<Path>, bytes: &[u8], sink: &mut Sink) {
    for line in lines::lines(bytes) {
        let origin = Origin { file: file.clone(), line: line.number };
        match parse(&line.text) {
            Ok((pattern, reason)) => denies.push(DenyLine { pattern, reason, origin }),
            Err(fault) => {
                let start = word(&line.text).map_or(&b""[..], |(keyword, _)| keyword).as_bstr();
                sink(Notice::error(format!("{origin}: ignoring bad line starting with '{start}': {fault}")));
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<(Alias, BString), String> {
    let (keyword, rest) = word(line).ok_or("nothing on the line")?;
    if keyword != b"deny" {
        return Err(format!("no such command: '{}'", keyword.as_bstr()));
    }
    let (name, reason) = word(rest).ok_or("a deny without a module")?;
    let pattern = Alias::new(name).map_err(|fault| format!("'{}': {fault}", name.as_bstr()))?;
    Ok((pattern, reason.trim_ascii().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denies(text: &str) -> (Vec<DenyLine>, Vec<String>) {
        let (mut denies, mut notices) = (Vec::new(), Vec::new());
        let mut sink = |notice: Notice| notices.push(notice.message.to_string());
        add_file(&mut denies, &Path::new("/t.conf").into(), text.as_bytes(), &mut sink);
        (denies, notices)
    }

    #[test]
    fn a_line_has_a_pattern_and_perhaps_a_reason() {
        let (denies, notices) = denies("# not used here\ndeny firewire-*  no DMA from outside \ndeny b\n");
        assert!(notices.is_empty());
        assert!(denies[0].denies(&ModuleName::new("firewire-core")));
        assert!(!denies[0].denies(&ModuleName::new("firmware")));
        assert_eq!((denies[0].reason.as_slice(), denies[0].origin.line), (&b"no DMA from outside"[..], 2));
        assert!(denies[1].denies(&ModuleName::new("b")) && denies[1].reason.is_empty());
    }

    #[test]
    fn another_line_is_named_and_spoils_nothing() {
        let (denies, notices) = denies("deny\nblacklist a\ndeny x]\ndeny c\n");
        assert_eq!((denies.len(), notices.len()), (1, 3));
        assert_eq!(
            notices[1],
            "/t.conf line 2: ignoring bad line starting with 'blacklist': no such command: 'blacklist'"
        );
    }
}
