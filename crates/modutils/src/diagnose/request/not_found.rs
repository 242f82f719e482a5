//! Why a name means no module.
//!
//! Either the tree cannot be asked, or its indexes do not match the tree, or the name is wrong.
//! Each cause is searched for separately, from what is on the disk; where none is found the name simply
//! is not known.

use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

use super::similar::similar;
use crate::shown::shown_path;
use crate::{
    Alias, BadBracket, Context, Error, ModuleName, Release, Root,
    config::{lines::words, read},
    diagnose::{Remark, words::printable},
    files::{self, Walk},
    formats::extension::is_module_file,
    index::{Indexes, Trie},
    lookup,
};

/// How many kernels are looked into, and named.
const MOST_KERNELS: usize = 32;
/// How many aliases are named.
const MOST_ALIASES: usize = 8;

enum NotFoundCause {
    /// The name cannot be one.
    BadName(BadBracket),
    /// It is the name of a file.
    FileName {
        /// The module of such a file.
        module: ModuleName,
        /// Whether there is a file of that name here.
        here: bool,
    },
    /// It is a path, and there is no such file.
    NoFile,
    /// The kernel has no module directory.
    NoDirectory {
        /// The directory.
        directory: PathBuf,
        /// The base that the caller gave, and a module directory: the base has to be above that.
        wrong_base: Option<PathBuf>,
        /// Whether the caller gave a base.
        has_base: bool,
        /// Whether it is that of the running kernel.
        running: bool,
        /// The kernels that have one.
        others: Vec<Release>,
    },
    /// The module directory, or an index in it, cannot be read, or the index is damaged.
    Unreadable(Error),
    /// There is no index of modules.
    NoIndex {
        /// The missing file.
        file: PathBuf,
    },
    /// The index of modules is empty.
    EmptyIndex {
        /// The file.
        file: PathBuf,
    },
    /// The module is there, and the index does not list it.
    NotIndexed {
        /// The module's file, or the list of built-in modules that names it.
        file: PathBuf,
        /// The index.
        index: &'static str,
    },
    /// It is loaded all the same.
    Loaded,
    /// Other kernels have it.
    OtherKernels(Vec<Release>),
    /// Modules are called almost so.
    Similar(Vec<BString>),
    /// It has the form of a modalias, and no module of this kernel has an alias that matches it.
    NoAlias,
    /// It is the name of no module and no alias.
    Unknown,
}

/// Why a name means no module, although the lookup met no error: at least one cause, the gravest first.
/// With the error that the lookup met: that it is the cause.
///
/// The kinds are `bad_name`, `file_name`, `no_directory`, `unreadable`, `no_index`, `empty_index`,
/// `not_indexed`, `no_file`, `loaded`, `other_kernels`, `similar`, `no_alias` and `unknown`.
pub fn not_found(context: &Context, name: &[u8], error: Option<&Error>) -> Vec<Remark> {
    let depmod = depmod(context);
    match error {
        Some(error) => vec![unreadable(error, &depmod)],
        None => causes(context, name).iter().map(|cause| cause.remark(&depmod)).collect(),
    }
}

/// That the index of modules lists this file, which is not there; nothing where it does not list it. The
/// kind is `listed_but_gone`.
pub fn listed_but_gone(context: &Context, file: &Path) -> Option<Remark> {
    let module = ModuleName::from_path(file)?;
    let listed = context.indexes().file_of(&module).ok()??;
    let index = context.indexes().directory().join("modules.dep.bin");
    let lines = || {
        vec![
            format!("{} lists it, but {} is not there.", shown_path(&index), shown_path(file)),
            format!(
                "  If it was removed on purpose, run {}; else install the kernel's modules again.",
                depmod(context)
            ),
        ]
    };
    (listed == *file).then(|| Remark::new("listed_but_gone", lines()).about(bytes(file)))
}

