//! `cargo xtask demo`: the main job from nothing, shown like a terminal. Where the kernel with Rust is cached, a second
//! session shows the companion modules.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::guest::{self, Tools};
use crate::initramfs::Initramfs;
use crate::kernel::{self, RustKernel};
use crate::packages::{self, QEMU};
use crate::qemu::{self, Machine, SerialAction};
use crate::trees::{self, KernelOptions, KernelTree};
use crate::vm::ToolsUnderTest;
use crate::{binary, reference, workspace};

/// The kernel that is booted when none is given: its modules are compressed.
const KERNEL: &str = "trixie-cloud";

/// The options of `cargo xtask demo`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    given: KernelOptions,
    /// Whose tools are in /sbin
    #[arg(long, value_enum, default_value_t = ToolsUnderTest::Ours)]
    tools: ToolsUnderTest,
    /// The static binary to show (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// QEMU's accelerator
    #[arg(long, default_value = "tcg")]
    accelerator: String,
    /// Build the kernel with Rust and the companion modules if they aren't cached
    #[arg(long)]
    rust: bool,
}

/// Builds, fetches, boots and shows the session of `integration/vm/demo.sh`.
///
/// # Errors
/// When a package is unavailable, the guest hangs, or a step of the session fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let progress = |what: &str| eprintln!("[{:3.0} s] {what}", start.elapsed().as_secs_f64());
    progress("looking for QEMU");
    packages::need(&[QEMU])?;
    let binary = match (&options.binary, options.tools) {
        (_, ToolsUnderTest::Reference) => PathBuf::new(),
        (Some(binary), ToolsUnderTest::Ours) => binary.clone(),
        (None, ToolsUnderTest::Ours) => {
            progress("building the static binary");
            binary::build_static()?
        }
    };
    progress("getting a kernel with its modules");
    let cache = Cache::open()?;
    let links = tempfile::tempdir()?;
    let tree = match options.given.tree(links.path())? {
        Some(given) => given,
        None => trees::provide(&cache, KERNEL)?.context("no such tree")?,
    };
    progress("packing the machine's first root");
    let shell = options.given.busybox(&cache)?;
    let (tools, packaged) = match options.tools {
        ToolsUnderTest::Ours => (Tools::Ours(&binary), None),
        ToolsUnderTest::Reference => (Tools::Reference, Some(reference::provide(&cache, "kmod34")?)),
    };
    let mut root = guest::base(&workspace::root(), &tree, &tools, &shell, packaged.as_deref())?;
    guest::add_refused(&mut root, &tree, "vfat")?;
    root.link("job", "/vm/demo.sh");
    progress(&format!("booting {}", tree.version));
    session(&tree, root, options)?;
    if let Some(kernel) = rust_kernel(&cache, options)? {
        progress("packing the companion modules");
        let companions = kernel::companions::provide(&cache, &kernel)?;
        let mut root = guest::base(&workspace::root(), &kernel.tree, &tools, &shell, packaged.as_deref())?;
        guest::add_companions(&mut root, &kernel.tree, &companions)?;
        root.link("job", "/vm/demo-rust.sh");
        progress(&format!("booting {}", kernel.tree.version));
        session(&kernel.tree, root, options)?;
    }
    progress("done");
    Ok(())
}

/// The kernel with Rust, if it is cached or requested.
fn rust_kernel(cache: &Cache, options: &Options) -> Result<Option<RustKernel>> {
    if options.rust { kernel::provide(cache).map(Some) } else { kernel::cached(cache) }
}

/// Boots a kernel and shows the output of the guest.
fn session(tree: &KernelTree, root: Initramfs, options: &Options) -> Result<()> {
    let mut passed = false;
    let (kernel, initramfs) = (tree.kernel(), root.finish());
    let machine = Machine { accelerator: &options.accelerator, ..Machine::of(&kernel, &initramfs) };
    qemu::boot(&machine, |line| {
        match line {
            "@@ end" => return SerialAction::PowerOff,
            line if line.starts_with("@@ pass") => passed = true,
            line if line.starts_with("@@") => {}
            line => println!("{line}"),
        }
        SerialAction::Read
    })?;
    if !passed {
        bail!("a step of the demonstration failed");
    }
    Ok(())
}
