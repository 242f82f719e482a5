//! The kernel's source: Debian's package of a known version, as long as the mirror has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::mirror::{self, Unavailable};
use crate::packages::{self, DPKG_DEB, XZ};
use crate::process;

/// The known version: its file on the mirror and its checksum. The mirror keeps superseded versions of a release.
const KNOWN: (&str, &str) = (
    "pool/main/l/linux/linux-source-7.2_7.2.12-1~bpo13+1_all.deb",
    "73ca6c22599ba411ab3179642d33501ca2c90174e13c3c8d86e996ea1cbf2a8f",
);

/// The suites to search when the known version is gone: any 7.x, from the first suite that has one.
const FALLBACKS: [&str; 2] = ["trixie-backports", "forky"];

/// Files that an external module or a kernel without graphics never needs: a third of the source.
const EXCLUDED: [&str; 3] = ["*/drivers/gpu/drm/*.[ch]", "*/Documentation/*.rst", "*/tools/testing"];

/// The source package in the cache, fetched and checked now if it is not cached.
///
/// # Errors
/// When neither the known version nor another is available.
pub(super) fn provide(cache: &Cache) -> Result<PathBuf> {
    let (file, sha256) = KNOWN;
    mirror::known(cache, file, sha256).or_else(|error| {
        if !error.is::<Unavailable>() {
            return Err(error);
        }
        eprintln!("kernel: {error:#}; looking for another 7.x source");
        mirror::numbered(cache, &FALLBACKS, "linux-source-7.")
    })
}

/// The version in a package's file name, `7.2.12-1~bpo13+1`; without a package, of the known one.
pub(super) fn version(package: Option<&Path>) -> &str {
    let name = package.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or(KNOWN.0);
    name.rsplit('/').next().and_then(|name| name.split('_').nth(1)).unwrap_or(name)
}

/// Unpacks the source into `dir`, which appears when it is complete.
///
/// # Errors
/// When the package has another form, or the disk is full.
pub(super) fn unpack(package: &Path, dir: &Path) -> Result<()> {
    if dir.exists() {
        return Ok(());
    }
    packages::need(&[DPKG_DEB, XZ])?;
    let draft = dir.with_extension("draft");
    let _ = std::fs::remove_dir_all(&draft);
    std::fs::create_dir_all(&draft)?;
    let list = process::output(Command::new("dpkg-deb").arg("--contents").arg(package))?;
    let archive = list.split_whitespace().find(|word| word.ends_with(".tar.xz"));
    let Some(archive) = archive else { bail!("{} holds no source", package.display()) };
    let excludes = EXCLUDED.map(|pattern| format!("--exclude='{pattern}'")).join(" ");
    let script = format!(
        "set -o pipefail; dpkg-deb --fsys-tarfile \"$0\" | tar -xO \"$1\" | xz -dc \
         | tar -x -C \"$2\" --strip-components=1 {excludes}"
    );
    process::run(Command::new("bash").args(["-c", &script]).arg(package).arg(archive).arg(&draft))?;
    std::fs::rename(&draft, dir).with_context(|| dir.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_package_s_name() {
        assert_eq!(version(None), "7.2.12-1~bpo13+1");
        assert_eq!(version(Some(Path::new("/c/debs/linux-source-7.3_7.3.1-2_all.deb"))), "7.3.1-2");
    }
}
