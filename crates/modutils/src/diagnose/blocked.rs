//! What keeps modules from being loaded, and what would load one all the same.
//!
//! ```
//! use std::fs;
//! use modutils::{Context, ModuleName, Release, Root};
//! use modutils::diagnose::blocked;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = tempfile::tempdir()?;
//! # let modules = system.path().join("lib/modules/6.12.0");
//! # fs::create_dir_all(&modules)?;
//! # fs::write(modules.join("modules.dep.bin"), testkit::index([("pcspkr", "pcspkr.ko:")]))?;
//! fs::create_dir_all(system.path().join("etc/modprobe.d"))?;
//! fs::write(system.path().join("etc/modprobe.d/quiet.conf"), "blacklist pcspkr\nalias beep pcspkr\n")?;
//! let root = Root::default().with_base(system.path()).with_system(system.path());
//! let context = Context::builder().root(root).release(Release::new("6.12.0")).build()?;
//!
//! let pcspkr = ModuleName::new("pcspkr");
//! let block = &blocked::blocks(&context, Some(&pcspkr))?[0];
//! assert_eq!((block.kind(), block.subject()), ("blacklist", "pcspkr".into()));
//! assert_eq!((block.origin().line, block.matches()), (1, true));
//! // Asking for it by its name would load it all the same; its aliases do not count.
//! let ways = blocked::ways(&context, &pcspkr)?;
//! assert!(ways.by_name() && ways.aliases().is_empty());
//! # Ok(())
//! # }
//! ```

use std::{path::Path, sync::Arc};

use bstr::{BStr, BString, ByteSlice};

use super::rights;
use crate::{
    Alias, Context, ModuleName, Result,
    config::{Origin, cmdline::refused_by_kernel, lines::words, read},
    glob::fnmatch,
    index::Trie,
    lookup,
};

/// Something that keeps a module from being loaded, in some way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    kind: Kind,
    subject: BString,
    detail: BString,
    origin: Origin,
    matches: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Modprobe refuses it, whoever asks.
    Deny,
    /// The kernel itself refuses it: `module_blacklist=`.
    Kernel,
    /// No alias leads to it.
    Blacklist,
    /// A command is run in its place.
    Install,
    /// An alias leads to a module that is not there, as `alias NAME off` does.
    Alias,
}

/// What would load a module although something blocks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    is_there: bool,
    by_name: bool,
    command: Option<BString>,
    aliases: Vec<BString>,
    dependents: Vec<ModuleName>,
    softdeps: Vec<Mention>,
    commands: Vec<Mention>,
}

/// A line of the configuration that mentions a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    subject: BString,
    origin: Origin,
}

