//! A name or a modalias becomes the modules meant, and the facts a plan needs of these.
//!
//! The sources are searched in the order of modprobe(8): configured aliases, modules, symbols, names
//! that have a command, aliases that modules declare, built-in modules and their aliases. The first that
//! has the name ends the search.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

use crate::{
    Alias, Context, Malformed, Module, ModuleName, Result, bytes,
    config::ModprobeConfig,
    index::{Trie, TrieValue},
};

/// Modules by what people and devices call them.
impl Context {
    /// The modules that a name, alias or modalias means, in the order in which to try them.
    /// None for a name that nothing knows, or that cannot be one.
    ///
    /// The sources are searched in the order of modprobe(8), and the first that has the name ends the
    /// search: configured aliases, modules, symbols (`symbol:NAME`), names that have a command, aliases
    /// that modules declare, built-in modules and their aliases.
    ///
    /// ```
    /// use modutils::Context;
    /// # let directory = tempfile::tempdir()?;
    /// # let directory = directory.path();
    /// # std::fs::write(directory.join("modules.dep.bin"), testkit::index([("e1000e", "e1000e.ko:")]))?;
    /// # let aliases = testkit::index([("pci:v00008086d000010D3sv*sd*bc*sc*i*", "e1000e")]);
    /// # std::fs::write(directory.join("modules.alias.bin"), aliases)?;
    ///
    /// let context = Context::builder().directory(directory).without_configuration().build()?;
    ///
    /// // What /sys/devices/…/modalias has of a device.
    /// let found = context.lookup(b"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00")?;
    /// assert_eq!(found[0].name().as_bytes(), b"e1000e");
    /// assert!(found[0].alias().is_some_and(|alias| alias.starts_with(b"pci:")));
    ///
    /// assert_eq!(context.lookup(b"e1000e")?[0].alias(), None);
    /// assert!(context.lookup(b"no-such-module")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn lookup(&self, query: &[u8]) -> Result<Vec<Module>> {
        lookup(self, query).map(|candidates| self.modules_of(candidates))
    }

    /// The module of that very name, in a file or built in. Aliases do not count, except those of
    /// built-in modules (`modinfo --modname`). A name ends before its first dot, as in `rmmod`.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn lookup_name(&self, name: &[u8]) -> Result<Vec<Module>> {
        lookup_name(self, name).map(|candidates| self.modules_of(candidates))
    }

    fn modules_of(&self, candidates: Vec<Candidate>) -> Vec<Module> {
        candidates.into_iter().map(|candidate| Module::new(self, candidate)).collect()
    }
}

/// A module that a name may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The module.
    pub module: ModuleName,
    /// The alias it was found by: options may be attached to it, and a blacklist applies. `None`
    /// where the name is the module's own.
    pub alias: Option<BString>,
    /// Its file, where the caller named one.
    pub file: Option<PathBuf>,
}

impl Candidate {
    /// A module by its own name.
    pub fn named(module: ModuleName) -> Self {
        Self { module, alias: None, file: None }
    }

    /// The module in a file. `None` where the path has no file name that could be a module's.
    pub fn in_file(path: &Path) -> Option<Self> {
        let module = ModuleName::from_path(path)?;
        Some(Self { module, alias: None, file: Some(path.to_owned()) })
    }

    fn by_alias(module: &[u8], alias: &[u8]) -> Self {
        Self { module: ModuleName::new(module), alias: Some(alias.into()), file: None }
    }
}

/// The modules that a name or modalias means, in the order in which to try them. None for a
/// name that nothing knows, or that cannot be one.
///
/// # Errors
/// When an index cannot be read.
pub fn lookup(context: &Context, query: &[u8]) -> Result<Vec<Candidate>> {
    let Ok(query) = Alias::new(query) else { return Ok(Vec::new()) };
    let query = query.as_bytes();
    let by_configuration = configured(context.modprobe_config(), query);
    if !by_configuration.is_empty() {
        return Ok(by_configuration);
    }
    let indexes = context.indexes();
    if is_key(indexes.dep()?, query)? {
        return Ok(vec![Candidate::named(ModuleName::new(query))]);
    }
    let symbols = if query.starts_with(b"symbol:") { search(indexes.symbols()?, query)? } else { Vec::new() };
    if !symbols.is_empty() {
        return Ok(symbols);
    }
    if has_command(context.modprobe_config(), query) {
        return Ok(vec![Candidate::named(ModuleName::new(query))]);
    }
    let aliases = search(indexes.alias()?, query)?;
    if !aliases.is_empty() {
        return Ok(aliases);
    }
    if is_key(indexes.builtin()?, query)? {
        return Ok(vec![Candidate::named(ModuleName::new(query))]);
    }
    search(indexes.builtin_alias()?, query)
}

/// The module of that very name, in a file or built in. Aliases do not count, except those of built-in
/// modules (`modinfo --modname`). A name ends before its first dot, as in `rmmod`.
///
/// # Errors
/// When an index cannot be read.
pub fn lookup_name(context: &Context, name: &[u8]) -> Result<Vec<Candidate>> {
    let name = bytes::split_once(name, b'.').map_or(name, |(name, _)| name);
    let module = ModuleName::new(name);
    let indexes = context.indexes();
    let known = is_key(indexes.dep()?, module.as_bytes())? || is_builtin(context, &module)?;
    if known {
        Ok(vec![Candidate::named(module)])
    } else {
        search(indexes.builtin_alias()?, module.as_bytes())
    }
}

