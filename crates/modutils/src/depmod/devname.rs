//! `modules.devname`: the device nodes that are there before their module is, to load it when opened.
//!
//! depmod writes it; `kmod static-nodes` reads it for systemd-tmpfiles and udevd, which make the nodes.
//! After a comment each line is `MODULE NODE cMAJOR:MINOR`, with a `b` for a block device.

use std::{fmt, path::Path};

use bstr::{BStr, ByteSlice};

use super::{TreeFile, facts::Facts};
use crate::{
    Error, Malformed, Notice, Result, Sink,
    config::{self, lines::words},
};

const HEADER: &[u8] = b"# Device nodes to trigger on-demand module loading.\n";

/// A line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// The module that is loaded.
    pub module: &'a BStr,
    /// The node's path below `/dev`.
    pub name: &'a BStr,
    /// What it stands for.
    pub device: Device,
}

/// A device's number and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whether it is a block device; a character device otherwise.
    pub block: bool,
    /// The number of its driver.
    pub major: u32,
    /// Its own among the driver's.
    pub minor: u32,
}

/// A line that is no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine<'a> {
    /// Its text.
    pub text: &'a BStr,
    /// Its location, and what would be valid.
    pub fault: Malformed,
}

/// The text of `modules.devname` in a module directory, for [`parse`].
///
/// # Errors
/// When the file is not there, as for a kernel without modules, or cannot be read.
pub fn read(directory: &Path) -> Result<Vec<u8>> {
    let path = directory.join("modules.devname");
    config::read(&path).map_err(Error::io("open", path))
}

/// The nodes that the text of `modules.devname` lists; every line but comments should be one.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Result<Node<'_>, BadLine<'_>>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with(b"#"));
    lines.map(|(number, line)| {
        let bad = |what| BadLine { text: line.as_bstr(), fault: Malformed::line(number, what) };
        let node = Node::parse(line).ok_or_else(|| bad("not MODULE NODE cMAJOR:MINOR or bMAJOR:MINOR"))?;
        if is_node_name(node.name) { Ok(node) } else { Err(bad("not the name of a node below /dev")) }
    })
}

/// The longest name of a file, `NAME_MAX`.
const LONGEST: usize = 255;

/// Whether a node of that name is below `/dev`, and means the same to whoever makes it. In a line of tmpfiles.d a `%`
/// begins a specifier, quotes hold words together and a backslash changes what follows; some of its lines have patterns,
/// and the rules of udev have variables.
fn is_node_name(name: &[u8]) -> bool {
    let parts = || name.split(|&byte| byte == b'/');
    let is_plain =
        |byte: &u8| !byte.is_ascii() || (byte.is_ascii_graphic() && !b"%\"'\\$*?[]".contains(byte));
    // Bytes that are no UTF-8 are letters of another encoding.
    let is_odd = |letter: char| !letter.is_ascii() && !letter.is_alphanumeric();
    name.len() <= LONGEST
        && name.iter().all(is_plain)
        && !name.to_str().is_ok_and(|name| name.contains(is_odd))
        && parts().all(|part| !matches!(part, b"" | b"." | b".."))
}

impl<'a> Node<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = words(line);
        let (module, name, device) = (words.next()?.as_bstr(), words.next()?.as_bstr(), words.next()?);
        let (kind, numbers) = device.split_first()?;
        let (major, minor) = numbers.to_str().ok()?.split_once(':')?;
        let block = match kind {
            b'b' => true,
            b'c' => false,
            _ => return None,
        };
        let device = Device { block, major: major.parse().ok()?, minor: minor.parse().ok()? };
        Some(Self { module, name, device })
    }

    /// Appends the node as a line of the file.
    pub fn write(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(&[self.module.as_bytes(), b" ", self.name].concat());
        text.extend_from_slice(format!(" {}\n", self.device).as_bytes());
    }
}

impl fmt::Display for Device {
    /// As the file has it: `c10:200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { block, major, minor } = self;
        write!(f, "{}{major}:{minor}", if *block { 'b' } else { 'c' })
    }
}

