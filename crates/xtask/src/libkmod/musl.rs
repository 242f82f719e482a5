//! The library for musl: built like the other one, but for the system's libc, and called by the program of
//! `tests/libkmod`, compiled by musl-gcc. What that prints must be what it prints with the library for glibc.
//!
//! Debian has no programs for musl, and no kmod for it: what can be tested here is the library itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{RELEASE, link_with};
use crate::cache::Cache;
use crate::packages::{self, MUSL_GCC};
use crate::{cargo, process, reference, trees, workspace};

const TARGET: &str = "x86_64-unknown-linux-musl";
/// The module tree whose modules are asked about.
const TREE: &str = "trixie-cloud";
/// The modules, an alias, a symbol and something that does not exist.
const QUERIES: [&str; 9] = [
    "ext4",
    "nvme",
    "btrfs",
    "virtio_net",
    "nfsd",
    "unix",
    "pci:v00001D0Fd0000EC20sv00001D0Fsd0000EC20bc02sc00i00",
    "symbol:nvme_init_ctrl",
    "absent-module",
];

/// Builds the library for musl, and compares it with the one for glibc. Returns its path.
///
/// # Errors
/// When it cannot be built, or prints something else.
pub(super) fn build(glibc: &Path) -> Result<PathBuf> {
    packages::need(&[MUSL_GCC])?;
    packages::need_target(TARGET)?;
    // Other flags than those of the static binary: in a directory of its own, neither is compiled again for the other.
    let target = cargo::target_directory().join("musl-shared");
    let mut archive = cargo::command();
    archive.args(["rustc", "--package", "libkmod", "--lib", "--crate-type", "staticlib"]);
    archive.args(["--profile", RELEASE, "--target", TARGET, "--target-dir"]).arg(&target);
    archive.env("RUSTFLAGS", "-Ctarget-feature=-crt-static");
    cargo::check("the archive of libkmod for musl", &mut archive)?;
    // Debian's unwinder is for glibc.
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let unwinder = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    let unwinder = unwinder.join("lib/self-contained/libunwind.a");
    let directory = target.join(TARGET).join(RELEASE);
    let archives = [directory.join("libkmod_c.a"), unwinder];
    let library = link_with(MUSL_GCC.name, &archives, &directory.join("shared"), true)?;
    super::check(&library)?;
    compare(&Cache::open()?, glibc, &library)?;
    Ok(library)
}

/// Runs the program with both libraries.
fn compare(cache: &Cache, glibc: &Path, musl: &Path) -> Result<()> {
    let tree = trees::provide(cache, TREE)?.with_context(|| format!("the tree {TREE} is unavailable"))?;
    let directory = tempfile::tempdir()?;
    let modules = directory.path().join("lib/modules").join(&tree.version);
    fs::create_dir_all(modules.parent().context("a directory")?)?;
    let mut copy = Command::new("cp");
    process::run(copy.args(["--recursive", "--no-dereference"]).arg(tree.modules()).arg(&modules))?;
    depmod(cache, directory.path(), &tree.version)?;
    let script = directory.path().join("script");
    fs::write(&script, text(&modules))?;
    let [expected, printed] = [("cc", glibc), (MUSL_GCC.name, musl)].map(|(compiler, library)| {
        let program = directory.path().join(compiler);
        let mut call = Command::new(compiler);
        call.args(["-std=gnu11", "-I"]).arg(workspace::root().join("crates/libkmod/include"));
        call.arg(workspace::root().join("tests/libkmod/drive.c")).arg(library).arg("-o").arg(&program);
        process::output(&mut call)?;
        let place = library.parent().context("a directory")?;
        process::output(Command::new(program).arg(&script).env("LD_LIBRARY_PATH", place))
    });
    let (expected, printed) = (expected?, printed?);
    let difference = expected.lines().zip(printed.lines()).find(|(one, other)| one != other);
    if let Some((one, other)) = difference {
        bail!("for glibc: {one}\nfor musl: {other}");
    }
    if expected.lines().count() != printed.lines().count() || !expected.contains("found ext4") {
        bail!("the library for musl prints something else:\n{printed}");
    }
    println!("the same with glibc and with musl: {} lines", printed.lines().count());
    Ok(())
}

/// Writes the indexes with the packaged depmod.
fn depmod(cache: &Cache, root: &Path, version: &str) -> Result<()> {
    let packaged = reference::provide(cache, "kmod34")?;
    let libraries = packaged.join("usr/lib/x86_64-linux-gnu");
    let mut depmod = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    depmod.arg("--library-path").arg(&libraries).args(["--argv0", "depmod"]);
    depmod.arg(packaged.join("usr/bin/kmod")).arg("-b").arg(root).arg(version);
    process::output(&mut depmod).map(drop)
}

/// A script for the program: every kind of question, and a dry run.
fn text(modules: &Path) -> String {
    let mut text =
        format!("new 0 {} none\nnull\nload 0\nvalidate 0\nlog 0 data\nconfig 0\n", modules.display());
    for query in QUERIES {
        text += &format!(
            "lookup 0 {query} 0\nget 0 0 1\nfacts 1\nneeds 1\ninfo 1\nversions 1\nsymbols 1\nneeded 1\nmixed 1\n\
             probe 1 0x18 a=1 0\nmodule-unref 1\nname-lookup 0 {query} 2\nmodule-unref 2\n"
        );
    }
    for index in 0..5 {
        text += &format!("dump 0 {index}\n");
    }
    text + "descriptors\nunload 0\nlookup 0 ext4 0\nfree 0\nunref 0\n"
}
