//! Downloading a file with curl: retried if the network failed, given up at once if the server refused.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::mirror::package::Package;
use crate::packages;
use crate::process;
use crate::progress::Progress;

/// How long to wait before each retry.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];

/// The exit codes of curl when the network failed, by its manual page: name not resolved (5, 6), no connection (7), HTTP/2
/// (16, 92), a file cut short (18), time out (28), TLS (35), no answer (52), and errors of sending and receiving.
const NETWORK: [i32; 11] = [5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92];

/// The exit codes after which the whole site counts as unreachable.
const NO_CONNECTION: [i32; 3] = [5, 6, 7];

/// The exit code of curl when the file of a `file:` address does not exist.
const NO_FILE: i32 = 37;

/// The exit code of curl when it could not write the file.
const NOT_WRITTEN: i32 = 23;

/// Why a file was not downloaded.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// The server's status.
    Status(u16),
    /// The file of a `file:` address does not exist.
    NoFile,
    /// The network failed: curl's message, and the number of attempts.
    Network { message: String, attempts: usize },
    /// The file has another checksum than in the index.
    Checksum,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Status(status) => write!(f, "HTTP status {status}"),
            Failure::NoFile => f.write_str("no such file"),
            Failure::Network { message, attempts } => write!(f, "{message} ({attempts} attempts)"),
            Failure::Checksum => f.write_str("not the checksum that the index gives"),
        }
    }
}

impl std::error::Error for Failure {}

/// The bytes downloaded by this process.
static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// How many bytes this process has downloaded.
pub(crate) fn received() -> u64 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Downloads a package into the cache and checks it against its index.
///
/// # Errors
/// A [`Failure`], or an error of the file system.
pub(super) fn package(cache: &Cache, site: &str, package: &Package) -> Result<PathBuf> {
    let name = package.file_name();
    cache.provide(&format!("debs/{name}"), |draft| {
        eprintln!("mirror: fetching {name}{}", size(package.size));
        get(&format!("{site}/{}", package.file), draft, package.size)?;
        let sum = process::output(Command::new("sha256sum").arg("--binary").arg(draft))?;
        if sum.split_whitespace().next() != Some(package.sha256.as_str()) {
            return Err(Failure::Checksum.into());
        }
        Ok(())
    })
}

/// Downloads `url` to `file`. `size` is its expected size, if known.
///
/// # Errors
/// As [`package`].
pub(super) fn get(url: &str, file: &Path, size: Option<u64>) -> Result<()> {
    if packages::is_offline() {
        bail!("--offline: not downloaded: {url}");
    }
    let site = site_of(url);
    // Where a site was out of reach a moment ago, one attempt shows whether it still is.
    let pauses = if is_unreachable(site) { &[][..] } else { &PAUSES };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let failure = match attempt(url, file, size)? {
            Attempt::Done => {
                RECEIVED.fetch_add(std::fs::metadata(file).map_or(0, |file| file.len()), Ordering::Relaxed);
                set_unreachable(site, false);
                return Ok(());
            }
            Attempt::Rejected(failure) => return Err(failure.into()),
            Attempt::NotWritten(message) => bail!("cannot write {}: {message}", file.display()),
            Attempt::Network { message, no_connection } => {
                set_unreachable(site, no_connection);
                message
            }
        };
        let Some(pause) = pauses.get(attempts - 1) else {
            return Err(Failure::Network { message: failure, attempts }.into());
        };
        eprintln!("mirror: {}: {failure}; again in {} s", name_of(url), pause.as_secs());
        std::thread::sleep(*pause);
    }
}

/// The result of running curl once.
enum Attempt {
    Done,
    /// A retry is useless.
    Rejected(Failure),
    /// The disk is full, for example: no other candidate helps.
    NotWritten(String),
    Network {
        message: String,
        no_connection: bool,
    },
}

