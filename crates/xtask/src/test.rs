//! `cargo xtask test`: every check, in stages; a stage that fails doesn't keep the next ones from running.
//!
//! The tests of the tools run the static release binary, the one that people get: `MODUTILS_KMOD` names it,
//! `MODUTILS_CACHE` the cache, and `MODUTILS_FULL=1` asks for every module tree whole.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::packages::{self, CXX, FISH, GZIP, JSONSCHEMA, OPENSSL, PYTHON, QEMU, READELF, XZ, ZSH, ZSTD};
use crate::scenarios::Outcome;
use crate::{cargo, dist, fuzz, kernel, man, packaging, reference, tour, trees, vm, workspace};

/// The options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Take every module tree whole instead of one whole and samples of the others, and run the fuzz targets
    #[arg(long)]
    full: bool,
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    passed: usize,
    failed: usize,
}

/// What has been run so far.
#[derive(Default)]
struct Stages {
    total: Count,
    failed: Vec<&'static str>,
}

/// Runs all stages and ends with a line that counts the tests.
///
/// # Errors
/// When a stage failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stages = Stages::default();
    stages.check("programs", || {
        packages::need(&[CXX, QEMU, READELF, OPENSSL, XZ, ZSTD, GZIP, PYTHON, JSONSCHEMA, FISH, ZSH])?;
        packages::need_components(&["rustfmt", "clippy"])
    });
    stages.check("fmt", || {
        cargo::check("fmt", cargo::command().args(["fmt", "--all", "--check"]))?;
        // The fuzz targets are a workspace of their own.
        let manifest = workspace().join("tests/fuzz/Cargo.toml");
        cargo::check("fmt", cargo::command().args(["fmt", "--check", "--manifest-path"]).arg(manifest))
    });
    stages.check("clippy", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        cargo::check("clippy", cargo::command().args(lint))?;
        // The fuzz targets are a workspace of their own, and have to follow the library.
        let mut fuzz = cargo::command();
        fuzz.args(["clippy", "--locked", "--manifest-path", "tests/fuzz/Cargo.toml"]);
        fuzz.args(["--target-dir", "target/fuzz", "--", "--deny", "warnings"]);
        cargo::check("clippy", fuzz.current_dir(workspace()))
    });
    stages.check("doc", || {
        let doc = ["doc", "--workspace", "--no-deps"];
        cargo::check("doc", cargo::command().args(doc).env("RUSTDOCFLAGS", "--deny warnings"))
    });
    stages.check("manual pages", man::check);
    let mut prepared = None;
    stages.check("trees, references and the static binary", || {
        prepared = Some(prepare()?);
        Ok(())
    });
    let tests = |arguments: &[&str]| cargo_test(arguments, prepared.as_ref(), options.full);
    // The unit tests are those that say the most where the others can't run.
    stages.tests("unit tests", || libtest(&mut tests(&["--workspace", "--exclude", "modutils-tests"])));
    if let Some((cache, binary)) = &prepared {
        stages
            .tests("tool tests", || libtest(&mut tests(&["--package", "modutils-tests", "--test", "tool"])));
        stages.tests("damaged files", || {
            let runs = if options.full { "5000" } else { "300" };
            let mut damage = tests(&["--package", "modutils-tests", "--test", "damage"]);
            libtest(damage.env("MODUTILS_DAMAGE_RUNS", runs))
        });
        stages.tests("compliance tests", || {
            libtest(&mut tests(&["--package", "modutils-tests", "--test", "compliance"]))
        });
        stages.tests("scenarios in QEMU", || scenarios(|| vm::run_stock(cache, binary)));
        stages.check("the README's tour", || tour::check(cache, binary));
        stages.check("the kernel with Rust", || kernel::provide(cache).map(drop));
        stages.tests("scenarios with the companion modules", || scenarios(|| vm::run_rust(cache, binary)));
        if options.full {
            stages.tests("packaging", || scenarios(|| packaging::run_all(cache, binary)));
        }
    }
    if options.full {
        stages.tests("fuzz targets, half a minute each", || {
            println!();
            let (passed, failed) = fuzz::smoke()?;
            Ok(Count { passed, failed })
        });
    }
    stages.finish()
}

/// `cargo test`, told where the cache and the binary under test are.
fn cargo_test(arguments: &[&str], prepared: Option<&(Cache, PathBuf)>, full: bool) -> Command {
    let mut command = cargo::command();
    command.arg("test").args(arguments);
    if let Some((cache, binary)) = prepared {
        command.env("MODUTILS_KMOD", binary).env("MODUTILS_CACHE", cache.root());
    }
    if full {
        command.env("MODUTILS_FULL", "1");
    }
    command
}

/// Fetches everything and builds the binary under test.
fn prepare() -> Result<(Cache, PathBuf)> {
    let cache = Cache::open()?;
    for name in trees::names() {
        trees::provide(&cache, name)?;
    }
    for name in reference::names() {
        reference::provide(&cache, name)?;
    }
    Ok((cache, dist::static_binary()?))
}

/// Runs scenarios; each counts as a test.
fn scenarios(run: impl FnOnce() -> Result<Vec<Outcome>>) -> Result<Count> {
    println!();
    let outcomes = run()?;
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    Ok(Count { passed, failed: outcomes.len() - passed })
}

impl Stages {
    /// Runs a stage that is not made of tests.
    fn check(&mut self, name: &'static str, stage: impl FnOnce() -> Result<()>) {
        self.tests(name, || stage().map(|()| Count::default()));
    }

    /// Runs a stage made of tests.
    fn tests(&mut self, name: &'static str, stage: impl FnOnce() -> Result<Count>) {
        print!("{name:44}");
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let result = stage();
        let seconds = start.elapsed().as_secs_f64();
        let count = match &result {
            Ok(count) => *count,
            // A stage that broke counts as one failure: the last line must not say that none failed.
            Err(error) => {
                println!("\n{error:#}");
                Count { passed: 0, failed: 1 }
            }
        };
        self.total.passed += count.passed;
        self.total.failed += count.failed;
        let word = if count.failed == 0 { "ok" } else { "FAILED" };
        let tests = match count.passed + count.failed {
            0 => String::new(),
            _ => format!("  {} passed, {} failed", count.passed, count.failed),
        };
        if count.failed > 0 {
            // What it said stands between its name and here.
            print!("{name:44}");
            self.failed.push(name);
        }
        println!("{seconds:7.1} s  {word}{tests}");
    }

    /// The last line.
    fn finish(self) -> Result<()> {
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{} passed, {} failed", self.total.passed, self.total.failed);
        if self.total.failed > 0 {
            bail!("{} failed", self.failed.join(", "));
        }
        Ok(())
    }
}

/// Runs `cargo test` and counts its tests.
fn libtest(command: &mut Command) -> Result<Count> {
    let (passed, failed) = cargo::libtest(command)?;
    Ok(Count { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_breaks_makes_the_last_line_and_the_exit_say_so() {
        let mut stages = Stages::default();
        stages.tests("fine", || Ok(Count { passed: 2, failed: 0 }));
        stages.check("broken", || bail!("no"));
        assert_eq!(stages.total, Count { passed: 2, failed: 1 });
        assert!(stages.finish().is_err());
    }
}
