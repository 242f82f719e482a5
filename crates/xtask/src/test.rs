//! `cargo xtask test`: every check, in stages; a stage that fails doesn't keep the next ones from running.
//!
//! The order of the stages follows the questions of a newcomer: does it build, does it work, is it the same as kmod, does
//! it work on a kernel; then the checks of the source; finally what needs a kernel of our own. `--quick` is for
//! contributors between changes: it boots no machine and downloads only crates.
//!
//! The tests of the tools run the static release binary, the one that users get. Environment variables configure them:
//! `MODUTILS_KMOD` names the binary, `MODUTILS_LIBKMOD` the C library, `MODUTILS_CACHE` the cache, `MODUTILS_FULL=1`
//! requests every module tree completely, `MODUTILS_MISSING` names the list of what is unavailable, and
//! `MODUTILS_SKIPPED` the file in which tests record that they were skipped, see `testkit::cache`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::cache::Cache;
use crate::materials::Materials;
use crate::mirror::{self, Unavailable};
use crate::packages::{
    self, CURL, CXX, FISH, GZIP, JSONSCHEMA, OPENSSL, PYTHON, QEMU, READELF, TMPFILES, VALGRIND, XZ, ZSH,
    ZSTD,
};
use crate::stages::{Count, Stages};
use crate::{
    agree, binary, cargo, consumers, features, fuzz, kernel, libkmod, man, outside, packaging, process,
    recipes, scenarios, surface, system, tour, vm, workspace,
};

/// The options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Use every module tree completely instead of one tree and samples of the others, run the packaging scripts and the
    /// fuzz targets, build with a packager's variables; a test that would be skipped fails
    #[arg(long)]
    full: bool,
    /// Only what needs no virtual machine and no download except crates; lists what it omits
    #[arg(long, conflicts_with = "full")]
    quick: bool,
}

/// The programs that the tests call, besides those for building.
const PROGRAMS: [packages::Program; 14] =
    [CURL, CXX, QEMU, READELF, OPENSSL, XZ, ZSTD, GZIP, PYTHON, JSONSCHEMA, FISH, ZSH, TMPFILES, VALGRIND];

/// The stage that checks what other crates can use of the library.
const SURFACE: &str = "the library's public surface";
const AGREEMENT: &str = "verdicts of kmod check beside real loads";

/// Runs all stages and ends with a line that counts the tests.
///
/// # Errors
/// When a stage failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.quick { quick() } else { run_all_stages(options.full) }
}

