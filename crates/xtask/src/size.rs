//! `cargo xtask size`: how large the static binary is, what each of its features weighs, and what it is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::binary::{self, MOST_BYTES, Target};
use crate::packages::{self, MUSL_GCC, NM};
use crate::{cargo, process};

/// The most that the tools alone may take, in bytes: 3.0 MiB.
const MOST_BYTES_OF_TOOLS: u64 = 3 << 20;

/// The features of the binary in each build that is measured, after what the build is called.
const BUILDS: [(&str, &str); 4] = [
    ("the tools alone", ""),
    ("without `closure`", "commands,diagnose"),
    ("without `commands`", "closure,diagnose"),
    ("without `diagnose`", "closure,commands"),
];

/// What functions of C belong to, by the beginning of their names.
const PARTS_IN_C: [(&str, &[&str]); 4] = [
    ("zstd", &["ZSTD", "HUF", "FSE", "HIST", "XXH"]),
    ("xz", &["lzma", "crc32_", "crc64_", "transform"]),
    ("libdeflate", &["libdeflate", "deflate", "build_decode_table"]),
    ("mimalloc", &["mi_", "_mi"]),
];

/// Builds the static binary with all features, with each left out, and with none; prints a table, and what the functions
/// of the whole binary belong to.
///
/// # Errors
/// When a build fails, or is larger than it may be.
pub(crate) fn run() -> Result<()> {
    packages::need(&[NM])?;
    let whole = bytes(&binary::build_static()?)?;
    println!("| build | MiB | less |\n|---|---|---|");
    println!("| everything | {} | |", mebibytes(whole));
    let mut tools = 0;
    for (name, features) in BUILDS {
        let mut build = command("build")?;
        build.args(["--no-default-features", "--features", features]);
        cargo::check("the static binary", &mut build)?;
        let size = bytes(&built())?;
        println!("| {name} | {} | {} |", mebibytes(size), mebibytes(whole.saturating_sub(size)));
        if features.is_empty() {
            tools = size;
        }
    }
    println!("\n| part | KiB |\n|---|---|");
    for (size, part) in parts()? {
        println!("| {part} | {} |", size >> 10);
    }
    match (whole, tools) {
        (whole, _) if whole > MOST_BYTES => bail!("everything takes {whole} bytes, more than {MOST_BYTES}"),
        (_, tools) if tools > MOST_BYTES_OF_TOOLS => {
            bail!("the tools alone take {tools} bytes, more than {MOST_BYTES_OF_TOOLS}")
        }
        _ => Ok(()),
    }
}

/// A command of cargo for the static binary.
fn command(name: &str) -> Result<Command> {
    let mut cargo = cargo::command();
    cargo.args([name, "--release", "--package", "kmod", "--bin", "kmod", "--target", Target::Amd64.triple()]);
    Target::Amd64.prepare(&mut cargo)?;
    Ok(cargo)
}

fn built() -> PathBuf {
    cargo::target_directory().join(Target::Amd64.triple()).join("release/kmod")
}

fn bytes(file: &PathBuf) -> Result<u64> {
    Ok(std::fs::metadata(file).with_context(|| file.display().to_string())?.len())
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 20))
}

/// The sizes of the functions in the binary with all features by what they belong to, the largest first.
fn parts() -> Result<Vec<(u64, String)>> {
    packages::need(&[MUSL_GCC])?;
    let mut build = command("rustc")?;
    // Of the two settings the last one counts.
    cargo::check("the binary with symbols", build.args(["--", "-C", "strip=none"]))?;
    let symbols = process::output(Command::new("nm").args(["--print-size", "--demangle"]).arg(built()))?;
    let mut parts: BTreeMap<String, u64> = BTreeMap::new();
    for (size, name) in symbols.lines().filter_map(function) {
        *parts.entry(part(name)).or_default() += size;
    }
    // The next build of the binary is without symbols again.
    binary::build_static()?;
    let mut parts: Vec<_> = parts.into_iter().map(|(part, size)| (size, part)).collect();
    parts.sort_unstable_by(|one, other| other.cmp(one));
    Ok(parts.into_iter().filter(|(size, _)| *size >= 8 << 10).collect())
}

/// The size and the name in a line of nm(1), if it is a function's.
fn function(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.splitn(4, ' ');
    let (_, size) = (fields.next()?, fields.next()?);
    fields.next().filter(|kind| kind.eq_ignore_ascii_case("t") || kind.eq_ignore_ascii_case("w"))?;
    Some((u64::from_str_radix(size, 16).ok()?, fields.next()?))
}

/// What a function belongs to: its crate, or for `<Type as Trait>::function` that of the type.
fn part(name: &str) -> String {
    let path = name.trim_start_matches(['<', '&', '(', '[', '*']);
    let path = ["mut ", "dyn ", "const "].iter().find_map(|word| path.strip_prefix(word)).unwrap_or(path);
    let is_rust = |krate: &&str| krate.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if let Some(krate) = path.split_once("::").map(|(krate, _)| krate).filter(is_rust) {
        return format!("`{krate}`");
    }
    let in_c = PARTS_IN_C.iter().find(|(_, starts)| starts.iter().any(|start| name.starts_with(start)));
    in_c.map_or("the C library, and what is not known", |(part, _)| part).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_their_crate_or_library() {
        for (line, size, owner) in [
            ("0000000000001000 0000000000000010 t core::fmt::write", 16, "`core`"),
            ("0000000000001000 00000000000000ff T <&mut kmod::report::Report as X>::y", 255, "`kmod`"),
            ("0000000000001000 0000000000000001 t ZSTD_decompress", 1, "zstd"),
            ("0000000000001000 0000000000000001 W memcpy", 1, "the C library, and what is not known"),
        ] {
            let (found, name) = function(line).unwrap();
            assert_eq!((found, part(name).as_str()), (size, owner));
        }
        assert_eq!(function("0000000000001000 0000000000000010 r SOME_DATA"), None);
        assert_eq!(function("                 U main"), None);
    }
}
