//! `cargo xtask kernel`: the kernel with CONFIG_RUST that the companion modules run in, and those modules.
//!
//! Building takes some minutes, so it is done once: the result stays in the cache under a key of the source, the
//! configuration and the compiler, since each of them changes the CRCs.
//!
//! ```text
//! kernels/KEY/boot/                     vmlinuz, System.map and config
//! kernels/KEY/lib/modules/VERSION/      its own modules, stripped and signed
//! kernels/KEY/external/                 what external modules are built against, with the signing key
//! companions/KEY/                       the companion modules, see [`companions`]
//! build/KEY/                            the source and the objects, until the build is complete
//! tools/bindgen-VERSION/                bindgen
//! ```

mod build;
pub(crate) mod companions;
mod digest;
mod progress;
mod rust_kernel;
mod signature;
mod source;
mod toolchain;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::{process, workspace};

pub(crate) use digest::hash;
pub(crate) use rust_kernel::RustKernel;
pub(crate) use toolchain::need_libclang;

/// Provides kernel and modules and prints their paths.
///
/// # Errors
/// When a build dependency is unavailable, or a build fails.
pub(crate) fn run() -> Result<()> {
    let cache = Cache::open()?;
    let kernel = provide(&cache)?;
    let modules = companions::provide(&cache, &kernel)?;
    println!("{:24} {}", kernel.tree.version, kernel.tree.root.display());
    println!("{:24} {}", "companion modules", modules.display());
    Ok(())
}

/// The kernel, if an earlier run built it with the current configuration and compilers.
///
/// # Errors
/// When the compiler or the configuration can't be read.
pub(crate) fn cached(cache: &Cache) -> Result<Option<RustKernel>> {
    let digest = build_digest()?;
    let known = format!("{}-{digest}", source::version(None));
    let dir = cache.root().join("kernels");
    let others = fs::read_dir(&dir).into_iter().flatten().flatten();
    let mut others: Vec<String> =
        others.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    others.retain(|name| name.ends_with(&format!("-{digest}")));
    others.sort();
    let key = if others.contains(&known) { Some(known) } else { others.pop() };
    key.map(|key| RustKernel::open(dir.join(&key), key)).transpose()
}

/// The kernel, from the cache or built now.
///
/// # Errors
/// When a build dependency is unavailable, or a step of the build fails. The next call continues from there.
pub(crate) fn provide(cache: &Cache) -> Result<RustKernel> {
    if let Some(kernel) = cached(cache)? {
        return Ok(kernel);
    }
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernel with Rust is built on x86-64 only");
    }
    let bindgen = toolchain::need(cache)?;
    let package = source::provide(cache)?;
    let key = format!("{}-{}", source::version(Some(&package)), build_digest()?);
    let work = cache.root().join("build").join(&key);
    let root = cache.provide(&format!("kernels/{key}"), |draft| {
        eprintln!("kernel: none is cached for this source, configuration and compiler; building takes 5 to 15 minutes");
        let build = build::Build::open(&work, &package, bindgen)?;
        build.run(&fragment(), draft)
    })?;
    // The source and the objects take 2 GB and are not read again.
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| work.display().to_string())?;
    }
    RustKernel::open(root, key)
}

/// The configuration fragment, applied over `tinyconfig`.
fn fragment() -> PathBuf {
    let fragment = workspace::root().join("integration/kernel/rust.fragment");
    // It is read in another directory.
    fragment.canonicalize().unwrap_or(fragment)
}

/// What distinguishes kernels of the same source: the configuration and the compilers.
fn build_digest() -> Result<String> {
    let compiler = process::output(Command::new("gcc").arg("--version")).unwrap_or_default();
    let fragment = fs::read(fragment()).context("the kernel's configuration")?;
    digest::hash(&[toolchain::rustc_version()?.as_bytes(), compiler.as_bytes(), &fragment])
}
