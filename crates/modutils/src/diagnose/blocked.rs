//! What keeps modules from being loaded, and what would load one all the same.

use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use crate::{
    Alias, Context, ModuleName, Result,
    config::{
        AliasLine, BlacklistLine, CommandLine, DenyLine, Origin, SoftdepLine, cmdline::refused_by_kernel,
        lines::words, read,
    },
    glob::fnmatch,
    index::Trie,
    lookup,
};

/// What keeps a module from being loaded, in some way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// Modprobe refuses it, whoever asks.
    Deny(&'a DenyLine),
    /// The kernel itself refuses it: `module_blacklist=`.
    Kernel {
        /// The module.
        module: ModuleName,
        /// The kernel command line.
        origin: Origin,
    },
    /// No alias leads to it.
    Blacklist(&'a BlacklistLine),
    /// A command is run in its place.
    Install(&'a CommandLine),
    /// An alias leads to a module that is not there, as `alias NAME off` does.
    Alias(&'a AliasLine),
}

/// A block, and whether there is anything that it blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The block.
    pub block: Block<'a>,
    /// Whether a module of this kernel is called so, in a file or built in. Of a pattern, any.
    pub matches: bool,
}

/// What would load a module although something blocks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways<'a> {
    /// Asking for it by its name, or by its file.
    pub by_name: bool,
    /// The aliases that lead to it: those that it gives itself, and configured ones.
    pub by_alias: Vec<BString>,
    /// The modules that need it.
    pub dependents: Vec<ModuleName>,
    /// The softdep lines that name it.
    pub softdeps: Vec<&'a SoftdepLine>,
    /// The install lines whose commands name it.
    pub commands: Vec<&'a CommandLine>,
}

/// Everything that blocks, the strongest first; or what blocks one module.
///
/// # Errors
/// When an index cannot be read.
pub fn blocks<'a>(context: &'a Context, module: Option<&ModuleName>) -> Result<Vec<Entry<'a>>> {
    let config = context.config();
    let concerns = |pattern: &[u8]| module.is_none_or(|module| fnmatch(pattern, module.as_bytes()));
    let is = |name: &[u8]| module.is_none_or(|module| module.as_bytes() == name);
    let mut blocks: Vec<Block> = Vec::new();
    blocks.extend(config.denies.iter().filter(|line| concerns(line.pattern.as_bytes())).map(Block::Deny));
    blocks.extend(refused(context).into_iter().filter(|block| match block {
        Block::Kernel { module, .. } => is(module.as_bytes()),
        _ => true,
    }));
    blocks.extend(config.blacklist.iter().filter(|line| is(line.module.as_bytes())).map(Block::Blacklist));
    blocks
        .extend(config.installs.iter().filter(|line| concerns(line.pattern.as_bytes())).map(Block::Install));
    let mut entries = Vec::new();
    let names = names(context)?;
    for block in blocks {
        let matches = match &block {
            Block::Kernel { module, .. } => has(&names, module.as_bytes()),
            Block::Blacklist(line) => has(&names, line.module.as_bytes()),
            Block::Deny(line) => any_matches(&names, &line.pattern),
            Block::Install(line) => any_matches(&names, &line.pattern),
            Block::Alias(_) => false,
        };
        entries.push(Entry { block, matches });
    }
    for line in config.aliases.iter().filter(|line| !has(&names, line.module.as_bytes())) {
        let leads_here = module.is_none_or(|module| fnmatch(line.pattern.as_bytes(), module.as_bytes()));
        // An alias of an alias, or of a command, leads further.
        let leads_nowhere = lookup::lookup(context, line.module.as_bytes())?.is_empty();
        if leads_here && leads_nowhere {
            entries.push(Entry { block: Block::Alias(line), matches: true });
        }
    }
    Ok(entries)
}

