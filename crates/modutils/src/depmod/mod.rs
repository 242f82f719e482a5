//! The facts of a tree become the dependency graph and the `modules.*` files.
//!
//! A [`Run`] is the whole of depmod in one call: options in, a [`Report`] out, an [`Observer`] beside
//! it. What cannot be read is an [`Omission`], which goes with the modules through all stages; only
//! `CompleteIndexes`, which lack nothing that is there, can be published.
//!
//! The stages, each a file, in the order in which `run` calls them: `scan` finds module files, `choose` takes
//! one of several copies, `module_order` sorts them, `facts` reads each into `rows`, several at once, unless
//! `cache` knows it by its stamp, `symbols` and `graph` find who needs whom, `order` puts dependencies in
//! their order or `cycles` reports why there is none, `output` makes the files' contents, `complete` makes sure
//! that nothing is missing and `write` puts them into place. [`devname`] reads `modules.devname`.

pub(crate) mod analysis;
pub(crate) mod builtin;
pub(crate) mod cache;
pub(crate) mod choose;
pub(crate) mod complete;
pub(crate) mod cycles;
pub mod devname;
mod directory;
pub(crate) mod facts;
pub(crate) mod failure;
pub(crate) mod few_notices;
pub(crate) mod graph;
pub(crate) mod index_entry;
mod index_room;
mod lines;
mod lock;
pub(crate) mod module_order;
pub(crate) mod observer;
pub(crate) mod omission;
pub(crate) mod order;
pub(crate) mod output;
pub(crate) mod output_file;
pub(crate) mod preview;
pub(crate) mod quick;
pub(crate) mod report;
pub(crate) mod rows;
pub(crate) mod run;
mod same_place;
pub(crate) mod scan;
pub(crate) mod symbols;
pub(crate) mod symvers;
pub(crate) mod tree;
pub(crate) mod withheld;
mod write;

use std::{io, path::Path};

pub(crate) use self::{
    analysis::{Analysis, Checks, analyse, for_each_need, read_facts},
    tree::TreeFile,
};
pub use self::{
    complete::Incomplete,
    failure::Failure,
    observer::Observer,
    omission::{Omission, Omitted},
    preview::{IndexedModule, Preview},
    report::{Report, RunOutcome},
    run::Run,
};
use crate::{Error, Notice};

/// One of the kernel build's lists cannot be read, or is not there.
fn unread_list(file: &str, directory: &Path, error: io::Error) -> Omission {
    let cause = crate::error_text(&error);
    let shown = directory.as_os_str().as_encoded_bytes();
    let message = [b"could not open ", file.as_bytes(), b" at ", shown, b": ", cause.as_bytes()].concat();
    let path = directory.join(file);
    let error = Error::io("read", &path)(error);
    Omission::new(Omitted::BuildList, path, error, Notice::warning(message))
}