/// The configured aliases that lead to a module which is not there: each with its line. The kind is
/// `dangling_alias`.
pub fn dangling_alias(context: &Context, module: &ModuleName) -> Option<Remark> {
    let aliases = context.modprobe_config().aliases.iter();
    let leading = aliases.filter(|line| line.module.as_bytes() == module.as_bytes()).take(MOST_ALIASES);
    let lines: Vec<String> = leading
        .map(|line| {
            let (origin, pattern) = (&line.origin, printable(line.pattern.as_bytes()));
            format!("{origin} makes {pattern} an alias of it, and no module of this kernel has that name.")
        })
        .collect();
    (!lines.is_empty()).then(|| Remark::new("dangling_alias", lines).about(module.as_bytes()))
}

fn causes(context: &Context, name: &[u8]) -> Vec<NotFoundCause> {
    let normal = match Alias::new(name) {
        Ok(normal) => normal,
        Err(fault) => return vec![NotFoundCause::BadName(fault)],
    };
    // What concerns names is no cause for a path.
    if name.contains(&b'/') && !name.contains(&b':') {
        return vec![file_name(context.root(), name).unwrap_or(NotFoundCause::NoFile)];
    }
    if let Some(cause) = directory_cause(context) {
        return vec![cause];
    }
    let mut causes = index_causes(context.indexes());
    if let Some(cause) = file_name(context.root(), name) {
        causes.push(cause);
        return causes;
    }
    let module = ModuleName::new(name);
    causes.extend(unindexed(context.indexes(), &module));
    if causes.is_empty() && is_loaded(context, &module) {
        causes.push(NotFoundCause::Loaded);
    }
    let others = other_kernels(context, normal.as_bytes());
    if !others.is_empty() {
        causes.push(NotFoundCause::OtherKernels(others));
    }
    let similar_names = similar_names(context, normal.as_bytes());
    if !similar_names.is_empty() {
        causes.push(NotFoundCause::Similar(similar_names));
    }
    if causes.is_empty() {
        causes.push(if name.contains(&b':') { NotFoundCause::NoAlias } else { NotFoundCause::Unknown });
    }
    causes
}

impl NotFoundCause {
    /// The remark about it; `depmod` is the command that makes the indexes.
    fn remark(&self, depmod: &str) -> Remark {
        let new = Remark::new;
        match self {
            Self::BadName(fault) => {
                new("bad_name", vec![format!("The name is no name of a module: {fault}.")])
            }
            Self::FileName { module, here } => {
                let line = if *here {
                    let name = printable(module);
                    format!("This is the name of a file: a path has a slash (./), and a name is {name}.")
                } else {
                    format!("This is the name of a file; the module is called {}.", printable(module))
                };
                new("file_name", vec![line]).about(module.as_bytes())
            }
            Self::NoFile => new("no_file", vec!["There is no such file.".into()]),
            Self::NoDirectory { directory, wrong_base, has_base, running, others } => {
                let lines = match wrong_base {
                    Some(base) => no_root(directory, base),
                    None => no_directory(directory, *has_base, *running, others),
                };
                new("no_directory", lines).about(bytes(directory))
            }
            Self::Unreadable(error) => unreadable(error, depmod),
            Self::NoIndex { file } => {
                let lines =
                    vec![format!("There is no {}.", shown_path(file)), format!("  Run {depmod} to make it.")];
                new("no_index", lines).about(bytes(file))
            }
            Self::EmptyIndex { file } => {
                let lines =
                    vec![format!("{} is empty.", shown_path(file)), format!("  Run {depmod} to rebuild it.")];
                new("empty_index", lines).about(bytes(file))
            }
            Self::NotIndexed { file, index } => {
                let lines = vec![
                    format!("It is in {}, and {index} does not list it.", shown_path(file)),
                    format!("  The index is outdated: run {depmod}."),
                ];
                new("not_indexed", lines).about(bytes(file))
            }
            Self::Loaded => new(
                "loaded",
                vec!["It is loaded, and no index of this directory has it by this name.".into()],
            ),
            Self::OtherKernels(releases) => {
                new("other_kernels", vec![format!("Other kernels have it: {}.", listed(releases))])
            }
            Self::Similar(names) => {
                let names: Vec<String> = names.iter().map(printable).collect();
                new("similar", vec![format!("Did you mean {}?", names.join(" or "))])
            }
            Self::NoAlias => {
                new("no_alias", vec!["No module of this kernel has an alias that matches this.".into()])
            }
            Self::Unknown => new("unknown", vec!["No module of this kernel has this name or alias.".into()]),
        }
    }
}

