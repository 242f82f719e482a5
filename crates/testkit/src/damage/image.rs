//! Damage to the image of a module: an ELF file, plain.
//!
//! Offsets of fields are those of the System V ABI, chapters 4 and 5.

use fastrand::Rng;

use super::bytes;
use super::random::{edge_number, random_offset};
use super::record::Damage;

/// The sections that tools read: these are damaged more often than the others.
const READ: [&[u8]; 11] = [
    b".modinfo",
    b"__versions",
    b"__version_ext_names",
    b"__version_ext_crcs",
    b".symtab",
    b".strtab",
    b".shstrtab",
    b"__ksymtab_strings",
    b"__kcrctab",
    b"__kcrctab_gpl",
    b".gnu.linkonce.this_module",
];

/// A field: its offset and its width.
type Field = (&'static str, usize, usize);

const HEADER_64: [Field; 10] = [
    ("e_ident[EI_CLASS]", 4, 1),
    ("e_ident[EI_DATA]", 5, 1),
    ("e_type", 16, 2),
    ("e_machine", 18, 2),
    ("e_shoff", 40, 8),
    ("e_flags", 48, 4),
    ("e_ehsize", 52, 2),
    ("e_shentsize", 58, 2),
    ("e_shnum", 60, 2),
    ("e_shstrndx", 62, 2),
];
const HEADER_32: [Field; 10] = [
    ("e_ident[EI_CLASS]", 4, 1),
    ("e_ident[EI_DATA]", 5, 1),
    ("e_type", 16, 2),
    ("e_machine", 18, 2),
    ("e_shoff", 32, 4),
    ("e_flags", 36, 4),
    ("e_ehsize", 40, 2),
    ("e_shentsize", 46, 2),
    ("e_shnum", 48, 2),
    ("e_shstrndx", 50, 2),
];
const SECTION_64: [Field; 8] = [
    ("sh_name", 0, 4),
    ("sh_type", 4, 4),
    ("sh_offset", 24, 8),
    ("sh_size", 32, 8),
    ("sh_link", 40, 4),
    ("sh_info", 44, 4),
    ("sh_addralign", 48, 8),
    ("sh_entsize", 56, 8),
];
const SECTION_32: [Field; 8] = [
    ("sh_name", 0, 4),
    ("sh_type", 4, 4),
    ("sh_offset", 16, 4),
    ("sh_size", 20, 4),
    ("sh_link", 24, 4),
    ("sh_info", 28, 4),
    ("sh_addralign", 32, 4),
    ("sh_entsize", 36, 4),
];
const SYMBOL_64: [Field; 4] = [("st_name", 0, 4), ("st_info", 4, 1), ("st_shndx", 6, 2), ("st_value", 8, 8)];
const SYMBOL_32: [Field; 4] =
    [("st_name", 0, 4), ("st_value", 4, 4), ("st_info", 12, 1), ("st_shndx", 14, 2)];

/// `~Module signature appended~\n`, and the `struct module_signature` before it.
const SIGNATURE_MAGIC: usize = 28;
const SIGNATURE_TRAILER: usize = 12;

/// Where things are in an image.
struct ImageLayout {
    is_64: bool,
    big: bool,
    /// Where the header of each section begins, and its name.
    sections: Vec<(usize, Vec<u8>)>,
}

/// Damages an image; one that is no ELF file loses bytes like any other.
pub(super) fn damage(image: &mut Vec<u8>, rng: &mut Rng) -> Damage {
    let layout = ImageLayout::of(image).filter(|layout| !layout.sections.is_empty());
    match (rng.u8(..16), layout) {
        (0..=1, Some(layout)) => header(image, &layout, rng),
        (2..=7, Some(layout)) => section(image, &layout, rng),
        (8..=9, Some(layout)) => symbol(image, &layout, rng),
        (10..=11, Some(layout)) => content(image, &layout, rng),
        (12, _) => Damage::new("header bits", bytes::flip(image, 64, rng)),
        (13, _) => signature(image, rng),
        (14, _) => Damage::new("image cut", bytes::cut(image, rng)),
        _ if rng.bool() => Damage::new("image bits", bytes::flip(image, usize::MAX, rng)),
        _ => Damage::new("image garbled", bytes::garble(image, rng)),
    }
}

fn header(image: &mut [u8], layout: &ImageLayout, rng: &mut Rng) -> Damage {
    let field = rng.choice(if layout.is_64 { HEADER_64 } else { HEADER_32 }).expect("fields");
    let detail = layout.change(image, 0, field, rng);
    Damage::new("header field", detail)
}

/// Points one or two fields of a section header elsewhere: into another section, or out of the file.
fn section(image: &mut [u8], layout: &ImageLayout, rng: &mut Rng) -> Damage {
    let (at, name) = layout.section(rng);
    let fields = if layout.is_64 { SECTION_64 } else { SECTION_32 };
    let mut details = Vec::new();
    for _ in 0..1 + rng.usize(..2) {
        let field = rng.choice(fields).expect("fields");
        if rng.u8(..3) == 0 {
            let (other, other_name) = layout.section(rng);
            let value = layout.get(image, other + field.1, field.2);
            layout.set(image, at + field.1, field.2, value);
            details.push(format!("{} of {}", field.0, String::from_utf8_lossy(&other_name)));
        } else {
            details.push(layout.change(image, at, field, rng));
        }
    }
    Damage::new("section field", format!("{}: {}", String::from_utf8_lossy(&name), details.join(", ")))
}

fn symbol(image: &mut [u8], layout: &ImageLayout, rng: &mut Rng) -> Damage {
    let (size, fields) = if layout.is_64 { (24, SYMBOL_64) } else { (16, SYMBOL_32) };
    let (start, length) = layout.content(image, b".symtab");
    let mut details = Vec::new();
    for _ in 0..1 + rng.usize(..8) {
        let at = start + random_offset(length / size, rng) * size;
        let field = rng.choice(fields).expect("fields");
        details.push(layout.change(image, at, field, rng));
    }
    Damage::new("symbol", details.join(", "))
}

/// Takes the ends of strings away, or garbles what a section that is read holds.
fn content(image: &mut [u8], layout: &ImageLayout, rng: &mut Rng) -> Damage {
    let name = rng.choice(READ).expect("sections");
    let (start, length) = layout.content(image, name);
    let Some(content) = image.get_mut(start..start + length).filter(|content| !content.is_empty()) else {
        return Damage::new("image bits", bytes::flip(image, usize::MAX, rng));
    };
    let detail = match rng.u8(..4) {
        0 => {
            content.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'x');
            "no NUL left".to_owned()
        }
        1 => {
            content[length - 1] = b'x';
            "no NUL at its end".to_owned()
        }
        2 => bytes::flip(content, usize::MAX, rng),
        _ => bytes::garble(content, rng),
    };
    Damage::new("section content", format!("{}: {detail}", String::from_utf8_lossy(name)))
}