/// The node of a module; `None` where its aliases do not name one with its number.
pub(super) fn node_of<'a>(file: &'a TreeFile, facts: &'a Facts<'_>) -> Option<Node<'a>> {
    let (name, device) = node(facts.aliases.iter());
    let name = name.filter(|name| is_node_name(name))?;
    Some(Node { module: file.name.as_bstr(), name: name.as_bstr(), device: device? })
}

/// The content of the file; empty where no module has a node. A module that names a node and no
/// device number is reported, and so is a name that leads out of `/dev`, or means something else to who makes nodes.
pub(crate) fn text(files: &[TreeFile], facts: &[Facts<'_>], sink: &mut Sink) -> Vec<u8> {
    let mut text = Vec::new();
    for (file, facts) in files.iter().zip(facts) {
        let module = file.name.as_bstr();
        match node(facts.aliases.iter()) {
            (Some(name), Some(_)) if !is_node_name(name) => {
                let (module, name) = (module.escape_ascii(), name.escape_ascii());
                let message =
                    format!("Module '{module}' has devname ({name}), not the name of a node below /dev");
                sink(Notice::error(message + ". Ignoring."));
            }
            (Some(name), Some(device)) => {
                if text.is_empty() {
                    text.extend_from_slice(HEADER);
                }
                Node { module, name: name.as_bstr(), device }.write(&mut text);
            }
            (Some(node), None) => {
                let lacks = b") but lacks major and minor information. Ignoring.";
                let message = [b"Module '", module.as_bytes(), b"' has devname (", node, lacks].concat();
                sink(Notice::error(message));
            }
            (None, _) => {}
        }
    }
    text
}

/// The node and the device that aliases name. Reading ends when both are known; before that, what
/// comes later counts.
fn node<'a>(aliases: impl Iterator<Item = &'a [u8]>) -> (Option<&'a [u8]>, Option<Device>) {
    let (mut node, mut device) = (None, None);
    for alias in aliases {
        if let Some(name) = alias.strip_prefix(b"devname:") {
            node = Some(name);
        } else if let Some(numbers) = alias.strip_prefix(b"char-major-") {
            device = Device::parse(false, numbers).or(device);
        } else if let Some(numbers) = alias.strip_prefix(b"block-major-") {
            device = Device::parse(true, numbers).or(device);
        }
        if node.is_some() && device.is_some() {
            break;
        }
    }
    (node, device)
}

impl Device {
    /// Reads `MAJOR-MINOR`, whatever follows; `None` for an alias of a whole major, `MAJOR-*`.
    fn parse(block: bool, numbers: &[u8]) -> Option<Self> {
        let (major, rest) = scan_number(numbers)?;
        let (minor, _) = scan_number(rest.strip_prefix(b"-")?)?;
        Some(Self { block, major, minor })
    }
}

