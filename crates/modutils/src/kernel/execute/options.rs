//! How plans are carried out.

use std::{sync::Arc, time::Duration};

use crate::kernel::{Environment, Force, seen::Seen};

/// How much of a plan is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// All of it.
    #[default]
    Run,
    /// Nothing, but conditions are looked at (`modprobe --dry-run`).
    DryRun,
    /// Nothing, and what is loaded does not matter (`modprobe --show-depends`).
    Show,
}

/// How plans are carried out: all of them, by the kernel's rules, with commands in an environment of
/// only a `PATH`, unless set otherwise.
#[derive(Clone, Debug, Default)]
pub struct ExecuteOptions {
    pub(super) mode: Mode,
    pub(super) first_time: bool,
    pub(super) ignore_loaded: bool,
    pub(super) force: Force,
    pub(super) force_removal: bool,
    pub(super) wait: Option<Duration>,
    pub(super) environment: Environment,
    pub(super) seen: Option<Arc<Seen>>,
}

impl ExecuteOptions {
    /// How much of a plan is carried out: all, unless set otherwise.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Whether it is a failure when another process loads the module at the same time. That the module
    /// was there from the beginning is [`Outcome::Needless`](super::Outcome::Needless) all the same.
    #[must_use]
    pub fn first_time(self, first_time: bool) -> Self {
        Self { first_time, ..self }
    }

    /// Whether the steps are carried out whatever is loaded: the kernel is asked to load modules again, and
    /// commands run again.
    #[must_use]
    pub fn ignore_loaded(self, ignore_loaded: bool) -> Self {
        Self { ignore_loaded, ..self }
    }

    /// Checks that the kernel is to skip when it loads a module.
    #[must_use]
    pub fn force(self, force: Force) -> Self {
        Self { force, ..self }
    }

    /// Whether the kernel is to remove modules by force, even in use, where it allows that.
    #[must_use]
    pub fn force_removal(self, force_removal: bool) -> Self {
        Self { force_removal, ..self }
    }

    /// How long to wait for a module that is in use and to be removed; without it, that is a failure at
    /// once.
    #[must_use]
    pub fn wait(self, wait: Option<Duration>) -> Self {
        Self { wait, ..self }
    }

    /// What commands find in their environment.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// Whether each module's state and file are looked at once only, for all plans carried out with
    /// these options or clones of them. That is for many plans of which nothing is carried out.
    #[must_use]
    pub fn look_once(self, look_once: bool) -> Self {
        Self { seen: look_once.then(Arc::default), ..self }
    }
}
