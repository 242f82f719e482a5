//! Install and remove commands, each given to a shell, as system(3) does it, and what they find in
//! their environment.

use std::{
    ffi::{OsStr, OsString},
    os::unix::{
        ffi::OsStrExt,
        process::{CommandExt, ExitStatusExt},
    },
    process::Command,
};

use crate::ModuleName;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
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

/// How many commands may stand above one another: modprobes that call each other would fill the machine.
const DEEPEST: u32 = 16;
/// How deep we are, for commands that call modprobe again.
const DEPTH: &str = "MODUTILS_DEPTH";

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

/// Where commands look for programs when their caller is not to say so.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Whose environment we were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// One who may do what we may.
    Equal,
    /// One with fewer rights than we have (`AT_SECURE`, getauxval(3)).
    Lesser,
}

/// The environment of commands: of what we were given, all but what misleads shells and loaders, or
/// from a lesser caller nothing but a fixed `PATH`; and `added`, which replaces what is there.
pub fn environment(
    given: impl IntoIterator<Item = (OsString, OsString)>,
    caller: Caller,
    added: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<_> = match caller {
        Caller::Equal => given.into_iter().filter(|(name, _)| !is_misleading(name)).collect(),
        Caller::Lesser => vec![("PATH".into(), PATH.into())],
    };
    for (name, value) in added {
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value));
    }
    environment
}

fn is_misleading(name: &OsStr) -> bool {
    MISLEADING.iter().any(|misleading| match misleading.strip_suffix('*') {
        Some(beginning) => name.as_bytes().starts_with(beginning.as_bytes()),
        None => name == *misleading,
    })
}

/// Runs a command in a shell and waits for it. `MODPROBE_MODULE` tells it the module; besides, it
/// finds `environment` and nothing else.
///
/// # Errors
/// When the command cannot be started, ends with a code other than zero, is killed, or is one of many that
/// call each other.
pub fn run(
    command: &[u8],
    module: &ModuleName,
    environment: &[(OsString, OsString)],
) -> Result<(), CommandFailure> {
    let depth = depth(environment);
    if depth >= DEEPEST {
        return Err(CommandFailure::TooDeep);
    }
    let status = Command::new("/bin/sh")
        // The name by which the shell begins its messages.
        .arg0("sh")
        .arg("-c")
        .arg(OsStr::from_bytes(command))
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("MODPROBE_MODULE", OsStr::from_bytes(module.as_bytes()))
        .env(DEPTH, (depth + 1).to_string())
        .status()
        .map_err(CommandFailure::NotStarted)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(CommandFailure::Exit(code)),
        (None, signal) => Err(CommandFailure::Killed(signal.unwrap_or_default())),
    }
}

/// How many commands called each other until now.
fn depth(environment: &[(OsString, OsString)]) -> u32 {
    let value = environment.iter().find(|(name, _)| name == DEPTH).map(|(_, value)| value);
    value.and_then(|value| value.to_str()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_not_call_each_other_without_end() {
        let module = ModuleName::new("a");
        let run =
            |depth: &str| run(b"test \"$MODUTILS_DEPTH\" = 16", &module, &[(DEPTH.into(), depth.into())]);
        assert!(run("15").is_ok());
        assert!(matches!(run("16"), Err(CommandFailure::TooDeep)));
        assert!(matches!(run("nonsense"), Err(CommandFailure::Exit(1))));
    }

    #[test]
    fn a_command_knows_the_module_and_its_end_is_told() {
        let module = ModuleName::new("a-b");
        let run = |command: &str| run(command.as_bytes(), &module, &[("X".into(), "1".into())]);
        let ends =
            |command: &str, expected: &str| assert_eq!(format!("{:?}", run(command)), expected, "{command}");
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
        let ours = pairs("MODPROBE_OPTIONS=-q");
        let environment = |caller| environment(given.clone(), caller, ours.clone());
        assert_eq!(environment(Caller::Equal), pairs("HOME=/ LDAP=1 A=b=c MODPROBE_OPTIONS=-q"));
        let fixed = format!("PATH={PATH} MODPROBE_OPTIONS=-q");
        assert_eq!(environment(Caller::Lesser), pairs(&fixed));
    }
}
