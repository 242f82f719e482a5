//! The parts of a module file that the fake kernel reads: its name, its dependencies and what it was built for.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use object::{Object, ObjectSection, SectionFlags, elf};

/// The properties of a module's image that decide whether it loads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ModuleImage {
    pub(super) name: OsString,
    pub(super) depends: Vec<OsString>,
    pub(super) vermagic: Option<Vec<u8>>,
    /// The symbol versions, unless the section is missing or not allocated.
    pub(super) versions: Vec<(Vec<u8>, u64)>,
    pub(super) size: u64,
}

impl ModuleImage {
    /// Reads a plain image as the kernel does.
    ///
    /// # Errors
    /// ENOEXEC when it is not a module.
    pub(super) fn parse(bytes: &[u8]) -> Result<ModuleImage, Errno> {
        let file = object::File::parse(bytes).map_err(|_| Errno::ENOEXEC)?;
        let word = if file.is_64() { 8 } else { 4 };
        let data = |name: &str| file.section_by_name(name).and_then(|section| section.data().ok());
        let this_module = data(".gnu.linkonce.this_module").ok_or(Errno::ENOEXEC)?;
        // `struct module` starts with its state, padded to a word, and two list pointers; MODULE_NAME_LEN is 64 - word.
        let name = this_module.get(3 * word..3 * word + 64 - word).ok_or(Errno::ENOEXEC)?;
        let modinfo = data(".modinfo").unwrap_or_default();
        let depends = entry(modinfo, b"depends=").unwrap_or_default();
        let little = file.is_little_endian();
        let allocated = file.section_by_name("__versions").filter(|section| match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.0 & elf::SHF_ALLOC.0 != 0,
            _ => false,
        });
        let versions = allocated.and_then(|section| section.data().ok()).unwrap_or_default();
        Ok(ModuleImage {
            name: OsString::from_vec(until_nul(name).to_vec()),
            depends: depends
                .split(|byte| *byte == b',')
                .filter(|name| !name.is_empty())
                .map(|name| {
                    OsString::from_vec(name.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect())
                })
                .collect(),
            vermagic: entry(modinfo, b"vermagic=").map(<[u8]>::to_vec),
            versions: versions.chunks_exact(64).map(|record| version(record, word, little)).collect(),
            size: bytes.len().next_multiple_of(4096) as u64,
        })
    }

    /// Decompresses as `MODULE_INIT_COMPRESSED_FILE` asks a kernel built for `algorithm` to.
    ///
    /// # Errors
    /// EOPNOTSUPP without an algorithm, EINVAL where the bytes are not in it.
    pub(super) fn decompress(bytes: &[u8], algorithm: Option<&str>) -> Result<Vec<u8>, Errno> {
        let mut plain = Vec::new();
        let read = match algorithm {
            Some("gzip") => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain),
            Some("xz") => liblzma::read::XzDecoder::new(bytes).read_to_end(&mut plain),
            Some("zstd") => zstd::Decoder::new(bytes).and_then(|mut decoder| decoder.read_to_end(&mut plain)),
            _ => return Err(Errno::EOPNOTSUPP),
        };
        read.map(|_| plain).map_err(|_| Errno::EINVAL)
    }
}

/// A record of `__versions`: the CRC in a word, the name in the rest.
fn version(record: &[u8], word: usize, little: bool) -> (Vec<u8>, u64) {
    let (crc, name) = record.split_at(word);
    let fold = |crc, byte: &u8| crc << 8 | u64::from(*byte);
    let crc = if little { crc.iter().rev().fold(0, fold) } else { crc.iter().fold(0, fold) };
    (until_nul(name).to_vec(), crc)
}

fn entry<'a>(modinfo: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    modinfo.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(key))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
