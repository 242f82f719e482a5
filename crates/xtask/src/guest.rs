//! The root of a virtual machine: a shell, the tools under test, the packaged kmod, modules, scripts.
//!
//! ```text
//! /init, /vm/                the scripts of integration/vm; /job is the one that init runs
//! /bin/busybox               the shell and the usual commands, links to it made by init
//! /sbin/modprobe …, /bin/kmod  the tools under test
//! /reference/                the packaged kmod; its libraries are where its loader searches
//! /lib/modules/VERSION/      the kernel's modules as they are packaged: no modules.dep or other index
//! /variants/SUFFIX/          the same few modules plain and compressed in each way, roots for `modprobe -d`
//! /packed/WAY/               a module compressed in many ways, of which the kernel reads some
//! /refused/                  modules that this kernel refuses
//! /companions/               only with the kernel that has Rust, instead of the two above: see kernel/companions.rs
//! /foreign/                  with /companions, a root with a stock kernel's modules, for `kmod check -d`
//! ```

mod packed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use testkit::patch;

use crate::initramfs::Initramfs;
use crate::packages::{self, GZIP, XZ, ZSTD};
use crate::trees::{self, KernelTree};
use crate::{process, reference};

/// Where a merged-usr Debian root of amd64 keeps its libraries.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The libraries that the packaged kmod loads.
const NEEDED: [&str; 5] = ["libc.so.6", "libcrypto.so.3", "liblzma.so.5", "libz.so.1", "libzstd.so.1"];

/// The modules of `/variants`: small ones, one with parameters and one with a dependency.
const VARIANT_MODULES: [&str; 3] = ["dummy", "fat", "vfat"];

/// A way to compress modules: the suffix of their names, and the program.
struct CompressionVariant {
    suffix: &'static str,
    program: Option<packages::Program>,
    flags: &'static [&'static str],
}

/// The variants in `/variants`. The kernel reads xz only with this check (Documentation/staging/xz.rst).
const VARIANTS: [CompressionVariant; 4] = [
    CompressionVariant { suffix: "ko", program: None, flags: &[] },
    CompressionVariant { suffix: "ko.xz", program: Some(XZ), flags: &["--check=crc32", "--lzma2=dict=1MiB"] },
    CompressionVariant { suffix: "ko.zst", program: Some(ZSTD), flags: &["--quiet"] },
    CompressionVariant { suffix: "ko.gz", program: Some(GZIP), flags: &["--no-name"] },
];

/// Whose tools are in /sbin.
#[derive(Clone, Copy)]
pub(crate) enum Tools<'a> {
    /// Our static binary, at this path.
    Ours(&'a Path),
    /// The packaged kmod.
    Reference,
}

/// The archive without the parts of a particular job. `shell` is a static busybox, `packaged` the root of the packaged
/// kmod, which [`Tools::Reference`] requires.
///
/// # Errors
/// When a file cannot be fetched or read.
pub(crate) fn base(
    workspace: &Path,
    tree: &KernelTree,
    tools: &Tools,
    shell: &Path,
    packaged: Option<&Path>,
) -> Result<Initramfs> {
    let mut root = Initramfs::default();
    for empty in ["proc", "sys", "dev", "tmp", "etc/modprobe.d", "etc/depmod.d", "var"] {
        root.directory(empty);
    }
    root.device("dev/console", 5, 1);
    root.copy(shell, "bin/busybox")?;
    let scripts = workspace.join("integration/vm");
    root.copy_tree(&scripts, "vm")?;
    root.file("init", 0o755, &fs::read(scripts.join("init")).context("integration/vm/init")?);
    root.copy_tree(&tree.modules(), &format!("lib/modules/{}", tree.version))?;
    add_boot_file(&mut root, tree, "config")?;
    if let Some(packaged) = packaged {
        add_reference(&mut root, packaged)?;
    }
    match tools {
        Tools::Ours(binary) => root.copy(binary, "bin/kmod")?,
        Tools::Reference => root.link("bin/kmod", "/reference/bin/kmod"),
    }
    for tool in reference::TOOLS {
        root.link(&format!("sbin/{tool}"), "../bin/kmod");
    }
    Ok(root)
}

