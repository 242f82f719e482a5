//! Verdicts as items of a JSON document.

use std::os::unix::ffi::OsStrExt;

use bstr::BString;
use modutils::diagnose::{Finding, Remark, Value, check::Verdict};
use serde::{Serialize, Serializer};

use crate::json::Text;

#[derive(Serialize)]
pub(super) struct VerdictItem<'a> {
    name: Text<'a>,
    filename: Option<Text<'a>>,
    outcome: &'static str,
    reasons: Vec<ReasonItem<'a>>,
    /// The missing information.
    unknowns: Vec<RemarkItem>,
    notes: Vec<RemarkItem>,
    symbols: SymbolsItem,
}

/// Why the kernel would not load the module.
#[derive(Serialize)]
struct ReasonItem<'a> {
    kind: &'static str,
    /// The symbol, parameter or module concerned.
    subject: Option<Text<'a>>,
    /// The module that exports the symbol.
    provider: Option<Text<'a>>,
    /// The value in the module, or on the command line.
    has: Option<ValueItem>,
    /// The value that this kernel has or accepts.
    wanted: Option<ValueItem>,
    verified: bool,
    /// The reason as text.
    text: Vec<String>,
}

#[derive(Serialize)]
struct RemarkItem {
    kind: &'static str,
    subject: Option<Bytes>,
    text: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ValueItem {
    Number(u64),
    Bytes(Bytes),
}

/// Owned bytes, written as [`Text`].
struct Bytes(BString);

#[derive(Serialize)]
struct SymbolsItem {
    listed: u64,
    exported: u64,
    agreed: u64,
    of_build: u64,
    unverified: u64,
}

impl<'a> From<&'a Verdict> for VerdictItem<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let counts = verdict.counts();
        Self {
            name: Text::from(verdict.module()),
            filename: verdict.path().map(|path| Text(path.as_os_str().as_bytes())),
            outcome: verdict.outcome().kind(),
            reasons: verdict.findings().iter().map(ReasonItem::from).collect(),
            unknowns: verdict.unknowns().iter().map(RemarkItem::from).collect(),
            notes: verdict.notes().iter().map(RemarkItem::from).collect(),
            symbols: SymbolsItem {
                listed: counts.listed,
                exported: counts.exported,
                agreed: counts.agreed,
                of_build: counts.of_build,
                unverified: counts.unverified,
            },
        }
    }
}

impl<'a> From<&'a Finding> for ReasonItem<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            kind: finding.kind(),
            subject: finding.subject().map(|subject| Text(subject)),
            provider: finding.provider().map(|provider| Text(provider)),
            has: finding.has().map(ValueItem::from),
            wanted: finding.wanted().map(ValueItem::from),
            verified: finding.is_verified(),
            text: finding.text(),
        }
    }
}

impl From<&Remark> for RemarkItem {
    fn from(remark: &Remark) -> Self {
        let subject = remark.subject().map(|subject| Bytes(subject.to_owned()));
        Self { kind: remark.kind(), subject, text: remark.text().to_vec() }
    }
}

impl From<Value> for ValueItem {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::Text(text) => Self::Bytes(Bytes(text)),
            other => Self::Bytes(Bytes(other.to_string().into())),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Text(&self.0).serialize(serializer)
    }
}
