//! Disk images of Debian releases that boot: a root that debootstrap made, with the release's full kernel.
//!
//! An image is made once and cached. A boot never writes to it: QEMU keeps what the guest writes in a temporary file
//! over it, and the initial file system puts the files of that boot into it first, see [`Image::boot`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::initramfs::Initramfs;
use crate::packages::{self, DEBOOTSTRAP, DPKG_DEB, MKE2FS, XZ};
use crate::qemu::{self, Machine, SerialAction};
use crate::{busybox, disk, mirror, process, reference, trees, workspace};

/// What an image has.
pub(crate) struct Recipe<'a> {
    /// Its name in the cache.
    pub(crate) name: &'a str,
    /// The release, and the series of its kernel.
    pub(crate) release: (&'static str, &'static str),
    /// The packages beside the ones that every release has.
    pub(crate) packages: &'a [&'a str],
    /// Modules that are not compressed, for programs that read them themselves.
    pub(crate) plain: &'a [&'a str],
}

/// An image in the cache.
pub(crate) struct Image {
    directory: PathBuf,
}

/// A file of one boot.
pub(crate) struct File<'a> {
    /// Its path in the guest, without a slash at its beginning.
    pub(crate) path: &'a str,
    pub(crate) content: Content<'a>,
}

/// What a file of one boot is.
#[derive(Clone)]
pub(crate) enum Content<'a> {
    Bytes(Vec<u8>),
    Program(Vec<u8>),
    /// A link to this.
    Link(&'a str),
}

/// The modules without which the disk cannot be mounted. The file system asks for its checksum by an alias, which nobody
/// would answer at that time.
const EARLY: [&str; 4] = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];
/// The size of the file system in MiB, most of it a hole.
const SIZE: u32 = 3072;
/// No questions at the first boot, no prompt between our lines; names of network devices do not depend on rules.
/// The watchdog of soft lockups measures real time, of which an emulated processor may get none for a while.
const PARAMETERS: &str = "rw net.ifnames=0 nosoftlockup systemd.show_status=false systemd.mask=serial-getty@ttyS0.service \
     systemd.mask=getty@tty1.service systemd.mask=systemd-firstboot.service";

/// The image, from the cache or made now.
///
/// # Errors
/// When a package is unavailable, or a program that makes the image fails.
pub(crate) fn provide(cache: &Cache, recipe: &Recipe) -> Result<Image> {
    let directory = cache.provide(&format!("images/{}", recipe.name), |draft| {
        packages::need(&[DEBOOTSTRAP, DPKG_DEB, MKE2FS, XZ])?;
        eprintln!("image: making {}, some minutes", recipe.name);
        let root = draft.join("root");
        fs::create_dir_all(&root)?;
        make_root(cache, recipe, &root)?;
        let boot = root.join("boot");
        let kernel = disk::newest(&boot, "vmlinuz-")?;
        fs::copy(&kernel, draft.join("vmlinuz"))?;
        early_modules(&root, &draft.join("early"))?;
        file_system(&root, &draft.join("disk"))?;
        fs::remove_dir_all(&root).context("the root of the image")
    })?;
    Ok(Image { directory })
}

fn make_root(cache: &Cache, recipe: &Recipe, root: &Path) -> Result<()> {
    let (suite, series) = recipe.release;
    let kernel = mirror::Kernel { suite, series, arch: "amd64", flavour: "amd64", any_series: false };
    let kernel = mirror::kernel(cache, &kernel)?;
    let include = format!("--include={}", recipe.packages.join(","));
    let mut debootstrap = Command::new(DEBOOTSTRAP.name);
    debootstrap.args(["--variant=minbase", &include, suite]).arg(root).arg(mirror::main_site()?);
    process::output(&mut debootstrap)?;
    // Not installed by apt: that would make an initial file system, which takes longer than all else.
    kernel.iter().try_for_each(|package| reference::unpack(package, root))?;
    let version = kernel_version(root)?;
    for name in recipe.plain {
        let ending = format!("/{name}.ko.xz");
        for path in trees::files_below(&root.join("usr/lib/modules").join(&version), &ending)? {
            process::output(Command::new(XZ.name).arg("--decompress").arg(path))?;
        }
    }
    let depmod = ["chroot", &root.to_string_lossy(), "depmod", &version].map(str::to_owned);
    process::output(Command::new(&depmod[0]).args(&depmod[1..]))?;
    for downloaded in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        fs::remove_dir_all(root.join(downloaded)).with_context(|| downloaded.to_owned())?;
        fs::create_dir(root.join(downloaded))?;
    }
    be_set_up(root)
}

/// Makes the first boot of a root the same as any other.
///
/// # Errors
/// When a file can't be written.
pub(crate) fn be_set_up(root: &Path) -> Result<()> {
    fs::write(root.join("etc/machine-id"), format!("{:032x}\n", 0x6d6f_6475_7469_6c73_u64))?;
    fs::write(root.join("etc/hostname"), "guest\n")?;
    // What systemd does after an update of /usr is done, as ldconfig(8) is.
    for stamp in ["etc/.updated", "var/.updated"] {
        fs::write(root.join(stamp), "")?;
    }
    Ok(())
}

