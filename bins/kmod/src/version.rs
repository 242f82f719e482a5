//! What `--version` prints, for every tool.

use crate::report::Report;

/// The version of kmod that we are compatible with: scripts compare it.
const KMOD_VERSION: &str = "34.2";
/// The features, in kmod's format: initramfs builders search them for compressions.
const FEATURES: &str = "+ZSTD +XZ +ZLIB +OPENSSL";

/// Prints kmod's two lines, then our own name and version.
pub fn print(report: &mut Report) {
    report
        .print(format!("kmod version {KMOD_VERSION}\n{FEATURES}\nmodutils {}\n", env!("CARGO_PKG_VERSION")));
}
