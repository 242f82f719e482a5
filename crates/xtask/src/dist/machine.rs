//! The machines that there are release binaries for, and what building for each takes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::packages::{self, MUSL_GCC, Program};
use crate::process;

/// A machine, by Debian's name for it.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Machine {
    /// x86, 64 bits
    Amd64,
    /// Arm, 64 bits
    Arm64,
    /// RISC-V, 64 bits
    Riscv64,
}

/// The compilers for the C parts, the decompressors. Debian's are for glibc; these parts call nothing of a C library
/// but what musl has as well, once the checked variants of memcpy and the like are left out.
const ARM64_GCC: Program = Program { name: "aarch64-linux-gnu-gcc", package: "gcc-aarch64-linux-gnu" };
const RISCV64_GCC: Program = Program { name: "riscv64-linux-gnu-gcc", package: "gcc-riscv64-linux-gnu" };
/// What runs the binaries of other machines.
const ARM64_QEMU: Program = Program { name: "qemu-aarch64-static", package: "qemu-user-static" };
const RISCV64_QEMU: Program = Program { name: "qemu-riscv64-static", package: "qemu-user-static" };

impl Machine {
    /// Debian's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// Rust's target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
            Self::Riscv64 => "riscv64gc-unknown-linux-musl",
        }
    }

    /// What must be installed to build for it.
    pub(crate) fn programs(self) -> Vec<Program> {
        self.compiler().map_or_else(|| vec![MUSL_GCC], |compiler| vec![compiler])
    }

    /// Tells cargo how to compile and link for it.
    pub(crate) fn prepare(self, cargo: &mut Command) {
        let Some(compiler) = self.compiler() else { return };
        let target = self.target();
        let variable = target.replace('-', "_");
        let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
        cargo
            .env(format!("CC_{variable}"), compiler.name)
            .env(format!("CFLAGS_{variable}"), "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-stack-protector")
            .env(linker, compiler.name)
            // Rust brings musl and its start files along for these targets.
            .env(format!("CARGO_TARGET_{}_RUSTFLAGS", variable.to_uppercase()), "-C link-self-contained=yes");
    }

    /// Runs the binary, emulated where it is for another machine: it tells its version, and finds out the
    /// dependencies of modules.
    ///
    /// # Errors
    /// When it does not do so.
    pub(crate) fn smoke_test(self, binary: &Path) -> Result<String> {
        let run = |name: &str, arguments: &[&str]| {
            let mut command = match self.emulator() {
                None => Command::new(binary),
                Some(emulator) => {
                    packages::need(&[emulator])?;
                    let mut command = Command::new(emulator.name);
                    command.arg("-0").arg(name).arg(binary);
                    command
                }
            };
            if self.emulator().is_none() {
                std::os::unix::process::CommandExt::arg0(&mut command, name);
            }
            process::output(command.args(arguments))
        };
        let version = run("kmod", &["--version"])?;
        let directory = tempfile::tempdir()?;
        let modules = directory.path().join("lib/modules/1.0");
        std::fs::create_dir_all(&modules)?;
        for (name, module) in [
            ("lower.ko", testkit::ModuleBuilder::new("lower").export("shared", testkit::Crc::Absolute(1))),
            ("upper.ko", testkit::ModuleBuilder::new("upper").needs("shared", 1)),
        ] {
            std::fs::write(modules.join(name), module.build())?;
        }
        let base = directory.path().to_str().context("a temporary directory has a plain name")?;
        run("depmod", &["-b", base, "1.0"])?;
        let loads = run("modprobe", &["-d", base, "-S", "1.0", "-D", "upper"])?;
        let expected =
            format!("insmod {base}/lib/modules/1.0/lower.ko \ninsmod {base}/lib/modules/1.0/upper.ko \n");
        if loads != expected {
            bail!("{} says, wrongly: {loads}", binary.display());
        }
        Ok(version)
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
