//! A whole tree examined: every module read, in parallel, then each against what the kernel has and
//! the others offer.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use bstr::BString;

use super::{Check, Counts, Prediction, Verdict};
use crate::{
    ErrorKind, ModuleName, Result,
    depmod::tree::{self, TreeFile},
    diagnose::{
        Finding,
        refusal::{
            cause::{Cause, Gap},
            examination::{Examination, Question},
            examine,
            examined_module::ExaminedModule,
            gather::{self, BuildList},
            view::KernelView,
        },
    },
    file::{OneLarge, Scratch},
    kernel::State,
    threads::{Pool, beside, processors},
};

/// The modules that are installed for a kernel: found, and not yet read.
pub struct Tree<'a> {
    check: &'a Check,
    tree: tree::Tree,
}

/// What came out for all modules of a tree.
#[derive(Clone, Debug)]
pub struct TreeVerdict {
    verdicts: Vec<Verdict>,
    obstacles: Vec<Finding>,
    kernel_list: Option<PathBuf>,
    is_complete: bool,
}

impl<'a> Tree<'a> {
    /// Finds all module files of the kernel.
    pub(super) fn find(check: &'a Check) -> Result<Self> {
        let Check { root, release, .. } = check;
        let tree = tree::Tree::of_release(root, release, &mut |notice| (check.sink)(notice))?;
        Ok(Self { check, tree })
    }

    pub(super) fn into_files(self) -> Vec<TreeFile> {
        self.tree.into_files()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tree.files().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tree.files().is_empty()
    }

    /// Reads all modules and examines each. `read_one` is called after each of them, from any thread.
    pub fn examine(&self, read_one: &(dyn Fn() + Sync)) -> TreeVerdict {
        let modules = Modules::read(self.check, self.tree.files(), read_one);
        let kernel_list = modules.view.table.as_ref().map(|table| table.source.clone());
        let verdicts = modules.examine(self.check.threads);
        let mut of_all = Examination::default();
        examine::state(&modules.view, &mut of_all);
        let (obstacles, is_complete) = (of_all.findings, self.tree.is_complete());
        TreeVerdict { verdicts, obstacles, kernel_list, is_complete }
    }
}

impl TreeVerdict {
    /// The verdict on each module, in the order in which depmod lists them.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// What keeps all of them out at present, be they as they may: that loading is switched off, or not for this
    /// process. The verdicts are about the modules.
    pub fn obstacles(&self) -> &[Finding] {
        &self.obstacles
    }

    /// The outcome for the worst of them. That all would load cannot be determined of an incomplete tree.
    pub fn outcome(&self) -> Prediction {
        if self.obstacles.iter().any(|obstacle| matches!(obstacle.cause, Cause::ModulesDisabled)) {
            return Prediction::WouldNotLoad;
        }
        let of_all = self.verdicts.iter().map(Verdict::outcome).max();
        match of_all.unwrap_or(Prediction::WouldLoad) {
            Prediction::WouldLoad if !self.is_complete => Prediction::CannotTell,
            outcome => outcome,
        }
    }

    /// By what the symbols that they need were verified, all together.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.verdicts.iter().for_each(|verdict| counts.add(&verdict.counts()));
        counts
    }

    /// The list of the kernel's exports, where one was found: a `Module.symvers`, the kernel's image, or a
    /// `System.map`.
    pub fn kernel_list(&self) -> Option<&Path> {
        self.kernel_list.as_deref()
    }

    /// Whether these are all modules: in a directory that could not be read there may be more.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

/// All modules of a tree, read.
pub(super) struct Modules<'a> {
    members: Vec<Member<'a>>,
    view: KernelView,
}

struct Member<'a> {
    file: &'a TreeFile,
    /// Its facts, or why they could not be read.
    facts: Result<ExaminedModule>,
    /// Whether the kernel's own build made it.
    is_of_build: bool,
}

impl<'a> Modules<'a> {
    /// Reads all files; `read_one` is called after each of them, from any thread.
    pub(super) fn read(check: &Check, files: &'a [TreeFile], read_one: &(dyn Fn() + Sync)) -> Self {
        let Check { root, release, is_running, threads, .. } = check;
        let large = OneLarge::default();
        let open = |scratch: &mut Scratch, file: &&TreeFile| {
            let facts = large.read(scratch, |scratch| ExaminedModule::open_with(&file.path, scratch));
            read_one();
            facts
        };
        let threads = allowed(*threads);
        // The kernel's list may be long and its image large: read beside the modules.
        let (mut view, facts) = beside(threads, &|_| gather::beginnings(root, release, *is_running), |_| {
            Pool::of(threads).map(files, OneLarge::scratch, open)
        });
        let list = gather::build_list(&root.modules(release));
        let members: Vec<Member> =
            files.iter().zip(facts).map(|(file, facts)| Member::new(file, facts, &list)).collect();
        let subjects = || members.iter().filter_map(|member| member.facts.as_ref().ok());
        let of_build = members.iter().filter(|member| member.is_of_build);
        view.add_witnesses(of_build.filter_map(|member| member.facts.as_ref().ok()));
        subjects().for_each(|subject| view.add_exports(subject));
        Self { members, view }
    }

