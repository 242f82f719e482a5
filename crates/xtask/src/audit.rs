//! `cargo xtask audit`: checks licences, sources and known faults of the dependencies against `deny.toml`.

use anyhow::{Result, bail};

use crate::cargo;
use crate::process;

/// Runs cargo-deny.
///
/// # Errors
/// When it isn't installed or finds something.
pub(crate) fn run() -> Result<()> {
    if process::which("cargo-deny").is_none() {
        bail!("cargo-deny is missing: `cargo install --locked cargo-deny`");
    }
    process::run(cargo::command().args(["deny", "check"]))
}
