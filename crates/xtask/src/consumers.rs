//! `cargo xtask consumers`: Debian 13's own programs that use libkmod.so.2, with the packaged library and with ours.
//!
//! `integration/consumers/run.sh` runs them in a root that debootstrap made, on a real module tree; output, exit codes and
//! copied files must be the same. All programs lack the right to load modules. With `--compile`, programs that were compiled
//! with our header, and clients in other languages, run as well, see [`compiled`].

pub(crate) mod compiled;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::packages::{self, DEBOOTSTRAP, UNSHARE};
use crate::{binary, kernel, libkmod, mirror, process, trees, workspace};

/// The options of `cargo xtask consumers`.
#[derive(Args)]
pub(crate) struct Options {
    /// The C library to test (default: built now)
    #[arg(long)]
    libkmod: Option<PathBuf>,
    /// Also compile programs of Debian's source packages, and clients in Rust and Go, with our header, and run them
    #[arg(long)]
    compile: bool,
    /// The binary whose depmod writes the indexes (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// The packages with the programs.
const PACKAGES: &str =
    "kmod,pciutils,systemd,udev,dracut-install,libblockdev-utils3,gir1.2-blockdev-3.0,python3-gi,lttng-tools";
/// The tree that they run on.
const TREE: &str = "trixie-amd64";
/// The devices of the bus: vendor, device and class.
const DEVICES: [(u16, u16, u32); 8] = [
    (0x8086, 0x10d3, 0x02_0000),
    (0x8086, 0x2668, 0x04_0300),
    (0x1b36, 0x000d, 0x0c_0330),
    (0x144d, 0xa808, 0x01_0802),
    (0x10de, 0x1eb8, 0x03_0200),
    (0x8086, 0x7010, 0x01_0180),
    (0x14e4, 0x1657, 0x02_0000),
    (0xffff, 0x0001, 0xff_0000),
];
/// Counts only in the shell of the root: which library the loader takes.
const INSIDE: &str = "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run; \
     sh -eu /run.sh /theirs; LD_LIBRARY_PATH=/ours-lib sh -eu /run.sh /ours";

/// Runs the programs and compares.
///
/// # Errors
/// When the root cannot be made, or there is a difference.
pub(crate) fn run(options: &Options) -> Result<()> {
    let library = options.libkmod.clone().map_or_else(libkmod::build, Ok)?;
    let binary = options.binary.clone().map_or_else(binary::build_static, Ok)?;
    let count = compare(&Cache::open()?, &library, &binary, options.compile)?;
    println!("{count} runs of programs, the same with both libraries");
    Ok(())
}

/// Runs the programs with both libraries. Returns how many runs there were.
///
/// # Errors
/// As [`run`].
pub(crate) fn compare(cache: &Cache, library: &Path, binary: &Path, compile: bool) -> Result<usize> {
    packages::need(&[UNSHARE])?;
    let Some(tree) = trees::provide(cache, TREE)? else { bail!("the tree {TREE} is unavailable") };
    let pristine = root(cache)?;
    let directory = tempfile::Builder::new().prefix("consumers").tempdir_in(cache.root())?;
    let root = directory.path().join("root");
    process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&pristine).arg(&root))?;
    install_tree(&tree.modules(), &root, binary)?;
    make_bus(&root.join("bus/devices"))?;
    fs::create_dir(root.join("ours-lib"))?;
    fs::copy(library, root.join("ours-lib").join(libkmod::SONAME))?;
    fs::copy(workspace::root().join("integration/consumers/run.sh"), root.join("run.sh"))?;
    fs::create_dir(root.join("built"))?;
    if compile {
        let built = compiled::provide(cache, library)?;
        process::run(Command::new("cp").arg("--recursive").arg(built.join(".")).arg(root.join("built")))?;
        fs::copy(compiled::rust_client(library)?, root.join("built/rust-client"))?;
    }
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--pid", "--fork", "--kill-child", "setpriv", "--bounding-set=-sys_module"]);
    inside.args(["--inh-caps=-sys_module", "chroot"]).arg(&root).args(["/bin/sh", "-euc", INSIDE]);
    inside.env_clear().envs([("PATH", "/usr/sbin:/usr/bin"), ("HOME", "/root"), ("LC_ALL", "C")]);
    process::run(inside.stdin(Stdio::null()))?;
    let difference =
        Command::new("diff").args(["-r", "-U1", "theirs", "ours"]).current_dir(&root).output()?;
    if !difference.status.success() {
        bail!("{}", String::from_utf8_lossy(&difference.stdout));
    }
    let status = fs::read_to_string(root.join("ours/status"))?;
    let expected = ["lspci 0", "dracut-symbol 0", "libblockdev 0", "ctypes 0"];
    if let Some(missing) = expected.iter().find(|line| !status.lines().any(|one| one == **line)) {
        bail!("not {missing}, but:\n{status}");
    }
    if compile {
        check_compiled(&root.join("ours"), &status)?;
    }
    let found = fs::read_to_string(root.join("ours/lspci.out"))?;
    if !found.contains("Kernel modules: e1000e") {
        bail!("lspci found no modules: {found}");
    }
    Ok(status.lines().count())
}

