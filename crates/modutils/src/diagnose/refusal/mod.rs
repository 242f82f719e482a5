//! Why the kernel refused a module's file.
//!
//! [`subject`] has the facts of the module that the kernel looks at, [`view`] what is known of the kernel
//! ([`running`] from /proc and /sys, [`table`] from its build's lists, [`agreement`] from what the
//! modules of its build say), [`examine`] compares the two without input or output, [`answer`] picks what
//! fits the kernel's answer and its words in the [`log`], and [`text`] says it to a person.

pub mod agreement;
pub mod answer;
pub mod cause;
pub mod examine;
pub mod gather;
pub mod image;
pub mod log;
pub mod running;
pub mod subject;
mod symbols;
pub mod table;
pub mod text;
pub mod value;
mod vermagic;
pub mod view;

use std::path::Path;

use crate::Errno;
use bstr::BString;

use crate::{Release, Root, file::Compression, file::Contents, kernel::Force, module_file::ModuleFile};
use answer::Refused;
use examine::Question;
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
            let explanation = answer::explain(&subject, &view, &question, &refused);
            text::explanation(Some(&subject), &explanation)
        }
        Err(error) => {
            let view = gather::beginnings(root, release, true);
            let fault = match &error {
                crate::Error::Malformed { fault, .. } => fault.to_string(),
                other => other.to_string(),
            };
            text::explanation(None, &answer::explain_damaged(fault, &view, &refused))
        }
    }
}
