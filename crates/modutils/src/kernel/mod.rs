//! The running kernel: which modules it has, giving it modules and taking them away, and carrying
//! out a plan.
//!
//! [`Kernel`] answers questions and takes or drops single modules. [`Plan::execute`] carries out what
//! a [`Planner`](crate::plan::Planner) has planned; the caller's [`Hooks`] follow it step by step:
//!
//! ```
//! use modutils::{
//!     Context, ModuleName, Release, Result, Root,
//!     kernel::{Command, CommandFailure, ExecuteOptions, Flow, Hooks, Outcome},
//!     plan::{LoadOptions, Plan, Planner, Step},
//! };
//!
//! /// Shows each step, and runs install commands in its own way: here, by writing them down.
//! #[derive(Default)]
//! struct Recorder {
//!     steps: Vec<String>,
//!     commands: Vec<String>,
//! }
//!
//! impl Hooks for Recorder {
//!     fn begin(&mut self, _: &Plan, step: &Step) -> Flow {
//!         self.steps.push(step.module.to_string());
//!         Flow::Continue
//!     }
//!
//!     fn command(&mut self, _: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
//!         self.commands.push(command.text().to_string());
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! // A system without modules, and with a command for one.
//! let system = tempfile::tempdir()?;
//! std::fs::create_dir_all(system.path().join("etc/modprobe.d"))?;
//! let config = "install firewall iptables-restore $CMDLINE_OPTS /etc/rules\n";
//! std::fs::write(system.path().join("etc/modprobe.d/firewall.conf"), config)?;
//!
//! let root = Root::default().with_base(system.path()).with_system(system.path());
//! let context = Context::builder().root(root).release(Release::new("6.12.0")).build()?;
//! let firewall = context.module(ModuleName::new("firewall"));
//! let plan = Planner::new(&context).load(&firewall, &LoadOptions::default().parameters("--noflush"))?;
//!
//! let mut recorder = Recorder::default();
//! let outcome = plan.execute(&context.kernel(), &ExecuteOptions::default(), &mut recorder);
//! assert_eq!(outcome, Outcome::Done);
//! assert_eq!(recorder.steps, ["firewall"]);
//! assert_eq!(recorder.commands, ["iptables-restore --noflush /etc/rules"]);
//! # Ok(())
//! # }
//! ```
//!
//! Only this part makes module system calls; everything else is read below
//! [`Root::system`](crate::Root::system).
//!
//! [`Plan::execute`]: crate::plan::Plan::execute

mod calls;
mod command;
mod execute;
mod load;
pub(crate) mod log;
pub(crate) mod modules;
mod parameters;
mod sections;
mod seen;
mod sysfs;
mod unload;

use std::{fmt, sync::Arc};

use crate::Root;
use calls::{Calls, Linux};

pub use command::{Command, CommandFailure, Environment};
pub use execute::{ExecuteOptions, Failure, Flow, Hooks, Mode, Outcome};
pub use load::Force;
pub use modules::LoadedModule;
pub use parameters::PresentParameter;
pub use sections::Section;
pub use sysfs::State;
pub(crate) use sysfs::modules_disabled;

/// The kernel that this process runs on, seen through the /proc and /sys of a root.
///
/// It is a handle: a clone is cheap and means the same kernel, and threads may share it. Nothing is
/// read before it is asked for, and nothing is kept.
#[derive(Clone)]
pub struct Kernel(Arc<Inner>);

struct Inner {
    root: Root,
    /// What makes the system calls; tests have another one, which answers them.
    calls: Box<dyn Calls>,
}

const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<Kernel>();
};

impl Kernel {
    /// The running kernel, seen through the /proc and /sys of a root.
    pub fn running(root: &Root) -> Self {
        Self::with_calls(root, Box::new(Linux))
    }

    fn with_calls(root: &Root, calls: Box<dyn Calls>) -> Self {
        Self(Arc::new(Inner { root: root.clone(), calls }))
    }

    fn root(&self) -> &Root {
        &self.0.root
    }

    fn calls(&self) -> &dyn Calls {
        &*self.0.calls
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("root", self.root()).finish_non_exhaustive()
    }
}