/// Adds `/variants` and `/refused`, with a module of another kernel if `foreign` is given.
///
/// # Errors
/// When a module is missing or a program fails.
pub(crate) fn add_variants(
    root: &mut Initramfs,
    tree: &KernelTree,
    foreign: Option<&KernelTree>,
) -> Result<()> {
    packages::need(&[XZ, ZSTD, GZIP])?;
    for variant in VARIANTS {
        let suffix = variant.suffix;
        let modules = format!("variants/{suffix}/lib/modules/{}", tree.version);
        for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            root.copy(&tree.modules().join(list), &format!("{modules}/{list}"))?;
        }
        for name in VARIANT_MODULES {
            let packed = variant.pack(plain_module(tree, name)?)?;
            root.file(&format!("{modules}/kernel/{name}.{suffix}"), 0o644, &packed);
        }
    }
    packed::add(root, "dummy", &plain_module(tree, "dummy")?)?;
    if let Some(foreign) = foreign {
        root.file("refused/other-kernel/dummy.ko", 0o644, &plain_module(foreign, "dummy")?);
    }
    add_faulty(root, tree)?;
    add_refused(root, tree, "dummy")
}

/// Adds to `/refused` modules of this kernel with one fault each, unsigned.
fn add_faulty(root: &mut Initramfs, tree: &KernelTree) -> Result<()> {
    let unsigned = |name: &str| plain_module(tree, name).map(patch::unsigned);
    let dummy = unsigned("dummy")?;
    let mut add = |fault: &str, name: &str, bytes: &[u8]| {
        root.file(&format!("refused/{fault}/{name}"), 0o644, bytes);
    };
    add("unsigned", "dummy.ko", &dummy);
    // EM_S390, and a 32-bit machine's file.
    add("machine", "dummy.ko", &patch::for_machine(dummy.clone(), 22));
    add("struct-size", "dummy.ko", &patch::smaller_struct(dummy.clone()));
    add("crc", "dummy.ko", &patch::other_crc(dummy.clone(), "register_netdevice"));
    add(
        "unknown-symbol",
        "dummy.ko",
        &patch::replaced(dummy.clone(), b"register_netdevice\0", b"register_netdevicf\0"),
    );
    add("licence", "dummy.ko", &patch::replaced(dummy, b"license=GPL\0", b"license=XYZ\0"));
    add("namespace", "pcbc.ko", &patch::replaced(unsigned("pcbc")?, b"import_ns=", b"import-ns="));
    // The same exports with another module name.
    let again = patch::replaced(unsigned("fat")?, b"\0fat\0\0", b"\0fax\0\0");
    add("duplicate", "fax.ko", &again);
    let packed = filter(Command::new("xz").args(VARIANTS[1].flags), &plain_module(tree, "dummy")?)?;
    add("cut", "dummy.ko.xz", &packed[..packed.len() / 2]);
    Ok(())
}

/// Adds `/refused`: a module of this kernel, changed so that the kernel refuses it.
///
/// # Errors
/// When the module is missing.
pub(crate) fn add_refused(root: &mut Initramfs, tree: &KernelTree, name: &str) -> Result<()> {
    let own = plain_module(tree, name)?;
    let changed = other_vermagic(own.clone())?;
    root.file(&format!("refused/vermagic/{name}.ko"), 0o644, &patch::unsigned(changed.clone()));
    root.file(&format!("refused/signature/{name}.ko"), 0o644, &changed);
    root.file(&format!("refused/truncated/{name}.ko"), 0o644, &own[..own.len() / 2]);
    Ok(())
}

/// Adds `/foreign`: another kernel's modules, and its image.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn add_foreign(root: &mut Initramfs, foreign: &KernelTree) -> Result<()> {
    root.copy_tree(&foreign.modules(), &format!("foreign/lib/modules/{}", foreign.version))?;
    root.copy(&foreign.kernel(), &format!("foreign/boot/vmlinuz-{}", foreign.version))
}

/// Adds `/companions`, all of it, and the companion modules installed in the kernel's `extra`.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn add_companions(root: &mut Initramfs, tree: &KernelTree, dir: &Path) -> Result<()> {
    root.copy_tree(dir, "companions")?;
    packed::add(root, "hello", &fs::read(dir.join("hello.ko")).context("hello.ko")?)?;
    for module in trees::files_below(dir, ".ko")?.iter().filter(|module| module.parent() == Some(dir)) {
        let name = module.file_name().context("a module has a name")?.to_string_lossy();
        root.copy(module, &format!("lib/modules/{}/extra/{name}", tree.version))?;
    }
    Ok(())
}

impl CompressionVariant {
    /// Compresses a module.
    fn pack(&self, plain: Vec<u8>) -> Result<Vec<u8>> {
        let Some(program) = self.program else { return Ok(plain) };
        let mut command = Command::new(program.name);
        if program.name == ZSTD.name {
            // The packaged kmod reads only frames that contain their size, as those of files do.
            command.arg(format!("--stream-size={}", plain.len()));
        }
        filter(command.args(self.flags), &plain)
    }
}

