//! `modules.devname`: the device nodes that are there before their module is, to load it when opened.
//!
//! systemd-tmpfiles and udevd create them from this file (`kmod static-nodes`).

use super::{ModuleFile, facts::Facts};
use crate::{Notice, Sink};

const HEADER: &[u8] = b"# Device nodes to trigger on-demand module loading.\n";

/// A device's number and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    /// `c` or `b`.
    kind: u8,
    major: u32,
    minor: u32,
}

/// The content of the file; empty where no module has a node. A module that names a node and no
/// device number is told.
pub fn text(files: &[ModuleFile], facts: &[Facts<'_>], sink: &mut Sink) -> Vec<u8> {
    let mut text = Vec::new();
    for (file, facts) in files.iter().zip(facts) {
        let name = file.name.as_bytes();
        match node(facts.aliases.iter()) {
            (Some(node), Some(Device { kind, major, minor })) => {
                if text.is_empty() {
                    text.extend_from_slice(HEADER);
                }
                text.extend_from_slice(&[name, b" ", node, b" ", &[kind]].concat());
                text.extend_from_slice(format!("{major}:{minor}\n").as_bytes());
            }
            (Some(node), None) => {
                let lacks = b") but lacks major and minor information. Ignoring.";
                let message = [b"Module '", name, b"' has devname (", node, lacks].concat();
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
            device = Device::parse(b'c', numbers).or(device);
        } else if let Some(numbers) = alias.strip_prefix(b"block-major-") {
            device = Device::parse(b'b', numbers).or(device);
        }
        if node.is_some() && device.is_some() {
            break;
        }
    }
    (node, device)
}

impl Device {
    /// Reads `MAJOR-MINOR`, whatever follows; `None` for an alias of a whole major, `MAJOR-*`.
    fn parse(kind: u8, numbers: &[u8]) -> Option<Self> {
        let (major, rest) = scan_number(numbers)?;
        let (minor, _) = scan_number(rest.strip_prefix(b"-")?)?;
        Some(Self { kind, major, minor })
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
        (node, device.map(|device| (char::from(device.kind), device.major, device.minor)))
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
