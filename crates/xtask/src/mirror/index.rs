//! The index of an archive: its list of packages, in Debian's control file format, see deb822(5).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::mirror::download;
use crate::mirror::package::Package;
use crate::packages::{self, GZIP, Program, XZ};
use crate::process;

/// The compressed forms of an index that a mirror may have, the usual one first.
const FORMS: [(&str, Program); 2] = [("xz", XZ), ("gz", GZIP)];

/// The indexes read in this run, by site, suite and architecture.
type IndexCache = HashMap<[String; 3], Arc<Vec<Package>>>;

static KNOWN: Mutex<Option<IndexCache>> = Mutex::new(None);

/// The packages of an archive's section `main`, read once in a run.
///
/// # Errors
/// When the index cannot be downloaded or unpacked.
pub(super) fn read(site: &str, suite: &str, arch: &str) -> Result<Arc<Vec<Package>>> {
    let key = [site, suite, arch].map(str::to_owned);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(packages) = known.get(&key) {
        return Ok(Arc::clone(packages));
    }
    eprintln!("mirror: reading the index of {suite} for {arch}");
    let mut text = Err(anyhow::anyhow!("no form of an index"));
    for (ending, program) in FORMS {
        packages::need(&[program])?;
        text = fetch(&format!("{site}/dists/{suite}/main/binary-{arch}/Packages.{ending}"), program);
        if text.is_ok() {
            break;
        }
    }
    let packages: Arc<Vec<Package>> = Arc::new(packages_of(&text?).collect());
    known.insert(key, Arc::clone(&packages));
    Ok(packages)
}

fn fetch(url: &str, program: Program) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let packed = dir.path().join("Packages");
    download::get(url, &packed, None)?;
    unpack(&packed, program).with_context(|| url.to_owned())
}

fn unpack(packed: &Path, program: Program) -> Result<String> {
    let input = std::fs::File::open(packed)?;
    process::output_of(Command::new(program.name).args(["--decompress", "--stdout"]), input.into())
}

fn packages_of(index: &str) -> impl Iterator<Item = Package> {
    index.split("\n\n").filter_map(|stanza| {
        let field = |key: &str| stanza.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        Some(Package {
            name: field("Package: ")?,
            version: field("Version: ").unwrap_or_default(),
            file: field("Filename: ")?,
            sha256: field("SHA256: ")?,
            size: field("Size: ").and_then(|size| size.parse().ok()),
        })
    })
}

/// The `RELEASE` of `RELEASE-FLAVOUR`: all parts of it begin with a digit, which separates `6.12.1+deb13` of the flavour
/// `amd64` from `6.12.1+deb13-cloud`, and it has three numbers, which separates it from `6.12-amd64`, a package of nothing
/// but a dependency.
pub(super) fn kernel_release<'a>(rest: &'a str, flavour: &str) -> Option<&'a str> {
    let release = rest.strip_suffix(flavour)?.strip_suffix('-')?;
    let is_release = release.split('-').all(|part| part.starts_with(|first: char| first.is_ascii_digit()))
        && release.split('.').count() >= 3;
    is_release.then_some(release)
}

/// Compares runs of digits as numbers: 6.12.94 before 6.12.107.
pub(super) fn compare_versions(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|run| run.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_release_is_distinguished_from_flavours_and_related_packages() {
        assert_eq!(kernel_release("6.1.0-50-cloud-amd64", "cloud-amd64"), Some("6.1.0-50"));
        assert_eq!(kernel_release("6.12.107+deb13-amd64", "amd64"), Some("6.12.107+deb13"));
        assert_eq!(kernel_release("6.12.107+deb13-cloud-amd64", "amd64"), None);
        assert_eq!(kernel_release("6.12.107+deb13-amd64-dbg", "amd64"), None);
        assert_eq!(kernel_release("6.12.107+deb13-amd64-unsigned", "amd64"), None);
        assert_eq!(kernel_release("cloud-amd64", "amd64"), None);
        assert_eq!(kernel_release("6.12-amd64", "amd64"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(
            compare_versions("linux-image-6.12.94+deb13_6.12.94-1", "linux-image-6.12.107+deb13_6.12.107-1"),
            Ordering::Less
        );
        assert_eq!(compare_versions("linux-image-6.1.0-9", "linux-image-6.1.0-10"), Ordering::Less);
    }

    #[test]
    fn a_package_is_read_from_the_index() {
        let index =
            "Package: a\nVersion: 1\nFilename: pool/a_1.deb\nSize: 7\nSHA256: 00\n\nPackage: b\nVersion: 2\n";
        let expected = Package {
            name: "a".into(),
            version: "1".into(),
            file: "pool/a_1.deb".into(),
            sha256: "00".into(),
            size: Some(7),
        };
        assert_eq!(packages_of(index).collect::<Vec<_>>(), [expected]);
    }
}
