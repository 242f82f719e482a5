//! The packages of `cargo xtask deb` and the binaries in them, made again in other surroundings: the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::binary::Target;
use crate::system::UnderTest;
use crate::{cargo, libkmod, process};

/// Packs the binaries twice, by this program: the second time with another umask, time zone, language, host name and
/// directory, later, and from files of another time.
pub(super) fn pack(ours: &UnderTest) -> Result<Vec<String>> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    let this = std::env::current_exe()?;
    let pack = |from: [&Path; 2], to: &Path, around: &str| {
        let mut command = Command::new("unshare");
        command.args(["--uts", "sh", "-euc", &format!("{around}; exec \"$@\"")]).arg("sh").arg(&this);
        command.args(["deb", "--output"]).arg(to).arg("--binary").arg(from[0]).arg("--libkmod").arg(from[1]);
        process::output(&mut command)
    };
    let first = at("first");
    pack([ours.binary, ours.library], &first, "umask 022; export TZ=UTC LC_ALL=C")?;
    let copies = [ours.binary, ours.library].map(|file| at("old").join(file.file_name().unwrap_or_default()));
    fs::create_dir(at("old"))?;
    for (file, copy) in [ours.binary, ours.library].into_iter().zip(&copies) {
        fs::copy(file, copy).with_context(|| file.display().to_string())?;
        process::run(Command::new("touch").args(["--date", "2001-02-03"]).arg(copy))?;
    }
    // Times in packages are of seconds.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let second = at("another directory");
    let around = "hostname another; umask 077; export TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 LANG=C.UTF-8";
    pack([&copies[0], &copies[1]], &second, around)?;
    let mut lines = Vec::new();
    for file in files(&first)? {
        let name = file.file_name().context("a name")?;
        let (one, other) = (fs::read(&file)?, fs::read(second.join(name))?);
        ensure!(one == other, "{} is not the same when it is packed again", name.display());
        lines.push(format!("= packed twice, the same {} bytes: {}", one.len(), name.display()));
    }
    ensure!(lines.len() == 4, "{} packages", lines.len());
    Ok(lines)
}

/// Builds the static binary and the library from the source archive, in another directory and another home of cargo.
pub(super) fn build(ours: &UnderTest, source: &Path) -> Result<Vec<String>> {
    let directory = tempfile::Builder::new().prefix("again").tempdir_in(cargo::target_directory())?;
    process::run(Command::new("tar").arg("--directory").arg(directory.path()).arg("-xf").arg(source))?;
    let top = directory.path().join(concat!("modutils-", env!("CARGO_PKG_VERSION")));
    let top = fs::canonicalize(top)?;
    let cargo = |words: &[&str]| -> Result<()> {
        let mut command = cargo::command();
        command.current_dir(&top).args(words).arg("--frozen");
        for hidden in ["CARGO_TARGET_DIR", "CARGO_HOME"] {
            command.env_remove(hidden);
        }
        command.env("CARGO_HOME", directory.path().join("home"));
        let triple = if words.contains(&"--target") {
            Target::Amd64.triple().to_owned()
        } else {
            cargo::reproducible::host()?
        };
        cargo::reproducible::prepare_in(&mut command, &triple, "", &top)?;
        cargo::check("the archive's sources, again", &mut command)
    };
    cargo(&["build", "--release", "--package", "kmod", "--target", Target::Amd64.triple()])?;
    cargo(&["rustc", "--package", "libkmod", "--lib", "--crate-type", "staticlib", "--profile", "libkmod"])?;
    let target = top.join("target");
    let library = libkmod::link_release(&target.join("libkmod/libkmod_c.a"), &target.join("shared"))?;
    let tools = target.join(Target::Amd64.triple()).join("release/kmod");
    let mut lines = Vec::new();
    for (file, again) in [(ours.binary, tools), (ours.library, library)] {
        let (one, other) = (fs::read(file)?, fs::read(&again)?);
        if one != other {
            let place = one.iter().zip(&other).position(|(one, other)| one != other);
            bail!(
                "{} ({} bytes) and {} ({}) differ from byte {place:?} on",
                file.display(),
                one.len(),
                again.display(),
                other.len()
            );
        }
        lines.push(format!("= built twice, the same {} bytes: {}", one.len(), file.display()));
    }
    Ok(lines)
}

/// The files of a directory in the order of their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