fn run_all_stages(full: bool) -> Result<()> {
    let cache = Cache::open()?;
    let mut stages = Stages::new(full);
    announce_kernel_build(&cache);
    stages.check("programs and parts of the toolchain", || {
        packages::need(&PROGRAMS)?;
        packages::need_components(&["rustfmt", "clippy"])
    });
    stages.check("formatting", formatting);
    let binary = stages.value("the static binary", binary::build_static);
    let library = stages.value("the C library", libkmod::build);
    let materials = Materials::gather(&cache, &mut stages)?;
    let tests = Tests { binary: binary.as_deref(), library: library.as_deref(), materials: &materials, full };
    stages.check("compiling the tests", compile_tests);
    // They are the most useful stage if there is no binary to test.
    stages.tests("unit tests", || tests.run_units());
    match &library {
        Some(_) => stages.tests("the C library beside the packaged one", || {
            libkmod::counting_calls(|variable| tests.run(&["--test", "libkmod"], &[variable]))
        }),
        None => stages.not_run("the C library beside the packaged one", "there is no C library"),
    }
    match &binary {
        Some(binary) => {
            stages.tests("tool tests", || tests.run_of("tool"));
            stages.tests("compliance tests", || tests.run_of("compliance"));
            stages.tests("scenarios in QEMU", || Ok(vm::run_stock(&cache, binary, &materials)?.into()));
            if !full {
                stages.tests(AGREEMENT, || agree::stage(&cache, binary, false));
            }
            match materials.missing_of(&tour::NEEDS) {
                None => stages.check("the README's tour", || tour::check(&cache, binary)),
                Some(missing) => stages.not_run("the README's tour", &missing.sentence()),
            }
            stages.tests("damaged files", || {
                let runs = if full { "5000" } else { "300" };
                tests.run(&["--test", "damage"], &[("MODUTILS_DAMAGE_RUNS", runs)])
            });
        }
        None => {
            for stage in
                ["tool tests", "compliance tests", "scenarios in QEMU", "the README's tour", "damaged files"]
            {
                stages.not_run(stage, "there is no static binary");
            }
        }
    }
    stages.check(SURFACE, surface::check);
    match materials.missing_of(&[outside::TREE]) {
        None => stages.check("a crate outside of the workspace", || outside::run(&cache)),
        Some(missing) => stages.not_run("a crate outside of the workspace", &missing.sentence()),
    }
    stages.check("clippy", || {
        clippy()?;
        // The fuzz targets are a separate workspace, and must follow the library.
        let mut fuzz = cargo::command();
        fuzz.args(["clippy", "--locked", "--manifest-path", "tests/fuzz/Cargo.toml"]);
        cargo::check("clippy", fuzz.args(["--target-dir", "target/fuzz", "--", "--deny", "warnings"]))
    });
    stages.check("the library's features, each alone", features::lint);
    stages.check("documentation", documentation);
    stages.check("manual pages", man::check);
    with_rust(&cache, binary.as_deref(), &materials, &mut stages);
    if full {
        stages.tests("the library's tests with each feature alone", || {
            let (passed, failed) = features::test()?;
            Ok(Count { passed, failed, ..Count::default() })
        });
        stages.check("the static binary with a packager's variables", binary::with_variables);
        match (&library, &binary) {
            (Some(library), Some(binary)) => stages.tests("packaging", || {
                Ok(packaging::run_all(&cache, &system::UnderTest { library, binary })?.into())
            }),
            _ => stages.not_run("packaging", "there is no static binary, or no C library"),
        }
        const RECIPES: &str = "packagers' recipes, and everything built twice";
        match (&library, &binary) {
            (Some(library), Some(binary)) => stages.tests(RECIPES, || {
                Ok(recipes::check(&cache, &system::UnderTest { library, binary }, None).into())
            }),
            _ => stages.not_run(RECIPES, "there is no static binary, or no C library"),
        }
        match &binary {
            Some(binary) => stages.tests(AGREEMENT, || agree::stage(&cache, binary, true)),
            None => stages.not_run(AGREEMENT, "there is no static binary"),
        }
        match (&library, &binary) {
            (Some(library), Some(binary)) => stages.check("programs that use the C library", || {
                consumers::compare(&cache, library, binary, true).map(drop)
            }),
            _ => stages.not_run("programs that use the C library", "there is no C library"),
        }
        const MUSL: &str = "the C library for musl";
        const BOOTED: &str = "Debian booted with the C library";
        match &library {
            Some(library) => stages.check(MUSL, || libkmod::compare_musl(library)),
            None => stages.not_run(MUSL, "there is no C library"),
        }
        match (&library, &binary) {
            (Some(library), Some(binary)) => {
                let ours = system::UnderTest { library, binary };
                stages.tests(BOOTED, || Ok(system::compare(&cache, &ours, None, false).into()));
            }
            _ => stages.not_run(BOOTED, "there is no C library, or no static binary"),
        }
        const REPLACED: &str = "Debian booted without C kmod";
        match (&library, &binary) {
            (Some(library), Some(binary)) => {
                let ours = system::UnderTest { library, binary };
                stages.tests(REPLACED, || {
                    Ok(system::replaced::compare(&cache, &ours, |_, _| true, false).into())
                });
            }
            _ => stages.not_run(REPLACED, "there is no C library, or no static binary"),
        }
        stages.tests("fuzz targets, half a minute each", || {
            let (passed, failed) = fuzz::smoke()?;
            Ok(Count { passed, failed, ..Count::default() })
        });
    }
    stages.finish(Some(&cache))
}

