//! What was found out, as items of a JSON document.

use std::{os::unix::ffi::OsStrExt, path::PathBuf};

use bstr::BString;
use modutils::{
    ModuleName,
    diagnose::{
        check::tree::{Outcome, Verdict},
        refusal::{
            cause::{Cause, Certainty, Finding, Gap, Note, SignatureFault, SymbolFault},
            examine::Counts,
            subject::Subject,
            text,
            value::ValueFault,
            view::Owner,
        },
    },
};
use serde::Serialize;

use crate::json::Text;

/// A module that was looked at.
pub(super) struct Checked {
    /// The name that the kernel knows it by, as far as that is known.
    pub(super) name: ModuleName,
    /// What the text calls it: of many, the path as the indexes list it.
    pub(super) title: BString,
    /// Its file; `None` where it is part of the kernel.
    pub(super) path: Option<PathBuf>,
    /// Its facts, where they could be read.
    pub(super) subject: Option<Subject>,
    pub(super) verdict: Verdict,
}

#[derive(Serialize)]
pub(super) struct Item<'a> {
    name: Text<'a>,
    filename: Option<Text<'a>>,
    outcome: &'static str,
    reasons: Vec<ReasonItem<'a>>,
    /// What would have to be known.
    unknowns: Vec<RemarkItem<'a>>,
    notes: Vec<RemarkItem<'a>>,
    symbols: SymbolsItem,
}

/// Why the kernel would not take the module.
#[derive(Serialize)]
struct ReasonItem<'a> {
    kind: &'static str,
    /// The symbol, the parameter or the module that it is about.
    subject: Option<Text<'a>>,
    /// Who exports the symbol.
    provider: Option<Text<'a>>,
    /// What the module has, or the command line.
    has: Option<Value<'a>>,
    /// What this kernel has, or takes.
    wanted: Option<Value<'a>>,
    verified: bool,
    /// The same in words.
    text: Vec<String>,
}

#[derive(Serialize)]
struct RemarkItem<'a> {
    kind: &'static str,
    subject: Option<Text<'a>>,
    text: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Number(u64),
    Bytes(Text<'a>),
    Words(String),
}

#[derive(Serialize)]
struct SymbolsItem {
    listed: u64,
    exported: u64,
    agreed: u64,
    of_build: u64,
    unverified: u64,
}

impl<'a> From<&'a Checked> for Item<'a> {
    fn from(checked: &'a Checked) -> Self {
        let Checked { name, path, subject, verdict, .. } = checked;
        let Counts { listed, exported, agreed, of_build, unverified } = verdict.counts;
        Self {
            name: Text::from(name),
            filename: path.as_ref().map(|path| Text(path.as_os_str().as_bytes())),
            outcome: match verdict.outcome() {
                Outcome::WouldLoad => "would_load",
                Outcome::WouldNot => "would_not_load",
                Outcome::CannotTell => "cannot_tell",
            },
            reasons: verdict.findings.iter().map(|finding| reason(subject.as_ref(), finding)).collect(),
            unknowns: verdict.gaps.iter().map(unknown).collect(),
            notes: verdict.notes.iter().map(note).collect(),
            symbols: SymbolsItem { listed, exported, agreed, of_build, unverified },
        }
    }
}

fn reason<'a>(subject: Option<&Subject>, finding: &'a Finding) -> ReasonItem<'a> {
    let mut item = cause(&finding.cause);
    item.verified = !matches!(finding.certainty, Certainty::Unverified(_));
    item.text = text::findings(subject, std::slice::from_ref(finding));
    item
}

impl<'a> ReasonItem<'a> {
    fn of(kind: &'static str) -> Self {
        let (verified, text) = (true, Vec::new());
        Self { kind, subject: None, provider: None, has: None, wanted: None, verified, text }
    }

    fn about(self, subject: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { subject: Some(Text::from(subject)), ..self }
    }

    fn by(self, owner: &'a Owner) -> Self {
        Self { provider: Some(provider(owner)), ..self }
    }

    fn differs(self, has: Value<'a>, wanted: Value<'a>) -> Self {
        Self { has: Some(has), wanted: Some(wanted), ..self }
    }

    fn has(self, value: Option<Value<'a>>) -> Self {
        Self { has: value, ..self }
    }

    fn wants(self, value: Value<'a>) -> Self {
        Self { wanted: Some(value), ..self }
    }
}

fn provider(owner: &Owner) -> Text<'_> {
    match owner {
        Owner::Kernel => Text(b"vmlinux"),
        Owner::Module(module) => Text::from(module),
    }
}

fn bytes(bytes: &BString) -> Value<'_> {
    Value::Bytes(Text(bytes))
}

