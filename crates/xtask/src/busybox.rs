//! The shell of the virtual machines: Debian's static busybox.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::mirror::{self, Unavailable};
use crate::packages::{self, DPKG_DEB};
use crate::reference;

/// Debian's static busybox, from the cache or unpacked now.
///
/// # Errors
/// When its package cannot be downloaded or unpacked.
pub(crate) fn provide(cache: &Cache) -> Result<PathBuf> {
    cache.provide("guest/busybox", |draft| {
        packages::need(&[DPKG_DEB])?;
        let package = |suite: &str| mirror::package(cache, suite, "amd64", "busybox-static", "");
        let deb = package("trixie").or_else(|error| {
            if !error.is::<Unavailable>() {
                return Err(error);
            }
            eprintln!("mirror: {error:#}; looking in bookworm");
            package("bookworm")
        })?;
        let dir = tempfile::tempdir()?;
        reference::unpack(&deb, dir.path())?;
        let places = ["usr/bin/busybox", "bin/busybox"].map(|place| dir.path().join(place));
        let binary = places.iter().find(|place| place.is_file()).context("no busybox in its package")?;
        fs::copy(binary, draft)?;
        Ok(())
    })
}
