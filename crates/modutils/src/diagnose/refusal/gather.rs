//! Collects what a diagnosis needs: of the running system, of the module's neighbours, of the kernel's
//! lists. For one module as little as answers for it, for a tree everything.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};
use goblin::container::Endian;

use super::{
    btf::{self, Extent},
    configuration,
    examined_module::ExaminedModule,
    exports::Owner,
    image::{self, Names},
    running, table, unlisted,
    view::{KernelView, Unread},
};
use crate::{
    Error, ModuleName, Release, Result, Root,
    config::read,
    file::{TREE_FILE_LIMIT, read_bounded},
    files,
    formats::extension,
    index::Indexes,
};

/// The order of bytes of the machine that this runs on.
const NATIVE: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };
/// How many modules of the kernel's build are asked what they all have in common.
const SAMPLE: usize = 8;
/// How many providers of symbols are looked at for one module: more than any needs.
const MOST_PROVIDERS: usize = 64;

/// What answers for one module and its direct dependencies, without reading the whole tree.
pub fn for_one(root: &Root, release: &Release, subject: &ExaminedModule, is_running: bool) -> KernelView {
    let mut view = beginnings(root, release, is_running);
    let indexes = Indexes::new(root.modules(release));
    // The module of this name that was built for this kernel knows most of what the one in question needs.
    let namesake = view.known(indexes.file_of(&subject.name));
    let list = build_list(indexes.directory());
    let sample = namesake.into_iter().chain(list.sample(SAMPLE)).filter(|path| !is_same(path, &subject.path));
    let mut sample: Vec<ExaminedModule> =
        sample.filter_map(|path| ExaminedModule::open(&path).ok()).collect();
    sample.dedup_by(|one, other| one.path == other.path);
    view.add_witnesses(sample.iter());
    if subject.btf.is_some() && view.validates_btf() != Some(false) {
        view.btf = view.known(type_information(root, release, is_running));
    }
    add_providers(&indexes, &mut view, subject);
    let is_builtin = |index: &crate::index::Trie| index.get(subject.name.as_bytes()).ok().flatten().is_some();
    if indexes.builtin().ok().flatten().is_some_and(is_builtin) {
        view.builtin.insert(subject.name.clone());
    }
    view
}

/// Adds what the modules export that `modules.symbols` names for a module's needs.
pub fn add_providers(indexes: &Indexes, view: &mut KernelView, subject: &ExaminedModule) {
    let providers = providers(indexes, view, subject);
    for (module, symbols) in providers.into_iter().filter(|(module, _)| *module != subject.name) {
        let Some(path) = view.known(indexes.file_of(&module)) else { continue };
        match ExaminedModule::open(&path) {
            Ok(provider) => view.add_exports(&provider),
            Err(error) => {
                let unread = Unread { module, is_gone: error.is_not_found() };
                view.unread_exports.extend(symbols.into_iter().map(|symbol| (symbol, unread.clone())));
            }
        }
    }
}

/// What needs no module: the kernel's list and its state.
pub fn beginnings(root: &Root, release: &Release, is_running: bool) -> KernelView {
    let mut view =
        KernelView { release: release.as_os_str().as_encoded_bytes().into(), ..KernelView::default() };
    view.table = view.known(table::find(root, release, is_running));
    if view.table.is_none() && view.unread.is_none() {
        view.names = view.known(table::first(table::images(root, release), Names::read));
    }
    view.config = view.known(configuration::find(root, release, is_running));
    view.running = is_running.then(|| running::state(root, view.config.as_ref()));
    let indexes = Indexes::new(root.modules(release));
    let unlisted = view.running.as_ref().map(|running| unlisted::exports(root, &indexes, running));
    view.unlisted = view.known(unlisted.transpose()).unwrap_or_default();
    view
}

/// How far the kernel's own type information leads: the running one shows it, and others have it in their images.
fn type_information(root: &Root, release: &Release, is_running: bool) -> Result<Option<Extent>> {
    if is_running {
        let path = root.system("/sys/kernel/btf/vmlinux");
        let bytes = read_bounded(&path, TREE_FILE_LIMIT).map_err(Error::io("read", &path));
        return Ok(table::if_readable(bytes)?.and_then(|bytes| btf::extent(&bytes, NATIVE)));
    }
    table::first(table::images(root, release), image::type_information)
}

/// Whether two paths lead to the same file.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| files::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// The modules that `modules.symbols` names for the symbols which the kernel's list does not have, each with these.
fn providers(
    indexes: &Indexes,
    view: &mut KernelView,
    subject: &ExaminedModule,
) -> Vec<(ModuleName, Vec<BString>)> {
    let Some(symbols) = view.known(indexes.symbols()) else { return Vec::new() };
    let mut found: Vec<(ModuleName, Vec<BString>)> = Vec::new();
    let names = subject.needs.iter().map(|need| &need.name);
    for name in names.chain(subject.exports.iter().map(|export| &export.name)) {
        let listed = view.table.as_ref().and_then(|table| table.offers.get(name));
        if listed.is_some_and(|offer| offer.owner == Owner::Kernel) {
            continue;
        }
        let key = [b"symbol:", name.as_slice()].concat();
        let Some(module) = view.known(symbols.get(&key)).map(ModuleName::new) else { continue };
        if let Some((_, symbols)) = found.iter_mut().find(|(other, _)| *other == module) {
            symbols.push(name.clone());
        } else if found.len() < MOST_PROVIDERS {
            found.push((module, vec![name.clone()]));
        }
    }
    found
}

/// The modules that the kernel's build made, as it lists them in `modules.order`.
#[derive(Debug, Default)]
pub struct BuildList {
    directory: PathBuf,
    /// Paths without the ending of a compression.
    paths: Vec<BString>,
    set: HashSet<BString>,
}

/// Reads the list of a module directory; empty where there is none.
pub fn build_list(directory: &Path) -> BuildList {
    let text = read(&directory.join("modules.order")).unwrap_or_default();
    let paths: Vec<BString> = text.lines().filter(|line| !line.is_empty()).map(BString::from).collect();
    BuildList { directory: directory.to_owned(), set: paths.iter().cloned().collect(), paths }
}

impl BuildList {
    /// Whether there is no list.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether the build made a file that the indexes would list by this path.
    pub fn contains(&self, listed: &[u8]) -> bool {
        self.set.contains(extension::without_compression(listed).as_bstr())
    }

    /// Some files of the list, spread over it, as far as they are there.
    fn sample(&self, count: usize) -> impl Iterator<Item = PathBuf> + '_ {
        let step = (self.paths.len() / count).max(1);
        let lines = self.paths.iter().step_by(step).take(count);
        lines.filter_map(|line| {
            let with = |compression: &&str| {
                let path = [line.as_slice(), compression.as_bytes()].concat();
                self.directory.join(OsStr::from_bytes(&path))
            };
            extension::COMPRESSIONS.iter().map(with).find(|path| files::is_file(path))
        })
    }
}
