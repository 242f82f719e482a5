//! `/sys/module/X/parameters`: what a loaded module's parameters are now.

use std::{fs, io, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt};

use bstr::{BString, ByteSlice};

use super::Kernel;
use crate::{ModuleName, config::read};

/// A parameter as the kernel shows it. Parameters it does not show cannot be seen.
#[derive(Debug)]
#[non_exhaustive]
pub struct PresentParameter {
    /// Its name.
    pub name: BString,
    /// Who may read and write it: the permission bits of its file.
    pub mode: u32,
    /// Its value without the newline behind it, or why it cannot be read.
    pub value: io::Result<BString>,
}

impl Kernel {
    /// The parameters of a module that the kernel shows, by name; none where it is not loaded.
    pub fn parameters(&self, module: &ModuleName) -> Vec<PresentParameter> {
        let entries = fs::read_dir(self.module_file(module, "parameters")).into_iter().flatten().flatten();
        let mut parameters: Vec<PresentParameter> = entries
            .map(|entry| PresentParameter {
                name: entry.file_name().as_bytes().into(),
                mode: entry.metadata().map_or(0, |metadata| metadata.permissions().mode() & 0o7777),
                value: read(&entry.path()).map(|value| value.trim_end_with(|end| end == '\n').into()),
            })
            .collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    #[test]
    fn values_and_permissions_are_those_of_the_files() {
        let system = tempfile::tempdir().unwrap();
        let directory = system.path().join("sys/module/a_b/parameters");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("depth"), "3\n").unwrap();
        fs::write(directory.join("any"), "x y \n").unwrap();
        fs::set_permissions(directory.join("depth"), fs::Permissions::from_mode(0o644)).unwrap();
        let root = Root::default().with_system(system.path());
        let parameters = Kernel::running(&root).parameters(&ModuleName::new("a-b"));
        let values: Vec<&BString> = parameters.iter().map(|one| one.value.as_ref().unwrap()).collect();
        assert_eq!(values, ["x y ", "3"]);
        assert_eq!((parameters[1].name.as_slice(), parameters[1].mode), (&b"depth"[..], 0o644));
        assert!(Kernel::running(&root).parameters(&ModuleName::new("c")).is_empty());
    }
}
