//! `cargo xtask libkmod`: the C library libkmod.so.2, made of the crate `libkmod`.
//!
//! rustc makes an archive, and the C compiler a shared object of that. rustc's own way to a shared object passes a
//! version script of its own to the linker, which hides the version nodes of ours without any error.

mod calls;
mod musl;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::packages::{self, READELF};
use crate::stages::Count;
use crate::{cargo, process, workspace};

/// The options of `cargo xtask libkmod`.
#[derive(Args)]
pub(crate) struct Options {
    /// The profile of cargo to build with: `dev` is for tests, and is not checked for its size
    #[arg(long, default_value = RELEASE)]
    profile: String,
    /// Also build it for musl, and compare what both print
    #[arg(long)]
    musl: bool,
    /// Also run the tests that compare it with the packaged one, and print how often they called each function
    #[arg(long)]
    compare: bool,
}

/// The profile of what is installed.
const RELEASE: &str = "libkmod";
/// The name that programs are linked with.
pub(crate) const SONAME: &str = "libkmod.so.2";
/// The name of the file. The peer's has that number, and packages look for it.
pub(crate) const FILE: &str = "libkmod.so.2.5.1";
/// The name for the linker of programs.
pub(crate) const LINK: &str = "libkmod.so";
/// More bytes than the file may have: it is in initramfs images.
const SIZE: u64 = 1_200_000;
/// The newest version of glibc that the file may need, which is of 2022.
pub(crate) const GLIBC: (u32, u32) = (2, 35);

/// Builds and checks the library, and prints where it is.
///
/// # Errors
/// When that fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let library = build_with(&options.profile)?;
    println!("{}  {} bytes", library.display(), fs::metadata(&library)?.len());
    if options.musl {
        let musl = musl::build(&library)?;
        println!("{}  {} bytes", musl.display(), fs::metadata(&musl)?.len());
    }
    if options.compare {
        let Count { passed, failed, .. } = counting_calls(|variable| {
            let mut tests = cargo::command();
            tests.args(["test", "--workspace", "--test", "libkmod"]).envs([variable]);
            // Of a library that they are given they expect what it costs when optimised.
            if options.profile == RELEASE {
                tests.env("MODUTILS_LIBKMOD", &library);
            }
            let (passed, failed) = cargo::libtest(&mut tests)?;
            Ok(Count { passed, failed, ..Count::default() })
        })?;
        println!("{passed} passed, {failed} failed");
        if failed > 0 {
            bail!("{failed} failed");
        }
    }
    Ok(())
}

/// Builds the library for musl and compares it with the one for glibc.
///
/// # Errors
/// When it cannot be built, or prints something else.
pub(crate) fn compare_musl(glibc: &Path) -> Result<()> {
    musl::build(glibc).map(drop)
}

/// Runs the tests that compare it with the packaged one, with the variable by which they count, and prints how often they
/// called each function. One that they never called is a failure.
///
/// # Errors
/// When the tests cannot be run.
pub(crate) fn counting_calls(tests: impl FnOnce((&str, &str)) -> Result<Count>) -> Result<Count> {
    let file = tempfile::NamedTempFile::new()?;
    let mut count = tests(("MODUTILS_LIBKMOD_CALLS", &file.path().to_string_lossy()))?;
    let calls = calls::Calls::parse(&fs::read_to_string(file.path())?);
    print!("{calls}");
    for name in wanted(&fs::read_to_string(map())?).filter(|name| !calls.has(name)) {
        println!("      {name} was never called");
        count.failed += 1;
    }
    Ok(count)
}

/// Builds and checks the library that is installed.
///
/// # Errors
/// When that fails.
pub(crate) fn build() -> Result<PathBuf> {
    build_with(RELEASE)
}

fn build_with(profile: &str) -> Result<PathBuf> {
    packages::need(&[READELF])?;
    let mut archive = cargo::command();
    archive.args([
        "rustc",
        "--package",
        "libkmod",
        "--lib",
        "--crate-type",
        "staticlib",
        "--profile",
        profile,
    ]);
    if profile == RELEASE {
        cargo::reproducible::prepare(&mut archive, &cargo::reproducible::host()?, "")?;
    }
    cargo::check("the archive of libkmod", &mut archive)?;
    let directory = cargo::target_directory().join(if profile == "dev" { "debug" } else { profile });
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let archive = directory.join("libkmod_c.a");
    let library = link_with(&compiler, &[archive], &directory.join("shared"), profile == RELEASE)?;
    check(&library)?;
    let size = fs::metadata(&library)?.len();
    if profile == RELEASE && size > SIZE {
        bail!("{} has {size} bytes, more than {SIZE}", library.display());
    }
    Ok(library)
}

/// Makes the library of an archive that was built elsewhere as [`build`] does it.
///
/// # Errors
/// When the linker fails.
pub(crate) fn link_release(archive: &Path, directory: &Path) -> Result<PathBuf> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    link_with(&compiler, &[archive.to_owned()], directory, true)
}

