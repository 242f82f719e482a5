//! Linux kernel modules: what is in their files, which needs which, the indexes that say so, the
//! configuration that governs loading, and the kernel's own view.
//!
//! The data goes one way, and each part uses only those before it:
//!
//! 1. [`mod@file`]: a path becomes plain bytes, whatever compression the file has;
//! 2. [`elf`]: bytes become a checked view of sections and symbols;
//! 3. [`module_file`]: the view gives the facts: `.modinfo`, version tables, exported and needed symbols,
//!    the signature;
//! 4. [`index`]: the tries of the `.bin` files, written and read;
//! 5. [`config`]: modprobe.d, depmod.d and the kernel command line;
//! 6. [`depmod`]: the facts of a tree become the dependency graph and the `modules.*` files;
//! 7. [`lookup`]: a name or a modalias becomes the modules meant;
//! 8. [`plan`]: these and the configuration become steps, without touching anything;
//! 9. [`kernel`]: the running kernel's state and log, and the steps carried out;
//! 10. [`relations`]: which module needs which, for people and programs to look at;
//! 11. [`diagnose`]: why something could not be done, or a module would be refused.
//!
//! The library never prints, never exits and keeps no global state. What went wrong is an
//! [`Error`]; what is worth telling but stops nothing is a [`Notice`], given to the caller's sink.
//! Names, values and paths are bytes: nothing here requires UTF-8.

#![cfg_attr(
    not(test),
    deny(
        clippy::exit,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used,
    )
)]

mod context;
mod errno;
mod error;
mod formats;
mod glob;
mod module;
mod name;
mod notice;
mod once;
mod planner;
mod root;
mod stamp;
mod threads;

pub mod bytes;
pub mod config;
pub mod depmod;
pub mod diagnose;
pub mod elf;
pub mod file;
pub mod index;
pub mod kernel;
pub mod lookup;
pub mod module_file;
pub mod plan;
pub mod relations;

pub use context::{Changes, Context, ContextBuilder};
pub use errno::{Errno, error_text};
pub use error::{Error, ErrorKind, Malformed, Place, Result};
pub use index::Index;
pub use module::Module;
pub use name::{Alias, BadBracket, ModuleName};
pub use notice::{Level, Notice, Sink};
pub use root::{Release, Root};

/// The private parts, for fuzz targets, benchmarks and tests of this workspace. No promise holds for them.
#[doc(hidden)]
#[cfg(feature = "internals")]
pub mod internals {
    pub mod module_file {
        pub use crate::module_file::builtin::BuiltinInfo;
    }
}