    /// Examines all modules; a verdict for each, in their order.
    fn examine(&self, threads: usize) -> Vec<Verdict> {
        let verdict = |(): &mut (), member: &&Member| member.verdict(&self.view);
        let mut verdicts = Pool::of(allowed(threads)).map(&self.members, || (), verdict);
        self.follow_dependencies(&mut verdicts);
        verdicts
    }

    /// Examines a module that need not be one of the tree's.
    pub(super) fn examine_one(
        &self,
        subject: &ExaminedModule,
        question: &Question,
        options: &HashMap<ModuleName, BString>,
        threads: usize,
    ) -> Verdict {
        let mut own = Verdict::of(subject, &self.view, question);
        // What was not read for lack of memory may be what knows.
        let errors = self.members.iter().filter_map(|member| member.facts.as_ref().err());
        if let Some(error) = errors.into_iter().find(|error| error.kind() == ErrorKind::OutOfMemory) {
            own.add_gap(Gap::Contents(error.to_string()));
        }
        if !own.dependencies().is_empty() {
            let mut verdicts = self.examine(threads);
            let places = self.places();
            // The modules with parameters, again.
            for (module, parameters) in options.iter().filter(|(_, parameters)| !parameters.is_empty()) {
                let Some(place) = places.get(module) else { continue };
                if let (Some(verdict), Some(member)) = (verdicts.get_mut(*place), self.members.get(*place)) {
                    verdict.take_findings(member.verdict_with(&self.view, parameters));
                }
            }
            let is_live = |module: &ModuleName| {
                let running = self.view.running.as_ref();
                running.is_some_and(|running| running.state(module) == State::Live)
            };
            for module in own.dependencies().to_vec().into_iter().filter(|module| !is_live(module)) {
                let place = places.get(&module);
                if let Some(verdict) = place.and_then(|place| verdicts.get(*place)) {
                    own.add_dependency(&module, verdict);
                }
            }
        }
        own
    }

    fn places(&self) -> HashMap<&ModuleName, usize> {
        self.members.iter().enumerate().map(|(place, member)| (member.name(), place)).collect()
    }

    /// A module would not load if one that it needs would not.
    fn follow_dependencies(&self, verdicts: &mut [Verdict]) {
        let places = self.places();
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); verdicts.len()];
        for (user, verdict) in verdicts.iter().enumerate() {
            for place in verdict.dependencies().iter().filter_map(|module| places.get(module)) {
                users.get_mut(*place).into_iter().for_each(|users| users.push(user));
            }
        }
        let mut waiting: Vec<usize> =
            (0..verdicts.len()).filter(|&place| outcome(verdicts, place) != Prediction::WouldLoad).collect();
        while let Some(place) = waiting.pop() {
            let Some(member) = self.members.get(place) else { continue };
            let Some(verdict) = verdicts.get(place).cloned() else { continue };
            for &user in users.get(place).into_iter().flatten() {
                let before = outcome(verdicts, user);
                if let Some(other) = verdicts.get_mut(user) {
                    other.add_dependency(member.name(), &verdict);
                }
                // Its own users have heard of it when it was as bad before.
                if outcome(verdicts, user) != before {
                    waiting.push(user);
                }
            }
        }
    }
}

fn outcome(verdicts: &[Verdict], place: usize) -> Prediction {
    verdicts.get(place).map_or(Prediction::WouldLoad, Verdict::outcome)
}

impl<'a> Member<'a> {
    fn new(file: &'a TreeFile, facts: Result<ExaminedModule>, list: &BuildList) -> Self {
        // Without the build's list every module in the kernel's own directory counts.
        let is_of_build =
            if list.is_empty() { file.listed.starts_with(b"kernel/") } else { list.contains(&file.listed) };
        Self { file, facts, is_of_build }
    }

    /// The name that the kernel would know it by, or else that of its file.
    fn name(&self) -> &ModuleName {
        self.facts.as_ref().map_or(&self.file.name, |subject| &subject.name)
    }

    fn verdict(&self, view: &KernelView) -> Verdict {
        self.verdict_with(view, b"")
    }

    fn verdict_with(&self, view: &KernelView, parameters: &[u8]) -> Verdict {
        let verdict = match &self.facts {
            Err(error) => Verdict::unread(self.file.name.clone(), &self.file.path, error),
            Ok(subject) => {
                let is_of_build = self.is_of_build;
                let question = Question { is_of_build, parameters, of_tree: true, ..Question::default() };
                Verdict::of(subject, view, &question)
            }
        };
        verdict.listed_as(&self.file.listed)
    }
}

/// So many threads; zero stands for one on each processor.
fn allowed(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).unwrap_or_else(processors)
}
