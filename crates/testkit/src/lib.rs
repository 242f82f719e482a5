//! What the tests are made of: module files of any machine and content, and roots in which our tools and the packaged
//! kmod run.
//!
//! [`ModuleBuilder`] writes module files. It shares no code with the library under test, and the tests of this crate
//! read each form it writes back with `readelf` and the packaged kmod, so that writer and readers cannot agree on a
//! mistake. [`TestRoot`] is a directory with modules, configuration, a /proc and a /sys of plain files, in which a
//! tool runs by chroot(2); [`compare`] tells how two runs differ.
//!
//! [`damage`] breaks what all of these make, and what real kernels have, in ways that a seed decides.
//!
//! [`FakeKernel`] answers the module system calls of the tools that run in such a root.
//!
//! [`surroundings`] keeps from all of these what tests could catch from whoever starts them.
//!
//! Everything here serves tests: what cannot work panics and says what to do about it.

pub mod arch;
pub mod cache;
pub mod compare;
pub mod compress;
pub mod damage;
pub mod elf;
pub mod export;
pub mod fake_kernel;
pub mod index;
pub mod module;
pub mod patch;
pub mod root;
pub mod run;
pub mod signature;
pub mod surroundings;
pub mod under_test;
pub mod versions;

pub use arch::Arch;
pub use compress::Compression;
pub use elf::{Place, Section, Symbol};
pub use export::{Crc, Export, ExportTables};
pub use fake_kernel::{At, Call, Errno, FakeKernel, Fault, Outcome, Signal, Start, Watched, What};
pub use index::{INDEX_HEADER, index};
pub use module::ModuleBuilder;
pub use root::{Indexes, Loaded, TestRoot};
pub use run::{Invocation, Run, Side};
pub use signature::{Signature, SigningKey};
pub use versions::VersionTables;
