//! `/packed`: a module compressed in the ways that people compress modules, of which the kernel's decoders read some.

use std::process::Command;

use anyhow::Result;

use super::filter;
use crate::initramfs::Initramfs;
use crate::packages::{self, XZ, ZSTD};

/// The dictionaries of the .xz files, in MiB.
const DICTIONARIES: [u32; 6] = [1, 4, 8, 16, 32, 64];

/// The checks of the .xz files. CRC64 is what xz takes by itself.
const CHECKS: [&str; 4] = ["none", "crc32", "crc64", "sha256"];

/// Other .xz files: several blocks, a filter for machine code, and one that the kernel does not have.
const OTHERS: [(&str, &[&str]); 4] = [
    ("blocks", &["--block-size=4KiB", "--lzma2=dict=1MiB"]),
    ("x86", &["--x86", "--lzma2=dict=1MiB"]),
    ("delta", &["--delta=dist=1", "--lzma2=dict=1MiB"]),
    ("default-9", &["-9"]),
];

/// The zstd files. What is read from a pipe has no size in its header, and the window that was asked for.
const ZSTDS: [(&str, &[&str]); 5] = [
    ("no-size", &["-3"]),
    ("long-24", &["-3", "--long=24"]),
    ("long-27", &["-3", "--long=27"]),
    ("long-30", &["-3", "--long=30"]),
    ("ultra", &["--ultra", "-22", "--no-check"]),
];

/// Adds the module `name` with these bytes, in each way.
///
/// # Errors
/// When a program fails.
pub(super) fn add(root: &mut Initramfs, name: &str, plain: &[u8]) -> Result<()> {
    packages::need(&[XZ, ZSTD])?;
    let mut add = |way: &str, suffix: &str, bytes: &[u8]| {
        root.file(&format!("packed/{way}/{name}.ko.{suffix}"), 0o644, bytes);
    };
    let xz = |flags: &[&str], bytes: &[u8]| filter(Command::new("xz").args(flags), bytes);
    for check in CHECKS {
        let packed = xz(&[&format!("--check={check}"), "--lzma2=dict=1MiB"], plain)?;
        add(&format!("xz-check-{check}"), "xz", &packed);
    }
    for size in DICTIONARIES {
        let packed = xz(&["--check=crc32", &format!("--lzma2=dict={size}MiB")], plain)?;
        add(&format!("xz-dictionary-{size}"), "xz", &packed);
    }
    for (way, flags) in OTHERS {
        add(&format!("xz-{way}"), "xz", &xz(&[&["--check=crc32"], flags].concat(), plain)?);
    }
    let (one, other) = plain.split_at(plain.len() / 2);
    let crc32 = ["--check=crc32", "--lzma2=dict=1MiB"];
    add("xz-streams", "xz", &[xz(&crc32, one)?, xz(&crc32, other)?].concat());

    let zstd = |flags: &[&str], bytes: &[u8]| filter(Command::new("zstd").arg("--quiet").args(flags), bytes);
    for (way, flags) in ZSTDS {
        add(&format!("zst-{way}"), "zst", &zstd(flags, plain)?);
    }
    add("zst-size", "zst", &zstd(&[&format!("--stream-size={}", plain.len())], plain)?);
    add("zst-streams", "zst", &[zstd(&[], one)?, zstd(&[], other)?].concat());
    Ok(())
}
