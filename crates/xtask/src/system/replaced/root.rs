//! The root of an image, in which scripts run before it is booted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::super::UnderTest;
use crate::cache::Cache;
use crate::packages::{self, DEBOOTSTRAP};
use crate::{chroot, deb, disk, image, mirror, process, workspace};

/// What the roots have beside the packages of every release and a kernel: a system that boots, and what makes its initial
/// file system and builds modules for it.
const PACKAGES: [&str; 8] =
    ["systemd-sysv", "udev", "kmod", "dbus", "e2fsprogs", "initramfs-tools", "zstd", "dkms"];
/// What is downloaded, for the scripts to install: the newest kernel, and a small module of Debian's for dkms.
const LATER: [&str; 3] = ["linux-image-amd64", "linux-headers-amd64", "acpi-call-dkms"];
/// Shell commands for the packages of the newest kernel but one of the release's series: bookworm has another series beside.
const FIRST: &str = r#"
    newest=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: linux-image-//p')
    series=$(echo "$newest" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
    first=$(apt-cache search --names-only "^linux-image-$series\.[^-]*(-[0-9]+)?-amd64\$" | cut -d' ' -f1 |
        sed 's/^linux-image-//' | sort -V | grep -vxF "$newest" | tail -1)
    first="linux-image-${first:?no kernel before $newest} linux-headers-$first""#;
/// What is downloaded for the other generator of initial file systems, which excludes the first.
const DRACUT: &str = "dracut";
/// Where the scripts are in the root, while they run.
const SCRIPTS: &str = "replaced";
/// What the boot loads by modules-load.d.
const LOADED: &str = "dummy\nvcan\nof-our-own\npcspkr\n";

/// A root of one run.
pub(super) struct Root {
    directory: tempfile::TempDir,
    generator: &'static str,
}

impl Root {
    /// A copy of the root of a release, which is made if the cache has none.
    ///
    /// # Errors
    /// When the mirror is unreachable, or a package cannot be installed.
    pub(super) fn of(cache: &Cache, suite: &str, generator: &'static str) -> Result<Self> {
        let pristine = cache.provide(&format!("roots/upgraded-{suite}"), |draft| make(suite, draft))?;
        let directory = tempfile::Builder::new().prefix("replaced").tempdir_in(cache.root())?;
        let root = Self { directory, generator };
        process::run(
            Command::new("cp").args(["--archive", "--reflink=auto"]).arg(pristine).arg(root.path()),
        )?;
        let system = workspace::root().join("integration/system");
        let etc = root.path().join("etc");
        fs::copy(system.join("modprobe.conf"), etc.join("modprobe.d/of-the-test.conf"))?;
        fs::write(etc.join("modules-load.d/of-the-test.conf"), LOADED)?;
        fs::write(etc.join("fstab"), "/dev/vda / ext4 defaults 0 1\n")?;
        let units = etc.join("systemd/system");
        fs::copy(system.join("report.service"), units.join("report.service"))?;
        std::os::unix::fs::symlink(
            "../report.service",
            units.join("multi-user.target.wants/report.service"),
        )?;
        Ok(root)
    }

    /// The directory of the run.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The root itself.
    pub(super) fn path(&self) -> PathBuf {
        self.directory().join("root")
    }

    /// The version of the only kernel, or of the one beside another.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub(super) fn kernel(&self, beside: Option<&str>) -> Result<String> {
        let names = fs::read_dir(self.path().join("usr/lib/modules"))?;
        let names = names.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
        let names: Vec<String> = names.filter(|name| beside != Some(name)).collect();
        match &names[..] {
            [only] => Ok(only.clone()),
            _ => bail!("not one kernel, but {names:?}"),
        }
    }

    /// Runs a script in the root, with our packages beside it. Returns its lines that begin with `= `.
    ///
    /// # Errors
    /// When it fails, with the end of its output.
    pub(super) fn script(&self, name: &str, ours: &UnderTest) -> Result<Vec<String>> {
        let here = self.path().join(SCRIPTS);
        let aside = self.directory().join(SCRIPTS);
        // What it left for the next one.
        if aside.exists() {
            fs::rename(&aside, &here)?;
        } else {
            fs::create_dir(&here)?;
            deb::replacing::build(ours.binary, ours.library, &here, env!("CARGO_PKG_VERSION"))?;
        }
        let integration = workspace::root().join("integration");
        fs::copy(integration.join("vm/lib.sh"), here.join("vm-lib.sh"))?;
        let script = format!("{name}.sh");
        for file in ["lib.sh", &script] {
            let from = integration.join("system/replaced").join(file);
            fs::copy(from, here.join(file)).with_context(|| file.to_owned())?;
        }
        let commands =
            format!("generator={}; cd /{SCRIPTS}; . ./vm-lib.sh; . ./lib.sh; . ./{script}", self.generator);
        let lines = chroot::run(&self.path(), &commands).with_context(|| script.clone())?;
        fs::rename(&here, &aside)?;
        Ok(lines.into_iter().filter(|line| line.starts_with("= ")).collect())
    }

    /// Makes the next boot of the root run `boot.sh` and this script, when all services have started.
    ///
    /// # Errors
    /// When a file can't be read or written.
    pub(super) fn boots_with(&self, script: &str) -> Result<()> {
        // From then on systemd leaves the serial port to it (systemd(1), on SIGRTMIN+21).
        let quiet = "kill -s 55 1\n";
        let text = quiet.to_owned() + &super::super::guest_script(&format!("replaced/{script}.sh"))?;
        fs::write(self.path().join("usr/local/sbin/report"), text)?;
        image::be_set_up(&self.path())
    }
}

/// Makes the root of a release with the packaged kmod, and with the kernel before the newest one.
fn make(suite: &str, root: &Path) -> Result<()> {
    packages::need(&[DEBOOTSTRAP])?;
    eprintln!("system: making a root of {suite}, some minutes");
    let site = mirror::main_site()?;
    let mut debootstrap = Command::new(DEBOOTSTRAP.name);
    process::output(debootstrap.args(["--variant=minbase", suite]).arg(root).arg(&site))?;
    // The mirror is reached with this machine's name servers.
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf")).context("/etc/resolv.conf")?;
    // The updates have more kernels than the release itself, which may have one only.
    let mut sources = format!("deb {site} {suite} main\n");
    if let Some(security) = mirror::security_site()? {
        sources += &format!("deb {security} {suite}-security main\n");
    }
    fs::write(root.join("etc/apt/sources.list"), sources).context("sources.list")?;
    chroot::start_no_services(root)?;
    let apt = "apt-get -qq -y --no-install-recommends";
    chroot::run(root, &format!("{apt} update; {apt} upgrade"))?;
    chroot::run(root, &format!("{FIRST}; {apt} install {} $first; apt-get clean", PACKAGES.join(" ")))?;
    chroot::run(root, &format!("{apt} --download-only install {}", LATER.join(" ")))?;
    chroot::run(root, &format!("{apt} --download-only install {DRACUT}"))?;
    disk::newest(&root.join("boot"), "initrd.img-").map(drop)
}