fn cause(cause: &Cause) -> ReasonItem<'_> {
    let of = ReasonItem::of;
    match cause {
        Cause::Damaged(_) => of("damaged"),
        Cause::NotRelocatable => of("not_a_module"),
        Cause::Machine { module, kernel } => {
            of("machine").differs(Value::Words(module.to_string()), Value::Words(kernel.to_string()))
        }
        Cause::NoVermagic => of("no_vermagic"),
        Cause::Vermagic { module, kernel, .. } => of("vermagic").differs(bytes(module), bytes(kernel)),
        Cause::StructSize { module, kernel } => {
            of("struct_size").differs(Value::Number(*module), Value::Number(*kernel))
        }
        Cause::Symbol { name, fault } => symbol(fault).about(name),
        Cause::Duplicate { name, owner } => of("duplicate_symbol").about(name).by(owner),
        Cause::Value { name, value, fault } => {
            let item = of("parameter").about(name).has(Some(bytes(value)));
            match fault {
                Some(ValueFault::NotA(kind) | ValueFault::OutOfRange(kind) | ValueFault::Missing(kind)) => {
                    item.wants(bytes(kind))
                }
                Some(ValueFault::TooLong) | None => item,
            }
        }
        Cause::Signature(fault) => signature(fault),
        Cause::ModulesDisabled => of("modules_disabled"),
        Cause::NotPermitted => of("not_permitted"),
        Cause::Blacklisted => of("blacklisted"),
        Cause::Present(_) => of("present"),
        Cause::BuiltIn => of("built_in"),
        Cause::Decompression => of("decompression"),
        Cause::NoMemory => of("no_memory"),
        Cause::Dependency { module, .. } => of("dependency").about(module),
        Cause::Init(_) => of("init"),
    }
}

fn symbol(fault: &SymbolFault) -> ReasonItem<'_> {
    let of = ReasonItem::of;
    let crc = |crc: &u32| Value::Number(u64::from(*crc));
    match fault {
        SymbolFault::Missing { listed } => {
            ReasonItem { provider: listed.as_ref().map(Text::from), ..of("missing_symbol") }
        }
        SymbolFault::NotLoaded(module) => {
            ReasonItem { provider: Some(Text::from(module)), ..of("symbol_not_loaded") }
        }
        SymbolFault::Version { module, kernel, owner, .. } => {
            of("symbol_version").by(owner).differs(crc(module), crc(kernel))
        }
        SymbolFault::NoVersion { owner } => of("symbol_without_version").by(owner),
        SymbolFault::Disagrees { module } => of("symbol_version").has(module.as_ref().map(crc)),
        SymbolFault::GplOnly { owner, license } => of("gpl_only").by(owner).has(license.as_ref().map(bytes)),
        SymbolFault::Namespace { namespace, owner } => {
            ReasonItem { provider: owner.as_ref().map(provider), ..of("namespace").wants(bytes(namespace)) }
        }
    }
}

fn signature(fault: &SignatureFault) -> ReasonItem<'_> {
    let of = ReasonItem::of;
    match fault {
        SignatureFault::Missing(_) => of("not_signed"),
        SignatureFault::Unreadable => of("signature_unreadable"),
        SignatureFault::UnknownKey { signer, .. } => of("signature_key").has(Some(bytes(signer))),
        SignatureFault::Wrong { signer, .. } => of("signature_wrong").has(Some(bytes(signer))),
    }
}

fn unknown(gap: &Gap) -> RemarkItem<'_> {
    let (kind, subject) = match gap {
        Gap::Symbol(name) => ("symbol", Some(Text(name))),
        Gap::Version(name) => ("symbol_version", Some(Text(name))),
        Gap::GplOnly(name) => ("gpl_only", Some(Text(name))),
        Gap::Namespace(name, _) => ("namespace", Some(Text(name))),
        Gap::Vermagic => ("vermagic", None),
        Gap::Machine => ("machine", None),
        Gap::Key(signer) => ("signature_key", Some(Text(signer))),
        Gap::Dependency(module) => ("dependency", Some(Text::from(module))),
        Gap::Contents(_) => ("contents", None),
    };
    RemarkItem { kind, subject, text: text::gaps(std::slice::from_ref(gap)) }
}

fn note(note: &Note) -> RemarkItem<'_> {
    let (kind, subject) = match note {
        Note::UnknownParameter { name, .. } => ("unknown_parameter", Some(Text(name))),
        Note::Present(_) => ("present", None),
        Note::BuiltIn => ("built_in", None),
        Note::Taints(_) => ("taints", None),
    };
    RemarkItem { kind, subject, text: vec![text::note(note)] }
}
