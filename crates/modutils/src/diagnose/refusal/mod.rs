//! Why the running kernel refused a module's file.
//!
//! [`LogWatch`] follows what the kernel logs while a module is loaded. When that fails, [`explain`] takes
//! the file and the kernel's answer, and finds the [findings](super::Finding) that this answer fits.
//!
//! ```
//! use std::fs;
//! use modutils::{Errno, Release, Root};
//! use modutils::diagnose::refusal::{Attempt, explain};
//! use testkit::ModuleBuilder;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A kernel with a list of what it exports, and a module that needs something else.
//! let system = tempfile::tempdir()?;
//! let headers = system.path().join("lib/modules/6.12.0/build");
//! fs::create_dir_all(&headers)?;
//! fs::write(headers.join("Module.symvers"), "0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n")?;
//! let file = system.path().join("old.ko");
//! let module = ModuleBuilder::new("old").modinfo("license", "GPL").needs("kfree", None).needs("kmemcheck", None);
//! fs::write(&file, module.build())?;
//!
//! // Loading it failed: "Unknown symbol in module".
//! let root = Root::default().with_base(system.path()).with_system(system.path());
//! let attempt = Attempt::new(&file, Errno::ENOENT);
//! let explanation = explain(&root, &Release::new("6.12.0"), &attempt);
//! let finding = &explanation.findings()[0];
//! assert_eq!((finding.kind(), finding.subject()), ("missing_symbol", Some("kmemcheck".into())));
//! for line in explanation.lines() {
//!     println!("  {line}");
//! }
//! # Ok(())
//! # }
//! ```

mod agreement;
mod answer;
pub(crate) mod btf;
pub(super) mod cause;
mod configuration;
mod confirm;
pub(super) mod examination;
pub(super) mod examine;
pub(super) mod examined_module;
mod explanation;
pub(super) mod exports;
pub(super) mod gather;
pub(crate) mod image;
pub(crate) mod log;
mod numbers;
pub(super) mod origin;
mod policy;
pub(super) mod running;
mod setters;
mod signed;
mod structure;
mod symbols;
pub(crate) mod table;
pub(super) mod text;
mod unlisted;
pub(super) mod value;
mod vermagic;
pub(super) mod view;
mod watch;

use std::path::PathBuf;

use bstr::BString;

use crate::{
    Errno, Error, ErrorKind, Release, Root,
    elf::Elf,
    file::{Compression, Contents},
    kernel::Force,
    module_file::ModuleFile,
};
use answer::Refused;
use examination::Question;
use examined_module::ExaminedModule;

pub use explanation::Explanation;
pub use watch::LogWatch;

/// A file that the running kernel refused to load.
#[derive(Clone, Debug)]
pub struct Attempt {
    path: PathBuf,
    parameters: BString,
    force: Force,
    errno: Errno,
    log: Vec<BString>,
}

impl Attempt {
    /// A module file, and the kernel's answer.
    pub fn new(path: impl Into<PathBuf>, errno: Errno) -> Self {
        let (parameters, force, log) = (BString::default(), Force::default(), Vec::new());
        Self { path: path.into(), parameters, force, errno, log }
    }

    /// The parameters that the module was given, in one text.
    #[must_use]
    pub fn parameters(self, parameters: impl Into<BString>) -> Self {
        Self { parameters: parameters.into(), ..self }
    }

    /// The checks that the kernel was asked to skip.
    #[must_use]
    pub fn force(self, force: Force) -> Self {
        Self { force, ..self }
    }

    /// What the kernel logged meanwhile; see [`LogWatch`].
    #[must_use]
    pub fn log(self, lines: &[BString]) -> Self {
        Self { log: lines.to_vec(), ..self }
    }
}

/// Works out why the running kernel, which is of this release, refused a module. Nothing is loaded, and
/// what cannot be read is not known.
pub fn explain(root: &Root, release: &Release, attempt: &Attempt) -> Explanation {
    let Attempt { path, parameters, force, errno, log } = attempt;
    let question = Question { parameters, force: *force, alone: true, ..Question::default() };
    let module = Contents::open(path).and_then(Elf::parse).and_then(ModuleFile::from_elf);
    let compression =
        module.as_ref().map_or(Compression::None, |module| module.elf().contents().compression());
    let writer = (*errno == Errno::ETXTBSY).then(|| running::writer(root, path)).flatten();
    let refused = Refused { errno: *errno, log, compression, writer };
    match module.and_then(|module| ExaminedModule::thoroughly(&module)) {
        Ok(subject) => {
            let view = gather::for_one(root, release, &subject, true);
            answer::explain(&subject, &view, &question, &refused)
        }
        Err(error) => {
            let view = gather::beginnings(root, release, true);
            // What cannot be read here, or is more than is read, may still be what the kernel takes.
            let fault = match &error {
                Error::Malformed { fault, .. } if error.kind() == ErrorKind::Damaged => {
                    Some(fault.to_string())
                }
                _ => None,
            };
            answer::explain_unread(fault, &view, &refused)
        }
    }
}
