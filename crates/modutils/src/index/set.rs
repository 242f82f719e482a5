//! The indexes of one module directory, each opened when first asked for and kept.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use bstr::ByteSlice;

use super::Trie;
use crate::{
    Malformed, ModuleName, Result, bytes, files, module_file::builtin::BuiltinInfo, once::get_or_try_init,
    stamp::Stamp,
};

/// An index that depmod writes into a module directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Index {
    /// From a module's name to its file and the files of all modules it needs, as a line of
    /// `modules.dep`.
    Dependencies,
    /// From the patterns that modules declare as aliases to their names.
    Aliases,
    /// From `symbol:NAME` to the module that exports it.
    Symbols,
    /// The names of the modules built into the kernel; the values are empty.
    Builtin,
    /// From the aliases of built-in modules to their names.
    BuiltinAliases,
}

impl Index {
    /// All of them.
    const ALL: [Self; 5] =
        [Self::Dependencies, Self::Aliases, Self::Symbols, Self::Builtin, Self::BuiltinAliases];

    /// The name of its file in the module directory.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Dependencies => "modules.dep.bin",
            Self::Aliases => "modules.alias.bin",
            Self::Symbols => "modules.symbols.bin",
            Self::Builtin => "modules.builtin.bin",
            Self::BuiltinAliases => "modules.builtin.alias.bin",
        }
    }
}

/// The indexes that depmod leaves in a module directory, and the `.modinfo` of built-in modules beside
/// themselves.
#[derive(Debug)]
pub struct Indexes {
    directory: PathBuf,
    dep: OnceLock<Option<Trie>>,
    alias: OnceLock<Option<Trie>>,
    symbols: OnceLock<Option<Trie>>,
    builtin: OnceLock<Option<Trie>>,
    builtin_alias: OnceLock<Option<Trie>>,
    builtin_info: OnceLock<BuiltinInfo>,
}

/// A module's line of `modules.dep`: its file and the files of all modules it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyLine {
    /// The module's file, absolute where the module directory is.
    pub path: PathBuf,
    /// Its dependencies' files in the order of the line: the last one is loaded first.
    pub dependencies: Vec<PathBuf>,
}

impl Indexes {
    /// The indexes in a module directory (`/lib/modules/VERSION`). Nothing is read yet.
    pub fn new(directory: PathBuf) -> Self {
        let [dep, alias, symbols, builtin, builtin_alias] = Default::default();
        let builtin_info = OnceLock::new();
        Self { directory, dep, alias, symbols, builtin, builtin_alias, builtin_info }
    }

    /// The module directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `modules.dep.bin`: from a module's name to its line. `None` where the file is missing, as
    /// with the other indexes.
    ///
    /// # Errors
    /// Where the file cannot be read or is not an index, as with the others.
    pub fn dep(&self) -> Result<Option<&Trie>> {
        self.open(Index::Dependencies)
    }

    /// `modules.alias.bin`: from the patterns that modules give as aliases to their names.
    ///
    /// # Errors
    /// As for [`Indexes::dep`].
    pub fn alias(&self) -> Result<Option<&Trie>> {
        self.open(Index::Aliases)
    }

    /// `modules.symbols.bin`: from `symbol:NAME` to the module that exports it.
    ///
    /// # Errors
    /// As for [`Indexes::dep`].
    pub fn symbols(&self) -> Result<Option<&Trie>> {
        self.open(Index::Symbols)
    }

    /// `modules.builtin.bin`: the names of the modules built into the kernel.
    ///
    /// # Errors
    /// As for [`Indexes::dep`].
    pub fn builtin(&self) -> Result<Option<&Trie>> {
        self.open(Index::Builtin)
    }

    /// `modules.builtin.alias.bin`: from the aliases of built-in modules to their names.
    ///
    /// # Errors
    /// As for [`Indexes::dep`].
    pub fn builtin_alias(&self) -> Result<Option<&Trie>> {
        self.open(Index::BuiltinAliases)
    }

