//! Linux kernel modules: what is in their files, which needs which, the indexes that record it, the
//! configuration that governs loading, and the kernel's own view.
//!
//! - [`Context`] answers questions about the modules of one kernel. It is opened once, from a root and a
//!   release or from any module directory, and threads share it. From it come [`Module`]s: by name, file,
//!   alias or modalias, or the loaded ones.
//! - [`Module`] is asked for facts: its file, dependencies, soft and weak dependencies, options, firmware,
//!   and what the running kernel reports about it.
//! - [`plan::Planner`] plans a load or removal, step by step.
#![cfg_attr(
    feature = "kernel",
    doc = "- A [`kernel::Kernel`] reports what is loaded and carries plans out; [`kernel::Hooks`] let the caller watch, stop",
    doc = "  it, or run commands itself."
)]
#![cfg_attr(
    feature = "depmod",
    doc = "- [`depmod::Run`] writes the indexes of a module directory in one call: all of them, or none."
)]
#![cfg_attr(
    feature = "diagnose",
    doc = "- [`diagnose`] works out why the kernel refused a module or would refuse it, and why a request could not be met."
)]
//! - [`module_file::ModuleFile`] reads a single file: `.modinfo`, versions, exports, needs, signature.
//! - [`closure`] collects all that a set of modules needs, firmware included.
//! - [`config`] and [`relations`] show the configuration, and which module needs which.
//!
//! The library never prints, never exits and keeps no global state, but for the list of the
//! roots that are open ([`Root::inside`]). What went wrong is an
//! [`Error`]; what is worth reporting but stops nothing is a [`Notice`], given to the caller's sink.
//! Names, values and paths are bytes: nothing here requires UTF-8.
//!
//! The features `gzip`, `xz`, `zstd`, `signature`, `depmod`, `kernel` and `diagnose` are all on by default; each can be
//! had without the others. What a build without one cannot read is an error of the kind
//! [`Unsupported`](ErrorKind::Unsupported); a part that is not built is not there.

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
// What the features' parts share counts as used where all of them are built.
#![cfg_attr(
    not(feature = "diagnose"),
    allow(dead_code, reason = "some of what is shared serves the parts that are not built")
)]

mod bytes;
mod context;
mod elf;
mod errno;
mod error;
mod file;
mod files;
mod formats;
mod glob;
mod index;
mod lookup;
mod module;
mod name;
mod notice;
mod once;
mod planner;
mod root;
mod shown;
mod stamp;
mod threads;

/// The examples of the README are tested as those of the documentation are.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[doc(hidden)]
#[cfg(feature = "internals")]
pub mod internals;

pub mod closure;
pub mod config;
#[cfg(feature = "depmod")]
pub mod depmod;
#[cfg(feature = "kernel")]
pub mod devices;
#[cfg(feature = "diagnose")]
pub mod diagnose;
#[cfg(feature = "kernel")]
pub mod kernel;
pub mod module_file;
pub mod plan;
pub mod relations;

pub use context::{Changes, Context, ContextBuilder};
pub use errno::{Errno, error_text};
pub use error::{Error, ErrorKind, Malformed, Place, Result};
pub use index::Index;
pub use module::{Module, SoftDependencies};
pub use name::{Alias, BadBracket, ModuleName};
pub use notice::{Level, Notice, Sink};
pub use root::{Release, Root};
