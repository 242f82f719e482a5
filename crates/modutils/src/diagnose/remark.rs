use bstr::{BStr, BString, ByteSlice};

/// Something that was found out: a word for programs and lines for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    kind: &'static str,
    subject: Option<BString>,
    text: Vec<String>,
}

impl Remark {
    pub(crate) fn new(kind: &'static str, text: Vec<String>) -> Self {
        Self { kind, subject: None, text }
    }

    pub(crate) fn about(self, subject: impl Into<BString>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// What it is, in a word that stays the same whatever the text says.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The symbol, parameter, module or file that it is about.
    pub fn subject(&self) -> Option<&BStr> {
        self.subject.as_ref().map(|subject| subject.as_bstr())
    }

    /// The same in words: lines, of which those that say more about the one before begin with two blanks.
    pub fn text(&self) -> &[String] {
        &self.text
    }
}
