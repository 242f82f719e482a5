//! Install and remove commands, each given to a shell, as system(3) does it, and what they find in
//! their environment.

use std::{
    ffi::{OsStr, OsString},
    os::unix::{
        ffi::OsStrExt,
        process::{CommandExt, ExitStatusExt},
    },
    process::{self, ExitStatus},
};

use bstr::{BStr, BString, ByteSlice};

use crate::plan::Step;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandFailure {
    /// The shell could not be started.
    #[error("could not run /bin/sh: {0}")]
    NotStarted(std::io::Error),
    /// It ended with this code.
    #[error("retcode {0}")]
    Exit(i32),
    /// It was killed by this signal.
    #[error("killed by signal {0}")]
    Killed(i32),
    /// It was called by a command that was called by a command, and so on.
    #[error("commands of modprobe.d call each other without end, {DEEPEST} of them by now")]
    TooDeep,
}

impl CommandFailure {
    /// What the end of a command means.
    ///
    /// # Errors
    /// When it ended with a code other than zero, or was killed.
    pub fn check(status: ExitStatus) -> Result<(), Self> {
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(code), _) => Err(Self::Exit(code)),
            (None, signal) => Err(Self::Killed(signal.unwrap_or_default())),
        }
    }
}

/// How many commands may stand above one another: modprobes that call each other would fill the machine.
const DEEPEST: u32 = 16;
/// How deep we are, for commands that call modprobe again.
const DEPTH: &str = "MODUTILS_DEPTH";
/// The module that a command is about.
const MODULE: &str = "MODPROBE_MODULE";

/// Variables by which the dynamic loader, the C library or a shell is made to run or read something
/// else than it would: ld.so(8), sh(1), bash(1). What ends in `*` stands for all that begin so.
const MISLEADING: [&str; 13] = [
    "LD_*",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LOCPATH",
    "ENV",
    "BASH_ENV",
    "BASH_FUNC_*",
    "BASHOPTS",
    "SHELLOPTS",
    "IFS",
    "CDPATH",
    "GLOBIGNORE",
    "PS4",
];

/// Where commands look for programs when their caller may not decide that.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What install and remove commands find in their environment, beside `MODPROBE_MODULE`, the module.
///
/// The default is a fixed `PATH` and nothing else. That is right where a caller with fewer rights chose
/// the environment of this process (`AT_SECURE`, getauxval(3)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment(Vec<(OsString, OsString)>);

impl Default for Environment {
    fn default() -> Self {
        Self(vec![("PATH".into(), PATH.into())])
    }
}

impl Environment {
    /// Of an environment such as [`std::env::vars_os`], all but what misleads shells and loaders.
    pub fn without_misleading(given: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(given.into_iter().filter(|(name, _)| !is_misleading(name)).collect())
    }

    /// With one more variable, which replaces one of that name.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let name = name.into();
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, value.into()));
        self
    }

    /// How many commands called each other until now.
    fn depth(&self) -> u32 {
        let value = self.0.iter().find(|(name, _)| name == DEPTH).map(|(_, value)| value);
        value.and_then(|value| value.to_str()?.parse().ok()).unwrap_or_default()
    }
}

fn is_misleading(name: &OsStr) -> bool {
    MISLEADING.iter().any(|misleading| match misleading.strip_suffix('*') {
        Some(beginning) => name.as_bytes().starts_with(beginning.as_bytes()),
        None => name == *misleading,
    })
}

/// An install or remove command whose turn it is.
#[derive(Debug)]
pub struct Command<'a> {
    step: &'a Step,
    text: BString,
    environment: &'a Environment,
}

impl<'a> Command<'a> {
    pub(super) fn new(step: &'a Step, text: BString, environment: &'a Environment) -> Self {
        Self { step, text, environment }
    }

    /// The step that it is run for.
    pub fn step(&self) -> &'a Step {
        self.step
    }

    /// What the shell gets: the line of the configuration, with the module's options in the place of
    /// `$CMDLINE_OPTS`.
    pub fn text(&self) -> &BStr {
        self.text.as_bstr()
    }

    /// The shell with its arguments and environment, ready to be started: a caller may still set where
    /// output goes. [`CommandFailure::check`] judges how it ended.
    ///
    /// # Errors
    /// When the command is one of many that call each other.
    pub fn process(&self) -> Result<process::Command, CommandFailure> {
        let depth = self.environment.depth();
        if depth >= DEEPEST {
            return Err(CommandFailure::TooDeep);
        }
        let mut shell = process::Command::new("/bin/sh");
        shell
            // The name by which the shell begins its messages.
            .arg0("sh")
            .arg("-c")
            .arg(OsStr::from_bytes(&self.text))
            .env_clear()
            .envs(self.environment.0.iter().map(|(name, value)| (name, value)))
            .env(MODULE, OsStr::from_bytes(self.step.module.as_bytes()))
            .env(DEPTH, (depth + 1).to_string());
        Ok(shell)
    }

    /// Runs the command and waits for it.
    ///
    /// # Errors
    /// When the command cannot be started, ends with a code other than zero, is killed, or is one of
    /// many that call each other.
    pub fn run(&self) -> Result<(), CommandFailure> {
        CommandFailure::check(self.process()?.status().map_err(CommandFailure::NotStarted)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ModuleName,
        plan::{Action, Condition},
    };

    fn run(command: &str, environment: &Environment) -> Result<(), CommandFailure> {
        let step = Step::new(ModuleName::new("a-b"), Action::Check, Condition::Always);
        Command::new(&step, command.into(), environment).run()
    }

    #[test]
    fn commands_do_not_call_each_other_without_end() {
        let run =
            |depth: &str| run("test \"$MODUTILS_DEPTH\" = 16", &Environment::default().with(DEPTH, depth));
        assert!(run("15").is_ok());
        assert!(matches!(run("16"), Err(CommandFailure::TooDeep)));
        assert!(matches!(run("nonsense"), Err(CommandFailure::Exit(1))));
    }

    #[test]
    fn a_command_knows_the_module_and_its_end_is_reported() {
        let environment = Environment::default().with("X", "1");
        let ends = |command: &str, expected: &str| {
            assert_eq!(format!("{:?}", run(command, &environment)), expected, "{command}");
        };
        ends("test \"$MODPROBE_MODULE$X\" = a_b1", "Ok(())");
        ends("test \"$0 $#\" = 'sh 0'", "Ok(())");
        ends("exit 7", "Err(Exit(7))");
        ends("kill -9 $$", "Err(Killed(9))");
        ends("exec /nonexistent 2>/dev/null", "Err(Exit(127))");
    }

    #[test]
    fn the_environment_is_the_callers_without_what_misleads_or_none_of_it() {
        let pairs = |text: &str| -> Vec<(OsString, OsString)> {
            let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.into(), value.into()));
            text.split(' ').filter_map(pair).collect()
        };
        let given = pairs(
            "HOME=/ LD_PRELOAD=x.so LDAP=1 IFS=a BASH_ENV=f BASH_FUNC_ls%%=() MODPROBE_OPTIONS=-v A=b=c",
        );
        let ours = |environment: Environment| environment.with("MODPROBE_OPTIONS", "-q").0;
        assert_eq!(
            ours(Environment::without_misleading(given)),
            pairs("HOME=/ LDAP=1 A=b=c MODPROBE_OPTIONS=-q")
        );
        let fixed = format!("PATH={PATH} MODPROBE_OPTIONS=-q");
        assert_eq!(ours(Environment::default()), pairs(&fixed));
    }
}
