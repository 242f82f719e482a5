use bstr::BString;

use super::{
    cause::{Cause, Note},
    origin, text,
};
use crate::{
    Context, Errno, ModuleName,
    diagnose::{Finding, Remark, words::printable},
};

/// How many of the kernel's lines are quoted.
const MOST_QUOTES: usize = 5;

/// Why the kernel refused a module.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<Note>,
    pub(super) conclusion: Option<Conclusion>,
    pub(super) quotes: Vec<BString>,
}

/// What can be reported where no cause was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The kernel returns this number only from the module's own initialisation.
    OwnError(Errno),
    /// Nothing that can be checked here speaks against the module.
    NothingFound(Errno),
}

impl Explanation {
    /// The reasons. Where none was found, the notes explain what that means.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is worth telling besides. The kinds are `unknown_parameter` and, where no reason was found,
    /// `own_error` (the module's own initialisation failed) or `nothing_found`.
    pub fn notes(&self) -> Vec<Remark> {
        let conclusion = self.conclusion.map(Conclusion::remark);
        self.notes.iter().map(Remark::of_note).chain(conclusion).collect()
    }

    /// The same with the line that each refused parameter comes from, for a module that was given what the configuration
    /// sets for it.
    #[must_use]
    pub fn with_origins(mut self, context: &Context, module: &ModuleName) -> Self {
        for finding in &self.findings {
            let Cause::Value { name, value, .. } = &finding.cause else { continue };
            if let Some(origin) = origin::of_parameter(context, module, None, name, value) {
                self.notes.push(Note::ParameterFrom { name: name.clone(), origin });
            }
        }
        self
    }

    /// What the kernel logged about the module.
    pub fn quotes(&self) -> &[BString] {
        &self.quotes
    }

    /// The reasons and notes in words, without what the kernel logged.
    pub fn lines_without_quotes(&self) -> Vec<String> {
        let mut lines = text::findings(&self.findings);
        for remark in self.notes() {
            lines.extend_from_slice(remark.text());
        }
        lines
    }

    /// All of it in words, without indentation; lines with details about the one before begin with two
    /// blanks.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.lines_without_quotes();
        lines.extend(self.quote_lines());
        lines
    }

    /// What the kernel logged, in words; not all of it where that is much.
    pub fn quote_lines(&self) -> Vec<String> {
        let quotes = self.quotes.iter().take(MOST_QUOTES);
        let mut lines: Vec<String> =
            quotes.map(|quote| format!("The kernel's log: {}", printable(quote))).collect();
        match self.quotes.len().saturating_sub(MOST_QUOTES) {
            0 => {}
            1 => lines.push("… and 1 line more".into()),
            more => lines.push(format!("… and {more} lines more")),
        }
        lines
    }
}

impl Conclusion {
    fn remark(self) -> Remark {
        match self {
            Self::OwnError(errno) => {
                let line = format!("The module's own initialisation failed: {}.", errno.text());
                Remark::new("own_error", vec![line])
            }
            Self::NothingFound(errno) => {
                let line = format!(
                    "Nothing that can be checked here explains it. Perhaps the module's own initialisation returned \"{}\"; that could not be verified.",
                    errno.text()
                );
                Remark::new("nothing_found", vec![line])
            }
        }
    }
}