/// Checks that programs compiled with our header did what Debian's did, and that the clients found something.
fn check_compiled(ours: &Path, status: &str) -> Result<()> {
    let read = |name: &str| fs::read_to_string(ours.join(name)).with_context(|| name.to_owned());
    let same = ["lspci.out", "dracut-names.files", "dracut-symbol.files", "dracut-suppressed.files"];
    for name in same {
        let (stem, kind) = name.split_once('.').context("a name has an ending")?;
        if read(name)? != read(&format!("{stem}-built.{kind}"))? {
            bail!("{stem} compiled with our header differs from Debian's in its {kind}");
        }
    }
    for name in ["rust-client", "go-client", "lspci-built", "dracut-symbol-built"] {
        if !status.lines().any(|line| line == format!("{name} 0")) {
            bail!("{name} failed: {}{}", read(&format!("{name}.out"))?, read(&format!("{name}.err"))?);
        }
    }
    for (name, word) in [("rust-client.out", "e1000e.ko"), ("go-client.out", "found e1000e")] {
        if !read(name)?.contains(word) {
            bail!("no {word} in {name}: {}", read(name)?);
        }
    }
    Ok(())
}

/// The root with the programs, from the cache or made now.
fn root(cache: &Cache) -> Result<PathBuf> {
    // A root with other packages is another one.
    let key = format!("roots/consumers-{}", kernel::hash(&[PACKAGES.as_bytes()])?);
    cache.provide(&key, |draft| {
        packages::need(&[DEBOOTSTRAP])?;
        eprintln!("consumers: making a root of trixie, some minutes");
        let include = format!("--include={PACKAGES}");
        let site = mirror::main_site()?;
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", &include, "trixie"]).arg(draft).arg(&site);
        process::output(&mut debootstrap).map(drop)
    })
}

/// Copies a module directory into the root, also under the name of the running kernel's release, and writes its
/// indexes. Of several softdep lines for a module only the first one stays, for the packaged library ignores the others.
fn install_tree(modules: &Path, root: &Path, binary: &Path) -> Result<()> {
    let name = modules.file_name().context("a release")?.to_owned();
    let place = root.join("usr/lib/modules");
    fs::create_dir_all(&place)?;
    process::run(Command::new("cp").args(["--recursive", "--no-dereference"]).arg(modules).arg(&place))?;
    let running = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    std::os::unix::fs::symlink(&name, place.join(running.trim()))?;
    let mut depmod = Command::new(binary);
    std::os::unix::process::CommandExt::arg0(&mut depmod, "depmod");
    process::run(depmod.arg("-b").arg(root).arg(&name))?;
    for list in ["modules.softdep", "modules.weakdep"] {
        let path = place.join(&name).join(list);
        let text = fs::read_to_string(&path).context(list)?;
        let mut seen = std::collections::HashSet::new();
        let first = text.lines().filter(|line| {
            let module = line.split_whitespace().nth(1);
            line.starts_with('#') || module.is_some_and(|module| seen.insert(module.to_owned()))
        });
        let text: String = first.map(|line| format!("{line}\n")).collect();
        fs::write(&path, text)?;
    }
    Ok(())
}

/// Makes devices as /sys/bus/pci/devices has them.
fn make_bus(devices: &Path) -> Result<()> {
    for (number, (vendor, device, class)) in (1..).zip(DEVICES) {
        let directory = devices.join(format!("0000:00:{number:02x}.0"));
        fs::create_dir_all(&directory)?;
        let [_, base, sub, interface] = class.to_be_bytes();
        let modalias = format!(
            "pci:v{vendor:08X}d{device:08X}sv00001AF4sd00001100bc{base:02X}sc{sub:02X}i{interface:02X}\n"
        );
        let region = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n".repeat(7);
        let mut config = [0; 64];
        config[0..2].copy_from_slice(&vendor.to_le_bytes());
        config[2..4].copy_from_slice(&device.to_le_bytes());
        config[9..12].copy_from_slice(&[interface, sub, base]);
        for (file, text) in [
            ("vendor", format!("{vendor:#06x}\n")),
            ("device", format!("{device:#06x}\n")),
            ("class", format!("{class:#08x}\n")),
            ("irq", "11\n".to_owned()),
            ("numa_node", "0\n".to_owned()),
            ("modalias", modalias),
            ("resource", region),
        ] {
            fs::write(directory.join(file), text)?;
        }
        fs::write(directory.join("config"), config)?;
    }
    Ok(())
}