/// Makes a disk of a root, with a file system and no partitions.
///
/// # Errors
/// When mke2fs is missing or fails.
pub(crate) fn file_system(root: &Path, disk: &Path) -> Result<()> {
    packages::need(&[MKE2FS])?;
    let mut mke2fs = Command::new(MKE2FS.name);
    mke2fs.args(["-q", "-F", "-t", "ext4", "-d"]).arg(root).arg(disk).arg(format!("{SIZE}M"));
    process::output(&mut mke2fs).map(drop)
}

fn kernel_version(root: &Path) -> Result<String> {
    let directory = disk::newest(&root.join("usr/lib/modules"), "")?;
    Ok(directory.file_name().context("a version")?.to_string_lossy().into_owned())
}

/// Copies the modules that the initial file system loads, uncompressed, with names in the order of loading.
fn early_modules(root: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    let modules = root.join("usr/lib/modules").join(kernel_version(root)?);
    let read = |name: &str| fs::read_to_string(modules.join(name)).with_context(|| name.to_owned());
    let (dependencies, builtin) = (read("modules.dep")?, read("modules.builtin")?);
    for (number, path) in in_order(&dependencies, &builtin)?.into_iter().enumerate() {
        let copy = to.join(format!("{number:02}-{}", path.rsplit('/').next().unwrap_or_default()));
        fs::copy(modules.join(path), &copy).with_context(|| path.to_owned())?;
        if path.ends_with(".xz") {
            process::output(Command::new(XZ.name).arg("--decompress").arg(&copy))?;
        }
    }
    Ok(())
}

/// The paths of [`EARLY`] and what they need, each after what it needs itself.
fn in_order<'a>(dependencies: &'a str, builtin: &str) -> Result<Vec<&'a str>> {
    let mut paths = Vec::new();
    for name in EARLY {
        let is_named = |path: &str| {
            let file = path.rsplit('/').next().unwrap_or_default();
            file.split('.').next().is_some_and(|stem| stem.replace('-', "_") == name)
        };
        let mut lines = dependencies.lines().filter_map(|line| line.split_once(':'));
        let Some((path, needed)) = lines.find(|(path, _)| is_named(path)) else {
            if builtin.lines().any(is_named) {
                continue;
            }
            bail!("the kernel has no module {name}");
        };
        for path in needed.split_whitespace().rev().chain([path]) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

impl Image {
    /// Boots it on a machine that has these devices too (arguments of QEMU), with these files, and gives each line of the
    /// serial port to `on_line`. The image stays as it is.
    ///
    /// # Errors
    /// As [`qemu::boot`].
    pub(crate) fn boot(
        &self,
        cache: &Cache,
        devices: &[String],
        files: &[File],
        on_line: impl FnMut(&str) -> SerialAction,
    ) -> Result<()> {
        let initramfs = self.initramfs(cache, files)?;
        let kernel = self.directory.join("vmlinuz");
        let drive =
            format!("file={},format=raw,if=virtio,snapshot=on", self.directory.join("disk").display());
        let devices = [&["-drive".to_owned(), drive], devices].concat();
        let machine = Machine {
            parameters: PARAMETERS,
            devices: &devices,
            // Of the boots with two, beside other work of the host, one ended in a panic in ext4, with the packaged library,
            // and in two the watchdog found a processor stuck for 22 and 26 s.
            processors: 1,
            timeout: Duration::from_secs(1200),
            ..Machine::of(&kernel, &initramfs)
        };
        qemu::boot(&machine, on_line)
    }

    /// Reads the disk, so that boots whose times are compared find the same of it in memory.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn read(&self) -> Result<()> {
        let mut disk = fs::File::open(self.directory.join("disk"))?;
        io::copy(&mut disk, &mut io::sink()).context("the disk")?;
        Ok(())
    }

    /// The initial file system: it loads the disk's drivers, puts the files into the root, and hands over.
    fn initramfs(&self, cache: &Cache, files: &[File]) -> Result<Vec<u8>> {
        let mut archive = Initramfs::default();
        for empty in ["dev", "proc", "root", "files"] {
            archive.directory(empty);
        }
        archive.device("dev/console", 5, 1);
        archive.copy(&busybox::provide(cache)?, "bin/busybox")?;
        archive.file("init", 0o755, &fs::read(workspace::root().join("integration/system/init"))?);
        archive.copy_tree(&self.directory.join("early"), "early")?;
        for file in files {
            let path = format!("files/{}", file.path);
            match &file.content {
                Content::Bytes(bytes) => archive.file(&path, 0o644, bytes),
                Content::Program(bytes) => archive.file(&path, 0o755, bytes),
                Content::Link(target) => archive.link(&path, target),
            }
        }
        Ok(archive.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_modules_come_after_what_they_need_and_built_in_ones_are_skipped() {
        let dependencies = "kernel/fs/ext4/ext4.ko.xz: kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz\n\
            kernel/a/virtio_blk.ko.xz: kernel/a/virtio.ko.xz\n\
            kernel/a/virtio_pci.ko.xz: kernel/a/virtio_ring.ko.xz kernel/a/virtio.ko.xz\n";
        let builtin = "kernel/crypto/crc32c-generic.ko\n";
        let paths = in_order(dependencies, builtin).unwrap();
        let names: Vec<&str> = paths.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
        let expected = ["virtio", "virtio_ring", "virtio_pci", "virtio_blk", "jbd2", "mbcache", "ext4"];
        assert_eq!(names, expected.map(|name| format!("{name}.ko.xz")));
        assert!(in_order(dependencies, "").is_err());
    }
}