/// Whether a module is built into the kernel, by `modules.builtin.bin`.
///
/// # Errors
/// When the index cannot be read.
pub fn is_builtin(context: &Context, module: &ModuleName) -> Result<bool> {
    is_key(context.indexes().builtin()?, module.as_bytes())
}

fn configured(config: &ModprobeConfig, query: &[u8]) -> Vec<Candidate> {
    config
        .aliases
        .matching(query)
        .map(|line| Candidate::by_alias(line.module.as_bytes(), line.pattern.as_bytes()))
        .collect()
}

/// Whether an install or remove line names exactly this; as patterns they do not find names.
fn has_command(config: &ModprobeConfig, query: &[u8]) -> bool {
    config.installs.named(query).chain(config.removes.named(query)).next().is_some()
}

fn is_key(index: Option<&Trie>, key: &[u8]) -> Result<bool> {
    Ok(match index {
        Some(index) => index.get(key)?.is_some(),
        None => false,
    })
}

fn search(index: Option<&Trie>, query: &[u8]) -> Result<Vec<Candidate>> {
    let Some(index) = index else { return Ok(Vec::new()) };
    let candidate = |value: &TrieValue| {
        // Names are printed, and two lines could become of one.
        if value.value.iter().any(u8::is_ascii_control) {
            let what = format!("the entry {} has a control character in a name: ", query.as_bstr());
            return Err(Malformed::file(what + &value.value.to_str_lossy()).at(index.path()));
        }
        Ok(Candidate::by_alias(&value.value, query))
    };
    index.search(query)?.iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inputs::gather;
    use crate::{
        Root,
        index::{Indexes, TrieBuilder},
    };

    /// A module directory with these indexes, and this configuration.
    fn context(directory: &Path, config_text: &str) -> Context {
        let write = |file: &str, entries: &[(&str, &str)]| {
            let mut trie = TrieBuilder::new();
            for (priority, (key, value)) in (0..).zip(entries) {
                trie.insert(key.as_bytes(), value.as_bytes(), priority).unwrap();
            }
            std::fs::write(directory.join(file), trie.to_bytes().unwrap()).unwrap();
        };
        write(
            "modules.dep.bin",
            &[("mid", "k/mid.ko: k/base.ko"), ("base", "k/base.ko:"), ("both", "k/both.ko:")],
        );
        write(
            "modules.alias.bin",
            &[("pci:v1d*", "mid"), ("pci:v*", "base"), ("both", "mid"), ("blt", "mid2")],
        );
        write("modules.symbols.bin", &[("symbol:mid_sym", "mid")]);
        write("modules.builtin.bin", &[("blt_in", ""), ("blt", "")]);
        write("modules.builtin.alias.bin", &[("blt:*", "blt_in"), ("pci:v1d*", "blt_in")]);
        let mut config = ModprobeConfig::default();
        config.add_file(&Path::new("/t").into(), config_text.as_bytes(), &mut |_| ());
        Context::of_parts(Root::default(), config, Indexes::new(directory.to_owned()))
    }

    fn found(config: &str, query: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let candidates = lookup(&context(directory.path(), config), query.as_bytes()).unwrap();
        let show = |candidate: Candidate| match candidate.alias {
            Some(alias) => format!("{} by {alias}", candidate.module),
            None => candidate.module.to_string(),
        };
        candidates.into_iter().map(show).collect()
    }

    #[test]
    fn the_first_place_that_knows_a_name_ends_the_search() {
        let cases: [(&str, &str, &[&str]); 12] = [
            ("", "both", &["both"]),
            ("alias both x-y\nalias b* z\n", "both", &["x_y by both", "z by b*"]),
            ("", "symbol:mid-sym", &["mid by symbol:mid_sym"]),
            ("install pci:v2 cmd\n", "pci:v2", &["pci:v2"]),
            ("remove only cmd\n", "only", &["only"]),
            ("install on* cmd\n", "only", &[]),
            ("", "pci:v2", &["base by pci:v2"]),
            ("", "blt", &["mid2 by blt"]),
            ("", "blt-in", &["blt_in"]),
            ("", "blt:x", &["blt_in by blt:x"]),
            ("", "mid.ko", &[]),
            ("", "a]b", &[]),
        ];
        for (config, query, expected) in cases {
            assert_eq!(found(config, query), expected, "{query} with {config}");
        }
    }

    #[test]
    fn an_alias_with_several_targets_gives_them_all() {
        assert_eq!(found("", "pci:v1d3").len(), 2);
    }

    #[test]
    fn facts_are_gathered_along_dependencies_and_soft_dependencies() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path(), "softdep base post: pci:v2 blt-in\n");
        let known = gather(&context, &[Candidate::named(ModuleName::new("mid"))]).unwrap();
        let mid = &known.modules[&ModuleName::new("mid")];
        assert_eq!(mid.dependencies, [ModuleName::new("base")]);
        assert_eq!(mid.file.as_deref(), Some(directory.path().join("k/mid.ko").as_path()));
        assert_eq!(known.names[&BString::from("pci:v2")][0].module, ModuleName::new("base"));
        assert!(known.modules[&ModuleName::new("blt_in")].builtin);
    }

    #[test]
    fn a_name_alone_is_looked_for_without_aliases_of_files() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path(), "");
        let found = |name: &str| lookup_name(&context, name.as_bytes()).unwrap();
        assert_eq!(found("blt-in"), [Candidate::named(ModuleName::new("blt_in"))]);
        assert_eq!(found("blt-in.ko"), found("blt-in"));
        assert_eq!(found("pci:v2"), []);
        assert_eq!(found("blt:x")[0].module, ModuleName::new("blt_in"));
    }
}
