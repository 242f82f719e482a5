use bstr::{BStr, BString, ByteSlice};

use super::refusal::{
    cause::{Gap, Note},
    text,
};

/// Something that was found out: a word for programs and lines for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    kind: &'static str,
    subject: Option<BString>,
    text: Vec<String>,
}

impl Remark {
    pub(super) fn new(kind: &'static str, text: Vec<String>) -> Self {
        Self { kind, subject: None, text }
    }

    pub(super) fn about(self, subject: impl Into<BString>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// What would have to be known.
    pub(super) fn of_gap(gap: &Gap) -> Self {
        let (kind, subject) = match gap {
            Gap::Symbol(name) => ("symbol", Some(name.as_bytes())),
            Gap::Version(name) => ("symbol_version", Some(name.as_bytes())),
            Gap::GplOnly(name) => ("gpl_only", Some(name.as_bytes())),
            Gap::Namespace(name, _) => ("namespace", Some(name.as_bytes())),
            Gap::Vermagic => ("vermagic", None),
            Gap::Machine => ("machine", None),
            Gap::Key(signer) => ("signature_key", Some(signer.as_bytes())),
            Gap::Enforcement => ("signature_enforcement", None),
            Gap::Signature => ("signature", None),
            Gap::ForceLoad => ("force_load", None),
            Gap::Btf => ("btf", None),
            Gap::Appraisal => ("appraisal", None),
            Gap::Filter => ("filter", None),
            Gap::Kernel(_) => ("kernel", None),
            Gap::Permission => ("permission", None),
            Gap::CommandLine => ("command_line", None),
            Gap::Loaded => ("loaded_modules", None),
            Gap::Moving(module) => ("moving", Some(module.as_bytes())),
            Gap::Dependency(module) => ("dependency", Some(module.as_bytes())),
            Gap::PerCpu(_) => ("percpu", None),
            Gap::Proprietary(name, _) => ("proprietary", Some(name.as_bytes())),
            Gap::Value(name, _) => ("parameter", Some(name.as_bytes())),
            Gap::Command(_) => ("command", None),
            Gap::Contents(_) => ("contents", None),
        };
        let subject = subject.map(BString::from);
        Self { kind, subject, text: text::gaps(std::slice::from_ref(gap)) }
    }

    /// What is worth telling.
    pub(super) fn of_note(note: &Note) -> Self {
        let (kind, subject) = match note {
            Note::UnknownParameter { name, .. } => ("unknown_parameter", Some(name.clone())),
            Note::Present(_) => ("present", None),
            Note::BuiltIn => ("built_in", None),
            Note::Packing { .. } => ("packing", None),
            Note::AsIfForced => ("taints", None),
            Note::ParameterFrom { name, .. } => ("parameter_from", Some(name.clone())),
        };
        Self { kind, subject, text: vec![text::note(note)] }
    }

    /// What it is, in a word that stays the same when the text changes.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The symbol, parameter, module or file that it is about.
    pub fn subject(&self) -> Option<&BStr> {
        self.subject.as_ref().map(|subject| subject.as_bstr())
    }

    /// The same in words: lines, where a line that adds to the one before begins with two blanks.
    pub fn text(&self) -> &[String] {
        &self.text
    }
}
