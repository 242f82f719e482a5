//! What the caller sees of a plan that is carried out, and what it may do itself.

use bstr::BString;

use crate::{
    Errno, Error,
    config::Origin,
    kernel::{Command, CommandFailure},
    plan::{Plan, Step},
};

/// What follows a plan that is carried out. Each function has a default: a caller implements those
/// whose events matter to it.
///
/// `()` has all defaults.
pub trait Hooks {
    /// A step's turn: it is about to be done, or in a dry run would be. [`Flow::Abort`] keeps
    /// it from being done.
    fn begin(&mut self, plan: &Plan, step: &Step) -> Flow {
        let _ = (plan, step);
        Flow::Continue
    }

    /// Runs an install or remove command, after [`Hooks::begin`] was called for its step. The default
    /// is [`Command::run`]. `Ok` means that what the command stands for was done.
    ///
    /// Signals are left alone. A program at a terminal may want to ignore SIGINT and SIGQUIT meanwhile,
    /// as system(3) does: they are for the command.
    ///
    /// # Errors
    /// When it was not: the step has failed.
    fn command(&mut self, plan: &Plan, command: &Command<'_>) -> Result<(), CommandFailure> {
        let _ = plan;
        command.run()
    }

    /// A step failed. [`Step::on_error`] decides what that means for the plan, unless the answer is
    /// [`Flow::Abort`].
    fn failed(&mut self, plan: &Plan, step: &Step, failure: &Failure) -> Flow {
        let _ = (plan, step, failure);
        Flow::Continue
    }

    /// A plan has ended.
    fn ended(&mut self, plan: &Plan, outcome: Outcome) {
        let _ = (plan, outcome);
    }
}

impl Hooks for () {}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// As planned.
    Continue,
    /// With nothing more of this plan, which has failed.
    Abort,
}

/// How a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// What was asked for was done.
    Done,
    /// There was nothing to do: the module was in the state asked for.
    Needless,
    /// It could not be done.
    Failed,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The module's file could not be read, or the kernel refused to load it.
    #[error(transparent)]
    NotLoaded(Error),
    /// A dependency's file is not there: nothing was loaded.
    #[error(transparent)]
    Missing(Error),
    /// No file of the module is known.
    #[error("no file of this module is known")]
    NoFile,
    /// The configuration denies the module, or one that it needs: nothing was loaded.
    #[error("denied by {origin}")]
    Denied {
        /// The line that does.
        origin: Origin,
        /// Why, in words for people; empty where nobody wrote it.
        reason: BString,
    },
    /// A command, as it was run, did not do its work.
    #[error("'{command}': {failure}")]
    Command {
        /// The command.
        command: BString,
        /// What became of it.
        failure: CommandFailure,
    },
    /// The module is part of the kernel.
    #[error("the module is part of the kernel")]
    Builtin,
    /// The module is in use.
    #[error("the module is in use")]
    InUse,
    /// The kernel refused to remove the module.
    #[error(transparent)]
    NotRemoved(Error),
}

impl Failure {
    /// The error number nearest to it.
    pub fn errno(&self) -> Errno {
        match self {
            Self::NotLoaded(error) | Self::Missing(error) | Self::NotRemoved(error) => error.errno(),
            Self::NoFile => Errno::ENOENT,
            Self::Denied { .. } => Errno::EPERM,
            Self::Command { .. } | Self::Builtin => Errno::EINVAL,
            Self::InUse => Errno::EBUSY,
        }
    }
}
