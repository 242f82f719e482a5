//! Programs in the root of another system, with their own namespaces for mounts and processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::packages::{self, UNSHARE};

/// Runs shell commands under `sh -eu`; returns whether they succeeded, and their output.
///
/// # Errors
/// When they can't be started.
pub(crate) fn shell(root: &Path, commands: &str) -> Result<(bool, Vec<String>)> {
    packages::need(&[UNSHARE])?;
    let inside = format!("mount -t proc proc /proc; {commands}");
    let output = Command::new(UNSHARE.name)
        .args(["--mount", "--pid", "--fork", "--kill-child", "chroot"])
        .arg(root)
        .args(["/bin/sh", "-euc", &inside])
        .env_clear()
        .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("LC_ALL", "C")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .envs(["http_proxy", "https_proxy"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .stdin(Stdio::null())
        .output()
        .context("cannot start unshare")?;
    let lines = [output.stdout, output.stderr].concat();
    let lines = String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect();
    Ok((output.status.success(), lines))
}

/// The same for commands that must succeed.
///
/// # Errors
/// When they do not, with the end of their output.
pub(crate) fn run(root: &Path, commands: &str) -> Result<Vec<String>> {
    let (succeeded, lines) = shell(root, commands)?;
    if !succeeded {
        bail!("{}", lines.iter().rev().take(40).rev().cloned().collect::<Vec<_>>().join("\n"));
    }
    Ok(lines)
}

/// Makes packages that are installed start no services: the root is not running.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn start_no_services(root: &Path) -> Result<()> {
    let policy = root.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n")?;
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o755)).context("policy-rc.d")
}
