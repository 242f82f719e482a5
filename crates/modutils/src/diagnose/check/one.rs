//! `kmod check` of one module: the module and all that it needs, without loading anything.
//!
//! Where the kernel's list of exports is at hand and the tree has its indexes, only these modules are
//! read. Otherwise the whole tree is: its modules are then the only ones that know the kernel.

use std::{collections::HashMap, path::PathBuf};

use super::{Check, Tree, Verdict, tree::Modules};
use crate::{
    Error, ModuleName, Result,
    diagnose::refusal::{examination::Question, examined_module::ExaminedModule, gather},
    index::Indexes,
};

/// How many modules are followed: more than any set of dependencies has.
const MOST: usize = 512;

/// Whether a kernel would take a module.
pub(super) fn verdict(check: &Check, subject: &ExaminedModule, parameters: &[u8]) -> Verdict {
    let Check { root, release, is_running, threads, .. } = check;
    let directory = root.modules(release);
    let list = gather::build_list(&directory);
    let listed = subject.path.strip_prefix(&directory).map(|path| path.as_os_str().as_encoded_bytes());
    let is_of_build = listed.is_ok_and(|listed| list.contains(listed));
    let question = Question { parameters, is_of_build, ..Question::default() };
    let indexes = Indexes::new(directory);
    let has_indexes = indexes.symbols().is_ok_and(|index| index.is_some())
        && indexes.dep().is_ok_and(|index| index.is_some());
    let mut view = gather::for_one(root, release, subject, *is_running);
    if view.table.as_ref().is_none_or(|table| !table.has_crcs) || !has_indexes {
        // Without a tree only the module itself can be looked at.
        let files = Tree::find(check).map(Tree::into_files).unwrap_or_default();
        return Modules::read(check, &files, &|| ()).examine_one(subject, &question, *threads);
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
        let Some(line) = indexes.dependency_line(&module).ok().flatten() else { continue };
        let facts = ExaminedModule::open(&line.path).map_err(|error| (line.path, error));
        if let Ok(facts) = &facts {
            gather::add_providers(&indexes, &mut view, facts);
            waiting.extend(Verdict::of(facts, &view, &Question::default()).dependencies().iter().cloned());
        }
        order.push(module.clone());
        subjects.insert(module, facts);
    }
    let of_others = order.iter().filter_map(|module| {
        let verdict = match subjects.get(module)? {
            Ok(facts) => Verdict::of(facts, &view, &Question { is_of_build: true, ..Question::default() }),
            Err((path, error)) => Verdict::unread(module.clone(), path, error),
        };
        Some((module, verdict))
    });
    for (module, other) in of_others {
        verdict.add_dependency(module, &other);
    }
    verdict
}
