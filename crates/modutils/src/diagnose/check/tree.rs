//! A whole tree examined: every module read, in parallel, then each against what the kernel has and
//! the others offer.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::diagnose::refusal::{
    cause::{Cause, Finding, Gap, Note},
    examine::{Counts, Question, examine},
    gather::{self, BuildList},
    subject::Subject,
    text,
    view::KernelView,
};
use crate::{Error, ModuleName, Release, Result, Root, depmod::TreeFile, error_text};

/// The kernel that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Where it is installed.
    pub root: &'a Root,
    /// Its release.
    pub release: &'a Release,
    /// Whether it is the running one.
    pub is_running: bool,
    /// How many threads may read modules; zero stands for one on each processor.
    pub threads: usize,
}

/// A module of a tree.
#[derive(Debug)]
pub struct Member {
    /// Its name by the file's.
    pub name: ModuleName,
    /// Its facts, or why they could not be read.
    pub facts: Result<Subject>,
    /// Whether the kernel's own build made it.
    pub is_of_build: bool,
}

/// A tree with all its modules read.
#[derive(Debug)]
pub struct Tree {
    /// The modules in the order of the files given.
    pub members: Vec<Member>,
    /// What is known of the kernel.
    pub view: KernelView,
}

/// How it would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The kernel would take it.
    WouldLoad,
    /// What would have to be known is not.
    CannotTell,
    /// The kernel would refuse it.
    WouldNot,
}

/// What came out for one module.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What the kernel would refuse it for.
    pub findings: Vec<Finding>,
    /// What would have to be known.
    pub gaps: Vec<Gap>,
    /// What is worth telling.
    pub notes: Vec<Note>,
    /// How many symbols were verified.
    pub counts: Counts,
    dependencies: Vec<ModuleName>,
}

impl Verdict {
    /// The outcome.
    pub fn outcome(&self) -> Outcome {
        if !self.findings.is_empty() {
            Outcome::WouldNot
        } else if !self.gaps.is_empty() {
            Outcome::CannotTell
        } else {
            Outcome::WouldLoad
        }
    }

    /// The verdict on a file whose facts could not be had. The kernel would not take what is damaged; of
    /// what cannot be read nobody knows.
    pub fn unread(error: &Error) -> Self {
        match error {
            Error::Malformed { fault, .. } => {
                let finding = Finding::verified(Cause::Damaged(fault.to_string()));
                Self { findings: vec![finding], ..Self::default() }
            }
            Error::Io { source, .. } => {
                Self { gaps: vec![Gap::Contents(error_text(source))], ..Self::default() }
            }
        }
    }

    /// The verdict on what is part of the kernel.
    pub fn built_in() -> Self {
        Self { notes: vec![Note::BuiltIn], ..Self::default() }
    }
}

impl Tree {
    /// Reads all files; `step` is called after each of them, from any thread.
    pub fn read(target: &Target, files: &[TreeFile], step: &(dyn Fn() + Sync)) -> Self {
        let Target { root, release, is_running, threads } = *target;
        let open = |file: &TreeFile| {
            let facts = Subject::open(&file.path);
            step();
            facts
        };
        // The kernel's list may be long and its image large: read beside the modules.
        let (mut view, facts) = std::thread::scope(|scope| {
            let beginnings = scope.spawn(|| gather::beginnings(root, release, is_running));
            let facts = in_parallel(files, threads, open);
            (beginnings.join().unwrap_or_default(), facts)
        });
        let list = gather::build_list(&root.modules(release));
        let members: Vec<Member> =
            files.iter().zip(facts).map(|(file, facts)| Member::new(file, facts, &list)).collect();
        let subjects = || members.iter().filter_map(|member| member.facts.as_ref().ok());
        let of_build = members.iter().filter(|member| member.is_of_build);
        view.add_witnesses(of_build.filter_map(|member| member.facts.as_ref().ok()));
        subjects().for_each(|subject| view.add_exports(subject));
        view.is_whole = true;
        Self { members, view }
    }

    /// Examines all modules; a verdict for each, in their order.
    pub fn examine(&self, threads: usize) -> Vec<Verdict> {
        let mut verdicts = in_parallel(&self.members, threads, |member| match &member.facts {
            Err(error) => Verdict::unread(error),
            Ok(subject) => {
                let question = Question { is_of_build: member.is_of_build, ..Question::default() };
                verdict(subject, &self.view, &question)
            }
        });
        self.follow_dependencies(&mut verdicts);
        verdicts
    }