/// Prints a notice about the long build if the cache has no kernel with Rust.
fn announce_kernel_build(cache: &Cache) {
    if let Ok(None) = kernel::cached(cache) {
        println!(
            "No kernel with Rust is cached: building one takes 5 to 15 minutes of this run, at its end. \
             `cargo xtask test --quick` does without virtual machines and downloads."
        );
    }
}

/// The kernel with Rust and the scenarios that run on it.
fn with_rust(cache: &Cache, binary: Option<&Path>, materials: &Materials, stages: &mut Stages) {
    const KERNEL: &str = "the kernel with Rust";
    const SCENARIOS: &str = "scenarios with the companion modules";
    let Some(binary) = binary else { return stages.not_run(SCENARIOS, "there is no static binary") };
    let mut absent = None;
    let kernel = stages.value(KERNEL, || match kernel::provide(cache) {
        Err(error) if error.is::<Unavailable>() => {
            let cause = mirror::cause(&error);
            println!("      unavailable: {cause}");
            absent = Some(cause);
            Ok(None)
        }
        result => result.map(Some),
    });
    match (kernel, absent) {
        (Some(Some(_)), _) => {
            stages.tests(SCENARIOS, || Ok(vm::run_rust(cache, binary, materials)?.into()));
        }
        (_, Some(cause)) => {
            stages.tests(SCENARIOS, || {
                Ok(scenarios::ScenarioResult::all_skipped(&vm::names_on_rust()?, &cause).into())
            });
        }
        (_, None) => stages.not_run(SCENARIOS, "the kernel could not be built"),
    }
}

/// The quick run for contributors.
fn quick() -> Result<()> {
    let cache = Cache::open()?;
    let mut stages = Stages::new(false);
    let materials = Materials::cached(&cache)?;
    let absent = PROGRAMS.iter().filter(|program| process::which(program.name).is_none());
    let absent: Vec<&str> = absent.map(|program| program.name).filter(|name| *name != QEMU.name).collect();
    let has_rustfmt = packages::has_component("rustfmt");
    let has_clippy = packages::has_component("clippy");
    if has_rustfmt {
        stages.check("formatting", formatting);
    }
    // With the same selection of packages as the tests: for the tools only, cargo would compile dependencies again.
    let binary = stages.value("compiling the tests and an unoptimised binary", || {
        compile_tests()?;
        cargo::check("binaries", cargo::command().args(["build", "--workspace", "--bins"]))?;
        Ok(cargo::target_directory().join("debug/kmod"))
    });
    let tests = Tests { binary: binary.as_deref(), library: None, materials: &materials, full: false };
    let lacking = if !absent.is_empty() {
        Some(format!("not installed: {} (`cargo xtask test` installs them)", absent.join(", ")))
    } else if materials.missing_of(&["kmod34"]).is_some() {
        Some(
            "the packaged kmod is not in the cache (`cargo xtask fetch kmod34` fetches it, 12 MB)".to_owned(),
        )
    } else {
        None
    };
    match lacking {
        None => {
            stages.tests("unit tests", || tests.run_units());
            stages.tests("tool tests, on an unoptimised binary", || tests.run_of("tool"));
        }
        Some(cause) => {
            stages.tests("unit tests of library and tools", || {
                tests.run(&["--lib", "--bins", "--exclude", "testkit", "--exclude", "modutils-tests"], &[])
            });
            stages.omit("unit tests of testkit, tool tests", &cause);
        }
    }
    stages.check(SURFACE, surface::check);
    if has_clippy {
        stages.check("clippy", clippy);
    }
    stages.check("documentation", documentation);
    for (name, is_there) in [("rustfmt", has_rustfmt), ("clippy", has_clippy)] {
        if !is_there {
            stages.omit(name, "not installed (`cargo xtask test` adds it)");
        }
    }
    stages.omit("compliance tests", "minutes, on module trees (`cargo test --workspace --test compliance`)");
    stages.omit(
        "the C library beside the packaged one",
        "a minute for building it (`cargo test --workspace --test libkmod`)",
    );
    stages.omit("damaged files", "a minute (`cargo test --workspace --test damage`)");
    stages.omit("scenarios in QEMU, the README's tour", "`cargo xtask vm`, `cargo xtask tour`");
    stages.omit(AGREEMENT, "`cargo xtask agree`");
    stages.omit(
        "the static binary, clippy of the fuzz targets and of each feature alone, manual pages",
        "`cargo xtask test`",
    );
    stages.finish(None)
}