/// Adds the packaged kmod.
fn add_reference(root: &mut Initramfs, from: &Path) -> Result<()> {
    root.copy(&from.join("usr/bin/kmod"), "reference/bin/kmod")?;
    root.copy(&from.join(LIBRARIES).join("ld-linux-x86-64.so.2"), "lib64/ld-linux-x86-64.so.2")?;
    for tool in reference::TOOLS {
        root.link(&format!("reference/sbin/{tool}"), "../bin/kmod");
    }
    for library in NEEDED {
        root.copy(&from.join(LIBRARIES).join(library), &format!("lib/x86_64-linux-gnu/{library}"))?;
    }
    Ok(())
}

/// Adds a file that a distribution installs with the kernel into `/boot`, if the tree has it.
fn add_boot_file(root: &mut Initramfs, tree: &KernelTree, kind: &str) -> Result<()> {
    let name = format!("boot/{kind}-{}", tree.version);
    if tree.root.join(&name).is_file() {
        root.copy(&tree.root.join(&name), &name)?;
    }
    Ok(())
}

/// Adds what a distribution installs with the kernel into `/boot`, beside the configuration, which every guest has.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn add_boot_files(root: &mut Initramfs, tree: &KernelTree) -> Result<()> {
    add_boot_file(root, tree, "System.map")?;
    let image = fs::read(tree.kernel()).context("the kernel's image")?;
    root.file(&format!("boot/vmlinuz-{}", tree.version), 0o644, &quick_to_read(image)?);
    Ok(())
}

/// A bzImage whose kernel is compressed with zstd, not with xz, which takes an emulated processor long to undo
/// (Documentation/arch/x86/boot.rst has the fields). It is only read, not booted.
fn quick_to_read(image: Vec<u8>) -> Result<Vec<u8>> {
    let word = |offset: usize| {
        let bytes = image.get(offset..offset + 4).context("the image is short")?;
        Ok::<usize, anyhow::Error>(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    let start = (usize::from(*image.get(0x1f1).context("the image is short")?) + 1) * 512 + word(0x248)?;
    let payload = image.get(start..start + word(0x24c)?).context("the image is short")?;
    // Behind the stream stands its length when decompressed.
    let (stream, len) = payload.split_at(payload.len() - 4);
    if !stream.starts_with(b"\xfd7zXZ") {
        return Ok(image);
    }
    packages::need(&[XZ, ZSTD])?;
    let kernel = filter(Command::new(XZ.name).arg("--decompress"), stream)?;
    let mut command = Command::new(ZSTD.name);
    let packed =
        filter(command.args(["--quiet", "-1"]).arg(format!("--stream-size={}", kernel.len())), &kernel)?;
    let mut quick = image[..start].to_vec();
    quick[0x24c..0x250].copy_from_slice(&u32::try_from(packed.len() + 4)?.to_le_bytes());
    quick.extend_from_slice(&packed);
    quick.extend_from_slice(len);
    Ok(quick)
}

/// Bytes, compressed by a program as the kernel's build calls it.
///
/// # Errors
/// When that fails.
pub(crate) fn packed(program: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    packages::need(&[XZ, ZSTD, GZIP])?;
    let variant = VARIANTS.iter().find(|variant| variant.program.is_some_and(|one| one.name == program));
    variant.context("no such compression")?.pack(bytes.to_vec())
}

/// A module of a tree, uncompressed.
///
/// # Errors
/// When the tree has no such module.
pub(crate) fn plain_module(tree: &KernelTree, name: &str) -> Result<Vec<u8>> {
    let find = |suffix: &str| -> Result<Option<PathBuf>> {
        Ok(trees::files_below(&tree.modules(), &format!("/{name}{suffix}"))?.into_iter().next())
    };
    if let Some(plain) = find(".ko")? {
        return Ok(fs::read(plain)?);
    }
    let packed = find(".ko.xz")?.with_context(|| format!("no module {name} in {}", tree.root.display()))?;
    filter(Command::new("xz").arg("--decompress"), &fs::read(packed)?)
}

/// The module with another word of the same length in its vermagic.
fn other_vermagic(mut module: Vec<u8>) -> Result<Vec<u8>> {
    let (from, to) = (b" mod_unload ", b" mod_onload ");
    let place = module.windows(from.len()).position(|window| window == from).context("no vermagic")?;
    module[place..place + to.len()].copy_from_slice(to);
    Ok(module)
}

/// Passes bytes through a program.
pub(crate) fn filter(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut file = tempfile::tempfile()?;
    std::io::Write::write_all(&mut file, input)?;
    std::io::Seek::rewind(&mut file)?;
    let out = command.arg("--stdout").stdin(Stdio::from(file)).stderr(Stdio::inherit()).output()?;
    if !out.status.success() {
        bail!("{} failed: {}", process::shown(command), out.status);
    }
    Ok(out.stdout)
}