/// Everything that blocks, the strongest first; or what blocks one module.
///
/// # Errors
/// When an index cannot be read.
pub fn blocks(context: &Context, module: Option<&ModuleName>) -> Result<Vec<Block>> {
    let config = context.modprobe_config();
    let concerns =
        |pattern: &Alias| module.is_none_or(|module| fnmatch(pattern.as_bytes(), module.as_bytes()));
    // What keeps out a module that it needs keeps it out as well.
    let needed = match module {
        Some(module) => dependencies(context, module)?,
        None => Vec::new(),
    };
    let touches = |pattern: &Alias| {
        concerns(pattern) || needed.iter().any(|module| fnmatch(pattern.as_bytes(), module.as_bytes()))
    };
    let is = |name: &[u8]| module.is_none_or(|module| module.as_bytes() == name);
    let names = names(context)?;
    let mut blocks = Vec::new();
    for line in config.denies.iter().filter(|line| touches(&line.pattern)) {
        let block = Block::new(Kind::Deny, line.pattern.as_bytes(), &line.reason, &line.origin);
        blocks.push(Block { matches: any_matches(&names, &line.pattern), ..block });
    }
    let (origin, refused) = refused(context);
    for module in refused.iter().filter(|module| is(module.as_bytes()) || needed.contains(module)) {
        let block = Block::new(Kind::Kernel, module.as_bytes(), b"", &origin);
        blocks.push(Block { matches: has(&names, module.as_bytes()), ..block });
    }
    for line in config.blacklist.iter().filter(|line| is(line.module.as_bytes())) {
        let block = Block::new(Kind::Blacklist, line.module.as_bytes(), b"", &line.origin);
        blocks.push(Block { matches: has(&names, line.module.as_bytes()), ..block });
    }
    for line in config.installs.iter().filter(|line| touches(&line.pattern)) {
        let block = Block::new(Kind::Install, line.pattern.as_bytes(), &line.command, &line.origin);
        blocks.push(Block { matches: any_matches(&names, &line.pattern), ..block });
    }
    for line in config.aliases.iter().filter(|line| !has(&names, line.module.as_bytes())) {
        // An alias of an alias, or of a command, leads further.
        let leads_nowhere = lookup::lookup(context, line.module.as_bytes())?.is_empty();
        if concerns(&line.pattern) && leads_nowhere {
            let (pattern, module) = (line.pattern.as_bytes(), line.module.as_bytes());
            blocks.push(Block::new(Kind::Alias, pattern, module, &line.origin));
        }
    }
    Ok(blocks)
}

/// What would load a module.
///
/// # Errors
/// When an index cannot be read.
pub fn ways(context: &Context, module: &ModuleName) -> Result<Ways> {
    let config = context.modprobe_config();
    let refused = refused(context).1;
    let mut all = dependencies(context, module)?;
    all.push(module.clone());
    if all.iter().any(|module| config.denied(module).is_some() || refused.contains(module)) {
        return Ok(Ways::default());
    }
    let command = config.install(module).map(|line| line.command.clone());
    let is_there = has(&names(context)?, module.as_bytes());
    let mut ways = Ways { by_name: is_there && command.is_none(), command, is_there, ..Ways::default() };
    if !is_there {
        return Ok(ways);
    }
    if config.blacklisted(module).is_none() {
        ways.aliases = aliases(context, module)?;
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
            ways.softdeps.push(Mention::new(&line.pattern, &line.origin));
        }
    }
    let names_it = |command: &[u8]| words(command).any(|word| ModuleName::new(word) == *module);
    let others = config.installs.iter().filter(|line| !fnmatch(line.pattern.as_bytes(), module.as_bytes()));
    let naming = others.filter(|line| names_it(&line.command));
    ways.commands = naming.map(|line| Mention::new(&line.pattern, &line.origin)).collect();
    Ok(ways)
}

/// Whether the kernel takes no modules at all any more, until the next boot.
pub fn everything_is_blocked(context: &Context) -> bool {
    rights::modules_disabled(context.root()) == Some(true)
}

impl Block {
    fn new(kind: Kind, subject: &[u8], detail: &[u8], origin: &Origin) -> Self {
        Self { kind, subject: subject.into(), detail: detail.into(), origin: origin.clone(), matches: true }
    }

