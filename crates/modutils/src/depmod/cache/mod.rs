//! The facts of a tree's modules, kept from one run of depmod to the next.
//!
//! Whoever installs one module runs depmod over thousands that it has read before. What it knows of
//! those is kept in a file for each module directory; an entry counts for a module file that has the
//! same path and the same [`Stamp`]. Nothing depends on the cache: whatever is wrong with it, the
//! modules are read.
//!
//! The file, numbers in little-endian order:
//!
//! ```text
//! magic       16 bytes, with the version of the form
//! checksum    u32, CRC-32 of all that follows
//! version     string, of this program: another one may know other facts
//! directory   string, the module directory
//! entries, each:
//!   path      string
//!   stamp     56 bytes
//!   facts     string, see `facts.rs`
//! ```
//! A string is a u32 and so many bytes.

mod facts;
mod store;

use std::{collections::HashMap, ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use foldhash::fast::RandomState;
pub use store::Store;

use super::{TreeFile, facts::Facts};
use crate::{Result, files, stamp::Stamp};

/// What the file begins with; the last two digits are the version of its form.
const MAGIC: [u8; 16] = *b"modutils facts03";

/// The bytes of the checksum.
const CHECKSUM: usize = 4;

/// About the bytes of an entry besides its path and its facts.
const ENTRY: usize = 128;

/// What a cache knows of module files.
#[derive(Debug, Default)]
pub struct CachedFacts<'a> {
    entries: Vec<Entry<'a>>,
    /// Where in these a path's is.
    places: HashMap<&'a [u8], usize, RandomState>,
}

/// What a cache knows of one.
#[derive(Debug)]
struct Entry<'a> {
    path: &'a [u8],
    /// The state in which it was.
    stamp: Stamp,
    /// The facts as bytes.
    bytes: &'a [u8],
    /// The facts, where the file is still in that state.
    facts: Option<Facts<'a>>,
}

impl<'a> CachedFacts<'a> {
    /// The facts that the bytes of a cache hold about the modules of a directory; nothing where they are
    /// damaged, of another version or about another directory. All files must be looked at
    /// ([`CachedFacts::look`]) before facts count.
    pub fn parse(bytes: &'a [u8], directory: &Path) -> Self {
        let entries = parse(bytes, directory).unwrap_or_default();
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.path, place)).collect();
        Self { entries, places }
    }

    /// Whether nothing is known.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Looks at each file, whether it is what it was.
    pub fn look(&mut self) {
        for entry in &mut self.entries {
            let now = files::metadata(Path::new(OsStr::from_bytes(entry.path)));
            let is_same = now.is_ok_and(|now| Stamp::of(&now) == entry.stamp);
            entry.facts = if is_same { facts::decode(entry.bytes) } else { None };
        }
    }

    /// The facts of a module file that is what it was, and its stamp.
    pub(super) fn facts(&self, file: &TreeFile) -> Option<(&Facts<'a>, Stamp)> {
        let entry = self.entry(file)?;
        Some((entry.facts.as_ref()?, entry.stamp))
    }

    /// Whether a module file is known and is not what it was.
    pub fn has_changed(&self, file: &TreeFile) -> bool {
        self.entry(file).is_some_and(|entry| entry.facts.is_none())
    }

    /// Whether exactly these files are known, each in this state: then there is nothing to write.
    fn is(&self, files: &[TreeFile], stamps: &[Option<Stamp>]) -> bool {
        let stamped = files.iter().zip(stamps).filter_map(|(file, stamp)| Some((file, (*stamp)?)));
        let mut count = 0_usize;
        let all = stamped
            .inspect(|_| count = count.saturating_add(1))
            .all(|(file, stamp)| self.entry(file).is_some_and(|entry| entry.stamp == stamp));
        all && count == self.entries.len()
    }

    fn entry(&self, file: &TreeFile) -> Option<&Entry<'a>> {
        self.entries.get(*self.places.get(file.path.as_os_str().as_bytes())?)
    }
}

