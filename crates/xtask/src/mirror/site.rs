//! The addresses of the archives. They come from apt: this file names no host.
//!
//! `MODUTILS_MIRROR` names another mirror, or the only one on a machine without apt: the address of the directory that
//! has `dists/` and `pool/`. Security updates are then in the directory `debian-security` next to it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};

use crate::packages;
use crate::process;

/// An archive: a directory of `dists/` on one of the sites.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    pub(super) suite: String,
    is_security: bool,
}

impl Archive {
    /// An archive of the main site.
    pub(super) fn main(suite: &str) -> Archive {
        Archive { suite: suite.to_owned(), is_security: false }
    }

    /// The archives that have packages of a release, in the order in which they are tried.
    pub(super) fn of_release(suite: &str) -> Vec<Archive> {
        if suite == "sid" {
            // It has no others; what it has passes into the backports of the release before it.
            return vec![Archive::main(suite), Archive::main("trixie-backports")];
        }
        let beside = |ending: &str| Archive::main(&format!("{suite}-{ending}"));
        let security = Archive { is_security: true, ..beside("security") };
        vec![Archive::main(suite), beside("updates"), security, beside("backports")]
    }

    /// Whether its packages are newer versions than the release's.
    pub(super) fn is_backports(&self) -> bool {
        self.suite.ends_with("-backports")
    }

    /// The address that has `dists/` and `pool/`.
    ///
    /// # Errors
    /// When the address is unknown.
    pub(super) fn site(&self) -> Result<String> {
        let sites = sites()?;
        if self.is_security {
            return sites.security.clone().context("no archive of security updates is known");
        }
        Ok(sites.main.clone())
    }
}

/// The sites, without a slash at the end.
struct Sites {
    main: String,
    security: Option<String>,
}

/// The address of Debian's main archive.
///
/// # Errors
/// When it is unknown.
pub(crate) fn main_site() -> Result<String> {
    if crate::packages::is_offline() {
        anyhow::bail!("--offline: no root of a Debian release is made");
    }
    sites().map(|sites| sites.main.clone())
}

/// The address of the archive of security updates, if it is known.
///
/// # Errors
/// When not even the main archive is known.
pub(crate) fn security_site() -> Result<Option<String>> {
    sites().map(|sites| sites.security.clone())
}

fn sites() -> Result<&'static Sites> {
    static SITES: OnceLock<std::result::Result<Sites, String>> = OnceLock::new();
    let sites = SITES.get_or_init(|| {
        let sites = find().map_err(|error| format!("{error:#}"))?;
        eprintln!("mirror: {}", sites.main);
        Ok(sites)
    });
    sites.as_ref().map_err(|error| anyhow!("{error}"))
}

fn find() -> Result<Sites> {
    const HELP: &str =
        "set MODUTILS_MIRROR to the address of a Debian mirror (the directory that has dists/ and pool/)";
    if let Some(site) = std::env::var("MODUTILS_MIRROR").ok().filter(|site| !site.is_empty()) {
        let main = site.trim_end_matches('/').to_owned();
        return Ok(Sites { security: security_next_to(&main), main });
    }
    if process::which("apt-get").is_none() {
        bail!("no apt on this machine: {HELP}");
    }
    let targets = || {
        const FIELDS: &str = "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(SITE)";
        process::output(Command::new("apt-get").args(["indextargets", "--format", FIELDS]))
    };
    let mut known = targets()?;
    // A fresh container has no package lists, so apt does not know the origin of its sources yet.
    if site_of(&known, "Debian").is_none() {
        packages::apt_update().context(HELP)?;
        known = targets()?;
    }
    let main = site_of(&known, "Debian").with_context(|| format!("apt knows no Debian archive: {HELP}"))?;
    Ok(Sites {
        main: address(main)?,
        security: site_of(&known, "Debian-Security").and_then(|site| address(site).ok()),
    })
}

/// The address of the security updates next to the main archive; `None` if the archive is the root of its host.
fn security_next_to(main: &str) -> Option<String> {
    let (above, _) = main.rsplit_once('/')?;
    (!above.ends_with('/')).then(|| format!("{above}/debian-security"))
}

/// Picks the site of an archive by its label from `ORIGIN|LABEL|CODENAME|SITE` lines; of the main archive, not of one of its
/// parts such as `bookworm-updates`, which can be elsewhere.
fn site_of(targets: &str, wanted: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('|');
        let (origin, label, codename, site) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let is_part = label == "Debian" && codename.contains('-');
        (origin == "Debian" && label == wanted && !is_part && !site.is_empty()).then(|| site.to_owned())
    })
}

/// An address that curl understands: the first of a list of mirrors, see apt-transport-mirror(1).
fn address(site: String) -> Result<String> {
    let site = match site.strip_prefix("mirror+file:") {
        Some(list) => first_of_list(Path::new(list))?,
        None => site,
    };
    Ok(site.trim_end_matches('/').to_owned())
}

fn first_of_list(list: &Path) -> Result<String> {
    let text = std::fs::read_to_string(list).with_context(|| list.display().to_string())?;
    let site = text.split_whitespace().next().with_context(|| format!("{} is empty", list.display()))?;
    Ok(site.to_owned())
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
        assert_eq!(site_of(targets, "Debian").as_deref(), Some("http://main/debian/"));
        assert_eq!(site_of(targets, "Debian-Security").as_deref(), Some("http://one/debian-security"));
        assert_eq!(site_of("|||http://main/debian\n", "Debian"), None);
    }

    #[test]
    fn security_updates_are_next_to_a_mirror_in_a_directory() {
        assert_eq!(security_next_to("http://host/debian").as_deref(), Some("http://host/debian-security"));
        assert_eq!(security_next_to("file:///srv/debian").as_deref(), Some("file:///srv/debian-security"));
        assert_eq!(security_next_to("http://host:80"), None);
    }

    #[test]
    fn other_archives_of_a_release_are_tried_after_its_main_one() {
        let suites: Vec<String> =
            Archive::of_release("trixie").into_iter().map(|archive| archive.suite).collect();
        assert_eq!(suites, ["trixie", "trixie-updates", "trixie-security", "trixie-backports"]);
        let suites: Vec<String> =
            Archive::of_release("sid").into_iter().map(|archive| archive.suite).collect();
        assert_eq!(suites, ["sid", "trixie-backports"]);
    }
}