    /// Examines a module that need not be one of the tree's.
    pub fn examine_one(&self, subject: &Subject, question: &Question, threads: usize) -> Verdict {
        let mut own = verdict(subject, &self.view, question);
        if !own.dependencies.is_empty() {
            let verdicts = self.examine(threads);
            let places = self.places();
            let theirs = |module: &ModuleName| verdicts.get(*places.get(module)?);
            own.add_dependencies(&own.dependencies.clone(), theirs);
        }
        own
    }

    fn places(&self) -> HashMap<ModuleName, usize> {
        let name = |member: &Member| match &member.facts {
            Ok(subject) => subject.name.clone(),
            Err(_) => member.name.clone(),
        };
        self.members.iter().enumerate().map(|(place, member)| (name(member), place)).collect()
    }

    /// A module would not load if one that it needs would not.
    fn follow_dependencies(&self, verdicts: &mut [Verdict]) {
        let places = self.places();
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); verdicts.len()];
        for (user, verdict) in verdicts.iter().enumerate() {
            for place in verdict.dependencies.iter().filter_map(|module| places.get(module)) {
                users.get_mut(*place).into_iter().for_each(|users| users.push(user));
            }
        }
        let mut waiting: Vec<usize> =
            (0..verdicts.len()).filter(|&place| outcome(verdicts, place) != Outcome::WouldLoad).collect();
        while let Some(place) = waiting.pop() {
            let Some(member) = self.members.get(place) else { continue };
            let name = member.facts.as_ref().map_or(&member.name, |subject| &subject.name);
            let Some(verdict) = verdicts.get(place).cloned() else { continue };
            for &user in users.get(place).into_iter().flatten() {
                let before = outcome(verdicts, user);
                if let Some(other) = verdicts.get_mut(user) {
                    other.add_dependency(name, &verdict);
                }
                // Its own users have heard of it when it was as bad before.
                if outcome(verdicts, user) != before {
                    waiting.push(user);
                }
            }
        }
    }
}

fn outcome(verdicts: &[Verdict], place: usize) -> Outcome {
    verdicts.get(place).map_or(Outcome::WouldLoad, Verdict::outcome)
}

impl Member {
    fn new(file: &TreeFile, facts: Result<Subject>, list: &BuildList) -> Self {
        // Without the build's list every module in the kernel's own directory counts.
        let is_of_build =
            if list.is_empty() { file.listed.starts_with(b"kernel/") } else { list.contains(&file.listed) };
        Self { name: file.name.clone(), facts, is_of_build }
    }
}

impl Verdict {
    fn add_dependencies<'a>(
        &mut self,
        modules: &[ModuleName],
        verdict_of: impl Fn(&ModuleName) -> Option<&'a Verdict>,
    ) {
        for module in modules {
            if let Some(verdict) = verdict_of(module) {
                self.add_dependency(module, verdict);
            }
        }
    }

    /// Takes over what is wrong with a module that this one needs.
    pub(super) fn add_dependency(&mut self, module: &ModuleName, verdict: &Verdict) {
        let same = |finding: &Finding| matches!(&finding.cause, Cause::Dependency { module: other, .. } if other == module);
        match verdict.outcome() {
            Outcome::WouldLoad => {}
            Outcome::CannotTell => {
                let gap = Gap::Dependency(module.clone());
                if !self.gaps.contains(&gap) {
                    self.gaps.push(gap);
                }
            }
            Outcome::WouldNot if self.findings.iter().any(same) => {}
            Outcome::WouldNot => {
                let why = text::findings(None, &verdict.findings);
                let why = why.into_iter().take(2).collect();
                self.findings.push(Finding::verified(Cause::Dependency { module: module.clone(), why }));
            }
        }
    }

    /// The modules that export what it needs.
    pub(super) fn dependencies(&self) -> &[ModuleName] {
        &self.dependencies
    }
}

/// What an examination finds out, as a verdict.
pub(super) fn verdict(subject: &Subject, view: &KernelView, question: &Question) -> Verdict {
    let examination = examine(subject, view, question);
    Verdict {
        findings: examination.findings,
        gaps: examination.gaps,
        notes: examination.notes,
        counts: examination.counts,
        dependencies: examination.dependencies,
    }
}

/// Does the same with each item, in threads, and keeps the order.
fn in_parallel<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = if threads == 0 { processors() } else { threads }.min(items.len().max(1));
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        let mut own = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { break };
            own.push((place, work(item)));
        }
        if let Ok(mut results) = results.lock() {
            results.append(&mut own);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}