/// Changes the end of the file, where a signature has its lengths; a module without one gets the beginning of one.
fn signature(image: &mut Vec<u8>, rng: &mut Rng) -> Damage {
    const MAGIC: &[u8; SIGNATURE_MAGIC] = b"~Module signature appended~\n";
    if !image.ends_with(MAGIC) {
        image.extend((0..SIGNATURE_TRAILER).map(|_| rng.u8(..3)));
        image.extend(MAGIC);
        return Damage::new("signature", "none before");
    }
    let end = image.len() - SIGNATURE_MAGIC;
    let start = match rng.u8(..3) {
        0 => end.saturating_sub(700),
        _ => end.saturating_sub(SIGNATURE_TRAILER),
    };
    let length = end - start;
    let detail = bytes::flip(&mut image[start..end], length, rng);
    Damage::new("signature", format!("{start:#x} + {detail}"))
}

impl ImageLayout {
    fn of(image: &[u8]) -> Option<ImageLayout> {
        let (is_64, big) = match image.get(..6)? {
            [0x7f, b'E', b'L', b'F', class, order] => (*class == 2, *order == 2),
            _ => return None,
        };
        image.get(..64)?;
        let mut layout = ImageLayout { is_64, big, sections: Vec::new() };
        let (header, fields) = if is_64 { (HEADER_64, (24, 64)) } else { (HEADER_32, (16, 40)) };
        let of_header = |name| {
            let (_, at, width) = header.into_iter().find(|field| field.0 == name)?;
            usize::try_from(layout.get(image, at, width)).ok()
        };
        let (offset_at, entry) = fields;
        let (table, count, names) = (of_header("e_shoff")?, of_header("e_shnum")?, of_header("e_shstrndx")?);
        let end = table.checked_add(count.checked_mul(entry)?)?;
        image.get(table..end)?;
        let width = if is_64 { 8 } else { 4 };
        let names = usize::try_from(layout.get(image, table + names * entry + offset_at, width)).ok()?;
        let name_of = |at: usize| {
            let name = names.checked_add(layout.get(image, at, 4) as usize);
            let name = name.and_then(|name| image.get(name..)).unwrap_or_default();
            name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
        };
        let sections = (0..count).map(|index| table + index * entry).map(|at| (at, name_of(at)));
        layout.sections = sections.collect();
        Some(layout)
    }

    /// A section to damage: where its header is, and its name.
    fn section(&self, rng: &mut Rng) -> (usize, Vec<u8>) {
        let read: Vec<_> = self.sections.iter().filter(|(_, name)| READ.contains(&&name[..])).collect();
        if rng.u8(..4) > 0 && !read.is_empty() {
            return read[rng.usize(..read.len())].clone();
        }
        self.sections[rng.usize(..self.sections.len())].clone()
    }

    /// Where the content of a section is, as far as it is in the file.
    fn content(&self, image: &[u8], name: &[u8]) -> (usize, usize) {
        let fields = if self.is_64 { SECTION_64 } else { SECTION_32 };
        let Some((at, _)) = self.sections.iter().find(|section| section.1 == name) else { return (0, 0) };
        let value = |field: Field| usize::try_from(self.get(image, at + field.1, field.2)).ok();
        let (Some(start), Some(length)) = (value(fields[2]), value(fields[3])) else { return (0, 0) };
        if start.checked_add(length).is_some_and(|end| end <= image.len()) { (start, length) } else { (0, 0) }
    }

    fn change(&self, image: &mut [u8], base: usize, field: Field, rng: &mut Rng) -> String {
        let (name, at, width) = field;
        let before = self.get(image, base + at, width);
        let after = edge_number(before, image.len(), rng);
        self.set(image, base + at, width, after);
        format!("{name} {before:#x} -> {after:#x}")
    }

    /// A number; 0 where the file ends before it.
    fn get(&self, image: &[u8], at: usize, width: usize) -> u64 {
        let bytes = image.get(at..at + width).unwrap_or_default();
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    fn set(&self, image: &mut [u8], at: usize, width: usize, value: u64) {
        let little = value.to_le_bytes();
        let Some(bytes) = image.get_mut(at..at + width) else { return };
        for (place, byte) in little[..width].iter().enumerate() {
            bytes[if self.big { width - 1 - place } else { place }] = *byte;
        }
    }
}
