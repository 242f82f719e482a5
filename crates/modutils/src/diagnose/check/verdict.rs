use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};

use crate::{
    Error, ErrorKind, ModuleName,
    diagnose::{
        Finding, Remark,
        refusal::{
            cause::{Cause, Gap, Note, SymbolFault},
            examination::{Counts, Examination, Question},
            examine::examine,
            examined_module::ExaminedModule,
            text,
            view::KernelView,
        },
    },
    kernel::State,
};

/// How it would go. The order is that of how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Prediction {
    /// The kernel would take it.
    WouldLoad,
    /// What would have to be known is not.
    CannotTell,
    /// The kernel would refuse it.
    WouldNotLoad,
}

/// What came out for one module.
#[derive(Clone, Debug)]
pub struct Verdict {
    module: ModuleName,
    path: Option<PathBuf>,
    listed: Option<BString>,
    is_examined: bool,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
    notes: Vec<Note>,
    counts: Counts,
    dependencies: Vec<ModuleName>,
    parameters: Vec<String>,
}

impl Prediction {
    /// It in a word: `would_load`, `cannot_tell` or `would_not_load`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::WouldLoad => "would_load",
            Self::CannotTell => "cannot_tell",
            Self::WouldNotLoad => "would_not_load",
        }
    }
}

impl Verdict {
    /// The name that the kernel would know the module by, as far as that is known.
    pub fn module(&self) -> &ModuleName {
        &self.module
    }

    /// Its file; `None` where it is part of the kernel.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How the indexes list the file, where it is one of a tree.
    pub fn listed(&self) -> Option<&BStr> {
        self.listed.as_ref().map(|listed| listed.as_bstr())
    }

    /// Whether a module was read and compared with the kernel. Otherwise it is part of that, or its file is
    /// damaged or cannot be read.
    pub fn is_examined(&self) -> bool {
        self.is_examined
    }

    /// The outcome.
    pub fn outcome(&self) -> Prediction {
        if !self.findings.is_empty() {
            Prediction::WouldNotLoad
        } else if !self.gaps.is_empty() {
            Prediction::CannotTell
        } else {
            Prediction::WouldLoad
        }
    }

    /// What the kernel would refuse it for.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What would have to be known. The kinds are `symbol`, `symbol_version`, `gpl_only`, `namespace`,
    /// `vermagic`, `machine`, `force_load`, `btf`, `signature`, `signature_key`, `signature_enforcement`, `appraisal`,
    /// `kernel`, `filter`, `permission`, `command_line`, `loaded_modules`, `moving`, `percpu`, `proprietary`, `command`,
    /// `dependency`, `parameter` and `contents`.
    pub fn unknowns(&self) -> Vec<Remark> {
        self.gaps.iter().map(Remark::of_gap).collect()
    }

    /// What is worth telling all the same. The kinds are `unknown_parameter`, `present`, `built_in` and
    /// `packing`.
    pub fn notes(&self) -> Vec<Remark> {
        self.notes.iter().map(Remark::of_note).collect()
    }