/// A number as scanf(3) reads `%u`: blanks and a sign may stand before it, what is too large wraps.
fn scan_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = text.trim_ascii_start();
    let (negative, text) = match text.split_first()? {
        (b'-', text) => (true, text),
        (b'+', text) => (false, text),
        _ => (false, text),
    };
    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(digits)?;
    let value = digits.iter().fold(0_u32, |value, &digit| {
        value.wrapping_mul(10).wrapping_add(u32::from(digit.wrapping_sub(b'0')))
    });
    let value = if negative { value.wrapping_neg() } else { value };
    (!digits.is_empty()).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = (char, u32, u32);

    fn of(aliases: &[&'static str]) -> (Option<&'static [u8]>, Option<Numbers>) {
        let (node, device) = node(aliases.iter().map(|alias| alias.as_bytes()));
        (node, device.map(|device| (if device.block { 'b' } else { 'c' }, device.major, device.minor)))
    }

    #[test]
    fn a_node_is_a_name_and_a_number_in_any_order() {
        assert_eq!(of(&["devname:fuse", "char-major-10-229"]), (Some(&b"fuse"[..]), Some(('c', 10, 229))));
        assert_eq!(of(&["block-major-7-3", "devname:loop"]), (Some(&b"loop"[..]), Some(('b', 7, 3))));
    }

    #[test]
    fn a_whole_major_is_no_number() {
        assert_eq!(of(&["devname:b", "block-major-7-*"]), (Some(&b"b"[..]), None));
        assert_eq!(of(&["char-major-10-200", "char-major-7-*", "devname:x"]).1, Some(('c', 10, 200)));
    }

    #[test]
    fn what_is_written_reads_back_and_other_lines_are_told_with_their_numbers() {
        let text = b"# comment\nsnd snd/seq b116:1\n\nvhost\tvhost-net  c10:238 more\r\n";
        let read: Vec<_> = parse(text).collect();
        let node = |module: &'static str, name: &'static str, block, major, minor| Node {
            module: module.into(),
            name: name.into(),
            device: Device { block, major, minor },
        };
        assert_eq!(read[0], Ok(node("snd", "snd/seq", true, 116, 1)));
        assert_eq!(read[1].as_ref().unwrap_err().fault.place, crate::Place::Line(3));
        assert_eq!(read[2], Ok(node("vhost", "vhost-net", false, 10, 238)));
        let mut written = Vec::new();
        read.iter().flatten().for_each(|node| node.write(&mut written));
        assert_eq!(written.as_bstr(), "snd snd/seq b116:1\nvhost vhost-net c10:238\n");
    }

    #[test]
    fn other_lines_are_no_nodes() {
        for line in ["a b", "a b c1", "a b q1:2", "a b c1:x", "a b c1:99999999999", "a b c1:1\u{e9}"] {
            let read: Vec<_> = parse(line.as_bytes()).collect();
            assert!(matches!(&read[..], [Err(bad)] if bad.text == line), "{line}");
        }
        assert_eq!(parse(b"").count(), 0);
    }

    #[test]
    fn a_node_is_below_dev_whoever_makes_it() {
        for name in ["a", "snd/seq", "..a", "cpu/microcode", "\u{e9}"] {
            assert!(is_node_name(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            "..",
            "../etc/x",
            "a/../../x",
            "a/..",
            "/a",
            "a//b",
            "a/",
            ".",
            "a b",
            "a\nb",
            "%h",
            "'a'",
            "\"a",
            "a\\",
            "$a",
            "a*",
            "a\u{9b}b",
            "a\u{202e}b",
            &"a".repeat(256),
        ] {
            assert!(!is_node_name(name.as_bytes()), "{name}");
            let (text, facts) = (format!("devname:{name}"), &mut Facts::default());
            facts.aliases.push(text.as_bytes());
            facts.aliases.push(b"char-major-1-2");
            let file =
                TreeFile { name: crate::ModuleName::new("m"), path: "m.ko".into(), listed: "m.ko".into() };
            let mut notices = 0;
            assert_eq!(
                super::text(std::slice::from_ref(&file), std::slice::from_ref(facts), &mut |_| notices += 1),
                b""
            );
            assert_eq!((notices, node_of(&file, facts)), (1, None), "{name}");
        }
        let read: Vec<_> = parse(b"m ../../etc/x c1:2\n").collect();
        assert!(matches!(&read[..], [Err(bad)] if bad.fault.what == "not the name of a node below /dev"));
    }

    /// As the packaged depmod of kmod 34 does.
    #[test]
    fn the_first_pair_to_be_complete_counts() {
        let aliases = ["devname:one", "devname:two", "char-major-1-2", "char-major-3-4", "devname:three"];
        assert_eq!(of(&aliases), (Some(&b"two"[..]), Some(('c', 1, 2))));
        assert_eq!(of(&["block-major-9-1", "char-major-8-1", "devname:f"]).1, Some(('c', 8, 1)));
    }

    #[test]
    fn numbers_are_read_as_scanf_reads_them() {
        assert_eq!(of(&["char-major--1-70000"]).1, Some(('c', u32::MAX, 70000)));
        assert_eq!(of(&["char-major- 9- 8"]).1, Some(('c', 9, 8)));
        assert_eq!(of(&["char-major-+1-0x10"]).1, Some(('c', 1, 0)));
        assert_eq!(of(&["char-major-4294967297-4"]).1, Some(('c', 1, 4)));
        assert_eq!(of(&["char-major-1"]).1, None);
    }
}
