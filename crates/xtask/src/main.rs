//! The tasks of the project, which the README, the CI and developers call.
//!
//! Each subcommand is one function of one file. Everything fetched or derived lives in a cache outside the
//! checkout, see [`cache`]; nothing here knows a host name, see [`mirror`].

mod agree;
mod audit;
mod bench;
mod binary;
mod busybox;
mod cache;
mod cargo;
mod chroot;
mod consumers;
mod damage;
mod deb;
mod demo;
mod disk;
mod dist;
mod faults;
mod features;
mod fuzz;
mod guest;
mod image;
mod initramfs;
mod install;
mod kernel;
mod libkmod;
mod man;
mod materials;
mod minimal;
mod mirror;
#[cfg(test)]
mod oldest;
mod outside;
mod packages;
mod packaging;
mod picture;
mod process;
mod progress;
mod qemu;
mod recipes;
mod reference;
mod scenarios;
mod size;
mod stages;
mod surface;
mod system;
mod test;
mod tour;
mod trees;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    /// Download and install nothing: programs, crates and parts of the Rust toolchain that are missing are named
    #[arg(long, global = true)]
    offline: bool,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the tools, boot a stock Debian kernel with them in QEMU, and show a session
    Demo(demo::Options),
    /// Run all checks and count the tests
    Test(test::Options),
    /// Fetch module trees and the packaged kmod into the cache (all of them when none is named)
    Fetch {
        /// Trees and references by name
        #[arg(value_parser = fetchable())]
        names: Vec<String>,
    },
    /// Build the kernel with Rust and the companion modules, or show where they are cached
    Kernel,
    /// Give damaged modules, indexes and texts to the tools, and show what they do
    Damage(damage::Options),
    /// Run the scenarios of integration/scenarios on stock Debian kernels in QEMU
    Vm(vm::Options),
    /// Ask kmod check about many situations in QEMU, load for real, and compare
    Agree(agree::Options),
    /// Build the release binaries, static and dynamic, and pack the static one with its pages
    Dist(dist::Options),
    /// Check the manual pages, and generate the one made from docs/differences.md
    Man,
    /// Regenerate the tour of README.md, from a run in QEMU
    Tour,
    /// Build the C library libkmod.so.2 and check what it exports
    Libkmod(libkmod::Options),
    /// Draw the graph of README.md with Graphviz, from a driver of Debian 13's tree
    Picture(picture::Options),
    /// Run Debian's programs that use libkmod.so.2 with the packaged library and with ours
    Consumers(consumers::Options),
    /// Boot Debian 13 and 12 in QEMU with the packaged libkmod.so.2 and with ours, and compare
    System(system::Options),
    /// Make Debian packages in the place of kmod's, and one that takes over its programs while kmod stays installed
    Deb(deb::Options),
    /// Test the Debian package, and the programs that call the tools, in roots of Debian 12 and 13
    Packaging(packaging::Options),
    /// Build the packagers' recipes in a root of Debian 13, install what they built, and compare two builds
    Recipes(recipes::Options),
    /// Install the tools with their pages and completions into a directory
    Install(install::Options),
    /// Make each system call of the tools fail in turn, and print the state afterwards
    Faults(faults::Options),
    /// Compare the speed of our tools with the packaged kmod's
    Bench(bench::Options),
    /// Run the fuzz targets of tests/fuzz
    Fuzz(fuzz::Options),
    /// Build and run the crate that uses only the library's public surface
    Outside,
    /// Count what is public in the library, and check what its signatures name
    Surface(surface::Options),
    /// Show how large the static binary is, with which features, and what it is made of
    Size,
    /// Check licences, sources and known faults of the dependencies with cargo-deny
    Audit,
}

fn main() -> ExitCode {
    // Files in the cache and in packages must be readable by everyone, whoever runs this program.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let arguments = Arguments::parse();
    if arguments.offline {
        packages::go_offline();
    }
    let done = match arguments.task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Fetch { names } => fetch(&names),
        Task::Kernel => kernel::run(),
        Task::Damage(options) => damage::run(&options),
        Task::Vm(options) => vm::run(&options),
        Task::Agree(options) => agree::run(&options),
        Task::Dist(options) => dist::run(&options),
        Task::Man => man::run(),
        Task::Tour => tour::run(),
        Task::Libkmod(options) => libkmod::run(&options),
        Task::Consumers(options) => consumers::run(&options),
        Task::System(options) => system::run(&options),
        Task::Deb(options) => deb::run(&options),
        Task::Picture(options) => picture::run(&options),
        Task::Packaging(options) => packaging::run(&options),
        Task::Recipes(options) => recipes::run(&options),
        Task::Install(options) => install::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Outside => cache::Cache::open().and_then(|cache| outside::run(&cache)),
        Task::Surface(options) => surface::run(&options),
        Task::Audit => audit::run(),
        Task::Size => size::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {}", mirror::cause(&error));
            ExitCode::FAILURE
        }
    }
}

/// The names that `fetch` accepts.
fn fetchable() -> Vec<&'static str> {
    trees::names().chain(reference::names()).collect()
}

/// Fetches the named trees and references, or everything, and prints their paths.
fn fetch(names: &[String]) -> Result<()> {
    let cache = cache::Cache::open()?;
    let all: Vec<String> = fetchable().into_iter().map(str::to_owned).collect();
    for name in if names.is_empty() { &all } else { names } {
        let path = match trees::provide(&cache, name)? {
            Some(tree) => tree.root,
            None => reference::provide(&cache, name)?,
        };
        println!("{name:24} {}", path.display());
    }
    Ok(())
}
