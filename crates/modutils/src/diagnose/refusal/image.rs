//! The symbols that a kernel exports, read from its image: a x86 `bzImage` holds the whole kernel as a
//! compressed ELF file, whose tables are the ones in which the kernel itself looks up symbols.
//!
//! The image's header: Documentation/arch/x86/boot.rst; the tables: `struct kernel_symbol` in
//! `include/linux/export-internal.h`, with relative references on this machine. Other machines compress
//! a bare image without sections, in which the tables cannot be determined from other bytes. But the names of
//! all exported symbols are in it: one that is not there is not exported.

mod lz4;

use std::path::Path;

use bstr::{BString, ByteSlice};
use goblin::elf::header::EM_X86_64;
use scroll::{LE, Pread};

use super::{
    btf::{self, Extent},
    exports::{KernelTable, KnownExport, Owner},
    table::if_readable,
};
use crate::{
    Error, Result,
    elf::Elf,
    file::{Compression, Contents, TREE_FILE_LIMIT, first_stream, read_bounded},
};

/// Three references of 32 bits: to the value, the name and the namespace, each relative to its own place.
const ENTRY: usize = 12;
/// `KSYM_FLAG_GPL_ONLY`.
const GPL_ONLY: u8 = 1;

/// The kernel's exports by the image at this path; `None` where it is not one that can be read. One without any table of
/// CRCs is of a kernel that has none (CONFIG_MODVERSIONS).
///
/// # Errors
/// When there is no memory for it.
pub fn read(path: &Path) -> Result<Option<KernelTable>> {
    Ok(elf_of(path)?.and_then(|elf| exports(path, &elf)))
}

/// How far the type information leads that is in an image.
///
/// # Errors
/// When there is no memory for it.
pub fn type_information(path: &Path) -> Result<Option<Extent>> {
    let Some(elf) = elf_of(path)? else { return Ok(None) };
    let section = if_readable(elf.section(btf::SECTION))?.flatten();
    Ok(section.and_then(|bytes| btf::extent(bytes, elf.endian())))
}

/// The ELF file of the kernel in an image.
fn elf_of(path: &Path) -> Result<Option<Elf>> {
    let image = read_bounded(path, TREE_FILE_LIMIT).map_err(Error::io("read", path));
    let Some(image) = if_readable(image)? else { return Ok(None) };
    let Some(kernel) = kernel_in(path, &image)? else { return Ok(None) };
    drop(image);
    if_readable(Contents::from_bytes(path, kernel).and_then(Elf::parse))
}

/// The exports of the kernel in an ELF file.
fn exports(path: &Path, elf: &Elf) -> Option<KernelTable> {
    if elf.machine() != EM_X86_64 {
        return None;
    }
    let mut table = KernelTable { source: path.to_owned(), has_crcs: true, ..KernelTable::default() };
    let strings = Section::of(elf, b"__ksymtab_strings")?;
    for (entries, crcs, gpl_only) in
        [("__ksymtab", "__kcrctab", false), ("__ksymtab_gpl", "__kcrctab_gpl", true)]
    {
        let Some(entries) = Section::of(elf, entries.as_bytes()) else { continue };
        let crcs = Section::of(elf, crcs.as_bytes()).map_or(&[][..], |crcs| crcs.bytes);
        // Since Linux 7.0 one table has all symbols, and another a byte of flags for each.
        let flags = Section::of(elf, b"__kflagstab").map_or(&[][..], |flags| flags.bytes);
        table.has_crcs &= crcs.is_empty() || crcs.len() == entries.bytes.len() / ENTRY * 4;
        for (place, entry) in entries.bytes.chunks_exact(ENTRY).enumerate() {
            let at = |field: usize| entries.address.checked_add((place * ENTRY + field) as u64);
            let text = |field: usize| {
                let reference = entry.pread_with::<i32>(field, LE).ok()?;
                strings.text(at(field)?.checked_add_signed(reference.into())?)
            };
            let name = text(4)?;
            let flagged = !gpl_only && flags.get(place).is_some_and(|flags| flags & GPL_ONLY != 0);
            let namespace = text(8).filter(|namespace| !namespace.is_empty());
            let offer = KnownExport {
                owner: Owner::Kernel,
                crc: crcs.pread_with::<u32>(place * 4, LE).ok(),
                gpl_only: gpl_only || flagged,
                namespace: namespace.map(BString::from),
                by_proprietary: false,
            };
            table.offers.insert(name.into(), offer);
        }
    }
    (!table.offers.is_empty()).then_some(table)
}

/// The most bytes that a kernel has when decompressed.
const KERNEL_LIMIT: u64 = 1 << 28;
/// How many times its length a compressed kernel may have.
const MOST_COMPRESSED: usize = 16;
/// What the kernel's own bytes have in them, and those of what decompresses it have not.
const BANNER: &str = "Linux version ";
/// How many places that look like the beginning of a compressed kernel are tried.
const MOST_PLACES: usize = 64;

/// The names in an image.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Each backwards, sorted: the linker lets a name share the end of a longer one.
    backwards: Vec<Vec<u8>>,
}