/// The bytes of a cache of what has been read, for [`keep`]; `None` where the existing one holds the
/// same, and where memory is short.
pub fn prepare(
    known: &CachedFacts<'_>,
    directory: &Path,
    files: &[TreeFile],
    facts: &[Facts<'_>],
    stamps: &[Option<Stamp>],
) -> Option<Vec<u8>> {
    let mut stamps = stamps.to_vec();
    without_untrusted_times(files, &mut stamps);
    if known.is(files, &stamps) { None } else { to_bytes(directory, files, facts, &stamps) }
}

/// Keeps a cache that was prepared for the next run, and removes caches that are no longer of use.
///
/// # Errors
/// Where the file cannot be written, or the system gives no place for it.
pub fn keep(store: &Store, directory: &Path, prepared: Option<Vec<u8>>) -> Result<()> {
    store.remove_strays()?;
    prepared.map_or(Ok(()), |bytes| store.write(directory, &bytes))
}

/// Facts as bytes, read and written again; `None` where they are no facts.
#[cfg(feature = "internals")]
pub fn recoded(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut again = Vec::new();
    facts::encode(&facts::decode(bytes)?, &mut again);
    Some(again)
}

/// The bytes of a cache about a directory whose entries are these bytes.
#[cfg(feature = "internals")]
pub fn with_checksum(directory: &Path, entries: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    push_string(&mut body, env!("CARGO_PKG_VERSION").as_bytes());
    push_string(&mut body, directory.as_os_str().as_encoded_bytes());
    body.extend_from_slice(entries);
    [&MAGIC[..], &crc32fast::hash(&body).to_le_bytes(), &body].concat()
}

/// File systems whose change times are their own, by this machine's clock, and cannot be set
/// (`include/uapi/linux/magic.h`): ext2 to 4, XFS, Btrfs, F2FS, bcachefs, ZFS. In an image
/// made elsewhere (squashfs, erofs, also below an overlay) two builds may have the same times; a
/// server has its own clock; FAT keeps no change time. tmpfs keeps one, and does not set it when a file
/// is written to through a shared mapping.
const WITH_CHANGE_TIMES: [u32; 6] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0xca45_1a4e, 0x2fc1_2fc1];

/// Takes the stamp from files on other file systems.
fn without_untrusted_times(files: &[TreeFile], stamps: &mut [Option<Stamp>]) {
    let mut trusted: HashMap<u64, bool> = HashMap::new();
    for (file, place) in files.iter().zip(stamps) {
        let Some(stamp) = place else { continue };
        let known = trusted.entry(stamp.device()).or_insert_with(|| {
            let kind = nix::sys::statfs::statfs(&file.path).map(|found| found.filesystem_type().0);
            kind.is_ok_and(|kind| WITH_CHANGE_TIMES.contains(&(kind as u32)))
        });
        if !*known {
            *place = None;
        }
    }
}

fn to_bytes(
    directory: &Path,
    files: &[TreeFile],
    facts: &[Facts<'_>],
    stamps: &[Option<Stamp>],
) -> Option<Vec<u8>> {
    // Memory that doubles would be moved again and again.
    let sizes = files.iter().zip(facts).map(|(file, facts)| {
        file.path.as_os_str().len().saturating_add(facts::len(facts)).saturating_add(ENTRY)
    });
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(sizes.fold(ENTRY, usize::saturating_add)).ok()?;
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[0; CHECKSUM]);
    push_string(&mut bytes, env!("CARGO_PKG_VERSION").as_bytes());
    push_string(&mut bytes, directory.as_os_str().as_encoded_bytes());
    for ((file, facts), stamp) in files.iter().zip(facts).zip(stamps) {
        let (Some(stamp), Ok(len)) = (stamp, u32::try_from(facts::len(facts))) else { continue };
        push_string(&mut bytes, file.path.as_os_str().as_encoded_bytes());
        bytes.extend_from_slice(&stamp.to_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
        facts::encode(facts, &mut bytes);
    }
    let checksum = crc32fast::hash(bytes.get(MAGIC.len() + CHECKSUM..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(MAGIC.len()..MAGIC.len() + CHECKSUM) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
    Some(bytes)
}

fn parse<'a>(bytes: &'a [u8], directory: &Path) -> Option<Vec<Entry<'a>>> {
    let (checksum, body) = bytes.strip_prefix(&MAGIC)?.split_first_chunk()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut rest = body;
    let version = take_string(&mut rest)?;
    let about = take_string(&mut rest)?;
    if version != env!("CARGO_PKG_VERSION").as_bytes() || about != directory.as_os_str().as_encoded_bytes() {
        return None;
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let path = take_string(&mut rest)?;
        let (stamp, after) = rest.split_first_chunk()?;
        rest = after;
        let bytes = take_string(&mut rest)?;
        entries.push(Entry { path, stamp: Stamp::from_bytes(stamp), bytes, facts: None });
    }
    Some(entries)
}

/// Appends a string: its length and its bytes. One that is too long is stored as none.
fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    let (len, string) = u32::try_from(string.len()).map_or((0, &[][..]), |len| (len, string));
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(string);
}