    /// What people call it: `deny`, `kernel`, `blacklist`, `install` or `alias`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Deny => "deny",
            Kind::Kernel => "kernel",
            Kind::Blacklist => "blacklist",
            Kind::Install => "install",
            Kind::Alias => "alias",
        }
    }

    /// Whether it is about this module itself, and not about one that it needs.
    pub fn concerns(&self, module: &ModuleName) -> bool {
        fnmatch(&self.subject, module.as_bytes())
    }

    /// The module, the pattern or the alias that it is about.
    pub fn subject(&self) -> &BStr {
        self.subject.as_bstr()
    }

    /// The reason, the command, or the module that is not there.
    pub fn detail(&self) -> Option<&BStr> {
        match self.kind {
            Kind::Deny => Some(self.detail.as_bstr()).filter(|reason| !reason.is_empty()),
            Kind::Install | Kind::Alias => Some(self.detail.as_bstr()),
            Kind::Kernel | Kind::Blacklist => None,
        }
    }

    /// The line that blocks it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether there is anything that it blocks: a module of this kernel is called so, in a file or built
    /// in. Of a pattern, any.
    pub fn matches(&self) -> bool {
        self.matches
    }

    /// What becomes of its subject, in words that follow that.
    pub fn text(&self) -> BString {
        let detail = self.detail.as_bytes();
        match self.kind {
            Kind::Deny if detail.is_empty() => b"is refused by modprobe, whoever asks".into(),
            Kind::Deny => [b"is refused by modprobe, whoever asks: ", detail].concat().into(),
            Kind::Kernel => b"is refused by the kernel (module_blacklist=)".into(),
            Kind::Blacklist => b"is not loaded by its aliases (blacklist)".into(),
            Kind::Install => [b"is not loaded, a command is run: ", detail.trim()].concat().into(),
            Kind::Alias => [b"is an alias of ", detail, b", which is not there"].concat().into(),
        }
    }
}

impl Ways {
    /// Whether this kernel has a module of that name, in a file or built in.
    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// Whether it is loaded when asked for by its name. Where it is not, and no [command](Self::command) is run,
    /// nothing else loads it either.
    pub fn by_name(&self) -> bool {
        self.by_name
    }

    /// The command that is run when the module would be loaded, by whatever way: what that does nobody knows. With
    /// `--ignore-install` the module is loaded by its name.
    pub fn command(&self) -> Option<&BStr> {
        self.command.as_ref().map(|command| command.as_bstr())
    }

    /// The aliases that lead to it: configured ones, and the ones it declares itself.
    pub fn aliases(&self) -> &[BString] {
        &self.aliases
    }

    /// The modules that need it.
    pub fn dependents(&self) -> &[ModuleName] {
        &self.dependents
    }

    /// The softdep lines that name it.
    pub fn softdeps(&self) -> &[Mention] {
        &self.softdeps
    }

    /// The install lines whose commands name it.
    pub fn commands(&self) -> &[Mention] {
        &self.commands
    }
}

impl Mention {
    fn new(pattern: &Alias, origin: &Origin) -> Self {
        Self { subject: pattern.as_bytes().into(), origin: origin.clone() }
    }

    /// The module, or the pattern, that the line is about.
    pub fn subject(&self) -> &BStr {
        self.subject.as_bstr()
    }

    /// The line.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// The modules that a module needs, by the index.
fn dependencies(context: &Context, module: &ModuleName) -> Result<Vec<ModuleName>> {
    let line = context.indexes().dependency_line(module)?;
    let paths = line.into_iter().flat_map(|line| line.dependencies);
    Ok(paths.filter_map(|path| ModuleName::from_path(&path)).collect())
}

/// What the kernel refuses, by its command line, and the location of that.
fn refused(context: &Context) -> (Origin, Vec<ModuleName>) {
    // A confined root may have none: then nothing is refused, and the path is never shown.
    let path: Arc<Path> = context.root().command_line().unwrap_or_default().into();
    let modules = read(&path).map(|line| refused_by_kernel(&line)).unwrap_or_default();
    // The kernel compares them as they stand with names that have no dash.
    let modules = modules.into_iter().filter(|module| !module.is_empty() && !module.contains(&b'-'));
    (Origin { file: path, line: 1 }, modules.map(ModuleName::new).collect())
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
        context.modprobe_config().aliases.iter().filter(|line| line.module.as_bytes() == module.as_bytes());
    let mut aliases: Vec<BString> = configured.map(|line| line.pattern.as_bytes().into()).collect();
    let own = context.indexes().alias()?.map(Trie::entries).transpose()?.unwrap_or_default();
    let own = own.into_iter().filter(|(_, name)| name.as_slice() == module.as_bytes());
    aliases.extend(own.map(|(alias, _)| BString::from(alias)));
    Ok(aliases)
}
