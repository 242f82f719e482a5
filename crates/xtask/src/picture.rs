//! `cargo xtask picture`: draws the graph of README.md, from a driver of Debian 13's tree.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::packages::{self, DOT};
use crate::{binary, process, trees, workspace};

/// The tree, and a driver in it with dependencies, a soft one and firmware, and few enough of each to be read.
const TREE: &str = "trixie-amd64";
const DRIVER: &str = "csiostor";
/// Where the picture is in the repository.
const FILE: &str = "docs/graph.svg";

/// The options of `cargo xtask picture`.
#[derive(Args)]
pub(crate) struct Options {
    /// The binary that prints the graph (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Draws the picture into the repository.
///
/// # Errors
/// When the tree is unavailable, or a program fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::need(&[DOT])?;
    let binary = options.binary.clone().map_or_else(binary::build_static, Ok)?;
    let cache = Cache::open()?;
    let Some(tree) = trees::provide(&cache, TREE)? else { bail!("the tree {TREE} is unavailable") };
    let directory = tempfile::Builder::new().prefix("picture").tempdir_in(cache.root())?;
    let place = directory.path().join("usr/lib/modules");
    fs::create_dir_all(&place)?;
    // As an installed system has it: the tools find the modules below /lib in the root.
    std::os::unix::fs::symlink("/usr/lib", directory.path().join("lib"))?;
    process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(tree.modules()).arg(&place))?;
    let tool = |name: &str, words: &[&str]| {
        let mut command = Command::new(&binary);
        command.arg0(name).args(words).arg("--root").arg(directory.path());
        command
    };
    process::run(tool("depmod", &[]).arg(&tree.version))?;
    let words = ["graph", "--format", "dot", "--firmware", "--set-version", &tree.version, DRIVER];
    let graph = directory.path().join("graph.dot");
    fs::write(&graph, process::output(&mut tool("kmod", &words))?)?;
    draw(&graph, &workspace::root().join(FILE))?;
    println!("{FILE} has {DRIVER} of Linux {}", tree.version);
    Ok(())
}

/// From left to right the names, which are long, take the least room.
fn draw(graph: &Path, picture: &Path) -> Result<()> {
    let mut dot = Command::new(DOT.name);
    dot.args(["-Tsvg", "-Grankdir=LR", "-Nfontname=sans-serif", "-Efontname=sans-serif", "-Nfontsize=12"]);
    dot.args(["-Efontsize=10", "-o"]).arg(picture).arg(graph);
    process::run(&mut dot).with_context(|| format!("drawing {}", picture.display()))
}