    /// By what the symbols that it needs were verified.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Findings, unknowns and notes in words, those of one kind together. Lines with details about the one
    /// before begin with two blanks.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = text::findings(&self.findings);
        lines.extend(text::gaps(&self.gaps));
        lines.extend(self.notes.iter().map(text::note));
        lines
    }

    /// The parameters that the module takes, a line for each, where it does not have one that it was given,
    /// or would be refused for its value. Otherwise none.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The verdict on a module, without what it depends on.
    pub(super) fn of(subject: &ExaminedModule, view: &KernelView, question: &Question) -> Self {
        let Examination { findings, gaps, notes, counts, dependencies } = examine(subject, view, question);
        let is_unknown = notes.iter().any(|note| matches!(note, Note::UnknownParameter { .. }));
        let is_bad = findings.iter().any(|finding| matches!(finding.cause, Cause::Value { .. }));
        let parameters = if is_unknown || is_bad { text::parameters(subject) } else { Vec::new() };
        Self {
            path: Some(subject.path.clone()),
            is_examined: true,
            findings,
            gaps,
            notes,
            counts,
            dependencies,
            parameters,
            ..Self::empty(subject.name.clone())
        }
    }

    /// The verdict on a file whose facts could not be read. The kernel would not take what is damaged; of
    /// what cannot be read nobody knows.
    pub(super) fn unread(module: ModuleName, path: &Path, error: &Error) -> Self {
        let mut verdict = Self { path: Some(path.to_owned()), ..Self::empty(module) };
        match error {
            error if error.is_not_found() => {
                verdict.findings.push(Finding::verified(Cause::Gone(path.to_owned())));
            }
            // More than is read here may still be what the kernel takes.
            Error::Malformed { fault, .. } if error.kind() == ErrorKind::Damaged => {
                verdict.findings.push(Finding::verified(Cause::Damaged(fault.to_string())));
            }
            error => verdict.gaps.push(Gap::Contents(error.cause())),
        }
        verdict
    }

    /// The verdict on what is part of the kernel.
    pub(super) fn built_in(module: ModuleName) -> Self {
        Self { notes: vec![Note::BuiltIn], ..Self::empty(module) }
    }

    /// The verdict on a module that the kernel has: nothing is to be loaded.
    pub(super) fn present(module: ModuleName, path: &Path) -> Self {
        let notes = vec![Note::Present(State::Live)];
        Self { notes, path: Some(path.to_owned()), ..Self::empty(module) }
    }

    pub(super) fn add_finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds a fact that would have to be known.
    pub(super) fn add_gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    /// Forgets the symbols that nothing exports, of which it is known why: their module would not load.
    pub(super) fn forget_missing(&mut self, is_known: impl Fn(&BStr) -> bool) {
        let is_missing = |finding: &Finding| match &finding.cause {
            Cause::Symbol { name, fault: SymbolFault::Missing { .. } } => is_known(name.as_bstr()),
            _ => false,
        };
        self.findings.retain(|finding| !is_missing(finding));
    }

    pub(super) fn add_note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Takes over what another verdict on the same module found besides.
    pub(super) fn take_findings(&mut self, other: Self) {
        let unknown = other.findings.into_iter().filter(|finding| !self.findings.contains(finding));
        let unknown: Vec<Finding> = unknown.collect();
        self.findings.extend(unknown);
    }

    /// The parameters that are refused, with their values.
    pub(super) fn refused_parameters(&self) -> impl Iterator<Item = (BString, BString)> + '_ {
        self.findings.iter().filter_map(|finding| match &finding.cause {
            Cause::Value { name, value, .. } => Some((name.clone(), value.clone())),
            _ => None,
        })
    }

    pub(super) fn empty(module: ModuleName) -> Self {
        Self {
            module,
            path: None,
            listed: None,
            is_examined: false,
            findings: Vec::new(),
            gaps: Vec::new(),
            notes: Vec::new(),
            counts: Counts::default(),
            dependencies: Vec::new(),
            parameters: Vec::new(),
        }
    }

    /// The same of a file of a tree.
    pub(super) fn listed_as(self, listed: &BString) -> Self {
        Self { listed: Some(listed.clone()), ..self }
    }

    /// The modules that export what it needs.
    pub(super) fn dependencies(&self) -> &[ModuleName] {
        &self.dependencies
    }

    /// Takes over what is wrong with a module that this one needs.
    pub(super) fn add_dependency(&mut self, module: &ModuleName, verdict: &Self) {
        let same = |finding: &Finding| matches!(&finding.cause, Cause::Dependency { module: other, .. } if other == module);
        match verdict.outcome() {
            Prediction::WouldLoad => {}
            Prediction::CannotTell => {
                let gap = Gap::Dependency(module.clone());
                if !self.gaps.contains(&gap) {
                    self.gaps.push(gap);
                }
            }
            Prediction::WouldNotLoad if self.findings.iter().any(same) => {}
            Prediction::WouldNotLoad => {
                let why = text::findings(&verdict.findings).into_iter().take(2).collect();
                self.findings.push(Finding::verified(Cause::Dependency { module: module.clone(), why }));
            }
        }
    }
}
