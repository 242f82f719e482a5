//! What to do, decided before anything is done.
//!
//! A [`Planner`] looks up what it must know of modules, and makes a [`Plan`] of that and the
//! configuration. What `modprobe -n`, `-D` and a real run show and do are the same steps. They form a
//! graph without cycles: a step may need others to have succeeded, or only have to wait for them; its
//! condition is looked at when its turn comes; and its failure ends the whole, or means nothing (a
//! soft dependency). `Plan::execute` carries a plan out: see the module `kernel`.
//!
//! What modprobe would do, on a system with two modules, one of which needs the other:
//!
//! ```
//! use modutils::{
//!     Context, ModuleName,
//!     plan::{Action, LoadOptions, Planner},
//! };
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let modules = tempfile::tempdir()?;
//! let dependencies = [("cdrom", "kernel/cdrom.ko:"), ("sr_mod", "kernel/sr_mod.ko: kernel/cdrom.ko")];
//! std::fs::write(modules.path().join("modules.dep.bin"), testkit::index(dependencies))?;
//!
//! let context = Context::builder().directory(modules.path()).without_configuration().build()?;
//! let options = LoadOptions::default().parameters("xa_test=1");
//! let plan = Planner::new(&context).load(&context.module(ModuleName::new("sr-mod")), &options)?;
//!
//! let lines: Vec<String> = plan.steps().iter().filter_map(|step| Some(step.line()?.to_string())).collect();
//! let directory = modules.path().display();
//! assert_eq!(
//!     lines,
//!     [
//!         format!("insmod {directory}/kernel/cdrom.ko "),
//!         format!("insmod {directory}/kernel/sr_mod.ko xa_test=1"),
//!     ]
//! );
//! let target = &plan.steps()[plan.target()];
//! assert!(matches!(&target.action, Action::Load { options, .. } if options == "xa_test=1"));
//! # Ok(())
//! # }
//! ```

// No input or output here: what must be known is handed in.
pub(crate) mod inputs;
mod load;
mod soft;
mod unload;

use std::path::PathBuf;

use bstr::BString;

use crate::{ModuleName, config::Origin};

pub use crate::planner::Planner;
pub use load::LoadOptions;
pub(crate) use load::{blacklisted, load};
pub use unload::RemoveOptions;
pub(crate) use unload::unload;

/// The steps that load or remove one module, in an order that respects their edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    module: ModuleName,
    steps: Vec<Step>,
    target: usize,
}

impl Plan {
    /// The module that was asked for.
    pub fn module(&self) -> &ModuleName {
        &self.module
    }

    /// The steps. The first one asks whether there is anything to do. Edges go from a step to earlier
    /// ones only.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The same plan for a module that the kernel knows by another name than its file has.
    #[must_use]
    pub fn renamed(mut self, name: &ModuleName) -> Self {
        let steps = self.steps.iter_mut().filter(|step| step.module == self.module);
        steps.for_each(|step| step.module = name.clone());
        Self { module: name.clone(), ..self }
    }

    /// The place in [`Plan::steps`] of the step for the module that was asked for.
    pub fn target(&self) -> usize {
        self.target
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The module it is about.
    pub module: ModuleName,
    /// What is done.
    pub action: Action,
    /// When to do it.
    pub condition: Condition,
    /// The place of a step: if that one is needless, so is this one.
    pub given: Option<usize>,
    /// The places of the steps that must have succeeded, or have been needless.
    pub needs: Vec<usize>,
    /// The places of the steps that must have ended, well or not.
    pub follows: Vec<usize>,
    /// What its failure means.
    pub on_error: OnError,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Nothing: other steps ask whether the condition held at this one's turn.
    Check,
    /// Give the file to the kernel with these parameters.
    Load {
        /// The module's file.
        file: PathBuf,
        /// The parameters.
        options: BString,
    },
    /// Run an `install` command.
    RunInstall {
        /// The command as configured.
        command: BString,
        /// What replaces `$CMDLINE_OPTS`.
        options: BString,
    },
    /// Nothing: the module is part of the kernel.
    Builtin,
    /// Nothing can be done: no file of the module is known.
    NoFile,
    /// Nothing may be done: the configuration denies the module.
    Denied {
        /// The line that does.
        origin: Origin,
        /// Why, in words for people; empty where nobody wrote it.
        reason: BString,
    },
    /// Have the kernel drop the module.
    Unload {
        /// Whether that cannot be done, because it is part of the kernel.
        builtin: bool,
    },
    /// Run a `remove` command.
    RunRemove {
        /// The command as configured.
        command: BString,
    },
}

/// When a step applies, by the kernel's state at its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// In any state.
    Always,
    /// In no state, as the module is built in; only what is shown includes the step.
    Never,
    /// When the module is not loaded.
    NotLoaded,
    /// When the module is loaded.
    Loaded,
    /// When the module is loaded and nothing uses it.
    Unused,
}

