//! `.gnu.linkonce.this_module`: the image of the kernel's `struct module` that the file brings along.
//!
//! The kernel takes the name from there and refuses the module when the size differs from its own
//! structure (`include/linux/module.h`; `elf_validity_cache_copy` in `kernel/module/main.c`).

use bstr::{BStr, ByteSlice};

use crate::{Malformed, elf::Class};

/// The section's name.
pub(super) const SECTION: &[u8] = b".gnu.linkonce.this_module";

/// `MODULE_NAME_LEN` and the word before it make 64 bytes on every kernel.
const NAME_AND_WORD: usize = 64;

/// The fields of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThisModule<'a> {
    /// The size of `struct module` in the kernel that the file was built for.
    pub size: u64,
    /// The module's name, which the kernel will use whatever the file is called.
    pub name: &'a BStr,
}

impl<'a> ThisModule<'a> {
    /// Reads the bytes of the section. The name follows `enum module_state`, padded to a word, and a
    /// `struct list_head` of two words.
    ///
    /// # Errors
    /// When the section ends before the name does.
    pub(crate) fn parse(bytes: &'a [u8], class: Class) -> Result<Self, Malformed> {
        let word = class.word();
        let name = bytes.get(3 * word..).unwrap_or_default();
        let name = name.get(..NAME_AND_WORD - word).unwrap_or(name);
        let (name, _) = name
            .split_once_str(b"\0")
            .ok_or_else(|| Malformed::section(SECTION, "too short to hold the module's name"))?;
        Ok(Self { size: bytes.len() as u64, name: name.as_bstr() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_behind_three_words() {
        let mut image = vec![0; 200];
        image[24..28].copy_from_slice(b"name");
        let this = ThisModule::parse(&image, Class::Elf64).unwrap();
        assert_eq!((this.size, this.name), (200, "name".into()));
        assert!(ThisModule::parse(&image[..28], Class::Elf64).is_err());
        image.fill(b'x');
        assert!(ThisModule::parse(&image, Class::Elf32).is_err());
    }
}
