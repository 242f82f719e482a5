//! Debian packages from the mirror that this machine's apt uses.
//!
//! A failed download is not final. A mirror's index can name a file that the mirror does not have (yet, or any more), so
//! every request has several candidates: the next older version in the same index, then the other archives of the same
//! release. A line reports which one was used and why not the newest. Only if all candidates fail, the error is
//! [`Unavailable`].

mod download;
mod index;
mod package;
mod site;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::packages::{self, CURL, XZ};
use download::Failure;
use index::{compare_versions, kernel_release};
use package::Package;
use site::Archive;

pub(crate) use download::received;
pub(crate) use site::{main_site, security_site};

/// A kernel of a Debian release.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    /// The code name of the release.
    pub(crate) suite: &'static str,
    /// The version of Linux that the release has: `6.12`.
    pub(crate) series: &'static str,
    /// Debian's name of the architecture.
    pub(crate) arch: &'static str,
    /// The suffix of the kernel's release.
    pub(crate) flavour: &'static str,
    /// Whether a kernel of another series is accepted if the release's own is unavailable.
    pub(crate) any_series: bool,
}

/// A file that no archive provides: a fault of the network or the mirror, not ours.
#[derive(Debug)]
pub(crate) struct Unavailable(String);

impl Unavailable {
    /// From the error of a failed download.
    pub(crate) fn new(error: &anyhow::Error) -> Unavailable {
        Unavailable(format!("{error:#}"))
    }
}

