//! Why something could not be done, worked out from what is on the disk and what the kernel shows: a name
//! that means nothing ([`not_found`], [`similar`]), a module in use ([`in_use`], [`not_removed`]), what is
//! kept from loading ([`blocked`]); and why a module was refused, or would be.
//!
//! The kernel answers with an error number, and each stands for several causes. They can be worked
//! out: [`subject`] has the facts of the module that the kernel looks at, [`view`] what is known of
//! the kernel ([`running`] from /proc and /sys, [`table`] from its build's lists, [`agreement`] from what
//! the modules of its build say), [`examine`] compares the two without input or output, [`refusal`]
//! picks what fits the kernel's answer and its words in the [`log`], and [`text`] says it to a person.
//! Nothing of that needs a refusal: [`check`] asks the same of one module, [`tree`] of all.
//!
//! No cause is guessed: what could not be verified is said to be so.

pub mod agreement;
pub mod blocked;
pub mod cause;
pub mod check;
pub mod examine;
pub mod gather;
pub mod image;
pub mod in_use;
pub mod log;
pub mod not_found;
pub mod not_removed;
pub mod refusal;
pub mod running;
pub mod similar;
pub mod subject;
mod symbols;
pub mod table;
pub mod text;
pub mod tree;
pub mod value;
mod vermagic;
pub mod view;
pub mod words;

use std::path::Path;

use crate::Errno;
use bstr::BString;

use crate::{Release, Root, file::Compression, file::Contents, kernel::Force, module_file::ModuleFile};
use examine::Question;
use refusal::Refused;
use subject::Subject;

/// A module that the running kernel refused.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Its file.
    pub path: &'a Path,
    /// The parameters it was given.
    pub parameters: &'a [u8],
    /// The checks that the kernel was asked to leave out.
    pub force: Force,
    /// The kernel's answer.
    pub errno: Errno,
    /// What the kernel said in its log meanwhile.
    pub log: &'a [BString],
}

/// Works out why the running kernel refused a module, and says it in lines for a person.
pub fn explain(root: &Root, release: &Release, attempt: &Attempt) -> Vec<String> {
    let Attempt { path, parameters, force, errno, log } = *attempt;
    let question = Question { parameters, force, alone: true, is_of_build: false };
    let module = Contents::open(path).and_then(crate::elf::Elf::parse).and_then(ModuleFile::from_elf);
    let compression =
        module.as_ref().map_or(Compression::None, |module| module.elf().contents().compression());
    let refused = Refused { errno, log, compression };
    match module.and_then(|module| Subject::of(&module)) {
        Ok(subject) => {
            let view = gather::for_one(root, release, &subject, true);
            let explanation = refusal::explain(&subject, &view, &question, &refused);
            text::explanation(Some(&subject), &explanation)
        }
        Err(error) => {
            let view = gather::beginnings(root, release, true);
            let fault = match &error {
                crate::Error::Malformed { fault, .. } => fault.to_string(),
                other => other.to_string(),
            };
            text::explanation(None, &refusal::explain_damaged(fault, &view, &refused))
        }
    }
}
