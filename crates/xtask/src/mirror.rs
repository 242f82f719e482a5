//! The Debian mirror that this machine's apt uses: finding it, finding packages in it, downloading them.
//!
//! No host name stands here. `MODUTILS_MIRROR` names another mirror, or the only one on a machine without apt.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::packages::{self, CURL, XZ};
use crate::process;

/// A Debian mirror and the package indexes read from it so far.
#[derive(Default)]
pub(crate) struct Mirror {
    site: Option<String>,
    indexes: HashMap<(String, String), String>,
}

/// A package of a mirror's index.
#[derive(Debug, PartialEq)]
pub(crate) struct Package {
    name: String,
    file: String,
    sha256: String,
}

impl Mirror {
    /// The package called `name`, in the cache.
    ///
    /// # Errors
    /// When the mirror can't be found or read, or doesn't have it.
    pub(crate) fn package(&mut self, cache: &Cache, suite: &str, arch: &str, name: &str) -> Result<PathBuf> {
        self.newest(cache, suite, arch, &|found| found == name)
            .with_context(|| format!("package {name} of {suite} for {arch}"))
    }

    /// The kernel image package `linux-image-VERSION-FLAVOUR` of the newest version, in the cache.
    ///
    /// # Errors
    /// When the mirror can't be found or read, or has none.
    pub(crate) fn kernel(
        &mut self,
        cache: &Cache,
        suite: &str,
        arch: &str,
        flavour: &str,
    ) -> Result<PathBuf> {
        self.newest(cache, suite, arch, &|found| is_kernel(found, flavour))
            .with_context(|| format!("kernel {flavour} of {suite} for {arch}"))
    }

    /// The file of a known path and checksum, in the cache.
    ///
    /// # Errors
    /// When the mirror can't be found or read, or doesn't have it any more.
    pub(crate) fn known(&mut self, cache: &Cache, file: &str, sha256: &str) -> Result<PathBuf> {
        packages::need(&[CURL])?;
        let package = Package { name: String::new(), file: file.to_owned(), sha256: sha256.to_owned() };
        download(cache, &self.site()?, &package)
    }

    /// The newest package whose name begins with `prefix` and goes on with digits, in the cache.
    ///
    /// # Errors
    /// As [`Mirror::package`].
    pub(crate) fn kernel_source(&mut self, cache: &Cache, suite: &str, prefix: &str) -> Result<PathBuf> {
        let is = |name: &str| {
            let minor = name.strip_prefix(prefix);
            minor.is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.newest(cache, suite, "amd64", &is).with_context(|| format!("{prefix}* of {suite}"))
    }

    fn newest(
        &mut self,
        cache: &Cache,
        suite: &str,
        arch: &str,
        is: &dyn Fn(&str) -> bool,
    ) -> Result<PathBuf> {
        packages::need(&[CURL, XZ])?;
        let site = self.site()?;
        let index = self.index(&site, suite, arch)?;
        let found = packages_of(index).filter(|package| is(&package.name));
        let newest = found.max_by(|a, b| natural(&a.file, &b.file)).context("the mirror does not have it")?;
        download(cache, &site, &newest)
    }

    /// The mirror's address.
    ///
    /// # Errors
    /// When it can't be found.
    pub(crate) fn site(&mut self) -> Result<String> {
        if self.site.is_none() {
            let site = find_site()?;
            eprintln!("mirror: {site}");
            self.site = Some(site);
        }
        self.site.clone().context("no mirror")
    }

    /// The index of a suite's main packages.
    fn index(&mut self, site: &str, suite: &str, arch: &str) -> Result<&str> {
        let key = (suite.to_owned(), arch.to_owned());
        if !self.indexes.contains_key(&key) {
            eprintln!("mirror: reading the index of {suite} for {arch}");
            let index = read_index(site, suite, arch)?;
            self.indexes.insert(key.clone(), index);
        }
        Ok(&self.indexes[&key])
    }
}

/// Where Debian's main archive is, as apt knows it.
fn find_site() -> Result<String> {
    const HELP: &str =
        "set MODUTILS_MIRROR to the address of a Debian mirror (the directory that has dists/ and pool/)";
    if let Some(site) = std::env::var("MODUTILS_MIRROR").ok().filter(|site| !site.is_empty()) {
        return Ok(site.trim_end_matches('/').to_owned());
    }
    if process::which("apt-get").is_none() {
        bail!("no apt on this machine: {HELP}");
    }
    let targets = || {
        const FIELDS: &str = "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(SITE)";
        process::output(Command::new("apt-get").args(["indextargets", "--format", FIELDS]))
    };
    let found = debian_site(&targets()?);
    // A fresh container has no lists, so apt doesn't know yet whose archives its sources are.
    let found = match found {
        None => packages::apt_update().and_then(|()| Ok(debian_site(&targets()?))).context(HELP)?,
        found => found,
    };
    let site = found.with_context(|| format!("apt knows no Debian archive: {HELP}"))?;
    match site.strip_prefix("mirror+file:") {
        Some(list) => Ok(first_of_list(Path::new(list))?),
        None => Ok(site),
    }
}

/// Picks the main archive from `ORIGIN|LABEL|CODENAME|SITE` lines: not the one for security, not someone else's.
fn debian_site(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('|');
        let (origin, label, codename, site) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let main = origin == "Debian" && label == "Debian" && !codename.contains('-');
        (main && !site.is_empty()).then(|| site.trim_end_matches('/').to_owned())
    })
}

