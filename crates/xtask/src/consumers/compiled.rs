//! Programs compiled with our `libkmod.h` and `libkmod.pc`: lspci, dracut-install and stress-ng from Debian's source
//! packages, a client through cgo, and one through the binding crates of Rust's registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::install::{self, Places};
use crate::packages::{self, DEBOOTSTRAP, UNSHARE};
use crate::{cargo, kernel, libkmod, mirror, process, workspace};

/// What compiles them, in a root of Debian 13.
const COMPILERS: &str = "gcc,libc6-dev,make,pkgconf,dpkg-dev,golang-go,libudev-dev,zlib1g-dev";
/// The last one may be missing in a mirror: its packaged binary runs as well, see `cargo xtask system`.
const SOURCES: [&str; 3] = ["pciutils", "dracut", "stress-ng"];
/// What a new compilation depends on.
const INPUTS: [&str; 7] = [
    "crates/libkmod/include/libkmod.h",
    "crates/libkmod/libkmod.map",
    "crates/xtask/src/install.rs",
    "integration/consumers/compile.sh",
    "integration/consumers/sources.sh",
    "integration/consumers/go/main.go",
    "integration/consumers/go/go.mod",
];

/// The directory with the programs of [`SOURCES`] and the client through cgo, from the cache or compiled now.
///
/// # Errors
/// When a package is unavailable, or something does not compile.
pub(crate) fn provide(cache: &Cache, library: &Path) -> Result<PathBuf> {
    let workspace = workspace::root();
    let read = |path: &str| fs::read(workspace.join(path)).with_context(|| path.to_owned());
    let inputs = INPUTS.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let name = format!("consumers/{}", kernel::hash(&inputs)?);
    cache.provide(&name, |draft| {
        packages::need(&[UNSHARE])?;
        let pristine = root(cache)?;
        eprintln!("consumers: compiling {} and a client, minutes", SOURCES.join(", "));
        let directory = tempfile::Builder::new().prefix("compilers").tempdir_in(cache.root())?;
        let root = directory.path().join("root");
        process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&pristine).arg(&root))?;
        let places = Places {
            prefix: "/usr".into(),
            sbindir: None,
            sysconfdir: "/etc".into(),
            libdir: Some("/usr/lib/x86_64-linux-gnu".into()),
        };
        install::install_library(&root, &places, library)?;
        let scripts = workspace.join("integration/consumers");
        fs::copy(scripts.join("compile.sh"), root.join("compile.sh"))?;
        process::run(
            Command::new("cp").arg("--recursive").arg(scripts.join("go")).arg(root.join("go-client")),
        )?;
        let mut inside = Command::new("unshare");
        inside.args(["--mount", "--pid", "--fork", "--kill-child", "chroot"]).arg(&root);
        inside.args(["/bin/sh", "-euc", "mount -t proc proc /proc; sh -eu /compile.sh"]);
        process::output_of(surroundings(&mut inside), Stdio::null())?;
        process::run(Command::new("cp").arg("--recursive").arg(root.join("built")).arg(draft))
    })
}

/// The root with the compilers and the sources, from the cache or made now.
fn root(cache: &Cache) -> Result<PathBuf> {
    cache.provide("roots/compilers", |draft| {
        packages::need(&[DEBOOTSTRAP])?;
        eprintln!("consumers: making a root with compilers, some minutes");
        let (include, site) = (format!("--include={COMPILERS}"), mirror::main_site()?);
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", &include, "trixie"]).arg(draft).arg(&site);
        process::output(&mut debootstrap)?;
        // The mirror is reached with this machine's name servers.
        fs::copy("/etc/resolv.conf", draft.join("etc/resolv.conf")).context("/etc/resolv.conf")?;
        fs::write(draft.join("etc/apt/sources.list"), format!("deb-src {site} trixie main\n"))?;
        let script = draft.join("sources.sh");
        fs::copy(workspace::root().join("integration/consumers/sources.sh"), script)?;
        let mut inside = Command::new("chroot");
        inside.arg(draft).args(["/bin/sh", "-eu", "/sources.sh"]).args(SOURCES);
        eprint!("{}", process::output(surroundings(&mut inside))?);
        Ok(())
    })
}

/// The environment of programs in a root.
fn surroundings(command: &mut Command) -> &mut Command {
    let proxies = ["http_proxy", "https_proxy"];
    command
        .env_clear()
        .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("LC_ALL", "C")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .envs(proxies.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
}

/// The client through the crates `kmod` and `kmod-sys`, built on this machine against our header and library.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn rust_client(library: &Path) -> Result<PathBuf> {
    kernel::need_libclang()?;
    let target = cargo::target_directory().join("consumers");
    // At one place: with other flags, cargo would compile all of it again.
    let directory = target.join("libkmod");
    fs::create_dir_all(&directory)?;
    let directory = fs::canonicalize(directory)?;
    for name in [libkmod::SONAME, libkmod::LINK] {
        let link = directory.join(name);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(fs::canonicalize(library)?, link)?;
    }
    let mut build = cargo::command();
    build.args(["build", "--locked", "--manifest-path", "integration/consumers/rust/Cargo.toml"]);
    build.arg("--target-dir").arg(&target);
    // bindgen reads our header; the machine may have another one. A libclang without clang has no stdarg.h.
    let include = fs::canonicalize(workspace::root().join("crates/libkmod/include"))?;
    let compiler = process::output(Command::new("cc").arg("-print-file-name=include"))?;
    let options = format!("-I{} -isystem {}", include.display(), compiler.trim());
    build.env("BINDGEN_EXTRA_CLANG_ARGS", options);
    build.env("RUSTFLAGS", format!("-Lnative={}", directory.display()));
    cargo::check("a client in Rust", &mut build)?;
    Ok(target.join("debug/libkmod-client"))
}
