//! Completeness as a type: contents that lack something cannot be published.

use std::fmt;

use super::{
    omission::{Omission, Omissions},
    output_file::{OutputFile, in_order_of_replacement},
};

/// The contents of all files, and what they lack.
#[derive(Debug)]
pub struct Made {
    files: Vec<OutputFile>,
    omissions: Omissions,
}

/// The contents of all files, made of everything that is there.
///
/// [`Made::complete`] is the only way to such a value, and
/// [`OutputDirectory::publish`](super::write::OutputDirectory::publish) takes nothing else.
#[derive(Debug)]
pub struct CompleteIndexes {
    files: Vec<OutputFile>,
    omissions: Omissions,
}

/// Why nothing was published: something that is there could not be read, and indexes without it would
/// pass for whole ones.
#[derive(Debug)]
pub struct Incomplete {
    omissions: Omissions,
}

impl Made {
    pub(super) fn new(files: Vec<OutputFile>, omissions: Omissions) -> Self {
        Self { files, omissions }
    }

    #[cfg(any(test, feature = "internals"))]
    /// The files, the indexes first.
    pub fn files(&self) -> &[OutputFile] {
        &self.files
    }

    /// The contents, provided that they lack nothing that is there.
    ///
    /// # Errors
    /// Where something could not be read: all omissions.
    pub fn complete(self) -> Result<CompleteIndexes, Incomplete> {
        let Self { mut files, omissions } = self;
        if omissions.has_unread() {
            return Err(Incomplete { omissions });
        }
        in_order_of_replacement(&mut files);
        Ok(CompleteIndexes { files, omissions })
    }
}

impl CompleteIndexes {
    /// The files, in the order in which they are to replace the old ones.
    pub fn files(&self) -> &[OutputFile] {
        &self.files
    }

    /// What is absent or damaged, and lacking for that.
    pub(super) fn into_omissions(self) -> Omissions {
        self.omissions
    }
}

impl Incomplete {
    /// What was not read: with what could not be ([`Omission::is_unread`]) also what is absent or
    /// damaged.
    pub fn omissions(&self) -> &[Omission] {
        self.omissions.as_slice()
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not everything could be read: nothing is written")
    }
}

impl std::error::Error for Incomplete {}