/// The first address of a list of mirrors, see apt-transport-mirror(1).
fn first_of_list(list: &Path) -> Result<String> {
    let text = std::fs::read_to_string(list).with_context(|| list.display().to_string())?;
    let site = text.split_whitespace().next().with_context(|| format!("{} is empty", list.display()))?;
    Ok(site.trim_end_matches('/').to_owned())
}

/// Downloads and decompresses an index.
fn read_index(site: &str, suite: &str, arch: &str) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let packed = dir.path().join("Packages.xz");
    get(&format!("{site}/dists/{suite}/main/binary-{arch}/Packages.xz"), &packed)?;
    process::output(Command::new("xz").args(["--decompress", "--stdout"]).arg(&packed))
}

/// Downloads a package and checks it against the index.
fn download(cache: &Cache, site: &str, package: &Package) -> Result<PathBuf> {
    let name = package.file.rsplit('/').next().unwrap_or(&package.file);
    cache.provide(&format!("debs/{name}"), |draft| {
        eprintln!("mirror: fetching {name}");
        get(&format!("{site}/{}", package.file), draft)?;
        let sum = process::output(Command::new("sha256sum").arg("--binary").arg(draft))?;
        if sum.split_whitespace().next() != Some(package.sha256.as_str()) {
            bail!("{name} does not have the checksum {} that the mirror's index gives", package.sha256);
        }
        Ok(())
    })
}

/// Downloads `url` to `file`.
fn get(url: &str, file: &Path) -> Result<()> {
    let flags =
        ["--fail", "--silent", "--show-error", "--location", "--retry", "3", "--connect-timeout", "20"];
    process::output(Command::new("curl").args(flags).arg("--output").arg(file).arg(url)).map(drop)
}

/// The packages of an index in Debian's control file format, see deb822(5).
fn packages_of(index: &str) -> impl Iterator<Item = Package> {
    index.split("\n\n").filter_map(|stanza| {
        let field = |key: &str| stanza.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        Some(Package { name: field("Package: ")?, file: field("Filename: ")?, sha256: field("SHA256: ")? })
    })
}

/// Whether `package` is `linux-image-VERSION-FLAVOUR`: all of VERSION's parts begin with a digit, which tells
/// `6.12.1+deb13` + `amd64` from `6.12.1+deb13-cloud` + `amd64`.
fn is_kernel(package: &str, flavour: &str) -> bool {
    let version = package
        .strip_prefix("linux-image-")
        .and_then(|rest| rest.strip_suffix(flavour))
        .and_then(|rest| rest.strip_suffix('-'));
    version.is_some_and(|version| {
        version.split('-').all(|part| part.starts_with(|first: char| first.is_ascii_digit()))
    })
}

/// Compares with runs of digits taken as numbers: 6.12.94 before 6.12.107.
fn natural(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|run| run.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_chosen_among_security_backports_and_others() {
        let targets = "Debian|Debian-Security|bookworm-security|http://one/debian-security\n\
                       Acme|Acme|stable|http://acme/apt\n\
                       Debian|Debian|bookworm-updates|http://updates/debian\n\
                       Debian|Debian|bookworm|http://main/debian/\n";
        assert_eq!(debian_site(targets).as_deref(), Some("http://main/debian"));
        assert_eq!(debian_site("|||http://main/debian\n"), None);
    }

    #[test]
    fn a_kernel_package_is_told_from_its_flavours_and_companions() {
        assert!(is_kernel("linux-image-6.1.0-50-cloud-amd64", "cloud-amd64"));
        assert!(is_kernel("linux-image-6.12.107+deb13-amd64", "amd64"));
        assert!(!is_kernel("linux-image-6.12.107+deb13-cloud-amd64", "amd64"));
        assert!(!is_kernel("linux-image-6.12.107+deb13-amd64-dbg", "amd64"));
        assert!(!is_kernel("linux-image-6.12.107+deb13-amd64-unsigned", "amd64"));
        assert!(!is_kernel("linux-image-cloud-amd64", "amd64"));
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(
            natural("linux-image-6.12.94+deb13_6.12.94-1", "linux-image-6.12.107+deb13_6.12.107-1"),
            Ordering::Less
        );
        assert_eq!(natural("linux-image-6.1.0-9", "linux-image-6.1.0-10"), Ordering::Less);
    }

    #[test]
    fn a_package_is_read_from_the_index() {
        let index = "Package: a\nVersion: 1\nFilename: pool/a_1.deb\nSHA256: 00\n\nPackage: b\nVersion: 2\n";
        let expected = Package { name: "a".into(), file: "pool/a_1.deb".into(), sha256: "00".into() };
        assert_eq!(packages_of(index).collect::<Vec<_>>(), [expected]);
    }
}
