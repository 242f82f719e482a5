//! What building a kernel with Rust needs besides the Rust toolchain of this project.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::mirror::Unavailable;
use crate::packages::{self, Program, XZ, ZSTD};
use crate::process;

/// The programs, and the headers and libraries, which are named by their path.
const NEEDED: [Program; 14] = [
    Program { name: "gcc", package: "gcc" },
    Program { name: "make", package: "make" },
    Program { name: "ld", package: "binutils" },
    Program { name: "flex", package: "flex" },
    Program { name: "bison", package: "bison" },
    Program { name: "bc", package: "bc" },
    Program { name: "cpio", package: "cpio" },
    Program { name: "depmod", package: "kmod" },
    Program { name: "/usr/include/stdio.h", package: "libc6-dev" },
    Program { name: "/usr/include/libelf.h", package: "libelf-dev" },
    Program { name: "/usr/include/elfutils/libdw.h", package: "libdw-dev" },
    Program { name: "/usr/include/openssl/ssl.h", package: "libssl-dev" },
    XZ,
    ZSTD,
];

/// The library that bindgen loads; neither clang itself nor its headers are needed.
const LIBCLANG: Program =
    Program { name: "/usr/lib/x86_64-linux-gnu/libclang-19.so.19", package: "libclang1-19" };

/// The version of bindgen that the kernel's documentation and this Rust support.
const BINDGEN: &str = "0.73.2";

/// Installs what is missing and returns the directory that has bindgen.
///
/// # Errors
/// When something is missing and cannot be installed; the message shows how to install it.
pub(super) fn need(cache: &Cache) -> Result<PathBuf> {
    packages::need(&NEEDED)?;
    need_libclang()?;
    need_core_source()?;
    bindgen(cache)
}

/// Installs the library that bindgen loads, if there is none.
///
/// # Errors
/// As [`need`].
pub(crate) fn need_libclang() -> Result<()> {
    if has_libclang() { Ok(()) } else { packages::need(&[LIBCLANG]) }
}

/// Installs what building a module against an existing kernel needs, which is less.
///
/// # Errors
/// As [`need`].
pub(super) fn need_for_modules() -> Result<()> {
    packages::need(&NEEDED[..3])?;
    packages::need(&[Program { name: "/usr/include/stdio.h", package: "libc6-dev" }])
}

/// The version that `rustc` prints. Modules and kernel must be built by the same version.
///
/// # Errors
/// When there is no `rustc`.
pub(super) fn rustc_version() -> Result<String> {
    process::output(Command::new("rustc").args(["--version", "--verbose"]))
}

/// Whether a libclang is where bindgen searches. The C++ library `libclang-cpp` does not count.
fn has_libclang() -> bool {
    let list = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let llvm = list.filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"));
    let dirs = llvm.map(|entry| entry.path().join("lib")).chain(["/usr/lib/x86_64-linux-gnu".into()]);
    let files = dirs.flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten());
    let is_libclang = |name: &str| {
        let rest = name.strip_prefix("libclang");
        rest.is_some_and(|rest| rest.starts_with(".so") || rest.starts_with("-1") || rest.starts_with("-2"))
    };
    std::env::var_os("LIBCLANG_PATH").is_some()
        || files.map(|file| file.file_name()).any(|name| is_libclang(&name.to_string_lossy()))
}

/// Adds the sources of Rust's `core`, which the kernel compiles with its own flags.
fn need_core_source() -> Result<()> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let core = PathBuf::from(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if core.is_file() {
        return Ok(());
    }
    if process::which("rustup").is_none() {
        bail!(
            "{} is missing: install the sources of Rust's standard library (`rustup component add rust-src`, \
             or your distribution's package, rust-src)",
            core.display()
        );
    }
    eprintln!("rustup: adding the component rust-src");
    packages::rustup(&["component", "add", "rust-src"]).map_err(|error| Unavailable::new(&error).into())
}

/// Builds bindgen into the cache with little optimisation: it runs half as fast, but builds in a third of the time.
fn bindgen(cache: &Cache) -> Result<PathBuf> {
    let entry = cache.provide(&format!("tools/bindgen-{BINDGEN}"), |draft| {
        eprintln!("kernel: building bindgen {BINDGEN}, about a minute");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["install", "bindgen-cli", "--locked", "--quiet", "--version", BINDGEN])
            .args(["--no-default-features", "--features", "runtime", "--root"])
            .arg(draft)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env_remove("CARGO_TARGET_DIR");
        process::run(&mut cargo).context("the kernel's build needs bindgen, which comes from crates.io")
    })?;
    Ok(entry.join("bin"))
}
