//! Real modules with one fault each, which a kernel refuses.
//!
//! The module must be uncompressed and unsigned, since a change makes the signature invalid: see [`unsigned`].

use crate::signature::MAGIC;

/// The length of `struct module_signature`.
const RECORD: usize = 12;
/// The length of a record of `__versions`.
const VERSION: usize = 64;

/// The module without the signature at its end, if it has one.
///
/// # Panics
/// When the signature's record is malformed.
pub fn unsigned(mut module: Vec<u8>) -> Vec<u8> {
    if let Some(signed) = module.strip_suffix(MAGIC) {
        let length = u32::from_be_bytes(*signed.last_chunk().expect("a signature's record"));
        let end = signed.len() - RECORD - length as usize;
        module.truncate(end);
    }
    module
}

/// The module with every `from` replaced by `to`, which has the same length.
///
/// # Panics
/// When `from` does not occur.
pub fn replaced(mut module: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "offsets in the file must not change");
    let mut found = 0;
    for place in 0..module.len().saturating_sub(from.len() - 1) {
        if module[place..].starts_with(from) {
            module[place..place + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "no {:?} in the module", String::from_utf8_lossy(from));
    module
}

/// The module for another architecture, by its ELF machine number (`EM_*`).
pub fn for_machine(mut module: Vec<u8>, number: u16) -> Vec<u8> {
    let bytes = if is_little(&module) { number.to_le_bytes() } else { number.to_be_bytes() };
    module[18..20].copy_from_slice(&bytes);
    module
}

/// The module with `.gnu.linkonce.this_module` one word shorter.
///
/// # Panics
/// When it has no such section.
pub fn smaller_struct(mut module: Vec<u8>) -> Vec<u8> {
    let (header, _, size) = section(&module, b".gnu.linkonce.this_module");
    let size = size - 8;
    let little = is_little(&module);
    if is_64(&module) {
        let size = size as u64;
        let bytes = if little { size.to_le_bytes() } else { size.to_be_bytes() };
        module[header + 32..header + 40].copy_from_slice(&bytes);
    } else {
        let size = size as u32;
        let bytes = if little { size.to_le_bytes() } else { size.to_be_bytes() };
        module[header + 20..header + 24].copy_from_slice(&bytes);
    }
    module
}

/// The module with another CRC for a symbol that it imports.
///
/// # Panics
/// When its version table does not have the symbol.
pub fn other_crc(mut module: Vec<u8>, symbol: &str) -> Vec<u8> {
    let (_, start, size) = section(&module, b"__versions");
    let word = if is_64(&module) { 8 } else { 4 };
    let name = [symbol.as_bytes(), b"\0"].concat();
    let record = (start..start + size)
        .step_by(VERSION)
        .find(|record| module[record + word..].starts_with(&name))
        .unwrap_or_else(|| panic!("no {symbol} in __versions"));
    let lowest = if is_little(&module) { record } else { record + word - 1 };
    module[lowest] ^= 0xff;
    module
}

/// The module with another value in a field of a section's header.
///
/// # Panics
/// When it has no such section.
pub fn section_field(mut module: Vec<u8>, name: &[u8], field: usize, width: usize, value: u64) -> Vec<u8> {
    let (header, ..) = section(&module, name);
    let bytes =
        if is_little(&module) { value.to_le_bytes() } else { (value << (64 - 8 * width)).to_be_bytes() };
    module[header + field..header + field + width].copy_from_slice(&bytes[..width]);
    module
}

/// The module with other bytes in a section's contents.
///
/// # Panics
/// When it has no such section, or that is shorter.
pub fn section_bytes(mut module: Vec<u8>, name: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let (_, start, size) = section(&module, name);
    assert!(offset + bytes.len() <= size, "the section is shorter");
    module[start + offset..][..bytes.len()].copy_from_slice(bytes);
    module
}

/// A number in a section's contents, in the module's byte order.
///
/// # Panics
/// When it has no such section, or that is shorter.
pub fn section_number(module: &[u8], name: &[u8], offset: usize, width: usize) -> u64 {
    let (_, start, size) = section(module, name);
    assert!(offset + width <= size, "the section is shorter");
    number(module, start + offset, width) as u64
}

/// Whether the module has a section.
pub fn has_section(module: &[u8], name: &[u8]) -> bool {
    find_section(module, name).is_some()
}

/// The value of an entry of `.modinfo`.
pub fn modinfo(module: &[u8], key: &str) -> Option<Vec<u8>> {
    let (_, start, size) = section(module, b".modinfo");
    let key = format!("{key}=");
    let mut entries = module[start..start + size].split(|byte| *byte == 0);
    entries.find_map(|entry| entry.strip_prefix(key.as_bytes())).map(<[u8]>::to_vec)
}

/// The size of the module's `struct module`.
pub fn struct_size(module: &[u8]) -> usize {
    section(module, b".gnu.linkonce.this_module").2
}

/// The CRC that a module for a 64-bit little-endian kernel needs a symbol with; `None` where its version table does not
/// have it, or it has none.
pub fn crc(module: &[u8], symbol: &str) -> Option<u32> {
    let (_, start, size) = find_section(module, b"__versions")?;
    let name = [symbol.as_bytes(), b"\0"].concat();
    let mut records = (start..start + size).step_by(VERSION);
    let record = records.find(|record| module[record + 8..].starts_with(&name))?;
    Some(number(module, record, 4) as u32)
}

/// The offsets in `struct module` of the pointers to the functions that run when the module is loaded and unloaded, of a
/// module for a 64-bit little-endian kernel that has both; `None` where it has not.
pub fn function_places(module: &[u8]) -> Option<(u64, u64)> {
    const RELOCATION: usize = 24;
    let (_, start, size) = find_section(module, b".rela.gnu.linkonce.this_module")?;
    let mut places: Vec<u64> =
        (start..start + size).step_by(RELOCATION).map(|at| number(module, at, 8) as u64).collect();
    places.sort_unstable();
    // The kernel's structure begins with what loading needs.
    match places.as_slice() {
        [init, exit] => Some((*init, *exit)),
        _ => None,
    }
}

fn is_64(module: &[u8]) -> bool {
    module[4] == 2
}

fn is_little(module: &[u8]) -> bool {
    module[5] == 1
}

/// A number of 2, 4 or 8 bytes at an offset.
fn number(module: &[u8], offset: usize, len: usize) -> usize {
    let bytes = &module[offset..offset + len];
    let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
    if is_little(module) { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
}

/// The offsets of a section's header and contents, and its size (System V ABI, "Sections").
fn section(module: &[u8], wanted: &[u8]) -> (usize, usize, usize) {
    find_section(module, wanted).unwrap_or_else(|| panic!("no section {}", String::from_utf8_lossy(wanted)))
}

fn find_section(module: &[u8], wanted: &[u8]) -> Option<(usize, usize, usize)> {
    let wide = is_64(module);
    let pick = |offset: usize, of_64: (usize, usize), of_32: (usize, usize)| {
        let (place, len) = if wide { of_64 } else { of_32 };
        number(module, offset + place, len)
    };
    let table = pick(0, (0x28, 8), (0x20, 4));
    let entry = pick(0, (0x3a, 2), (0x2e, 2));
    let count = pick(0, (0x3c, 2), (0x30, 2));
    let names = table + entry * pick(0, (0x3e, 2), (0x32, 2));
    let names = pick(names, (0x18, 8), (0x10, 4));
    let wanted = [wanted, b"\0"].concat();
    let mut headers = (0..count).map(|index| table + entry * index);
    let header = headers.find(|header| module[names + number(module, *header, 4)..].starts_with(&wanted));
    let header = header?;
    Some((header, pick(header, (0x18, 8), (0x10, 4)), pick(header, (0x20, 8), (0x14, 4))))
}
