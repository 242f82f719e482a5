//! The architectures that release binaries are built for, and what each build needs.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::cargo::reproducible;
use crate::packages::{self, MUSL_GCC, Program};

/// An architecture, by Debian's name.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Target {
    /// x86, 64 bits
    Amd64,
    /// Arm, 64 bits
    Arm64,
    /// RISC-V, 64 bits
    Riscv64,
}

/// The compilers for the decompressors, which are C. Debian's compilers target glibc. The decompressors only call
/// functions that musl has too, once the fortified variants of memcpy and similar are disabled.
const ARM64_GCC: Program = Program { name: "aarch64-linux-gnu-gcc", package: "gcc-aarch64-linux-gnu" };
const RISCV64_GCC: Program = Program { name: "riscv64-linux-gnu-gcc", package: "gcc-riscv64-linux-gnu" };
const ARM64_HEADERS: Program =
    Program { name: "/usr/aarch64-linux-gnu/include/stdio.h", package: "libc6-dev-arm64-cross" };
const RISCV64_HEADERS: Program =
    Program { name: "/usr/riscv64-linux-gnu/include/stdio.h", package: "libc6-dev-riscv64-cross" };
/// The emulators for binaries of other architectures.
const ARM64_QEMU: Program = Program { name: "qemu-aarch64-static", package: "qemu-user-static" };
const RISCV64_QEMU: Program = Program { name: "qemu-riscv64-static", package: "qemu-user-static" };

impl Target {
    /// Debian's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// Rust's target triple. Rust 1.95's library for musl on RISC-V is not where rustup looks for it, so that
    /// target links Debian's glibc statically.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
            Self::Riscv64 => "riscv64gc-unknown-linux-gnu",
        }
    }

    /// The programs that must be installed to build for this target.
    pub(crate) fn programs(self) -> Vec<Program> {
        match self {
            Self::Amd64 => vec![MUSL_GCC],
            Self::Arm64 => vec![ARM64_GCC, ARM64_HEADERS],
            Self::Riscv64 => vec![RISCV64_GCC, RISCV64_HEADERS],
        }
    }

    /// Sets the compiler, the linker and their flags in cargo's environment.
    ///
    /// # Errors
    /// When rustc does not run.
    pub(crate) fn prepare(self, cargo: &mut Command) -> Result<()> {
        let triple = self.triple();
        let Some(compiler) = self.compiler() else { return reproducible::prepare(cargo, triple, "") };
        let variable = triple.replace('-', "_");
        cargo
            .env(format!("CC_{variable}"), compiler.name)
            .env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), compiler.name);
        let flags = if triple.ends_with("musl") {
            cargo.env(
                format!("CFLAGS_{variable}"),
                "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-stack-protector",
            );
            // Rust ships musl and its start files for these targets.
            "-C link-self-contained=yes"
        } else {
            "-C target-feature=+crt-static"
        };
        reproducible::prepare(cargo, triple, flags)
    }

    /// The command that runs a binary of this target as the tool `name`, in an emulator if this machine is not of the
    /// target's architecture.
    ///
    /// # Errors
    /// When the emulator cannot be installed.
    pub(crate) fn command(self, binary: &Path, name: &str) -> Result<Command> {
        let Some(emulator) = self.emulator() else {
            let mut command = Command::new(binary);
            command.arg0(name);
            return Ok(command);
        };
        packages::need(&[emulator])?;
        let mut command = Command::new(emulator.name);
        command.arg("-0").arg(name).arg(binary);
        Ok(command)
    }

    fn compiler(self) -> Option<Program> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some(ARM64_GCC),
            Self::Riscv64 => Some(RISCV64_GCC),
        }
    }

    fn emulator(self) -> Option<Program> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some(ARM64_QEMU),
            Self::Riscv64 => Some(RISCV64_QEMU),
        }
    }
}