fn attempt(url: &str, file: &Path, size: Option<u64>) -> Result<Attempt> {
    // A transfer of less than a kilobyte a second for a minute counts as broken.
    let flags = ["--fail", "--silent", "--show-error", "--location", "--connect-timeout", "20"];
    let slow = ["--speed-limit", "1024", "--speed-time", "60", "--write-out", "%{http_code}"];
    let messages = tempfile::NamedTempFile::new()?;
    let mut curl = Command::new("curl")
        .args(flags)
        .args(slow)
        .arg("--output")
        .arg(file)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(messages.path())?)
        .spawn()
        .context("cannot start curl")?;
    let mut progress = Progress::new(&format!("mirror: {}", name_of(url)));
    while curl.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(20));
        progress.update(|| {
            let have = std::fs::metadata(file).map_or(0, |file| file.len());
            let of = size.map_or_else(String::new, |size| format!(" of {}", megabytes(size)));
            format!("{}{of}", megabytes(have))
        });
    }
    let out = curl.wait_with_output()?;
    if out.status.success() {
        return Ok(Attempt::Done);
    }
    let message = std::fs::read_to_string(messages.path()).unwrap_or_default();
    let status = String::from_utf8_lossy(&out.stdout).trim().parse().unwrap_or(0);
    Ok(classify(out.status.code().unwrap_or(0), status, message.trim()))
}

/// Interprets curl's exit code, the server's status (0 without an answer) and curl's message.
fn classify(code: i32, status: u16, message: &str) -> Attempt {
    let message = message.trim_start_matches("curl: ").to_owned();
    let is_temporary = matches!(status, 408 | 429 | 500..=599);
    if NETWORK.contains(&code) || (status >= 400 && is_temporary) {
        let message = if status >= 400 { format!("HTTP status {status}") } else { message };
        return Attempt::Network { message, no_connection: NO_CONNECTION.contains(&code) };
    }
    match (code, status) {
        (NOT_WRITTEN, _) => Attempt::NotWritten(message),
        (NO_FILE, _) => Attempt::Rejected(Failure::NoFile),
        (_, 400..) => Attempt::Rejected(Failure::Status(status)),
        _ => Attempt::Rejected(Failure::Network { message, attempts: 1 }),
    }
}

/// The sites that could not be reached.
static UNREACHABLE: Mutex<Option<HashSet<String>>> = Mutex::new(None);

fn is_unreachable(site: &str) -> bool {
    UNREACHABLE.lock().is_ok_and(|sites| sites.as_ref().is_some_and(|sites| sites.contains(site)))
}

fn set_unreachable(site: &str, is_unreachable: bool) {
    if let Ok(mut sites) = UNREACHABLE.lock() {
        let sites = sites.get_or_insert_default();
        if is_unreachable {
            sites.insert(site.to_owned())
        } else {
            sites.remove(site)
        };
    }
}

/// Scheme and host of an address.
fn site_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..].find('/').map_or(url, |end| &url[..host + end])
}

/// The last component of an address.
fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn size(size: Option<u64>) -> String {
    size.map_or_else(String::new, |size| format!(", {}", megabytes(size)))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_not_requested_again() {
        assert!(matches!(classify(22, 404, "curl: (22) x"), Attempt::Rejected(Failure::Status(404))));
        assert!(matches!(classify(37, 0, "curl: (37) x"), Attempt::Rejected(Failure::NoFile)));
        assert!(matches!(classify(23, 200, "curl: (23) x"), Attempt::NotWritten(_)));
    }

    #[test]
    fn a_server_error_and_a_broken_connection_are_retried() {
        assert!(matches!(classify(22, 503, ""), Attempt::Network { no_connection: false, .. }));
        assert!(matches!(classify(18, 200, "curl: (18) cut"), Attempt::Network { no_connection: false, .. }));
        assert!(matches!(classify(6, 0, "curl: (6) no host"), Attempt::Network { no_connection: true, .. }));
    }

    #[test]
    fn the_site_is_scheme_and_host() {
        assert_eq!(site_of("http://host:80/debian/pool/x"), "http://host:80");
        assert_eq!(site_of("file:///a/b"), "file://");
    }
}