/// What the failure of a step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// What was asked for cannot be done: the steps after it are not tried.
    Stop,
    /// The other steps go on, except the ones that need it.
    Ignore,
}

impl Step {
    pub(crate) fn new(module: ModuleName, action: Action, condition: Condition) -> Self {
        let (needs, follows) = (Vec::new(), Vec::new());
        Self { module, action, condition, given: None, needs, follows, on_error: OnError::Ignore }
    }

    /// The step as a line for people: `insmod PATH OPTIONS`, `install COMMAND OPTIONS`, `builtin NAME`,
    /// `rmmod NAME`, `remove COMMAND`. `None` where there is nothing to show.
    pub fn line(&self) -> Option<BString> {
        let parts: [&[u8]; 4] = match &self.action {
            Action::Load { file, options } => {
                [b"insmod ", file.as_os_str().as_encoded_bytes(), b" ", options]
            }
            Action::RunInstall { command, options } => [b"install ", command, b" ", options],
            Action::Builtin => [b"builtin ", self.module.as_bytes(), b"", b""],
            Action::Unload { .. } => [b"rmmod ", self.module.as_bytes(), b"", b""],
            Action::RunRemove { command } => [b"remove ", command, b"", b""],
            Action::Check | Action::NoFile | Action::Denied { .. } => return None,
        };
        Some(parts.concat().into())
    }
}

/// The text by which a command in modprobe.d asks for the module's options.
const OPTIONS_VARIABLE: &[u8] = b"$CMDLINE_OPTS";

/// An `install` or `remove` command with the options in their place, as the shell is to get it.
pub(crate) fn with_options(command: &[u8], options: &[u8]) -> BString {
    bstr::ByteSlice::replace(command, OPTIONS_VARIABLE, options).into()
}

#[cfg(test)]
mod fixture {
    //! Configurations and facts for the tests of both kinds of plan.

    use std::path::Path;

    use crate::{
        ModuleName,
        config::ModprobeConfig,
        lookup::Candidate,
        plan::inputs::{PlanFacts, PlanInputs},
    };

    pub(super) struct World {
        pub(super) config: ModprobeConfig,
        pub(super) known: PlanInputs,
    }

    impl World {
        /// Modules as `name: dependency dependency`, the first to load in front; `!name` is built
        /// in. Every name in a softdep means the module of that name, where there is one.
        pub(super) fn new(modules: &[&str], config_text: &str) -> Self {
            let mut config = ModprobeConfig::default();
            config.add_file(&Path::new("/t.conf").into(), config_text.as_bytes(), &mut |notice| {
                panic!("{}", notice.message)
            });
            let mut known = PlanInputs::default();
            for module in modules {
                let (name, dependencies) = module.split_once(':').unwrap_or((module, ""));
                let (name, builtin) = name.strip_prefix('!').map_or((name, false), |name| (name, true));
                let file = (!builtin).then(|| format!("/m/{name}.ko").into());
                let dependencies = dependencies.split_whitespace().map(ModuleName::new).collect();
                known.modules.insert(
                    ModuleName::new(name),
                    PlanFacts { file, dependencies, builtin, is_only_listed: false },
                );
                known.names.insert(name.into(), vec![Candidate::named(ModuleName::new(name))]);
            }
            Self { config, known }
        }

        /// Lets a name in a softdep mean modules by way of an alias.
        pub(super) fn alias(mut self, alias: &str, modules: &[&str]) -> Self {
            let candidate = |module: &&str| Candidate {
                alias: Some(alias.into()),
                ..Candidate::named(ModuleName::new(module))
            };
            self.known.names.insert(alias.into(), modules.iter().map(candidate).collect());
            self
        }
    }

    pub(super) fn lines(plan: &super::Plan) -> Vec<String> {
        plan.steps.iter().filter_map(|step| step.line().map(|line| line.to_string())).collect()
    }

    /// The graph's promise: edges go to earlier steps only.
    pub(super) fn assert_sound(plan: &super::Plan) {
        assert!(plan.target < plan.steps.len());
        for (place, step) in plan.steps.iter().enumerate() {
            assert!(
                step.needs.iter().chain(&step.follows).chain(&step.given).all(|&earlier| earlier < place)
            );
        }
    }
}
