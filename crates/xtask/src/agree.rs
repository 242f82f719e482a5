//! `cargo xtask agree`: whether the verdicts of `kmod check` come true.
//!
//! In each of many situations a guest asks `kmod check` first and then loads for real. The matrix of verdict and outcome is
//! printed, and every verdict that is false fails the run: "would load" of what the kernel refuses, "would not load" of
//! what it takes, a cause that is another. An error that the module's own initialisation returns counts as taken.

mod list;
mod report;
mod situation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::guest::{self, Tools};
use crate::initramfs::Initramfs;
use crate::packages::{self, MUSL_GCC};
use crate::qemu::{self, Machine};
use crate::stages::Count;
use crate::trees::{self, KernelTree};
use crate::{binary, busybox, kernel, process, workspace};
use list::List;
use report::{Report, Seen, Verdict};
use situation::{Aim, Situation};

/// The kernels by their trees: 6.1, 6.12, the newest, and ours with Rust.
const KERNELS: [&str; 4] = ["bookworm-cloud", "trixie-cloud", "sid-cloud", "rust"];

/// The kernel whose verdicts a sample prints and that does not decide: a distribution's next one changes every week.
const NOT_DECIDING: &str = "sid-cloud";

/// How many situations of each kernel a sample has, all in one boot.
const SAMPLE: usize = 14;

/// After how many situations a line shows how far a boot is.
const PROGRESS: usize = 20;

/// How many situations share a boot: each takes a second or two under emulation.
const TOGETHER: usize = 110;

/// The options of `cargo xtask agree`.
#[derive(Args)]
pub(crate) struct Options {
    /// Boot only this kernel (default: all)
    #[arg(long, value_parser = KERNELS)]
    kernel: Option<String>,
    /// The binary to test (default: the static one, built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// How many of the kernel's own modules to load
    #[arg(long, default_value_t = 120)]
    modules: usize,
    /// How many seconds a boot may take (default: as many as its situations need under emulation)
    #[arg(long)]
    seconds: Option<u64>,
    /// Print all that was seen in each situation
    #[arg(long)]
    show: bool,
    /// Only the situations whose names contain this, or one of these between commas
    situation: Option<String>,
}

/// Runs it and prints the matrices.
///
/// # Errors
/// When a verdict is false, too many are unknown, or a guest cannot be booted.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    let binary = options.binary.clone().map_or_else(binary::build_static, Ok)?;
    let kernels = KERNELS.iter().filter(|name| options.kernel.as_deref().is_none_or(|only| only == **name));
    let kernels: Vec<&str> = kernels.copied().collect();
    let only = options.situation.as_deref();
    let count = on_kernels(&cache, &kernels, &binary, options.seconds, options.show, |tree, companions| {
        let mut list = List::of(tree, options.modules, companions)?;
        let is_wanted = |name: &str| only.is_none_or(|only| only.split(',').any(|part| name.contains(part)));
        list.situations.retain(|situation| is_wanted(&situation.name));
        Ok(list)
    })?;
    if count.failed > 0 {
        bail!("{} verdicts are false, or too many are unknown", count.failed);
    }
    Ok(())
}

/// All situations on all kernels, or a sample of them on those that are at hand.
///
/// # Errors
/// When a guest cannot be booted.
pub(crate) fn stage(cache: &Cache, binary: &Path, full: bool) -> Result<Count> {
    if full {
        return on_kernels(cache, &KERNELS, binary, None, false, |tree, companions| {
            List::of(tree, 120, companions)
        });
    }
    let is_at_hand = |name: &&str| match *name {
        "rust" => kernel::cached(cache).is_ok_and(|kernel| kernel.is_some()),
        name => cache.root().join("trees").join(name).exists(),
    };
    let (at_hand, absent): (Vec<&str>, Vec<&str>) =
        KERNELS.iter().copied().partition(|name| is_at_hand(name));
    absent.iter().for_each(|name| println!("      {name} is not at hand"));
    on_kernels(cache, &at_hand, binary, Some(300), false, |tree, companions| {
        Ok(List::of(tree, 120, companions)?.sampled(SAMPLE))
    })
}

