//! `cargo xtask vm`: the scenarios on stock Debian kernels, and on the one with Rust and the companion modules.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};

use crate::cache::Cache;
use crate::guest::Tools;
use crate::materials::{BUSYBOX, Materials};
use crate::scenarios::{self, ExtraModules, ScenarioResult, ScenarioRun};
use crate::trees::KernelTree;
use crate::{binary, kernel, minimal, trees, workspace};

/// The trees whose kernels we boot, 6.1 and 6.12: no compression in one, xz in the kernel in the other.
const STOCK: [&str; 2] = ["bookworm-cloud", "trixie-cloud"];

/// The stock kernels and our own, see [`kernel`].
const KERNELS: [&str; 3] = [STOCK[0], STOCK[1], RUST];

/// The packaged kmod that every guest has.
const PACKAGED: &str = "kmod34";

/// How the command line names the kernel with the companion modules.
const RUST: &str = "rust";

/// The options of `cargo xtask vm`.
#[derive(Args)]
pub(crate) struct Options {
    /// Boot only this kernel (default: all)
    #[arg(long, value_parser = KERNELS)]
    kernel: Option<String>,
    /// Whose tools are in /sbin
    #[arg(long, value_enum, default_value_t = ToolsUnderTest::Ours)]
    tools: ToolsUnderTest,
    /// The static binary to test (default: the one that `cargo xtask dist` builds, built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// QEMU's accelerator
    #[arg(long, default_value = "tcg")]
    accelerator: String,
    /// Run only the scenarios whose names contain this
    scenario: Option<String>,
}

/// Whose tools are in the guest's /sbin.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum ToolsUnderTest {
    /// Our static binary
    Ours,
    /// The packaged kmod, to see a difference
    Reference,
}

/// Runs the scenarios and prints how many passed.
///
/// # Errors
/// When one fails, or a guest can't be booted.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    let binary = match (&options.binary, options.tools) {
        (Some(binary), _) => binary.clone(),
        (None, ToolsUnderTest::Ours) => binary::build_static()?,
        (None, ToolsUnderTest::Reference) => PathBuf::new(),
    };
    let tools = || match options.tools {
        ToolsUnderTest::Ours => Tools::Ours(&binary),
        ToolsUnderTest::Reference => Tools::Reference,
    };
    let mut outcomes = Vec::new();
    for kernel in KERNELS.iter().filter(|name| options.kernel.as_deref().is_none_or(|only| only == **name)) {
        outcomes.extend(scenarios_on(
            &cache,
            kernel,
            tools(),
            options.scenario.as_deref(),
            &options.accelerator,
        )?);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    println!("{} scenarios passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        bail!("{failed} scenarios failed");
    }
    Ok(())
}

/// Runs the scenarios of the stock kernels with our tools. If a kernel cannot be run, only its scenarios fail, by name.
///
/// # Errors
/// When the scenarios can't be read.
pub(crate) fn run_stock(cache: &Cache, binary: &Path, materials: &Materials) -> Result<Vec<ScenarioResult>> {
    let mut outcomes = Vec::new();
    let mut present = Vec::new();
    for name in STOCK {
        if let Some(missing) = materials.missing_of(&[name, PACKAGED, BUSYBOX]) {
            let series = format!("{}.0", trees::series(name).context("no such tree")?);
            let names = scenarios::names(&workspace::root(), &series, &Tools::Ours(binary))?;
            outcomes.extend(names.into_iter().map(|name| ScenarioResult::failed(name, &missing.sentence())));
        } else {
            present.push(name);
        }
    }
    let ours = present.into_iter().map(|name| (name, Tools::Ours(binary))).collect();
    outcomes.extend(at_once(cache, ours));
    Ok(outcomes)
}

/// Runs the scenarios of several guests, each in a thread: an emulated machine mostly has one processor.
fn at_once(cache: &Cache, guests: Vec<(&str, Tools)>) -> Vec<ScenarioResult> {
    std::thread::scope(|scope| {
        let running: Vec<_> = guests
            .into_iter()
            .map(|(name, tools)| (name, scope.spawn(move || scenarios_on(cache, name, tools, None, "tcg"))))
            .collect();
        let results = running.into_iter().map(|(name, thread)| {
            let result = thread.join().unwrap_or_else(|_| Err(anyhow!("the thread of the guest panicked")));
            result.unwrap_or_else(|error| vec![ScenarioResult::failed(name, &format!("{error:#}"))])
        });
        results.flatten().collect()
    })
}

/// Runs our tools through the scenarios of the kernel with Rust, building that if it isn't cached; then the packaged
/// kmod, so that a scenario that expects something else than kmod's behaviour is noticed.
///
/// # Errors
/// When the scenarios can't be read. A guest that can't be made or booted is a failed scenario.
pub(crate) fn run_rust(cache: &Cache, binary: &Path, materials: &Materials) -> Result<Vec<ScenarioResult>> {
    if let Some(missing) = materials.missing_of(&[PACKAGED, BUSYBOX]) {
        let failed = |name| ScenarioResult::failed(name, &missing.sentence());
        return Ok(names_on_rust()?.into_iter().map(failed).collect());
    }
    Ok(at_once(cache, vec![(RUST, Tools::Ours(binary)), (RUST, Tools::Reference)]))
}

/// The names of the scenarios of the kernel with Rust, for our tools and for the packaged ones.
///
/// # Errors
/// When the scenarios can't be read.
pub(crate) fn names_on_rust() -> Result<Vec<String>> {
    let names = |tools: Tools| scenarios::names(&workspace::root(), RUST, &tools);
    Ok([names(Tools::Ours(Path::new("")))?, names(Tools::Reference)?].concat())
}

fn scenarios_on(
    cache: &Cache,
    name: &str,
    tools: Tools,
    only: Option<&str>,
    accelerator: &str,
) -> Result<Vec<ScenarioResult>> {
    let workspace = workspace::root();
    let run = |tree: &KernelTree, extra: ExtraModules| {
        let whose = if matches!(tools, Tools::Ours(_)) { "our tools" } else { "the packaged kmod" };
        println!("      on {}, {whose}", tree.version);
        scenarios::run(
            cache,
            &ScenarioRun { workspace: &workspace, tree, extra, tools, only, parameters: "", accelerator },
        )
        .with_context(|| format!("the guest with {}", tree.version))
    };
    let tree = |name: &str| trees::provide(cache, name)?.context("no such tree");
    let other = STOCK.iter().rev().find(|other| **other != name).context("two kernels")?;
    let other = tree(other).map_err(|error| format!("{error:#}"));
    let other = other.as_ref().map_err(String::as_str);
    if name == RUST {
        let rust = kernel::provide(cache)?;
        let companions = kernel::companions::provide(cache, &rust)?;
        return run(&rust.tree, ExtraModules::Companions(&companions, other));
    }
    let mut outcomes = Vec::new();
    if let Tools::Ours(binary) = tools
        && only.is_none_or(|part| "minimal-system".contains(part))
    {
        outcomes.push(minimal::run(cache, &tree(name)?, binary)?);
        if only.is_some() {
            return Ok(outcomes);
        }
    }
    if let (Tools::Ours(binary), "trixie-cloud") = (tools, name)
        && only.is_none_or(|part| "closure-system".contains(part))
    {
        // Of the full kernel, whose ext4 is a module.
        outcomes.push(minimal::run_closure(cache, &tree("trixie-amd64")?, binary)?);
        if only.is_some() {
            return Ok(outcomes);
        }
    }
    outcomes.extend(run(&tree(name)?, ExtraModules::Variants(other))?);
    Ok(outcomes)
}