impl Names {
    /// All names in the image at this path: the NUL-terminated strings that could be a symbol's. `None`
    /// where the kernel in it cannot be decompressed.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let image = read_bounded(path, TREE_FILE_LIMIT).map_err(Error::io("read", path));
        let Some(image) = if_readable(image)? else { return Ok(None) };
        for place in compressed_places(&image) {
            let kernel = decompressed(path, place, 0)?;
            if let Some(kernel) = kernel.filter(|kernel| kernel.contains_str(BANNER)) {
                return Ok(Some(Self::of(&kernel)));
            }
        }
        Ok(None)
    }

    fn of(kernel: &[u8]) -> Self {
        let strings = kernel.split(|&byte| byte == 0).filter(|string| is_name(string));
        let mut backwards: Vec<Vec<u8>> = strings.map(reversed).collect();
        backwards.sort_unstable();
        backwards.dedup();
        Self { backwards }
    }

    /// Whether a name is there, by itself or as the end of a longer one.
    pub fn contains(&self, name: &[u8]) -> bool {
        let wanted = reversed(name);
        let place = self.backwards.partition_point(|other| *other < wanted);
        self.backwards.get(place).is_some_and(|other| other.starts_with(&wanted))
    }
}

fn reversed(name: &[u8]) -> Vec<u8> {
    name.iter().rev().copied().collect()
}

fn is_name(string: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
    (2..512).contains(&string.len()) && string.iter().all(is_letter)
}

/// The tails of an image that begin as a compressed stream does.
fn compressed_places(image: &[u8]) -> impl Iterator<Item = &[u8]> {
    let magics: [&[u8]; 4] = [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x1f\x8b\x08", lz4::MAGIC];
    let places = magics.into_iter().flat_map(|magic| image.find_iter(magic));
    places.take(MOST_PLACES).filter_map(|place| image.get(place..))
}

/// The compressed kernel in an image, decompressed.
///
/// # Errors
/// When there is no memory for it.
fn kernel_in(path: &Path, image: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some((stream, len)) = stream_in(image) else { return Ok(None) };
    // The length that its end states, as far as that is possible.
    let expected = len.min(stream.len().saturating_mul(MOST_COMPRESSED));
    decompressed(path, stream, expected)
}

/// The kernel in the stream at the beginning of some bytes.
///
/// # Errors
/// When there is no memory for it.
fn decompressed(path: &Path, stream: &[u8], expected: usize) -> Result<Option<Vec<u8>>> {
    let kernel = match stream.starts_with(lz4::MAGIC) {
        true => lz4::decompress(stream, KERNEL_LIMIT),
        false => first_stream(stream, KERNEL_LIMIT, expected),
    };
    Ok(if_readable(kernel.map_err(|fault| fault.at(path)))?.flatten())
}

/// The compressed stream in an image, by the fields of its header, and its length when decompressed, which follows it.
fn stream_in(image: &[u8]) -> Option<(&[u8], usize)> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let setup_sectors = usize::from(*image.get(0x1f1)?);
    let field =
        |offset| image.pread_with::<u32>(offset, LE).ok().and_then(|field| usize::try_from(field).ok());
    let start = (setup_sectors + 1).checked_mul(512)?.checked_add(field(0x248)?)?;
    let payload = image.get(start..start.checked_add(field(0x24c)?)?)?;
    let (stream, len) = payload.split_last_chunk::<4>()?;
    let is_compressed = stream.starts_with(lz4::MAGIC) || Compression::of(stream) != Compression::None;
    is_compressed.then_some((stream, usize::try_from(u32::from_le_bytes(*len)).ok()?))
}

/// A section's bytes, and where they are in memory.
struct Section<'a> {
    address: u64,
    bytes: &'a [u8],
}

impl<'a> Section<'a> {
    fn of(elf: &'a Elf, name: &[u8]) -> Option<Self> {
        let (_, header) = elf.sections().find(|(other, _)| *other == name)?;
        Some(Self { address: header.sh_addr, bytes: elf.section(name).ok()?? })
    }

    /// The text at an address.
    fn text(&self, address: u64) -> Option<&'a [u8]> {
        let tail = self.bytes.get(usize::try_from(address.checked_sub(self.address)?).ok()?..)?;
        let longest = tail.get(..crate::elf::NAME_LIMIT).unwrap_or(tail);
        tail.get(..longest.find_byte(0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_the_end_of_a_longer_one() {
        let names = Names::of(b"\0bio_put\0k(free\0kfree\0\xff\0x");
        assert!([&b"bio_put"[..], b"io_put", b"kfree", b"free"].iter().all(|name| names.contains(name)));
        assert!(![&b"bio_pu"[..], b"k(free", b"zfree", b"\xff"].iter().any(|name| names.contains(name)));
        assert!(!Names::default().contains(b"kfree"));
    }

    #[test]
    fn a_kernel_is_found_whatever_stands_around_its_stream() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmlinuz");
        let kernel = b"\0Linux version 6.1\0kfree\0";
        let is_plain = |form: &testkit::Compression| *form == testkit::Compression::Plain;
        for compression in crate::file::readable().into_iter().skip_while(is_plain) {
            let stream = compression.compress(kernel);
            let image = [&b"loader \xfd7zXZ\0 and more"[..], &stream, b"\x1a\0\0\0 the end"].concat();
            std::fs::write(&path, image).unwrap();
            let names = Names::read(&path).unwrap().unwrap_or_else(|| panic!("{compression:?}"));
            assert!(names.contains(b"kfree") && !names.contains(b"kmalloc"));
        }
    }

    #[test]
    fn what_is_no_image_has_no_table() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmlinuz");
        let mut header = vec![0; 0x300];
        header[0x202..0x206].copy_from_slice(b"HdrS");
        for bytes in [&b""[..], b"text", &[0xff; 2000], &header] {
            std::fs::write(&path, bytes).unwrap();
            assert!(read(&path).unwrap().is_none() && Names::read(&path).unwrap().is_none());
        }
        header[0x248..0x250].fill(0xff);
        std::fs::write(&path, &header).unwrap();
        assert!(read(&path).unwrap().is_none());
    }
}