/// What would load a module.
///
/// # Errors
/// When an index cannot be read.
pub fn ways<'a>(context: &'a Context, module: &ModuleName) -> Result<Ways<'a>> {
    let config = context.config();
    let is_refused = config.denied(module).is_some()
        || refused(context)
            .iter()
            .any(|block| matches!(block, Block::Kernel { module: one, .. } if one == module));
    if is_refused {
        return Ok(Ways::default());
    }
    let mut ways = Ways { by_name: true, ..Ways::default() };
    if config.blacklisted(module).is_none() {
        ways.by_alias = aliases(context, module)?;
    }
    for (key, _) in context.indexes().dep()?.map(Trie::entries).transpose()?.unwrap_or_default() {
        let user = ModuleName::new(&key);
        let line = context.indexes().dependency_line(&user)?;
        let mut needed = line.iter().flat_map(|line| &line.dependencies);
        if needed.any(|path| ModuleName::from_path(path).as_ref() == Some(module)) {
            ways.dependents.push(user);
        }
    }
    ways.dependents.sort();
    for line in &config.softdeps {
        let mut names = line.pre.iter().chain(&line.post);
        let means_it = |name: &BString| {
            lookup::lookup(context, name).map(|found| found.iter().any(|one| one.module == *module))
        };
        if names.try_fold(false, |found, name| Ok(found || means_it(name)?))? {
            ways.softdeps.push(line);
        }
    }
    let names_it = |command: &[u8]| words(command).any(|word| ModuleName::new(word) == *module);
    let others = config.installs.iter().filter(|line| !fnmatch(line.pattern.as_bytes(), module.as_bytes()));
    ways.commands = others.filter(|line| names_it(&line.command)).collect();
    Ok(ways)
}

impl Block<'_> {
    /// What people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Deny(_) => "deny",
            Self::Kernel { .. } => "kernel",
            Self::Blacklist(_) => "blacklist",
            Self::Install(_) => "install",
            Self::Alias(_) => "alias",
        }
    }

    /// The module, the pattern or the alias that it is about.
    pub fn subject(&self) -> &BStr {
        match self {
            Self::Deny(line) => line.pattern.as_bytes().as_bstr(),
            Self::Kernel { module, .. } => module.as_bstr(),
            Self::Blacklist(line) => line.module.as_bytes().as_bstr(),
            Self::Install(line) => line.pattern.as_bytes().as_bstr(),
            Self::Alias(line) => line.pattern.as_bytes().as_bstr(),
        }
    }

    /// The reason, the command, or the module that is not there.
    pub fn text(&self) -> Option<&BStr> {
        match self {
            Self::Deny(line) => Some(line.reason.as_bstr()).filter(|reason| !reason.is_empty()),
            Self::Install(line) => Some(line.command.as_bstr()),
            Self::Alias(line) => Some(line.module.as_bytes().as_bstr()),
            Self::Kernel { .. } | Self::Blacklist(_) => None,
        }
    }

    /// Where it stands.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Deny(line) => &line.origin,
            Self::Kernel { origin, .. } => origin,
            Self::Blacklist(line) => &line.origin,
            Self::Install(line) => &line.origin,
            Self::Alias(line) => &line.origin,
        }
    }
}

/// What the kernel refuses, by its command line.
fn refused(context: &Context) -> Vec<Block<'static>> {
    let path: Arc<std::path::Path> = context.root().system("/proc/cmdline").into();
    let modules = read(&path).map(|line| refused_by_kernel(&line)).unwrap_or_default();
    let modules = modules.into_iter().filter(|module| !module.is_empty());
    let block = |module: BString| Block::Kernel {
        module: ModuleName::new(module),
        origin: Origin { file: path.clone(), line: 1 },
    };
    modules.map(block).collect()
}

/// The names of all modules in files, and of built-in ones, sorted.
fn names(context: &Context) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for index in [context.indexes().dep()?, context.indexes().builtin()?].into_iter().flatten() {
        names.extend(index.entries()?.into_iter().map(|(key, _)| key));
    }
    names.sort();
    Ok(names)
}

fn has(names: &[Vec<u8>], name: &[u8]) -> bool {
    names.binary_search_by(|one| one.as_slice().cmp(name)).is_ok()
}

fn any_matches(names: &[Vec<u8>], pattern: &Alias) -> bool {
    names.iter().any(|name| fnmatch(pattern.as_bytes(), name))
}

/// The aliases that lead to a module, configured ones first.
fn aliases(context: &Context, module: &ModuleName) -> Result<Vec<BString>> {
    let configured =
        context.config().aliases.iter().filter(|line| line.module.as_bytes() == module.as_bytes());
    let mut aliases: Vec<BString> = configured.map(|line| line.pattern.as_bytes().into()).collect();
    let own = context.indexes().alias()?.map(Trie::entries).transpose()?.unwrap_or_default();
    let own = own.into_iter().filter(|(_, name)| name.as_slice() == module.as_bytes());
    aliases.extend(own.map(|(alias, _)| BString::from(alias)));
    Ok(aliases)
}
