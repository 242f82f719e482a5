//! Building the release binaries: the static one for each target, and the dynamic one.

mod settings;
mod target;

use std::path::PathBuf;

use anyhow::Result;

use crate::cargo::{self, reproducible};
use crate::packages::{self, READELF};

pub(crate) use settings::{MOST_BYTES, with_variables};
pub(crate) use target::Target;

/// Builds the static binary for amd64 and checks its settings.
///
/// # Errors
/// When a part of the toolchain cannot be installed, the build fails, or the binary lacks a setting.
pub(crate) fn build_static() -> Result<PathBuf> {
    build_static_for(Target::Amd64)
}

/// Builds the binary that is linked dynamically to the C library.
///
/// # Errors
/// When the build fails.
pub(crate) fn build_dynamic() -> Result<PathBuf> {
    let mut build = cargo::command();
    reproducible::prepare(&mut build, &reproducible::host()?, "")?;
    cargo::check("the dynamic binary", build.args(["build", "--release", "--package", "kmod"]))?;
    Ok(cargo::target_directory().join("release/kmod"))
}

/// Builds the static binary for a target and checks its settings.
///
/// # Errors
/// As [`build_static`].
pub(crate) fn build_static_for(target: Target) -> Result<PathBuf> {
    packages::need(&[READELF])?;
    let triple = target.triple();
    packages::need(&target.programs())?;
    packages::need_target(triple)?;
    let mut build = cargo::command();
    build.args(["build", "--release", "--package", "kmod", "--target", triple]);
    target.prepare(&mut build)?;
    cargo::check("the static binary", &mut build)?;
    let binary = cargo::target_directory().join(triple).join("release/kmod");
    settings::check(target, &binary)?;
    Ok(binary)
}
