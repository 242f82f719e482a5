//! Install and remove commands, each given to a shell, as system(3) does it.

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
}

/// Runs a command in a shell and waits for it. `MODPROBE_MODULE` tells it the module, and
/// `environment` is added to its environment.
///
/// # Errors
/// When the command cannot be started, ends with a code other than zero, or is killed.
pub fn run(
    command: &[u8],
    module: &ModuleName,
    environment: &[(OsString, OsString)],
) -> Result<(), CommandFailure> {
    let status = Command::new("/bin/sh")
        // The name by which the shell begins its messages.
        .arg0("sh")
        .arg("-c")
        .arg(OsStr::from_bytes(command))
        .env("MODPROBE_MODULE", OsStr::from_bytes(module.as_bytes()))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .status()
        .map_err(CommandFailure::NotStarted)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(CommandFailure::Exit(code)),
        (None, signal) => Err(CommandFailure::Killed(signal.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_knows_the_module_and_its_end_is_told() {
        let module = ModuleName::new("a-b");
        let run = |command: &str| run(command.as_bytes(), &module, &[("X".into(), "1".into())]);
        assert!(run("test \"$MODPROBE_MODULE$X\" = a_b1").is_ok());
        assert!(run("test \"$0 $#\" = 'sh 0'").is_ok());
        assert!(matches!(run("exit 7"), Err(CommandFailure::Exit(7))));
        assert!(matches!(run("kill -9 $$"), Err(CommandFailure::Killed(9))));
        assert!(matches!(run("exec /nonexistent 2>&-"), Err(CommandFailure::Exit(127))));
    }
}
