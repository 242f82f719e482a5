//! Fixtures for the tests: module files of any architecture and content, and roots in which our tools and the packaged
//! kmod run.
//!
//! [`ModuleBuilder`] writes module files. It shares no code with the library under test, and the tests of this crate
//! read each form back with `readelf` and the packaged kmod, so that writer and readers cannot share a mistake.
//! [`TestRoot`] is a directory with modules, configuration, a /proc and a /sys of plain files, in which a tool runs by
//! chroot(2); [`compare`] shows how two runs differ.
//!
//! [`damage`] damages such files, and those of real kernels, in ways that a seed decides.
//!
//! [`FakeKernel`] answers the module system calls of the tools that run in such a root.
//!
//! [`callgrind`] counts the instructions that a program of a root executes.
//!
//! [`surroundings`] isolates all of this from the environment of the process that starts the tests.
//!
//! Everything here is for tests: a failure panics, with a message on what to do.

pub mod arch;
pub mod cache;
pub mod callgrind;
pub mod code;
pub mod compare;
pub mod compress;
pub mod damage;
pub mod elf;
pub mod export;
pub mod fake_kernel;
pub mod index;
pub mod module;
pub mod packing;
pub mod parameters;
pub mod patch;
pub mod root;
pub mod run;
pub mod signature;
pub mod surroundings;
pub mod under_test;
pub mod versions;

pub use arch::Arch;
pub use code::Code;
pub use compress::Compression;
pub use elf::{Place, Section, Symbol};
pub use export::{Crc, Export, ExportTables};
pub use fake_kernel::{
    Call, Errno, FakeKernel, Fault, FaultEffect, Outcome, Signal, Start, TargetCall, TracedPath, TracedRun,
};
pub use index::{INDEX_HEADER, index};
pub use module::ModuleBuilder;
pub use packing::Packing;
pub use parameters::Setter;
pub use root::{Indexes, LoadedModule, TestRoot};
pub use run::{Invocation, Run, Side};
pub use signature::{Signature, SigningKey};
pub use versions::VersionTables;
