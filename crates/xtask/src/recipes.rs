//! `cargo xtask recipes`: the packagers' recipes of `integration/packages` in a root of Debian 13, and that two builds give
//! the same bytes.
//!
//! The scripts of `integration/recipes` build the source archive without a network: by dpkg-buildpackage, twice, by
//! rpmbuild, and by makepkg. What they built is installed in scratch roots, where the tools run. The packages of
//! `cargo xtask deb` are compared with those of the recipe, and with themselves, packed again in other surroundings; the
//! binaries in them with those of another directory, see [`again`].

mod again;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::packages::{self, DEBOOTSTRAP};
use crate::scenarios::{ScenarioResult, ScenarioVerdict};
use crate::system::UnderTest;
use crate::{binary, chroot, deb, dist, kernel, libkmod, mirror, process, workspace};

/// The options of `cargo xtask recipes`.
#[derive(Args)]
pub(crate) struct Options {
    /// The static binary whose packages are compared (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The same for the C library
    #[arg(long)]
    libkmod: Option<PathBuf>,
    /// Run only the checks whose names contain this
    check: Option<String>,
}

/// What the root has beside the packages of the release.
const PACKAGES: [&str; 11] = [
    "build-essential",
    "cargo",
    "rustc",
    "debhelper",
    "fakeroot",
    "lintian",
    "rpm",
    "makepkg",
    "pacman-package-manager",
    "libarchive-tools",
    "zstd",
];
/// The scripts, in the order of running.
const SCRIPTS: [&str; 3] = ["debian", "rpm", "arch"];

/// Runs the checks.
///
/// # Errors
/// When one fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary.clone().map_or_else(binary::build_static, Ok)?;
    let library = options.libkmod.clone().map_or_else(libkmod::build, Ok)?;
    let ours = UnderTest { binary: &binary, library: &library };
    let results = check(&Cache::open()?, &ours, options.check.as_deref());
    if results.is_empty() || !results.iter().all(ScenarioResult::passed) {
        bail!("not all of {} checks passed", results.len());
    }
    Ok(())
}

/// Runs all checks, or the ones whose names contain `only`. Each is a result, whose row is printed.
pub(crate) fn check(cache: &Cache, ours: &UnderTest, only: Option<&str>) -> Vec<ScenarioResult> {
    let mut results = Vec::new();
    let mut result = |name: &str, check: &dyn Fn() -> Result<Vec<String>>| {
        if !only.is_none_or(|part| name.contains(part)) {
            return;
        }
        let start = Instant::now();
        let (verdict, log) = match check() {
            Ok(log) => (ScenarioVerdict::Passed, log),
            Err(error) => {
                (ScenarioVerdict::Failed, format!("{error:#}").lines().map(str::to_owned).collect())
            }
        };
        let seconds = format!("{:.1}", start.elapsed().as_secs_f64());
        let result = ScenarioResult { name: name.to_owned(), verdict, seconds, log };
        result.print();
        results.push(result);
    };
    result("packed-twice", &|| again::pack(ours));
    result("built-twice", &|| again::build(ours, &dist::source_archive()?));
    for script in SCRIPTS {
        result(&format!("recipe-{script}"), &|| in_root(cache, ours, script));
    }
    results
}

/// Runs a script in a copy of the root; returns its lines that begin with `= `.
fn in_root(cache: &Cache, ours: &UnderTest, script: &str) -> Result<Vec<String>> {
    let source = dist::source_archive()?;
    let key = format!("roots/recipes-{}", kernel::hash(&[PACKAGES.join(" ").as_bytes()])?);
    let pristine = cache.provide(&key, make)?;
    let directory = tempfile::Builder::new().prefix("recipes").tempdir_in(cache.root())?;
    let root = directory.path().join("root");
    process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(pristine).arg(&root))?;
    let here = root.join("recipes");
    fs::create_dir(&here)?;
    fs::copy(&source, here.join(source.file_name().context("a name")?)).context("the source archive")?;
    let (packed, version) = (here.join("ours"), env!("CARGO_PKG_VERSION"));
    deb::build(ours.binary, &packed, version)?;
    deb::replacing::build(ours.binary, ours.library, &packed, version)?;
    let integration = workspace::root().join("integration");
    let script = format!("{script}.sh");
    for (from, to) in [
        ("vm/lib.sh", "vm-lib.sh"),
        ("recipes/lib.sh", "lib.sh"),
        (&*format!("recipes/{script}"), &*script),
        ("packages/PKGBUILD", "PKGBUILD"),
    ] {
        fs::copy(integration.join(from), here.join(to)).with_context(|| from.to_owned())?;
    }
    let commands = format!("cd /recipes; unshare --net sh -euc '. ./vm-lib.sh; . ./lib.sh; . ./{script}'");
    let lines = chroot::run(&root, &commands).context(script)?;
    Ok(lines.into_iter().filter(|line| line.starts_with("= ")).collect())
}

/// Makes the root.
fn make(root: &Path) -> Result<()> {
    packages::need(&[DEBOOTSTRAP])?;
    eprintln!("recipes: making a root with the tools of packagers, some minutes");
    let mut debootstrap = Command::new(DEBOOTSTRAP.name);
    process::output(debootstrap.args(["--variant=minbase", "trixie"]).arg(root).arg(mirror::main_site()?))?;
    // The mirror is reached with this machine's name servers.
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf")).context("/etc/resolv.conf")?;
    chroot::start_no_services(root)?;
    let apt = "apt-get -qq -y --no-install-recommends";
    let commands =
        format!("{apt} install {}; apt-get clean; useradd --create-home builder", PACKAGES.join(" "));
    chroot::run(root, &commands).map(drop)
}
