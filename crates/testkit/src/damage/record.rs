//! The record of what was changed in a file.

/// What was done to the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The kind, one of few: `section field`, `stream cut`, …
    pub kind: &'static str,
    /// Which field, which offset, which value.
    pub detail: String,
}

impl Damage {
    pub(super) fn new(kind: &'static str, detail: impl Into<String>) -> Damage {
        Damage { kind, detail: detail.into() }
    }

    /// Whether no reader can take the result for sound and yet read something else from it: a compressed stream has a
    /// checksum, plain bytes have none.
    pub fn is_detectable(&self) -> bool {
        self.kind.starts_with("stream")
    }
}