/// Runs the situations of each kernel, two kernels at a time: a guest has one processor. How many verdicts came true, and
/// how many did not.
fn on_kernels(
    cache: &Cache,
    kernels: &[&str],
    binary: &Path,
    seconds: Option<u64>,
    show: bool,
    list: impl Fn(&KernelTree, Option<&Path>) -> Result<List> + Sync,
) -> Result<Count> {
    let on_kernel = |name: &str| -> Result<(KernelTree, List, Vec<Seen>)> {
        let (tree, companions) = match name {
            "rust" => {
                let kernel = kernel::provide(cache)?;
                let companions = kernel::companions::provide(cache, &kernel)?;
                (kernel.tree, Some(companions))
            }
            name => (trees::provide(cache, name)?.context("no such tree")?, None),
        };
        let list = list(&tree, companions.as_deref())?;
        let seen = on_kernel(cache, &tree, binary, &list, seconds)
            .with_context(|| format!("the guest with {}", tree.version))?;
        Ok((tree, list, seen))
    };
    let mut count = Count::default();
    for pair in kernels.chunks(2) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = pair.iter().map(|name| scope.spawn(|| on_kernel(name))).collect();
            let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined
                .map(|result| result.unwrap_or_else(|_| bail!("the thread of the guest panicked")))
                .collect()
        });
        for (name, result) in pair.iter().zip(results) {
            let (tree, list, seen) = result?;
            let mut matrix = Matrix { show, ..Matrix::default() };
            for situation in &list.situations {
                matrix.add(situation, seen.iter().find(|seen| seen.name == situation.name));
            }
            matrix.print(&tree.version);
            let faults = matrix.faults + usize::from(matrix.has_too_many_unknown());
            match *name == NOT_DECIDING && list.is_sample {
                true if faults > 0 => println!("  {faults} of them do not decide: another kernel next week"),
                true => {}
                false => {
                    count.failed += faults;
                    count.passed += matrix.all - matrix.faults;
                }
            }
        }
    }
    Ok(count)
}

/// Runs the situations of one kernel, and returns what was seen.
fn on_kernel(
    cache: &Cache,
    tree: &KernelTree,
    binary: &Path,
    list: &List,
    seconds: Option<u64>,
) -> Result<Vec<Seen>> {
    let mut boots: BTreeMap<&str, Vec<&Situation>> = BTreeMap::new();
    for situation in &list.situations {
        boots.entry(situation.boot).or_default().push(situation);
    }
    let mut seen = Vec::new();
    for (boot, situations) in boots {
        for together in situations.chunks(TOGETHER) {
            seen.extend(in_one_boot(cache, tree, binary, boot, together, list, seconds)?);
        }
    }
    Ok(seen)
}

fn in_one_boot(
    cache: &Cache,
    tree: &KernelTree,
    binary: &Path,
    boot: &str,
    situations: &[&Situation],
    list: &List,
    seconds: Option<u64>,
) -> Result<Vec<Seen>> {
    let shell = busybox::provide(cache)?;
    let mut root = guest::base(&workspace::root(), tree, &Tools::Ours(binary), &shell, None)?;
    root.link("job", "/vm/agree.sh");
    add_indexes(&mut root, tree, binary)?;
    add_calls(&mut root)?;
    guest::add_boot_files(&mut root, tree)?;
    for situation in situations {
        root.file(&format!("agree/{}.sh", situation.name), 0o644, situation.script().as_bytes());
    }
    for (name, bytes) in &list.files {
        // Not those of other boots.
        if situations.iter().any(|situation| situation.script().contains(&format!("/{name} "))) {
            root.file(&format!("agree/files/{name}"), 0o644, bytes);
        }
    }
    let initramfs = root.finish();
    let kernel = tree.kernel();
    let timeout = Duration::from_secs(seconds.unwrap_or(120 + 15 * situations.len() as u64));
    let machine = Machine { parameters: boot, timeout, ..Machine::of(&kernel, &initramfs) };
    let mut report = Report::default();
    let mut shown = 0;
    let on_line = |line: &str| {
        let action = report.line(line);
        let count = report.seen.len();
        if count >= shown + PROGRESS {
            shown = count;
            println!("  {} {boot}: {count} of {}", tree.version, situations.len());
        }
        action
    };
    if let Err(error) = qemu::boot(&machine, on_line) {
        let last = report.seen.last().map_or("the first situation", |seen| seen.name.as_str());
        println!("  {} {boot}: {error:#}, in {last}", tree.version);
        report.noise.iter().rev().take(12).rev().for_each(|line| println!("    | {line}"));
    }
    Ok(report.seen)
}

