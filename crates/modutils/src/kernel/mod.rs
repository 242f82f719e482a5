//! The running kernel: which modules it has, giving it modules and taking them away, and carrying
//! out a plan.
//!
//! Only this part makes module system calls. They go through [`Calls`], so that tests can answer
//! them; everything else is read below [`Root::system`](crate::Root::system).

mod calls;
pub mod commands;
mod execute;
mod load;
mod modules;
mod parameters;
mod sections;
mod snapshot;
mod sysfs;
mod unload;

use crate::Root;

pub use calls::{Calls, Linux};
pub use execute::{Event, Execution, Failure, Flow, Mode, Outcome, Told, execute, execute_all};
pub use load::{Force, Refusal};
pub use modules::{LoadedModule, parse_modules};
pub use parameters::PresentParameter;
pub use sections::Section;
pub use snapshot::Snapshot;
pub use sysfs::State;

/// The running kernel, or what stands for it in a test.
#[derive(Clone, Copy)]
pub struct Kernel<'a> {
    root: &'a Root,
    calls: &'a dyn Calls,
    snapshot: Option<&'a Snapshot>,
}

impl<'a> Kernel<'a> {
    /// The kernel this process runs on, seen through the /proc and /sys of a root.
    pub fn running(root: &'a Root) -> Self {
        Self { root, calls: &Linux, snapshot: None }
    }

    /// A kernel whose system calls are answered by `calls`.
    pub fn with_calls(root: &'a Root, calls: &'a dyn Calls) -> Self {
        Self { root, calls, snapshot: None }
    }
}
