//! Roots of Debian releases with a kernel and the programs that call the tools, made by debootstrap.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::mirror;
use crate::packages::{self, DEBOOTSTRAP};
use crate::process;

/// The releases, Debian 12 and 13.
pub(crate) const SUITES: [&str; 2] = ["bookworm", "trixie"];

/// The packages that the scripts use: a kernel, generators of initial file systems, tools that build modules, readers of
/// `static-nodes`, programs that audit a system.
/// dracut itself excludes initramfs-tools; its core does not.
const PACKAGES: [&str; 12] = [
    "kmod",
    "initramfs-tools",
    "linux-image-cloud-amd64",
    "linux-headers-cloud-amd64",
    "dracut-core",
    "dkms",
    "bash-completion",
    "systemd-standalone-tmpfiles",
    "zstd",
    "man-db",
    "lynis",
    "chkrootkit",
];

/// The root of a release, from the cache or made now.
///
/// # Errors
/// When the mirror is unreachable, or a package cannot be installed.
pub(crate) fn provide(cache: &Cache, suite: &str) -> Result<PathBuf> {
    cache.provide(&format!("roots/{suite}"), |draft| {
        packages::need(&[DEBOOTSTRAP])?;
        eprintln!("packaging: making a root of {suite}, some minutes");
        let site = mirror::main_site()?;
        process::output(
            Command::new("debootstrap").args(["--variant=minbase", suite]).arg(draft).arg(&site),
        )?;
        // The mirror is reached with this machine's name servers.
        std::fs::copy("/etc/resolv.conf", draft.join("etc/resolv.conf")).context("/etc/resolv.conf")?;
        // Services do not start in a root that is not running.
        std::fs::write(draft.join("usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n")?;
        in_root(draft, &["chmod", "755", "/usr/sbin/policy-rc.d"])?;
        let mut install = vec!["apt-get", "-qq", "-y", "-o", "APT::Keep-Downloaded-Packages=true"];
        install.extend(["install", "--no-install-recommends"]);
        install.extend(PACKAGES);
        in_root(draft, &install)
    })
}

fn in_root(root: &Path, words: &[&str]) -> Result<()> {
    let mut command = Command::new("chroot");
    command
        .arg(root)
        .args(words)
        .env_clear()
        .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("LC_ALL", "C")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .envs(["http_proxy", "https_proxy"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    process::output(&mut command).map(drop)
}