/// Adds the indexes of the tree: made here, for an emulated processor takes minutes to decompress all modules.
fn add_indexes(root: &mut Initramfs, tree: &KernelTree, binary: &Path) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let depmod = dir.path().join("depmod");
    std::os::unix::fs::symlink(binary.canonicalize()?, &depmod)?;
    let out = dir.path().join("out");
    let mut command = Command::new(&depmod);
    command.arg("-b").arg(&tree.root).arg("-o").arg(&out).arg(&tree.version);
    process::run(&mut command)?;
    let directory = format!("lib/modules/{}", tree.version);
    for file in trees::files_below(&out.join(&directory), "")? {
        let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        root.copy(&file, &format!("{directory}/{name}"))?;
    }
    Ok(())
}

/// Adds the program that makes system calls which no command of the guest makes.
fn add_calls(root: &mut Initramfs) -> Result<()> {
    packages::need(&[MUSL_GCC])?;
    let dir = tempfile::tempdir()?;
    let program = dir.path().join("guest-calls");
    let mut compiler = Command::new(MUSL_GCC.name);
    compiler.args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
    process::run(compiler.arg(workspace::root().join("integration/vm/guest-calls.c")))?;
    root.copy(&program, "vm/guest-calls")
}

/// How verdicts and outcomes came out.
#[derive(Default)]
struct Matrix {
    /// Taken, then refused, by verdict.
    counts: BTreeMap<Verdict, [usize; 2]>,
    only_checked: usize,
    wrongly_signed: usize,
    /// Removals whose message names the user, and all.
    removals: [usize; 2],
    reports: usize,
    unknown: Vec<String>,
    own: [usize; 2],
    all: usize,
    faults: usize,
    /// Whether to print what was seen where nothing is wrong, too.
    show: bool,
}

impl Matrix {
    fn add(&mut self, situation: &Situation, seen: Option<&Seen>) {
        self.all += 1;
        let fault = match seen {
            None => Some("it was not reached".to_owned()),
            Some(seen) => seen.fault(situation),
        };
        let is_own = situation.name.starts_with("own-");
        self.own[0] += usize::from(is_own);
        match situation.aim {
            Aim::Verdict => {}
            Aim::Removal => {
                let names_user = seen.is_some_and(|seen| !seen.is_user_hidden());
                self.removals[0] += usize::from(names_user);
                self.removals[1] += 1;
            }
            Aim::Report => self.reports += 1,
        }
        self.only_checked += usize::from(situation.only_checked);
        self.wrongly_signed += usize::from(situation.has_wrong_signature);
        let counted = seen.filter(|_| !situation.has_wrong_signature);
        if let Some((verdict, taken)) =
            counted.and_then(|seen| Some((seen.verdict()?, seen.was_taken(situation)?)))
        {
            self.counts.entry(verdict).or_default()[usize::from(!taken)] += 1;
            if verdict == Verdict::CannotTell && !situation.hides {
                self.own[1] += usize::from(is_own);
                self.unknown.push(situation.name.clone());
            }
        }
        match fault {
            Some(fault) => {
                self.faults += 1;
                println!("  FALSE {}: {fault}", situation.name);
            }
            None if self.show => println!("  {}", situation.name),
            None => return,
        }
        for line in seen.iter().flat_map(|seen| seen.check.iter().chain(&seen.error).chain(&seen.log)) {
            println!("    | {line}");
        }
    }

    fn print(&self, version: &str) {
        println!("{version}: {} situations", self.all);
        println!("  {:16} {:>8} {:>8}", "check", "taken", "refused");
        for (verdict, name) in [
            (Verdict::WouldLoad, "would load"),
            (Verdict::CannotTell, "cannot tell"),
            (Verdict::WouldNotLoad, "would not load"),
        ] {
            let [taken, refused] = self.counts.get(&verdict).copied().unwrap_or_default();
            println!("  {name:16} {taken:>8} {refused:>8}");
        }
        if self.only_checked > 0 {
            println!("  {} more would crash the kernel, or hang: only checked", self.only_checked);
        }
        if self.removals[1] > 0 {
            let [named, all] = self.removals;
            println!("  {all} removals that the kernel refuses: what keeps the module is named in {named}");
        }
        if self.reports > 0 {
            println!("  {} more reports", self.reports);
        }
        if self.wrongly_signed > 0 {
            println!(
                "  {} more have a signature that is wrong, which the kernel alone can see",
                self.wrongly_signed
            );
        }
        println!(
            "  false: {}; unknown where nothing is hidden: {} ({})",
            self.faults,
            self.unknown.len(),
            self.unknown.join(" ")
        );
    }

    /// At most one in twenty of all may be unknown, and one in a hundred of the kernel's own modules.
    fn has_too_many_unknown(&self) -> bool {
        self.unknown.len() * 20 > self.all.max(20) || self.own[1] * 100 > self.own[0].max(100)
    }
}
