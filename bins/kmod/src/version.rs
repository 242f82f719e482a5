//! What `--version` prints, for every tool.

use crate::report::Report;

/// The version of kmod that we stand in for: scripts compare it.
const KMOD_VERSION: &str = "34.2";
/// What kmod was compiled with, in its own form: initramfs builders look for the compressions.
const FEATURES: &str = "+ZSTD +XZ +ZLIB +OPENSSL";

/// kmod's two lines, then our own name and version.
pub fn print(report: &mut Report) {
    report
        .print(format!("kmod version {KMOD_VERSION}\n{FEATURES}\nmodutils {}\n", env!("CARGO_PKG_VERSION")));
}
