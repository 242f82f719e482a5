//! `/sys/module/X/sections`: where a loaded module's sections are in memory.

use std::fs;

use bstr::{BString, ByteSlice};

use super::Kernel;
use crate::{Error, ModuleName, Result, config::read};

/// A section of a loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// Its name, `.text` for one.
    pub name: BString,
    /// Its address. `None` where the kernel does not show it: to some it does not show the file, to others it
    /// shows a zero in the place of any address (`kptr_restrict`).
    pub address: Option<u64>,
}

impl Kernel {
    /// The sections of a loaded module, by name.
    ///
    /// # Errors
    /// When their directory cannot be read, as that of a module that is not loaded.
    pub fn sections(&self, module: &ModuleName) -> Result<Vec<Section>> {
        let path = self.module_file(module, "sections");
        let entries = fs::read_dir(&path).map_err(Error::io("open", &path))?;
        let section = |entry: fs::DirEntry| Section {
            name: entry.file_name().as_encoded_bytes().into(),
            address: read(&entry.path()).ok().and_then(|text| address(&text)),
        };
        let sections = entries.map(|entry| entry.map(section).map_err(Error::io("read", &path)));
        let mut sections = sections.collect::<Result<Vec<_>>>()?;
        sections.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sections)
    }
}

/// The address in a file of a section: `0x` and hexadecimal digits.
fn address(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii().strip_prefix(b"0x")?.to_str().ok()?;
    u64::from_str_radix(digits, 16).ok().filter(|&address| address != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    #[test]
    fn an_address_that_the_kernel_hides_is_unknown() {
        let system = tempfile::tempdir().unwrap();
        let directory = system.path().join("sys/module/a_b/sections");
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in [
            (".text", "0xffffffffc0a01000\n"),
            (".data", "0x0000000000000000\n"),
            (".bss", "ffff\n"),
            (".init", ""),
        ] {
            fs::write(directory.join(name), text).unwrap();
        }
        let root = Root::default().with_system(system.path());
        let kernel = Kernel::running(&root);
        let sections = kernel.sections(&ModuleName::new("a-b")).unwrap();
        let shown: Vec<(&[u8], Option<u64>)> =
            sections.iter().map(|section| (section.name.as_slice(), section.address)).collect();
        let text = Some(0xffff_ffff_c0a0_1000);
        let expected: [(&[u8], Option<u64>); 4] =
            [(b".bss", None), (b".data", None), (b".init", None), (b".text", text)];
        assert_eq!(shown, expected);
        assert!(kernel.sections(&ModuleName::new("c")).unwrap_err().is_not_found());
    }
}