/// `cargo test` with the available materials.
struct Tests<'a> {
    binary: Option<&'a Path>,
    library: Option<&'a Path>,
    materials: &'a Materials<'a>,
    full: bool,
}

impl Tests<'_> {
    /// Runs one of the test programs of `tests/`.
    fn run_of(&self, program: &str) -> Result<Count> {
        self.run(&["--test", program], &[])
    }

    /// Runs the unit tests in the sources, and those in the documentation.
    fn run_units(&self) -> Result<Count> {
        let mut arguments = vec!["--lib".to_owned(), "--bins".to_owned()];
        for program in cargo::test_programs_outside_of("modutils-tests")? {
            arguments.extend(["--test".to_owned(), program]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut count = self.run(&arguments, &[])?;
        let Count { passed, failed, skipped, partly } = self.run(&["--doc"], &[])?;
        count.passed += passed;
        count.failed += failed;
        count.skipped.extend(skipped);
        count.partly.extend(partly);
        Ok(count)
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Count> {
        let mut command = cargo::command();
        // Always the whole workspace: for a part of it, cargo would compile dependencies again with other features.
        command.args(["test", "--workspace"]).args(arguments).envs(variables.iter().copied());
        command.env("MODUTILS_CACHE", self.materials.cache().root());
        if let Some(binary) = self.binary {
            command.env("MODUTILS_KMOD", binary);
        }
        if let Some(library) = self.library {
            command.env("MODUTILS_LIBKMOD", library);
        }
        if self.full {
            command.env("MODUTILS_FULL", "1");
        }
        let skipped = tempfile::NamedTempFile::new()?;
        command.env("MODUTILS_MISSING", self.materials.list()).env("MODUTILS_SKIPPED", skipped.path());
        let (passed, failed) = cargo::libtest(&mut command)?;
        let mut count = Count { passed, failed, ..Count::default() };
        count.count_skipped(&std::fs::read_to_string(skipped.path()).context("the skipped tests")?);
        Ok(count)
    }
}

fn compile_tests() -> Result<()> {
    cargo::check("tests", cargo::command().args(["test", "--workspace", "--no-run"]))
}

fn formatting() -> Result<()> {
    cargo::check("fmt", cargo::command().args(["fmt", "--all", "--check"]))?;
    // The fuzz targets are a separate workspace.
    let manifest: PathBuf = workspace::root().join("tests/fuzz/Cargo.toml");
    cargo::check("fmt", cargo::command().args(["fmt", "--check", "--manifest-path"]).arg(manifest))
}

fn clippy() -> Result<()> {
    let lint = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    cargo::check("clippy", cargo::command().args(lint))
}

fn documentation() -> Result<()> {
    // The library without features first: what is left to be read has them all.
    for of in [&["--package", "modutils", "--no-default-features"][..], &["--workspace"]] {
        let mut doc: Command = cargo::command();
        doc.args(["doc", "--no-deps"]).args(of).env("RUSTDOCFLAGS", "--deny warnings");
        cargo::check("doc", &mut doc)?;
    }
    Ok(())
}
