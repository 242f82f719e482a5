//! Roots of Debian releases with a kernel and the programs that call the tools, made by debootstrap.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::packages::{self, DEBOOTSTRAP};
use crate::{chroot, mirror, process};

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
        chroot::start_no_services(draft)?;
        let install = "apt-get -qq -y -o APT::Keep-Downloaded-Packages=true install --no-install-recommends";
        chroot::run(draft, &format!("{install} {}", PACKAGES.join(" "))).map(drop)
    })
}