/// Takes a string from the front.
fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk()?;
    let (string, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    *rest = after;
    Some(string)
}

#[cfg(test)]
mod sequences;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ModuleName, depmod::rows::SymbolUse};

    fn tree() -> (tempfile::TempDir, Vec<TreeFile>, Vec<Facts<'static>>, Vec<Option<Stamp>>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ko");
        std::fs::write(&path, "content").unwrap();
        let stamp = Stamp::of(&std::fs::metadata(&path).unwrap());
        let mut facts = Facts::default();
        facts.aliases.push(b"one");
        facts.aliases.push(b"");
        for (name, crc) in [(&b"x"[..], Some(7)), (b"y", None), (b"z", Some(u64::MAX))] {
            facts.exports.push(name, SymbolUse { crc, weak: false });
            facts.needs.push(name, SymbolUse { crc, weak: crc.is_none() });
        }
        let file = TreeFile { name: ModuleName::new("a"), path, listed: "a.ko".into() };
        (directory, vec![file], vec![facts], vec![Some(stamp)])
    }

    fn known<'a>(bytes: &'a [u8], directory: &Path) -> CachedFacts<'a> {
        let mut known = CachedFacts::parse(bytes, directory);
        known.look();
        known
    }

    #[test]
    fn what_is_kept_is_known_as_it_was() {
        let (directory, files, facts, stamps) = tree();
        let bytes = to_bytes(directory.path(), &files, &facts, &stamps).unwrap();
        let mut known = known(&bytes, directory.path());
        assert_eq!(known.facts(&files[0]).unwrap(), (&facts[0], stamps[0].unwrap()));
        assert!(!known.has_changed(&files[0]) && known.is(&files, &stamps));
        assert!(!known.is(&files, &[None]) && !known.is(&[], &[]));
        std::fs::write(&files[0].path, "another").unwrap();
        std::fs::remove_file(&files[0].path).unwrap();
        std::fs::write(&files[0].path, "content, longer").unwrap();
        known.look();
        assert!(known.facts(&files[0]).is_none() && known.has_changed(&files[0]));
    }

    #[test]
    fn a_module_without_a_stamp_is_not_kept() {
        let (directory, files, facts, _) = tree();
        let bytes = to_bytes(directory.path(), &files, &facts, &[None]).unwrap();
        let known = known(&bytes, directory.path());
        assert!(known.facts(&files[0]).is_none() && !known.has_changed(&files[0]));
    }

    #[test]
    fn another_directory_or_version_and_any_damage_is_not_trusted() {
        let (directory, files, facts, stamps) = tree();
        let bytes = to_bytes(directory.path(), &files, &facts, &stamps).unwrap();
        assert!(CachedFacts::parse(&bytes, Path::new("/elsewhere")).entries.is_empty());
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(CachedFacts::parse(&damaged, directory.path()).entries.is_empty(), "{place}");
            assert!(CachedFacts::parse(&bytes[..place], directory.path()).entries.is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_with_a_right_checksum_are_read_or_refused(body: Vec<u8>, cut in 0..200_usize) {
            let (directory, files, facts, stamps) = tree();
            let sound = to_bytes(directory.path(), &files, &facts, &stamps).unwrap();
            for body in [&body[..], &[&sound[20..sound.len() - cut.min(sound.len() - 20)], &body].concat()] {
                let checksum = crc32fast::hash(body).to_le_bytes();
                let bytes = [&MAGIC[..], &checksum, body].concat();
                let _ = known(&bytes, directory.path()).facts(&files[0]);
            }
        }
    }
}