    /// The line of a module in `modules.dep.bin`; `None` where it has no line or the index is
    /// missing.
    ///
    /// # Errors
    /// As for [`Indexes::dep`]; also where the line does not have the form of one, or leads out of the
    /// module directory.
    pub fn dependency_line(&self, module: &ModuleName) -> Result<Option<DependencyLine>> {
        let Some(dep) = self.dep()? else { return Ok(None) };
        let Some(line) = dep.get(module.as_bytes())? else { return Ok(None) };
        self.parse(module, &line).map(Some)
    }

    fn parse(&self, module: &ModuleName, line: &[u8]) -> Result<DependencyLine> {
        let fault = |what| Malformed::file(format!("the line of module {module} {what}"));
        let path = || self.directory.join(Index::Dependencies.file_name());
        DependencyLine::parse(&self.directory, line).map_err(|what| fault(what).at(&path()))
    }

    /// The file of a module, by its line in `modules.dep.bin`. Only the beginning of the line is read: thousands of
    /// dependencies may follow, each of which has a line as long.
    ///
    /// # Errors
    /// As for [`Indexes::dependency_line`], as far as the line is read.
    pub fn file_of(&self, module: &ModuleName) -> Result<Option<PathBuf>> {
        let Some(dep) = self.dep()? else { return Ok(None) };
        let Some(start) = dep.get_until(module.as_bytes(), b':')? else { return Ok(None) };
        self.parse(module, &start).map(|line| Some(line.path))
    }

    /// The entries of the modules built into the kernel.
    ///
    /// # Errors
    /// When `modules.builtin.modinfo` cannot be read.
    pub fn builtin_info(&self) -> Result<&BuiltinInfo> {
        get_or_try_init(&self.builtin_info, || BuiltinInfo::open(&self.directory))
    }

    /// Opens an index, unless it is open. `None` where the file is missing.
    ///
    /// # Errors
    /// As for [`Indexes::dep`].
    pub fn open(&self, index: Index) -> Result<Option<&Trie>> {
        self.open_by(index, Trie::open)
    }

    fn open_by(&self, index: Index, open: fn(&Path) -> Result<Trie>) -> Result<Option<&Trie>> {
        let open = || match open(&self.directory.join(index.file_name())) {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        };
        get_or_try_init(self.cell(index), open).map(Option::as_ref)
    }

    /// Opens all indexes, so that later questions are answered from these, whatever becomes of the files.
    ///
    /// # Errors
    /// As for [`Indexes::dep`]; what can be opened is open all the same.
    pub fn open_all(&self) -> Result<()> {
        self.open_all_by(Trie::open)
    }

    /// The same, with all bytes in memory and no file open.
    ///
    /// # Errors
    /// As for [`Indexes::open_all`].
    pub fn read_all(&self) -> Result<()> {
        self.open_all_by(Trie::read)
    }

    fn open_all_by(&self, open: fn(&Path) -> Result<Trie>) -> Result<()> {
        let opened = Index::ALL.map(|index| self.open_by(index, open).map(drop));
        opened.into_iter().collect::<Result<()>>().and(self.builtin_info().map(drop))
    }

    /// Whether an index that is open has been replaced or changed since, or has appeared where one was
    /// missing.
    pub fn has_changed(&self) -> bool {
        let opened = Index::ALL.into_iter().filter_map(|index| {
            let known = self.cell(index).get()?;
            Some((index.file_name(), known.as_ref().and_then(Trie::stamp)))
        });
        let builtin_info = self.builtin_info.get().map(|info| (BuiltinInfo::FILE_NAME, info.stamp()));
        opened.chain(builtin_info).any(|(file, then)| Stamp::at(&self.directory.join(file)) != then)
    }

    fn cell(&self, index: Index) -> &OnceLock<Option<Trie>> {
        match index {
            Index::Dependencies => &self.dep,
            Index::Aliases => &self.alias,
            Index::Symbols => &self.symbols,
            Index::Builtin => &self.builtin,
            Index::BuiltinAliases => &self.builtin_alias,
        }
    }
}

