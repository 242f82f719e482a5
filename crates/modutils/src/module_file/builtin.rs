//! The descriptions of the modules built into the kernel.
//!
//! They have no file; the kernel's build collects their `.modinfo` entries in
//! `modules.builtin.modinfo`, as NUL-terminated strings `module.key=value`
//! (`scripts/Makefile.vmlinux`, Documentation/kbuild/kbuild.rst).

use std::{
    io,
    path::{Path, PathBuf},
};

use bstr::ByteSlice;

use super::{Field, ModInfo};
use crate::{
    Error, ModuleName, Result,
    file::{TREE_FILE_LIMIT, read_bounded_with_metadata},
    stamp::Stamp,
};

/// The entries of all built-in modules.
#[derive(Debug, Default)]
pub struct BuiltinInfo {
    bytes: Vec<u8>,
    stamp: Option<Stamp>,
}

impl BuiltinInfo {
    pub(crate) const FILE_NAME: &str = "modules.builtin.modinfo";

    /// Reads the file in a module directory. Where it is missing, nothing is known of any module.
    ///
    /// # Errors
    /// When reading fails.
    pub fn open(module_directory: &Path) -> Result<Self> {
        let path: PathBuf = module_directory.join(Self::FILE_NAME);
        match read_bounded_with_metadata(&path, TREE_FILE_LIMIT) {
            Ok((bytes, metadata)) => Ok(Self { bytes, stamp: Some(Stamp::of(&metadata)) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Takes the bytes of such a file.
    #[cfg(any(test, feature = "internals"))]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, stamp: None }
    }

    /// The file as it was when it was opened; none where there is none.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// The entries of one module in file order. Strings that name no module are skipped.
    pub fn modinfo(&self, module: &ModuleName) -> ModInfo<'_> {
        let own = |string| {
            let (name, entry) = split(string)?;
            (ModuleName::new(name) == *module).then(|| Field::parse(entry))
        };
        ModInfo::from_fields(self.bytes.split_str(b"\0").filter_map(own).collect())
    }
}

fn split(string: &[u8]) -> Option<(&[u8], &[u8])> {
    string.split_once_str(".").filter(|(_, entry)| entry.contains(&b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_gets_its_own_entries_only() {
        let builtin =
            BuiltinInfo::from_bytes(b"a_b.license=GPL\0a.license=no\0a_b.alias=x.y=z\0junk\0a_b.".to_vec());
        let info = builtin.modinfo(&ModuleName::new("a-b"));
        let fields: Vec<_> =
            info.fields().iter().map(|field| format!("{}:{}", field.key, field.value)).collect();
        assert_eq!(fields, ["license:GPL", "alias:x.y=z"]);
    }

    #[test]
    fn a_missing_file_knows_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let builtin = BuiltinInfo::open(directory.path()).unwrap();
        assert!(builtin.modinfo(&ModuleName::new("a")).fields().is_empty());
    }
}