/// The remark about an index that cannot be read, or is damaged.
fn unreadable(error: &Error, depmod: &str) -> Remark {
    let lines = match error {
        Error::Malformed { path, fault } => {
            vec![
                format!("{} is damaged: {fault}.", shown_path(path)),
                format!("  Run {depmod} to rebuild it."),
            ]
        }
        error => vec![format!("{}.", capital(&error.to_string()))],
    };
    let remark = Remark::new("unreadable", lines);
    match error.path() {
        Some(path) => remark.about(bytes(path)),
        None => remark,
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// What makes the indexes of a context. Without arguments depmod makes those of the running kernel.
fn depmod(context: &Context) -> String {
    let (root, directory) = (context.root(), context.directory());
    let Some(release) = directory.file_name().map(Release::new) else { return "depmod".into() };
    if root.modules(&release) != directory {
        return "depmod".into();
    }
    let mut words = vec!["depmod".to_owned()];
    if root.is_confined() {
        words.push(format!("--root {}", printable(root.locate("").as_os_str().as_encoded_bytes())));
    }
    if let Some(base) = root.given_base() {
        words.push(format!("-b {}", printable(base.as_os_str().as_encoded_bytes())));
    } else if !root.is_confined() && Release::running().is_ok_and(|running| running == release) {
        return "depmod".into();
    }
    words.push(printable(release.as_os_str().as_encoded_bytes()));
    words.join(" ")
}

/// A module directory was given where the root above it is expected.
fn no_root(directory: &Path, base: &Path) -> Vec<String> {
    vec![
        format!("There is no {}.", shown_path(directory)),
        format!("  {} holds modules: name the root above it, which has lib/modules.", shown_path(base)),
    ]
}

/// The base, if it is a directory of kernels or that of one kernel's modules.
fn wrong_base(context: &Context) -> Option<PathBuf> {
    let base = context.root().base();
    // A source tree has the other files of such a directory, too.
    let is_kernel = |directory: &Path| files::is_file(&directory.join("modules.dep"));
    let mut inside = files::read_dir(&base).ok()?.flatten().take(MOST_KERNELS);
    let holds = is_kernel(&base) || inside.any(|path| is_kernel(&path));
    (context.root().has_base() && holds).then_some(base)
}

fn no_directory(directory: &Path, has_base: bool, running: bool, others: &[Release]) -> Vec<String> {
    let whose = if running { "the running kernel" } else { "this kernel" };
    let mut lines = vec![format!("There is no {}: {whose} has no modules here.", shown_path(directory))];
    if others.is_empty() {
        lines.push("  Nor are there modules of another kernel. Install those of this one.".into());
    } else if running && has_base {
        // The release was not given: the modules there are rarely those of the kernel that runs.
        let others = listed(others);
        lines.push(format!("  There are modules for {others}: name the release (modprobe -S, modinfo -k)."));
    } else if running {
        let others = listed(others);
        lines.push(format!(
            "  There are modules for {others}. If the kernel was replaced since it was booted, reboot."
        ));
    } else {
        lines.push(format!("  There are modules for {}.", listed(others)));
    }
    lines
}

fn directory_cause(context: &Context) -> Option<NotFoundCause> {
    let directory = context.indexes().directory();
    let source = files::metadata(directory).err()?;
    if source.kind() != std::io::ErrorKind::NotFound {
        return Some(NotFoundCause::Unreadable(Error::io("read", directory)(source)));
    }
    let running = Release::running().is_ok_and(|release| context.root().modules(&release) == directory);
    let (wrong_base, has_base) = (wrong_base(context), context.root().has_base());
    let (directory, others) = (directory.to_owned(), kernels(context));
    Some(NotFoundCause::NoDirectory { directory, wrong_base, has_base, running, others })
}

/// The kernels that have modules, except the one in question.
fn kernels(context: &Context) -> Vec<Release> {
    let directory = context.indexes().directory();
    let entries = files::read_dir(&context.root().all_modules()).into_iter().flatten().flatten();
    let others = entries.filter(|path| path != directory && files::is_dir(path));
    let mut releases: Vec<Release> =
        others.map(|path| Release::new(path.file_name().unwrap_or_default())).collect();
    releases.sort();
    releases.truncate(MOST_KERNELS);
    releases
}

/// What is wrong with the indexes that every lookup reads.
fn index_causes(indexes: &Indexes) -> Vec<NotFoundCause> {
    let mut causes = Vec::new();
    let file = indexes.directory().join("modules.dep.bin");
    match indexes.dep() {
        Ok(None) => causes.push(NotFoundCause::NoIndex { file }),
        Ok(Some(_)) if files::metadata(&file).is_ok_and(|metadata| metadata.len() == 0) => {
            causes.push(NotFoundCause::EmptyIndex { file });
        }
        Ok(Some(_)) => {}
        Err(error) => causes.push(NotFoundCause::Unreadable(error)),
    }
    let others = [indexes.alias(), indexes.symbols(), indexes.builtin(), indexes.builtin_alias()];
    causes.extend(others.into_iter().filter_map(Result::err).map(NotFoundCause::Unreadable));
    causes
}

/// The name of a file in the place of a module's.
fn file_name(root: &Root, name: &[u8]) -> Option<NotFoundCause> {
    let path = &root.locate(name.to_os_str().ok()?);
    if name.contains(&b'/') && !files::is_file(path) {
        return None;
    }
    let is_file = path.file_name().is_some_and(is_module_file);
    let module = is_file.then(|| ModuleName::from_path(path))??;
    Some(NotFoundCause::FileName { module, here: files::is_file(path) })
}

/// A module that the tree has and the indexes do not.
fn unindexed(indexes: &Indexes, module: &ModuleName) -> Option<NotFoundCause> {
    let directory = indexes.directory();
    let builtin = directory.join("modules.builtin");
    if read(&builtin).is_ok_and(|list| lists(&list, module)) {
        return Some(NotFoundCause::NotIndexed { file: builtin, index: "modules.builtin.bin" });
    }
    if !matches!(indexes.dep(), Ok(Some(_))) {
        return None;
    }
    let mut walk = Walk::new(directory);
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        if entry.is_dir() && matches!(entry.file_name().as_encoded_bytes(), b"build" | b"source") {
            walk.skip_current_dir();
        } else if is_module_file(entry.file_name())
            && ModuleName::from_path(entry.path()).as_ref() == Some(module)
        {
            return Some(NotFoundCause::NotIndexed { file: entry.into_path(), index: "modules.dep.bin" });
        }
    }
    None
}

/// Whether a list of built-in modules names one.
fn lists(list: &[u8], module: &ModuleName) -> bool {
    list.lines().any(|line| {
        let path = line.to_os_str().map(Path::new).ok();
        path.and_then(ModuleName::from_path).as_ref() == Some(module)
    })
}

fn is_loaded(context: &Context, module: &ModuleName) -> bool {
    let modules = read(&context.root().system("/proc/modules")).unwrap_or_default();
    modules.lines().any(|line| words(line).next() == Some(module.as_bytes()))
}

/// The kernels whose indexes know the name.
fn other_kernels(context: &Context, name: &[u8]) -> Vec<Release> {
    let mut releases = kernels(context);
    releases.retain(|release| {
        let other = Context::builder().root(context.root().clone()).release(release.clone());
        let other = other.without_configuration().build();
        other.and_then(|other| lookup::lookup(&other, name)).is_ok_and(|found| !found.is_empty())
    });
    releases
}

/// Names of modules and configured aliases that are almost the one asked for.
fn similar_names(context: &Context, name: &[u8]) -> Vec<BString> {
    let keys = |index: crate::Result<Option<&Trie>>| {
        let entries = index.ok().flatten().and_then(|index| index.entries().ok());
        entries.into_iter().flatten().map(|(key, _)| key)
    };
    let indexes = context.indexes();
    let mut names: Vec<Vec<u8>> = keys(indexes.dep()).chain(keys(indexes.builtin())).collect();
    names.extend(context.modprobe_config().aliases.iter().map(|line| line.pattern.as_bytes().to_owned()));
    similar(name, names.iter().map(Vec::as_slice))
}

fn listed(releases: &[Release]) -> String {
    let names: Vec<String> =
        releases.iter().map(|release| printable(release.as_os_str().as_encoded_bytes())).collect();
    names.join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
