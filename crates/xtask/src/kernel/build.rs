//! Builds the kernel, its modules and the tree that external modules are built against.
//!
//! The build has a separate directory until it is complete; an interrupted run continues where it stopped, because the
//! kernel's make does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::kernel::progress;
use crate::kernel::source;
use crate::process;

/// What `install-extmod-build` omits and Rust or signing needs. Patterns of a shell in the build directory.
const ALSO_EXTERNAL: &str =
    ".config include/config rust/*.rmeta rust/*.so certs/signing_key.pem certs/signing_key.x509";

/// Environment variables that the cargo of another project sets or that would make two builds differ.
const FOREIGN: [&str; 7] =
    ["LD_LIBRARY_PATH", "RUSTFLAGS", "RUSTC", "CARGO_ENCODED_RUSTFLAGS", "MAKEFLAGS", "KCFLAGS", "ARCH"];

/// A kernel being built.
pub(super) struct Build {
    /// Its source.
    source: PathBuf,
    /// The directory of make's output.
    objects: PathBuf,
    /// The directory of both, and of the log.
    work: PathBuf,
    /// Where bindgen is.
    bindgen: PathBuf,
}

impl Build {
    /// Unpacks the source into `work`, unless an earlier run did.
    ///
    /// # Errors
    /// When it can't be unpacked.
    pub(super) fn open(work: &Path, package: &Path, bindgen: PathBuf) -> Result<Build> {
        let build = Build {
            source: work.join("source"),
            objects: work.join("objects"),
            work: work.to_owned(),
            bindgen,
        };
        fs::create_dir_all(&build.objects).with_context(|| build.objects.display().to_string())?;
        eprintln!("kernel: building in {}", work.display());
        progress::step(&build.log(), "unpacking the source", || source::unpack(package, &build.source))?;
        Ok(build)
    }

    /// Configures and builds everything and puts the files to keep into `result`.
    ///
    /// # Errors
    /// When a step fails; the error ends with the last lines of the log.
    pub(super) fn run(&self, fragment: &Path, result: &Path) -> Result<()> {
        self.configure(fragment)?;
        self.make("scripts and Rust crates", &["prepare"])?;
        self.make("kernel and modules", &["bzImage", "modules"])?;
        let version = self.version()?;
        fs::create_dir_all(result.join("boot"))?;
        for (from, to) in
            [("arch/x86/boot/bzImage", "vmlinuz"), ("System.map", "System.map"), (".config", "config")]
        {
            fs::copy(self.objects.join(from), result.join("boot").join(format!("{to}-{version}")))
                .with_context(|| from.to_owned())?;
        }
        self.install_modules(result, &version)?;
        self.install_external(&result.join("external"))
    }

    fn configure(&self, fragment: &Path) -> Result<()> {
        // A second `tinyconfig` would rebuild everything after a run that was stopped.
        let stamp = self.objects.join("configured");
        if stamp.exists() {
            return Ok(());
        }
        self.make("is Rust there", &["rustavailable"])?;
        self.make("least configuration", &["tinyconfig"])?;
        let mut merge = Command::new(self.source.join("scripts/kconfig/merge_config.sh"));
        merge.args(["-m", ".config"]).arg(fragment).current_dir(&self.objects);
        progress::command(&self.log(), "our configuration", &mut merge)?;
        self.make("what follows from it", &["olddefconfig"])?;
        Ok(fs::write(stamp, "")?)
    }

    fn install_modules(&self, result: &Path, version: &str) -> Result<()> {
        let root = format!("INSTALL_MOD_PATH={}", result.display());
        self.make("installing modules", &["modules_install", &root, "INSTALL_MOD_STRIP=1", "DEPMOD=true"])?;
        let link = result.join("lib/modules").join(version).join("build");
        fs::remove_file(&link).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error).with_context(|| link.display().to_string()),
        })
    }

    fn install_external(&self, external: &Path) -> Result<()> {
        let script = format!(
            "KBUILD_RUN_COMMAND=+$(srctree)/scripts/package/install-extmod-build {}",
            external.display()
        );
        self.make("the tree for external modules", &["run-command", &script])?;
        let copy = format!("tar -c {ALSO_EXTERNAL} | tar -x -C \"$0\"");
        let mut objects = Command::new("bash");
        process::run(objects.args(["-c", &copy]).arg(external).current_dir(&self.objects))?;
        // The C side of every module: `NAME.mod.c` and this go into `NAME.ko`.
        fs::copy(self.source.join("scripts/module-common.c"), external.join("scripts/module-common.c"))?;
        Ok(())
    }

    fn version(&self) -> Result<String> {
        let file = self.objects.join("include/config/kernel.release");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(text.trim().to_owned())
    }

    fn make(&self, what: &str, arguments: &[&str]) -> Result<()> {
        let mut make = make(&self.source, &self.bindgen, &self.work);
        make.arg(format!("O={}", self.objects.display())).args(arguments);
        progress::command(&self.log(), what, &mut make)
    }

    fn log(&self) -> PathBuf {
        self.work.join("log")
    }
}

/// `make` in a kernel's source or external tree, on every core, with low priority. The
/// kernel's makefiles put temporary files into `temporary`: the caller's TMPDIR may have a blank in its name,
/// which the makefiles do not quote.
pub(super) fn make(directory: &Path, bindgen: &Path, temporary: &Path) -> Command {
    let mut make = Command::new("nice");
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    make.args(["-n", "10", "make", &format!("-j{jobs}"), "-C"]).arg(directory);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = [bindgen.to_owned()].into_iter().chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(dirs) {
        make.env("PATH", path);
    }
    for name in FOREIGN {
        make.env_remove(name);
    }
    make.env("TMPDIR", temporary).env("LC_ALL", "C");
    // User, host and time of the build must not influence the CRCs or the version.
    make.env("KBUILD_BUILD_USER", "modutils")
        .env("KBUILD_BUILD_HOST", "modutils")
        .env("KBUILD_BUILD_TIMESTAMP", "1970-01-01");
    make
}
