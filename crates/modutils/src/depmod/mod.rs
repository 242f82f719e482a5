//! The facts of a tree become the dependency graph and the `modules.*` files.
//!
//! The stages, each a file: [`scan`] finds module files, [`choose`] takes one of several copies,
//! [`module_order`] sorts them, [`facts`] reads each into [`rows`], several at once, unless [`cache`]
//! knows it by its stamp, [`symbols`] and [`graph`] find who needs whom, [`order`] puts dependencies in
//! their order or [`cycles`] says why there is none, [`output`] makes
//! the files' contents and [`mod@write`] puts them into place.

pub mod builtin;
pub mod cache;
pub mod choose;
pub mod cycles;
pub mod devname;
pub mod facts;
pub mod graph;
pub mod module_order;
pub mod order;
pub mod output;
pub mod quick;
pub mod rows;
pub mod scan;
/// By what a file is known to be the same as before.
pub mod stamp {
    pub use crate::stamp::Stamp;
}
pub mod symbols;
pub mod symvers;
pub mod write;

use std::{
    collections::HashSet,
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use crate::Errno;
use bstr::BString;

use self::{
    cache::Known,
    cycles::Cycles,
    facts::{Facts, Reading},
    graph::{Check, Graph},
    order::Order,
    symbols::{Owner, SymbolTable},
};
pub use crate::threads::beside;
use crate::{
    ModuleName, Notice, Result, Sink, config::DepmodConfig, file::Scratch, formats::extension, stamp::Stamp,
    threads::Pool,
};

/// A module file that the indexes will list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// The module's name.
    pub name: ModuleName,
    /// The file's path.
    pub path: PathBuf,
    /// How the indexes name it: relative to the module directory where it is in it.
    pub listed: BString,
}

/// What is known of a tree once all its modules are read.
#[derive(Debug)]
pub struct Analysis<'a> {
    /// The modules, in module order. Others refer to them by their index.
    pub files: &'a [TreeFile],
    /// Their facts.
    pub facts: &'a [Facts<'a>],
    /// For each, all modules it needs, in the order of its line in `modules.dep`.
    pub dependencies: Vec<Vec<u32>>,
    /// The symbols that modules export, sorted, each with the module.
    pub exported: Vec<(&'a [u8], u32)>,
}

/// What an analysis looks at besides the modules.
#[derive(Clone, Debug)]
pub struct Checks<'a> {
    /// The kernel's own symbols with their CRCs, as far as they are known.
    pub kernel_symbols: &'a [(Vec<u8>, u64)],
    /// A byte before symbols' names that is no part of them.
    pub symbol_prefix: Option<u8>,
    /// What to tell of needed symbols.
    pub check: Check,
}

/// The module files of a tree, in module order.
///
/// # Errors
/// Where the module directory cannot be read; lesser faults go to the sink.
pub fn tree(directory: &Path, config: &DepmodConfig, sink: &mut Sink) -> Result<Vec<TreeFile>> {
    let mut files = choose::choose(scan::scan(directory, config, sink)?, config, sink);
    module_order::sort(&mut files, directory, sink);
    Ok(files)
}

/// The module files that the caller names, in module order.
///
/// # Errors
/// Where one is not there, is no module file by its name, is named twice, or is a copy of another one.
pub fn named(directory: &Path, paths: &[PathBuf], sink: &mut Sink) -> Result<Vec<TreeFile>> {
    let mut files: Vec<TreeFile> = Vec::with_capacity(paths.len());
    for path in paths {
        let could_not = |error| crate::Error::io("create module", path)(error);
        std::fs::metadata(path).map_err(could_not)?;
        let name =
            ModuleName::from_path(path).filter(|_| path.file_name().is_some_and(extension::is_module_file));
        let name = name.ok_or_else(|| could_not(io::Error::from(Errno::ENOENT)))?;
        match files.iter().find(|file| file.name == name) {
            Some(file) if file.path == *path => {
                return Err(crate::Error::io("add module", path)(Errno::EEXIST.into()));
            }
            Some(_) => return Err(could_not(io::Error::from(Errno::EEXIST))),
            None => {
                let listed = scan::listed(directory, path);
                files.push(TreeFile { name, path: path.clone(), listed });
            }
        }
    }
    module_order::sort(&mut files, directory, sink);
    Ok(files)
}

