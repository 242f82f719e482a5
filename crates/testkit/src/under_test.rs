//! The binary under test.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::surroundings;

/// Our `kmod`: the one `$MODUTILS_KMOD` names, else the workspace's own, rebuilt once in each test program, in the
/// same profile.
///
/// # Panics
/// When it cannot be built.
pub fn kmod() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("MODUTILS_KMOD").map_or_else(build, PathBuf::from))
}

/// Our `libkmod.so.2`: the one `$MODUTILS_LIBKMOD` names, else the workspace's own, rebuilt once in each test program,
/// without optimisation.
///
/// # Panics
/// When it cannot be built.
pub fn libkmod() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("MODUTILS_LIBKMOD").map_or_else(build_libkmod, PathBuf::from))
}

fn build_libkmod() -> PathBuf {
    surroundings::settle();
    let target = profile_dir();
    let target = target.parent().expect("a target directory");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args([
            "run",
            "--quiet",
            "--profile",
            "xtask",
            "--package",
            "xtask",
            "--",
            "libkmod",
            "--profile",
            "dev",
        ])
        .env("CARGO_TARGET_DIR", target)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the library under test does not build");
    target.join("debug/shared/libkmod.so.2.5.1")
}

/// The directory of the build's own temporary files, most likely on one file system with the cache.
pub(crate) fn scratch() -> PathBuf {
    let scratch = profile_dir().parent().expect("a target directory").join("tmp");
    fs::create_dir_all(&scratch).expect("the target directory is writable");
    scratch
}

fn build() -> PathBuf {
    surroundings::settle();
    let profile_dir = profile_dir();
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "kmod", "--profile", profile])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"), "--target-dir"])
        .arg(profile_dir.parent().expect("a target directory"))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the binary under test does not build");
    let kmod = profile_dir.join("kmod");
    if !surroundings::is_for_everyone(&kmod) {
        // An earlier build ran with another umask.
        fs::set_permissions(&kmod, Permissions::from_mode(0o755)).expect("a file of our build");
    }
    kmod
}

/// `target/debug`, or another profile's directory: the test program is in its `deps`.
fn profile_dir() -> PathBuf {
    let program = env::current_exe().expect("the path of the test program");
    let dir = program.parent().expect("a directory");
    let dir = if dir.ends_with("deps") { dir.parent().expect("a directory") } else { dir };
    dir.to_owned()
}
