//! `kmod check` of one module: the module and all that it needs, without loading anything.
//!
//! Where the kernel's list of exports is at hand and the tree has its indexes, only these modules are
//! read. Otherwise the whole tree is: its modules are then the only ones that know the kernel.

use std::{collections::HashMap, path::PathBuf};

use bstr::BString;

use super::{Check, Tree, Verdict, tree::Modules};
use crate::{
    Error, ModuleName, Result,
    diagnose::refusal::{examination::Question, examined_module::ExaminedModule, gather},
    index::Indexes,
    kernel::State,
};

/// How many modules are followed: more than any set of dependencies has.
const MOST: usize = 512;

/// How a module is asked for.
pub(super) struct Asked<'a> {
    /// Its parameters.
    pub(super) parameters: &'a [u8],
    /// Whether nothing is loaded with it.
    pub(super) alone: bool,
    /// The parameters of the modules that are loaded with it.
    pub(super) options: HashMap<ModuleName, BString>,
}

/// Whether a kernel would take a module.
pub(super) fn verdict(check: &Check, subject: &ExaminedModule, asked: &Asked) -> Verdict {
    let Asked { parameters, alone, options } = asked;
    let Check { root, release, is_running, threads, .. } = check;
    let directory = root.modules(release);
    let list = gather::build_list(&directory);
    let listed = subject.path.strip_prefix(&directory).map(|path| path.as_os_str().as_encoded_bytes());
    let is_of_build = listed.is_ok_and(|listed| list.contains(listed));
    let question = Question { parameters, is_of_build, alone: *alone, ..Question::default() };
    let indexes = Indexes::new(directory);
    let has_indexes = indexes.symbols().is_ok_and(|index| index.is_some())
        && indexes.dep().is_ok_and(|index| index.is_some());
    let mut view = gather::for_one(root, release, subject, *is_running);
    // A list of names alone is enough for a module that needs no more than names.
    let needs_more = !subject.is_gpl_compatible() || subject.needs.iter().any(|need| need.crc.is_some());
    if view.table.as_ref().is_none_or(|table| !table.has_crcs && needs_more) || !has_indexes {
        // Without a tree only the module itself can be looked at.
        let files = Tree::find(check).map(Tree::into_files).unwrap_or_default();
        return Modules::read(check, &files, &|| ()).examine_one(subject, &question, options, *threads);
    }
    // Every module that is needed, with its own dependencies.
    let mut subjects: HashMap<ModuleName, Result<ExaminedModule, (PathBuf, Error)>> = HashMap::new();
    let mut order: Vec<ModuleName> = Vec::new();
    let mut verdict = Verdict::of(subject, &view, &question);
    let mut waiting: Vec<ModuleName> = verdict.dependencies().to_vec();
    while let Some(module) = waiting.pop() {
        if subjects.len() >= MOST || subjects.contains_key(&module) || module == subject.name {
            continue;
        }
        let Some(path) = indexes.file_of(&module).ok().flatten() else { continue };
        let facts = ExaminedModule::open(&path).map_err(|error| (path, error));
        if let Ok(facts) = &facts {
            gather::add_providers(&indexes, &mut view, facts);
            waiting.extend(Verdict::of(facts, &view, &Question::default()).dependencies().iter().cloned());
        }
        order.push(module.clone());
        subjects.insert(module, facts);
    }
    let live = |module: &ModuleName| {
        view.running.as_ref().is_some_and(|running| running.state(module) == State::Live)
    };
    let of_others = order.iter().filter(|module| !live(module)).filter_map(|module| {
        let parameters = options.get(module).map_or(&b""[..], |options| options);
        let verdict = match subjects.get(module)? {
            Ok(facts) => {
                let question =
                    Question { is_of_build: true, of_tree: true, parameters, ..Question::default() };
                Verdict::of(facts, &view, &question)
            }
            Err((path, error)) => Verdict::unread(module.clone(), path, error),
        };
        Some((module, verdict))
    });
    for (module, other) in of_others {
        verdict.add_dependency(module, &other);
    }
    verdict
}