/// A module that holds more plain bytes than so many is read after the others, when no other one is
/// in memory. The largest of Debian's, a graphics driver, holds 30 MB.
const LARGE: u64 = 64 << 20;

/// Reads all modules, or takes from the cache what it has of them. What is wrong with one goes to
/// the sink, in module order; the others are read all the same. With the facts comes, where it has
/// one, the stamp of the file that they are of. `read_one` is called for each module, by any thread.
pub fn read_facts<'a>(
    files: &[TreeFile],
    known: &Known<'a>,
    threads: NonZeroUsize,
    read_one: &(dyn Fn() + Sync),
    sink: &mut Sink,
) -> (Vec<Facts<'a>>, Vec<Option<Stamp>>) {
    let known: Vec<Option<(&Facts<'a>, Stamp)>> = files.iter().map(|file| known.facts(file)).collect();
    let unknown = files.iter().zip(&known).filter_map(|(file, known)| known.is_none().then_some(file));
    let unknown: Vec<&TreeFile> = unknown.collect();
    let pool = Pool::of(worthwhile(threads, unknown.len()));
    let read = pool.map(
        unknown,
        || Scratch::with_limit(LARGE),
        |scratch, file| {
            let reading = facts::read(file, scratch);
            read_one();
            Some(reading).filter(|_| !scratch.was_exceeded())
        },
    );
    let mut read = read.into_iter();
    let all = files.iter().zip(known).map(|(file, known)| {
        if let Some((facts, stamp)) = known {
            read_one();
            return (facts.clone(), Some(stamp));
        }
        let reading = read.next().flatten();
        let Reading { facts, notices, stamp } =
            reading.unwrap_or_else(|| facts::read(file, &mut Scratch::default()));
        // What is told of a module is told in every run.
        let stamp = stamp.filter(|_| notices.is_empty());
        notices.into_iter().for_each(&mut *sink);
        (facts, stamp)
    });
    all.unzip()
}

/// So many threads as are worth starting for so many modules, of those allowed.
fn worthwhile(threads: NonZeroUsize, modules: usize) -> NonZeroUsize {
    threads.min(NonZeroUsize::new(modules / 16).unwrap_or(NonZeroUsize::MIN))
}

/// Finds out who needs whom, and in which order.
///
/// # Errors
/// The cycles, where there are any.
pub fn analyse<'a>(
    files: &'a [TreeFile],
    facts: &'a [Facts<'a>],
    checks: &Checks<'a>,
    sink: &mut Sink,
) -> Result<Analysis<'a>, Cycles> {
    let table = SymbolTable::new(checks.kernel_symbols, facts, checks.symbol_prefix);
    let graph = Graph::from_symbols(files, facts, &table, checks.check, sink);
    let Ok(order) = Order::of(&graph) else { return Err(Cycles::of(&graph)) };
    Ok(Analysis { files, facts, dependencies: order.dependencies(&graph), exported: table.of_modules() })
}

/// Tells which modules each module needs, itself included, and by which symbol first: the user, the
/// symbol's bare name, and who offers it, by module order and then as needed (`depmod --verbose`).
pub fn tell_needs(
    files: &[TreeFile],
    facts: &[Facts<'_>],
    checks: &Checks<'_>,
    mut tell: impl FnMut(&TreeFile, &[u8], &TreeFile),
) {
    let table = SymbolTable::new(checks.kernel_symbols, facts, checks.symbol_prefix);
    for (user, facts) in files.iter().zip(facts) {
        let mut seen = HashSet::new();
        for (symbol, _) in facts.needs.iter() {
            let Some(Owner::Module(index)) = table.find(symbol).map(|offer| offer.owner) else { continue };
            if let Some(owner) = files.get(index as usize).filter(|_| seen.insert(index)) {
                tell(user, table.bare(symbol), owner);
            }
        }
    }
}

/// What is told of one of the kernel build's lists that is not there.
fn missing(file: &str, directory: &Path, error: &io::Error) -> Notice {
    let cause = crate::error_text(error);
    let directory = directory.as_os_str().as_encoded_bytes();
    let message = [b"could not open ", file.as_bytes(), b" at ", directory, b": ", cause.as_bytes()].concat();
    Notice::warning(message).because_of(error)
}