/// The text of an error: of [`Unavailable`] only the file and the reason, of others the whole chain.
pub(crate) fn cause(error: &anyhow::Error) -> String {
    error.downcast_ref::<Unavailable>().map_or_else(|| format!("{error:#}"), Unavailable::to_string)
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Packages of one version in one archive, which are used together.
struct Candidate {
    packages: Vec<Package>,
    /// Reported when this candidate is used, because it is not exactly what was requested.
    remark: Option<String>,
}

/// The package called `name` of a release whose version begins with `version` (`""` for any), in the cache.
///
/// # Errors
/// [`Unavailable`] when no archive of the release has it; others when the cache cannot be written.
pub(crate) fn package(cache: &Cache, suite: &str, arch: &str, name: &str, version: &str) -> Result<PathBuf> {
    let choices = |packages: &[Package]| {
        single(packages, |package| package.name == name && package.version.starts_with(version))
    };
    // Backports has another version of the program.
    let archives = Archive::of_release(suite).into_iter().filter(|archive| !archive.is_backports());
    first_available(cache, archives, arch, &choices, &format!("package {name} of {suite} for {arch}"))
        .and_then(single_file)
}

/// The packages that together hold a kernel's image and its modules, in the cache.
///
/// # Errors
/// As [`package()`].
pub(crate) fn kernel(cache: &Cache, kernel: &Kernel) -> Result<Vec<PathBuf>> {
    let Kernel { suite, series, arch, flavour, any_series } = *kernel;
    let what = format!("kernel {series} {flavour} of {suite} for {arch}");
    let of_series = |packages: &[Package]| kernels(packages, flavour, Some(series));
    match first_available(cache, Archive::of_release(suite), arch, &of_series, &what) {
        Err(error) if any_series && error.is::<Unavailable>() => {
            eprintln!("mirror: {error}; looking for another series");
            let any = |packages: &[Package]| kernels(packages, flavour, None);
            first_available(cache, Archive::of_release(suite), arch, &any, &what)
        }
        result => result,
    }
}

/// The file of a known path and checksum, in the cache.
///
/// # Errors
/// As [`package()`].
pub(crate) fn known(cache: &Cache, file: &str, sha256: &str) -> Result<PathBuf> {
    packages::need(&[CURL])?;
    let package = Package { file: file.to_owned(), sha256: sha256.to_owned(), ..Package::default() };
    download::package(cache, &main_site()?, &package).map_err(|error| match error.downcast_ref::<Failure>() {
        Some(failure) => Unavailable(format!("{}: {failure}", package.file_name())).into(),
        None => error,
    })
}

/// The newest package of these archives whose name is `prefix` and a number, in the cache.
///
/// # Errors
/// As [`package()`].
pub(crate) fn numbered(cache: &Cache, suites: &[&str], prefix: &str) -> Result<PathBuf> {
    let is_wanted = |package: &Package| {
        let number = package.name.strip_prefix(prefix);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let choices = |packages: &[Package]| single(packages, is_wanted);
    let archives = suites.iter().map(|suite| Archive::main(suite));
    let what = format!("{prefix}* of {}", suites.join(" or "));
    first_available(cache, archives, "amd64", &choices, &what).and_then(single_file)
}

/// Downloads the first available candidate: the archives in their order, and in each the newest first.
fn first_available(
    cache: &Cache,
    archives: impl IntoIterator<Item = Archive>,
    arch: &str,
    choices: &dyn Fn(&[Package]) -> Vec<Candidate>,
    what: &str,
) -> Result<Vec<PathBuf>> {
    packages::need(&[CURL, XZ])?;
    let mut reasons = Vec::new();
    for archive in archives {
        let (site, packages) = match archive.site().and_then(|site| {
            let packages = index::read(&site, &archive.suite, arch)?;
            Ok((site, packages))
        }) {
            Ok(found) => found,
            Err(error) => {
                reasons.push(format!("{} for {arch}: {}", archive.suite, error.root_cause()));
                continue;
            }
        };
        for choice in choices(&packages) {
            let attempt = |package: &Package| {
                download::package(cache, &site, package)
                    .map_err(|error| (package.file_name().to_owned(), error))
            };
            match choice.packages.iter().map(attempt).collect::<Result<Vec<_>, _>>() {
                Ok(files) => {
                    choice.report(&archive, &reasons);
                    return Ok(files);
                }
                Err((file, error)) => match error.downcast_ref::<Failure>() {
                    Some(failure) => reasons.push(format!("{file}: {failure}")),
                    None => return Err(error.context(file)),
                },
            }
        }
    }
    if reasons.is_empty() {
        reasons.push("no archive names it".to_owned());
    }
    Err(Unavailable(format!("{} ({what})", reasons.join("; "))).into())
}

impl Candidate {
    /// Prints which package was used and why, unless it is the newest of the requested ones.
    fn report(&self, archive: &Archive, reasons: &[String]) {
        let reasons = reasons.iter().map(String::as_str).chain(self.remark.as_deref());
        let reasons: Vec<&str> = reasons.collect();
        if let (Some(package), false) = (self.packages.first(), reasons.is_empty()) {
            eprintln!("mirror: using {} of {} ({})", package.file_name(), archive.suite, reasons.join("; "));
        }
    }
}

/// Each wanted package as a candidate, the newest first.
fn single(packages: &[Package], is_wanted: impl Fn(&Package) -> bool) -> Vec<Candidate> {
    let mut found: Vec<&Package> = packages.iter().filter(|package| is_wanted(package)).collect();
    found.sort_by(|a, b| compare_versions(b.file_name(), a.file_name()));
    found.into_iter().map(|package| Candidate { packages: vec![package.clone()], remark: None }).collect()
}

/// The kernels of a flavour, the newest first. Up to 6.18 everything is in `linux-image-RELEASE`; later the image is in
/// `linux-binary-RELEASE`, the modules in `linux-modules-RELEASE` and their lists in `linux-base-RELEASE`. Backports
/// lists binaries whose modules it no longer has: these are not candidates.
fn kernels(packages: &[Package], flavour: &str, series: Option<&str>) -> Vec<Candidate> {
    const PARTS: [&str; 4] = ["linux-modules-", "linux-binary-", "linux-base-", "linux-image-"];
    let is_of_series = |release: &str| {
        let rest = series.map_or(Some("."), |series| release.strip_prefix(series));
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let release = |package: &Package| {
        kernel_release(package.name.strip_prefix("linux-image-")?, flavour).map(str::to_owned)
    };
    let mut releases: Vec<String> = packages.iter().filter_map(release).collect();
    releases.retain(|release| is_of_series(release));
    releases.sort_by(|a, b| compare_versions(b, a));
    releases.dedup();
    let choice = |release: &String| {
        let of_part = |part: &&str| {
            let name = format!("{part}{release}-{flavour}");
            let found = packages.iter().filter(|package| package.name == name);
            found.max_by(|a, b| compare_versions(a.file_name(), b.file_name())).cloned()
        };
        let [modules, binary, ..] = PARTS.each_ref().map(of_part);
        let packages: Vec<Package> = match (modules.is_some(), binary.is_some()) {
            (false, true) => return None,
            (true, _) => PARTS[..3].iter().filter_map(of_part).collect(),
            (false, false) => PARTS[3..].iter().filter_map(of_part).collect(),
        };
        let remark = series.is_none().then(|| format!("another series: Linux {release}"));
        Some(Candidate { packages, remark })
    };
    releases.iter().filter_map(choice).collect()
}

/// The file of a candidate with one package.
fn single_file(files: Vec<PathBuf>) -> Result<PathBuf> {
    files.into_iter().next().context("a candidate has a package")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<Package> {
        let package = |name: &&str| Package {
            name: (*name).to_owned(),
            file: format!("pool/{name}_1_amd64.deb"),
            ..Package::default()
        };
        names.iter().map(package).collect()
    }

    fn names(choices: &[Candidate]) -> Vec<Vec<&str>> {
        choices.iter().map(|choice| choice.packages.iter().map(|one| one.name.as_str()).collect()).collect()
    }

    #[test]
    fn kernels_of_the_series_come_newest_first() {
        let packages = named(&[
            "linux-image-6.12.94+deb13-amd64",
            "linux-image-6.12.107+deb13-amd64",
            "linux-image-6.12.107+deb13-cloud-amd64",
            "linux-image-6.1.0-50-amd64",
            "linux-image-amd64",
        ]);
        let found = kernels(&packages, "amd64", Some("6.12"));
        assert_eq!(
            names(&found),
            [["linux-image-6.12.107+deb13-amd64"], ["linux-image-6.12.94+deb13-amd64"]]
        );
        assert_eq!(names(&kernels(&packages, "amd64", Some("6.1"))), [["linux-image-6.1.0-50-amd64"]]);
    }

    #[test]
    fn a_kernel_in_several_packages_is_one_candidate_and_one_without_modules_is_none() {
        let packages = named(&[
            "linux-base-7.2.11+deb13-s390x",
            "linux-binary-7.2.11+deb13-s390x",
            "linux-image-7.2.11+deb13-s390x",
            "linux-modules-7.2.11+deb13-s390x",
            "linux-binary-7.3.0+deb13-s390x",
            "linux-image-7.3.0+deb13-s390x",
            "linux-image-7.9-s390x",
        ]);
        assert!(kernels(&packages, "s390x", Some("6.12")).is_empty());
        let found = kernels(&packages, "s390x", None);
        let parts = ["linux-modules", "linux-binary", "linux-base"];
        assert_eq!(names(&found), [parts.map(|part| format!("{part}-7.2.11+deb13-s390x"))]);
        assert_eq!(found[0].remark.as_deref(), Some("another series: Linux 7.2.11+deb13"));
    }
}
