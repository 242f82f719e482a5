//! The CRCs a module expects of the symbols it imports, in both kinds of version tables.
//!
//! `scripts/mod/modpost.c` of the kernel writes them: `__versions` holds 64-byte records of a CRC (an `unsigned
//! long`) and a name, too short for Rust's mangled names; so 6.14 added `__version_ext_crcs`, an array of words, and
//! `__version_ext_names`, the names one after the other, each with its NUL and one more NUL at the end.

use crate::arch::Arch;
use crate::elf::Section;

/// The version tables of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VersionTables {
    /// `__versions` alone.
    #[default]
    Classic,
    /// `__version_ext_names` and `__version_ext_crcs` alone.
    Extended,
    /// Both; a name too long for `__versions` is only in the extended tables.
    Both,
}

/// The version sections for these names and CRCs.
///
/// # Panics
/// With [`VersionTables::Classic`], when a name does not fit into its record.
pub(crate) fn sections(arch: Arch, tables: VersionTables, versions: &[(Vec<u8>, u32)]) -> Vec<Section> {
    let mut sections = Vec::new();
    if versions.is_empty() {
        return sections;
    }
    if tables != VersionTables::Extended {
        let data = classic(arch, tables, versions);
        sections.push(Section::new("__versions", data).aligned(if arch.is_64() { 32 } else { 4 }));
    }
    if tables != VersionTables::Classic {
        let crcs: Vec<u8> = versions.iter().flat_map(|(_, crc)| arch.u32(*crc)).collect();
        let mut names: Vec<u8> =
            versions.iter().flat_map(|(name, _)| [name.as_slice(), &[0]].concat()).collect();
        names.push(0);
        sections.push(Section::new("__version_ext_crcs", crcs).aligned(4));
        sections.push(Section::new("__version_ext_names", names));
    }
    sections
}

fn classic(arch: Arch, tables: VersionTables, versions: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let room = arch.name_len();
    let mut data = Vec::new();
    for (name, crc) in versions {
        if name.len() >= room {
            assert!(
                tables == VersionTables::Both,
                "{} does not fit __versions",
                String::from_utf8_lossy(name)
            );
            continue;
        }
        data.extend(arch.long(u64::from(*crc)));
        data.extend_from_slice(name);
        data.resize(data.len() + room - name.len(), 0);
    }
    data
}
