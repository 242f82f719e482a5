//! What `cargo xtask fetch` has put outside the checkout: the packaged kmods and the kernels' module trees.
//!
//! The cache lies at `$MODUTILS_CACHE`, else `$XDG_CACHE_HOME/modutils`, else `~/.cache/modutils`, where a
//! `$HOME` that is no directory counts for nothing. In it,
//! `reference/kmod34` and `reference/kmod30` are roots with Debian's packages unpacked, and `trees/NAME` holds
//! `lib/modules/VERSION`. `$MODUTILS_REFERENCE_KMOD34` and `$MODUTILS_REFERENCE_KMOD30` name other such roots.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::surroundings;

/// The root that the packaged kmod `name` (`kmod34`, `kmod30`) was unpacked into.
///
/// # Panics
/// When it is not there; the message says how to get it. A test that cannot compare must not pass.
pub fn reference(name: &str) -> PathBuf {
    let variable = format!("MODUTILS_REFERENCE_{}", name.to_uppercase());
    let root = env::var_os(variable).map_or_else(|| root().join("reference").join(name), PathBuf::from);
    present(root, &format!("the packaged {name}"))
}

/// A kernel's module tree.
#[derive(Debug, Clone)]
pub struct Tree {
    /// `lib/modules/VERSION` in the cache: not to be changed.
    pub modules: PathBuf,
    /// The kernel's version.
    pub version: String,
}

/// The tree called `name` (`trixie-amd64-zst`, …).
///
/// # Panics
/// When it is not there; the message says how to get it.
pub fn tree(name: &str) -> Tree {
    present(root().join("trees").join(name), &format!("the module tree {name}"));
    find_tree(name).expect("a tree has a version")
}

/// The tree called `name`, if it is there: for measurements, which can do with less. A test must not.
pub fn find_tree(name: &str) -> Option<Tree> {
    let lib = root().join("trees").join(name).join("lib/modules");
    let modules = std::fs::read_dir(lib).ok()?.next()?.ok()?.path();
    let version = modules.file_name()?.to_string_lossy().into_owned();
    Some(Tree { modules, version })
}

fn present(path: PathBuf, what: &str) -> PathBuf {
    assert!(path.is_dir(), "{what} is not at {}: run `cargo xtask fetch`", path.display());
    path
}

fn root() -> PathBuf {
    let under = |variable: &str, rest: &str| -> Option<PathBuf> {
        let value: OsString = env::var_os(variable).filter(|value| !value.is_empty())?;
        Some(Path::new(&value).join(rest))
    };
    under("MODUTILS_CACHE", "")
        .or_else(|| under("XDG_CACHE_HOME", "modutils"))
        .or_else(|| surroundings::home().map(|home| home.join(".cache/modutils")))
        .expect("MODUTILS_CACHE, XDG_CACHE_HOME or a home says where the cache is")
}
