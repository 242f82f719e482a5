//! The companion modules of `integration/modules`, built against the cached kernel, in all the variants that the
//! scenarios need.
//!
//! ```text
//! NAME.ko              as installed: stripped, signed with the kernel's key
//! unsigned/NAME.ko     the same without a signature
//! corrupted/NAME.ko    signed, and a byte of the description changed afterwards
//! vermagic/NAME.ko     with the vermagic of a kernel without module unloading; signed
//! basic/NAME.ko        with only the table `__versions`, which is enough for test_square; signed
//! long/square.ko       its function has another prototype, so its symbol another CRC; signed
//! compressed/NAME.ko.zst, .ko.xz, .ko.gz
//! hello.signature      what openssl reads in hello.ko's signature, as modinfo shows it
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::kernel::rust_kernel::RustKernel;
use crate::kernel::{build, digest, progress, signature, toolchain};
use crate::packages::{self, GZIP, Program, XZ, ZSTD};
use crate::{process, trees, workspace};

/// Part of the key: increase it when this file makes other variants from the same source.
const RECIPE: &[u8] = b"2";

/// How the compressed variants are made. The kernel reads xz only with this check and a small dictionary.
const COMPRESSED: [(Program, &[&str]); 3] =
    [(ZSTD, &["-q"]), (XZ, &["--check=crc32", "--lzma2=dict=1MiB"]), (GZIP, &["-n"])];

/// The companion modules for `kernel`, from the cache or built now: the directory described above.
///
/// # Errors
/// When a part of the toolchain is missing, or the build fails.
pub(crate) fn provide(cache: &Cache, kernel: &RustKernel) -> Result<PathBuf> {
    let source = workspace::root().join("integration/modules");
    let files = digest::contents(&source)?;
    let mut parts: Vec<&[u8]> = vec![RECIPE, kernel.key.as_bytes()];
    for (path, contents) in &files {
        parts.push(path.strip_prefix(&source)?.as_os_str().as_encoded_bytes());
        parts.push(contents);
    }
    cache.provide(&format!("companions/{}", digest::hash(&parts)?), |draft| {
        toolchain::need_for_modules()?;
        packages::need(&COMPRESSED.map(|(program, _)| program))?;
        // Kernel modules cannot be built in a directory with a blank in its name, which TMPDIR may have.
        let work = tempfile::Builder::new().prefix("companions").tempdir_in(cache.root())?;
        let bench = ModuleBuild { kernel, dir: work.path() };
        bench.make_all(&source, draft)
    })
}

/// A copy of the source in which modules are built: make writes its objects next to the source.
struct ModuleBuild<'a> {
    kernel: &'a RustKernel,
    dir: &'a Path,
}

impl ModuleBuild<'_> {
    fn make_all(&self, source: &Path, result: &Path) -> Result<()> {
        let usual = self.build(source, "usual", &[])?;
        let long = self.build(&source.join("square"), "long", &["SQUARE_OF_LONG=1"])?;
        let unsigned = result.join("unsigned");
        self.keep(&usual, &unsigned, |_| Ok(()))?;
        self.keep(&usual, result, |module| self.sign(module))?;
        self.keep(&usual, &result.join("basic"), |module| {
            // modpost cannot omit these tables: some symbol of every Rust module has a long name.
            let tables =
                ["__version_ext_crcs", "__version_ext_names"].map(|name| format!("--remove-section={name}"));
            process::run(Command::new("objcopy").args(tables).arg(module))?;
            self.sign(module)
        })?;
        self.keep(&long, &result.join("long"), |module| self.sign(module))?;
        self.keep(&usual, &result.join("vermagic"), |module| {
            replace(module, b" mod_unload ", b" mod_onload ")?;
            self.sign(module)
        })?;
        self.keep(&usual, &result.join("corrupted"), |module| {
            self.sign(module)?;
            replace(module, b"description=", b"description:")
        })?;
        let reading = signature::as_modinfo_shows(&result.join("hello.ko"))?;
        fs::write(result.join("hello.signature"), reading)?;
        self.compress(result)
    }

    /// Copies `source` to the directory `name` of the build and builds it.
    fn build(&self, source: &Path, name: &str, variables: &[&str]) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        process::run(Command::new("cp").args(["-r", "--preserve=timestamps"]).arg(source).arg(&dir))?;
        let mut make = build::make(&self.kernel.external, Path::new(""), self.dir);
        make.arg(format!("M={}", dir.display())).args(variables).arg("modules");
        progress::command(&self.dir.join("log"), &format!("companion modules, {name}"), &mut make)?;
        Ok(dir)
    }

    /// Copies the modules of a build to `to`, stripped, and finishes each.
    fn keep(&self, from: &Path, to: &Path, finish: impl Fn(&Path) -> Result<()>) -> Result<()> {
        fs::create_dir_all(to)?;
        for module in trees::files_below(from, ".ko")? {
            let copy = to.join(module.file_name().context("a module has a name")?);
            process::run(Command::new("strip").args(["--strip-debug", "-o"]).arg(&copy).arg(&module))?;
            finish(&copy)?;
        }
        Ok(())
    }

    /// Signs a module as `make modules_install` does.
    fn sign(&self, module: &Path) -> Result<()> {
        let external = &self.kernel.external;
        let mut sign = Command::new(external.join("scripts/sign-file"));
        sign.arg("sha256")
            .args(["pem", "x509"].map(|kind| external.join(format!("certs/signing_key.{kind}"))));
        process::run(sign.arg(module))
    }

    fn compress(&self, result: &Path) -> Result<()> {
        let dir = result.join("compressed");
        fs::create_dir(&dir)?;
        for (program, flags) in COMPRESSED {
            for entry in fs::read_dir(result)? {
                let entry = entry?;
                if entry.path().extension().is_some_and(|ending| ending == "ko") {
                    fs::copy(entry.path(), dir.join(entry.file_name()))?;
                }
            }
            let modules = trees::files_below(&dir, ".ko")?;
            process::run(Command::new(program.name).args(flags).args(&modules))?;
            // zstd keeps what it has compressed.
            modules.iter().for_each(|module| drop(fs::remove_file(module)));
        }
        Ok(())
    }
}

/// Replaces the first `from` in a file by `to`, which is as long.
fn replace(file: &Path, from: &[u8], to: &[u8]) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let Some(place) = bytes.windows(from.len()).position(|window| window == from) else {
        bail!("{} has no {:?}", file.display(), String::from_utf8_lossy(from));
    };
    bytes[place..place + to.len()].copy_from_slice(to);
    fs::write(file, bytes).with_context(|| file.display().to_string())
}
