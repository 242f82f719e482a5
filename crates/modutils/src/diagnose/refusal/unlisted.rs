//! Loaded modules that the indexes do not list: insmod took them from elsewhere, and the kernel does not remember from
//! where. What they export shows in `/proc/kallsyms`, by name alone.

use std::{collections::HashMap, fs, os::unix::ffi::OsStrExt};

use bstr::{BString, ByteSlice};

use super::view::Running;
use crate::{
    Error, ModuleName, Result, Root,
    file::{TREE_FILE_LIMIT, read_bounded},
    formats::system_map,
    index::Indexes,
    kernel::Kernel,
};

/// What loaded modules export whose files are not known.
#[derive(Clone, Debug, Default)]
pub struct UnlistedExports {
    /// The symbols that are seen, each with its module.
    symbols: HashMap<BString, ModuleName>,
    /// Whether there may be others: the kernel shows no exports of any module.
    may_have_others: bool,
}

impl UnlistedExports {
    /// The module that exports a symbol.
    pub fn owner(&self, symbol: &[u8]) -> Option<&ModuleName> {
        self.symbols.get(symbol.as_bstr())
    }

    /// Whether one of them may export what nothing else does.
    pub fn may_have_others(&self) -> bool {
        self.may_have_others
    }
}

/// What the loaded modules export that the indexes do not list; nothing where they list all.
///
/// # Errors
/// When an index is damaged, or there is no memory.
pub fn exports(root: &Root, indexes: &Indexes, running: &Running) -> Result<UnlistedExports> {
    let mut unlisted = Vec::new();
    for module in running.loaded.iter().flat_map(|loaded| loaded.keys()) {
        if indexes.file_of(module)?.is_none() && may_export(root, module) {
            unlisted.push(module);
        }
    }
    if unlisted.is_empty() {
        return Ok(UnlistedExports::default());
    }
    let path = root.system("/proc/kallsyms");
    let text =
        super::table::if_readable(read_bounded(&path, TREE_FILE_LIMIT).map_err(Error::io("read", &path)))?;
    Ok(of_text(&text.unwrap_or_default(), &unlisted))
}

/// Whether a loaded module may have exports: `/sys/module/NAME/sections` lists the sections that it has in memory, the
/// tables of exports among them.
fn may_export(root: &Root, module: &ModuleName) -> bool {
    let directory = Kernel::running(root).module_directory(module);
    let Ok(mut sections) = fs::read_dir(directory.join("sections")) else { return true };
    sections
        .any(|section| section.is_ok_and(|section| section.file_name().as_bytes().starts_with(b"__ksymtab")))
}

/// The lines are those of a System.map, with the module's name in brackets after a tab.
fn of_text(text: &[u8], unlisted: &[&ModuleName]) -> UnlistedExports {
    let mut exports = UnlistedExports { may_have_others: true, ..UnlistedExports::default() };
    for line in text.lines() {
        let Some((line, module)) = line.strip_suffix(b"]").and_then(|line| line.split_once_str("\t[")) else {
            continue;
        };
        let Some(symbol) = system_map::name(line).and_then(system_map::exported) else { continue };
        exports.may_have_others = false;
        let module = ModuleName::new(module);
        if unlisted.contains(&&module) {
            exports.symbols.insert(symbol.into(), module);
        }
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_of_modules_from_elsewhere_are_seen_by_name() {
        let text = b"0 T kfree\n0 r __ksymtab_kfree\n0 t square\t[square]\n0 r __ksymtab_square\t[square]\n\
                     0 r __ksymtab_fat_x\t[fat]\n";
        let unlisted = [&ModuleName::new("square"), &ModuleName::new("quiet")];
        let exports = of_text(text, &unlisted);
        assert_eq!(exports.owner(b"square"), Some(&ModuleName::new("square")));
        assert_eq!((exports.owner(b"fat_x"), exports.owner(b"kfree")), (None, None));
        assert!(!exports.may_have_others());
        assert!(of_text(b"0 T kfree\n0 t square\t[square]\n", &unlisted).may_have_others());
    }

    #[test]
    fn a_module_without_a_table_of_exports_has_none() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::default().with_system(system.path());
        let may = |module: &str| may_export(&root, &ModuleName::new(module));
        for (module, section) in [("square", "__ksymtab_gpl"), ("quiet", ".text"), ("qui-et", ".text")] {
            let sections = system.path().join("sys/module").join(module).join("sections");
            fs::create_dir_all(&sections).unwrap();
            fs::write(sections.join(section), "").unwrap();
        }
        assert!(may("square") && !may("quiet") && !may("qui_et") && may("not_shown"));
    }
}
