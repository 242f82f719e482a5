//! Running other programs: a failure becomes an error that names the whole command.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs `command` with our standard streams.
///
/// # Errors
/// When it cannot be started or its exit code is not 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs `command` and returns its standard output, which must be UTF-8.
///
/// # Errors
/// As [`run`], with the standard error of the command.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    output_of(command, Stdio::null())
}

/// The same with a standard input.
///
/// # Errors
/// As [`output`].
pub(crate) fn output_of(command: &mut Command, input: Stdio) -> Result<String> {
    let out = command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !out.status.success() {
        bail!("{} failed: {}\n{}", shown(command), out.status, String::from_utf8_lossy(&out.stderr));
    }
    String::from_utf8(out.stdout).with_context(|| format!("output of {}", shown(command)))
}

/// How many gigabytes of the disk the files below a directory take, if `du` can be run.
pub(crate) fn disk_usage(directory: &std::path::Path) -> Option<f64> {
    let usage = output(Command::new("du").args(["--summarize", "--block-size=1"]).arg(directory)).ok()?;
    Some(usage.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// The program called `name` on PATH.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // System programs such as `chroot` are not on every user's PATH.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|program| program.is_file())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
