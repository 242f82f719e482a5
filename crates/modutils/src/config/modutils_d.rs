//! modutils.d(5): what kmod does not have.
//!
//! A `blacklist` line only stops aliases, and kmod has nothing that stops more: `deny` does. `explain` is
//! about messages. Both are in files of our own, which kmod does not read: in directories like those of
//! modprobe.d, of the same form and with the same precedence. `--config` does not replace them.

use std::{path::Path, sync::Arc};

use bstr::{BString, ByteSlice};

use super::{
    DenyLine, Explain, ExplainLine, Family, Files, Origin,
    lines::{self, binary_kind, shown_start, word},
    read,
};
use crate::shown::shown_path;
use crate::{Alias, Error, Notice, Root, Sink, stamp::Seen};

/// The lines of all files, each kind in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModutilsLines {
    /// `deny` lines.
    pub denies: Vec<DenyLine>,
    /// `explain` lines. The last one counts.
    pub explains: Vec<ExplainLine>,
}

/// What one line means.
enum Parsed {
    Deny(Alias, BString),
    Explain(Explain),
}

/// Reads the files of the system, in their order, and returns what was looked at. What cannot be read is
/// reported to the sink.
pub(super) fn load(root: &Root, sink: &mut Sink) -> (ModutilsLines, Seen) {
    let mut files = Files::default();
    files.add(&Family::Modutils.directories(root), sink);
    let mut lines = ModutilsLines::default();
    let seen = files.take_seen();
    for path in files.into_paths() {
        match read(&path) {
            Ok(bytes) => lines.add_file(&path.into(), &bytes, sink),
            Err(error) => sink(Notice::error(Error::io("read", path)(error).to_string())),
        }
    }
    (lines, seen)
}

impl ModutilsLines {
    /// Adds the lines of a file.
    pub fn add_file(&mut self, file: &Arc<Path>, bytes: &[u8], sink: &mut Sink) {
        if let Some(kind) = binary_kind(bytes) {
            return sink(Notice::error(format!("{} is {kind}, not configuration", shown_path(file))));
        }
        for line in lines::lines(bytes) {
            let origin = Origin { file: file.clone(), line: line.number };
            match parse(&line.text) {
                Ok(Parsed::Deny(pattern, reason)) => self.denies.push(DenyLine { pattern, reason, origin }),
                Ok(Parsed::Explain(when)) => self.explains.push(ExplainLine { when, origin }),
                Err(fault) => {
                    let start = shown_start(&line.text);
                    let message = format!("{origin}: ignoring bad line starting with '{start}': {fault}");
                    sink(Notice::error(message));
                }
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Parsed, String> {
    let (keyword, rest) = word(line).ok_or("nothing on the line")?;
    match keyword {
        b"deny" => {
            let (name, reason) = word(rest).ok_or("a deny without a module")?;
            let pattern = Alias::new(name).map_err(|fault| format!("'{}': {fault}", name.as_bstr()))?;
            Ok(Parsed::Deny(pattern, reason.trim_ascii().into()))
        }
        b"explain" => {
            let when = rest.trim_ascii();
            let known = Explain::named(when).map(Parsed::Explain);
            known.ok_or_else(|| format!("'{}': neither always nor never nor auto", when.as_bstr()))
        }
        _ => Err(format!("no such command: '{}'", keyword.as_bstr())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModuleName;

    fn lines(text: &str) -> (ModutilsLines, Vec<String>) {
        let (mut lines, mut notices) = (ModutilsLines::default(), Vec::new());
        let mut sink = |notice: Notice| notices.push(notice.message.to_string());
        lines.add_file(&Path::new("/t.conf").into(), text.as_bytes(), &mut sink);
        (lines, notices)
    }

    #[test]
    fn a_deny_line_has_a_pattern_and_perhaps_a_reason() {
        let (lines, notices) = lines("# not used here\ndeny firewire-*  no DMA from outside \ndeny b\n");
        let denies = lines.denies;
        assert!(notices.is_empty());
        assert!(denies[0].denies(&ModuleName::new("firewire-core")));
        assert!(!denies[0].denies(&ModuleName::new("firmware")));
        assert_eq!((denies[0].reason.as_slice(), denies[0].origin.line), (&b"no DMA from outside"[..], 2));
        assert!(denies[1].denies(&ModuleName::new("b")) && denies[1].reason.is_empty());
    }

    #[test]
    fn another_line_is_named_and_spoils_nothing() {
        let (lines, notices) = lines("deny\nblacklist a\ndeny x]\ndeny c\n");
        assert_eq!((lines.denies.len(), notices.len()), (1, 3));
        assert_eq!(
            notices[1],
            "/t.conf line 2: ignoring bad line starting with 'blacklist': no such command: 'blacklist'"
        );
    }

    #[test]
    fn an_explain_line_has_one_of_three_words() {
        let (lines, notices) = lines("explain never\nexplain\nexplain sometimes\nexplain \talways \n");
        let when: Vec<(u32, &str)> =
            lines.explains.iter().map(|line| (line.origin.line, line.when.name())).collect();
        assert_eq!(when, [(1, "never"), (4, "always")]);
        assert_eq!(
            notices,
            [
                "/t.conf line 2: ignoring bad line starting with 'explain': '': neither always nor never nor auto",
                "/t.conf line 3: ignoring bad line starting with 'explain': 'sometimes': neither always nor never nor auto",
            ]
        );
    }

    #[test]
    fn the_last_explain_line_of_all_files_counts() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        assert_eq!(Explain::configured(&root), Explain::Auto);
        let write = |path: &str, text: &str| {
            let path = system.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("etc/modutils.d/20-local.conf", "explain always\n");
        write("usr/lib/modutils.d/10-vendor.conf", "explain never\nbad line\n");
        assert_eq!(Explain::configured(&root), Explain::Always);
        write("run/modutils.d/30.conf", "explain never\nexplain auto\n");
        assert_eq!(Explain::configured(&root), Explain::Auto);
    }
}