/// Makes a shared object of the first archive, with what it needs of the others, and the links by which the loader and
/// the linker find it.
fn link_with(compiler: &str, archives: &[PathBuf], directory: &Path, strip: bool) -> Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let (archive, others) = archives.split_first().context("an archive")?;
    // A process may have the old one mapped.
    let draft = directory.join("draft");
    let mut linker = Command::new(compiler);
    linker.args(["-shared", "-static-libgcc", "-o"]).arg(&draft);
    linker.arg("-Wl,--whole-archive").arg(archive).arg("-Wl,--no-whole-archive").args(others);
    linker.arg("-Wl,--gc-sections");
    let script = map().display().to_string();
    linker.arg(format!("-Wl,--version-script={script}")).arg(format!("-Wl,-soname,{SONAME}"));
    linker.args(["-Wl,-z,defs", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack", "-Wl,--as-needed", "-lm"]);
    if strip {
        linker.arg("-Wl,--strip-all");
    }
    process::run(&mut linker)?;
    let library = directory.join(FILE);
    fs::rename(&draft, &library)?;
    for (name, target) in [(SONAME, FILE), (LINK, SONAME)] {
        let link = directory.join(name);
        let _ = fs::remove_file(&link);
        symlink(target, link)?;
    }
    Ok(library)
}

/// The version script, which is the list of what is exported.
fn map() -> PathBuf {
    workspace::root().join("crates/libkmod/libkmod.map")
}

/// Checks what a shared object exports and needs.
fn check(library: &Path) -> Result<()> {
    let readelf = |option| process::output(Command::new("readelf").args(["--wide", option]).arg(library));
    let (symbols, dynamic) = (readelf("--dyn-syms")?, readelf("--dynamic")?);
    let exported: BTreeSet<String> = exported(&symbols).collect();
    let wanted: BTreeSet<String> = wanted(&fs::read_to_string(map())?).collect();
    let differences: Vec<&String> = exported.symmetric_difference(&wanted).collect();
    if !differences.is_empty() || wanted.len() != 75 {
        bail!(
            "{} exports other symbols than the {} of its script: {differences:?}",
            library.display(),
            wanted.len()
        );
    }
    if !dynamic.contains(&format!("Library soname: [{SONAME}]")) {
        bail!("{} has another name: {dynamic}", library.display());
    }
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    for line in needed {
        if !["[libc.so", "[libm.so", "[ld-linux", "[libc.musl"].iter().any(|ours| line.contains(ours)) {
            bail!("{} needs another library: {line}", library.display());
        }
    }
    if let Some(newest) = newest_glibc(&symbols)
        && newest > GLIBC
    {
        bail!("{} needs glibc {}.{}", library.display(), newest.0, newest.1);
    }
    Ok(())
}

/// `NAME@NODE` for each defined function of readelf's table.
fn exported(symbols: &str) -> impl Iterator<Item = String> {
    symbols.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[_, _, _, kind, _, _, section, name, ..] = words.as_slice() else { return None };
        let is_node = kind == "OBJECT" && section == "ABS";
        (section != "UND" && section != "Ndx" && !is_node).then(|| name.replace("@@", "@"))
    })
}

/// `NAME@NODE` for each symbol of a version script.
fn wanted(script: &str) -> impl Iterator<Item = String> {
    let mut node = "";
    script.lines().filter_map(move |line| {
        let word = line.trim();
        if line.starts_with("LIBKMOD_") {
            node = word.split_whitespace().next().unwrap_or_default();
        }
        let name = word.strip_suffix(';').filter(|name| name.starts_with("kmod_"))?;
        Some(format!("{name}@{node}"))
    })
}

/// The newest version of glibc among the symbols that are needed.
fn newest_glibc(symbols: &str) -> Option<(u32, u32)> {
    let versions = symbols.split("@GLIBC_").skip(1).filter_map(|rest| {
        let version: String = rest.chars().take_while(|byte| byte.is_ascii_digit() || *byte == '.').collect();
        let mut numbers = version.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    versions.max()
}

/// The header.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn header() -> Result<Vec<u8>> {
    fs::read(workspace::root().join("crates/libkmod/include/libkmod.h")).context("libkmod.h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_read_with_their_nodes() {
        let table = "Symbol table\n   Num:    Value          Size Type    Bind   Vis      Ndx Name\n\
            1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND malloc@GLIBC_2.2.5 (2)\n\
            2: 0000000000000000     0 FUNC    WEAK   DEFAULT  UND statx@GLIBC_2.28 (3)\n\
            9: 0000000000000000     0 OBJECT  GLOBAL DEFAULT  ABS LIBKMOD_5\n\
            10: 000000000000a7b0   201 FUNC    GLOBAL DEFAULT   12 kmod_new@@LIBKMOD_5\n\
            11: 000000000000a7b0   201 FUNC    GLOBAL DEFAULT   12 stray\n";
        assert_eq!(exported(table).collect::<Vec<_>>(), ["kmod_new@LIBKMOD_5", "stray"]);
        assert_eq!(newest_glibc(table), Some((2, 28)));
        let script =
            "LIBKMOD_5 {\nglobal:\n\tkmod_new;\nlocal:\n\t*;\n};\n\nLIBKMOD_6 {\n\tkmod_x;\n} LIBKMOD_5;\n";
        assert_eq!(wanted(script).collect::<Vec<_>>(), ["kmod_new@LIBKMOD_5", "kmod_x@LIBKMOD_6"]);
    }
}