impl DependencyLine {
    /// Reads a line; paths are relative to the module directory unless absolute, as those of external
    /// modules are. depmod writes no `..`, which would lead out of the directory, and no control character, which
    /// could make two lines of one that is printed.
    fn parse(directory: &Path, line: &[u8]) -> Result<Self, String> {
        let (path, rest) = bytes::split_once(line, b':').ok_or("has no colon")?;
        let absolute = |path: &[u8]| {
            if !path.starts_with(b"/") && path.split(|&byte| byte == b'/').any(|part| part == b"..") {
                return Err(format!("leads out of the module directory: {}", path.as_bstr()));
            }
            if path.iter().any(u8::is_ascii_control) {
                return Err(format!("has a control character in a path: {}", path.as_bstr()));
            }
            Ok(absolute(directory, path))
        };
        let dependencies = rest.split(|&byte| matches!(byte, b' ' | b'\t'));
        let dependencies = dependencies.filter(|path| !path.is_empty()).map(absolute);
        Ok(Self { path: absolute(path)?, dependencies: dependencies.collect::<Result<_, _>>()? })
    }
}

/// A path of a line; a tree's indexes hold tens of thousands of them.
fn absolute(directory: &Path, path: &[u8]) -> PathBuf {
    if path.starts_with(b"/") {
        return files::join(directory, Path::new(OsStr::from_bytes(path)));
    }
    OsString::from_vec([directory.as_os_str().as_bytes(), b"/", path].concat()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::TrieBuilder;

    #[test]
    fn a_missing_index_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let indexes = Indexes::new(directory.path().to_owned());
        assert!(indexes.dep().unwrap().is_none());
        assert_eq!(indexes.dependency_line(&ModuleName::new("a")).unwrap(), None);
    }

    #[test]
    fn a_line_gives_absolute_paths_in_its_order() {
        let directory = tempfile::tempdir().unwrap();
        let mut dep = TrieBuilder::new();
        dep.insert(b"a_b", b"kernel/a-b.ko.xz: kernel/c.ko /elsewhere/d.ko", 0).unwrap();
        dep.insert(b"bad", b"no colon", 0).unwrap();
        dep.insert(b"out", b"../../x.ko:", 0).unwrap();
        dep.insert(b"two", b"kernel/two.ko: a.ko\ninsmod b.ko", 0).unwrap();
        dep.insert(b"far", b"kernel/far.ko: kernel/../../../x.ko", 0).unwrap();
        std::fs::write(directory.path().join("modules.dep.bin"), dep.to_bytes().unwrap()).unwrap();

        let indexes = Indexes::new(directory.path().to_owned());
        let line = indexes.dependency_line(&ModuleName::new("a-b")).unwrap().unwrap();
        assert_eq!(line.path, directory.path().join("kernel/a-b.ko.xz"));
        assert_eq!(indexes.file_of(&ModuleName::new("a-b")).unwrap().unwrap(), line.path);
        assert_eq!(indexes.file_of(&ModuleName::new("none")).unwrap(), None);
        assert!(indexes.file_of(&ModuleName::new("bad")).is_err());
        assert_eq!(line.dependencies, [directory.path().join("kernel/c.ko"), "/elsewhere/d.ko".into()]);
        let error = indexes.dependency_line(&ModuleName::new("bad")).unwrap_err();
        assert!(error.to_string().ends_with("the line of module bad has no colon"), "{error}");
        let error = indexes.dependency_line(&ModuleName::new("two")).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "modules.dep.bin: the line of module two has a control character in a path: a.ko\\ninsmod"
            ),
            "{error}"
        );
        for (module, path) in [("out", "../../x.ko"), ("far", "kernel/../../../x.ko")] {
            let error = indexes.dependency_line(&ModuleName::new(module)).unwrap_err().to_string();
            let cause = format!("the line of module {module} leads out of the module directory: {path}");
            assert!(error.contains("modules.dep.bin") && error.ends_with(&cause), "{error}");
        }
    }
}
