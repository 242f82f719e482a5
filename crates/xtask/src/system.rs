//! `cargo xtask system`: Debian 13 and 12 boot in QEMU with the packaged libkmod.so.2, and with ours in its place.
//!
//! systemd and udev load the modules of a machine with many kinds of devices. What is loaded, failed units, and what the
//! journal has about modules must be the same; after the boot also for devices that are plugged in, and for stress-ng.
//! `integration/system/boot.sh` and `report.sh` run in the guest. [`replaced`] boots them without any C kmod.

mod devices;
pub(crate) mod replaced;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::cache::Cache;
use crate::image::{self, Content, File, Image, Recipe};
use crate::qemu::SerialAction;
use crate::scenarios::{ScenarioResult, ScenarioVerdict};
use crate::{binary, libkmod, mirror, process, workspace};

/// The options of `cargo xtask system`.
#[derive(Args)]
pub(crate) struct Options {
    /// Boot only this release (default: all)
    #[arg(long, value_parser = RELEASES.map(|(suite, _)| suite))]
    suite: Option<String>,
    /// The C library to test (default: built now)
    #[arg(long)]
    libkmod: Option<PathBuf>,
    /// The static binary whose `kmod device` is compared with lspci (default: built now)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Print the serial ports as they come
    #[arg(long)]
    show: bool,
    /// Boot the releases without C kmod instead: with our packages in the place of kmod and libkmod2, from an initial file
    /// system that was made with them
    #[arg(long)]
    replaced: bool,
    /// Of these only the ones whose names contain this, as replaced-trixie-dracut
    #[arg(requires = "replaced")]
    name: Option<String>,
}

/// Debian 13, whose systemd opens the library when it is needed, and Debian 12, whose systemd is linked with it; with
/// the series of their kernels.
const RELEASES: [(&str, &str); 2] = [("trixie", "6.12"), ("bookworm", "6.1")];
const PACKAGES: [&str; 6] = ["systemd-sysv", "udev", "kmod", "dbus", "pciutils", "stress-ng"];
/// Where both releases have the library.
const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/libkmod.so.2";
/// The machine's devices beside the disk.
const DEVICES: [&str; 8] = [
    "nvme,drive=nvme,serial=1",
    "e1000e,netdev=net",
    "intel-hda",
    "hda-duplex,audiodev=sound",
    "qemu-xhci,id=xhci",
    "usb-storage,bus=xhci.0,drive=stick",
    "virtio-scsi-pci,id=scsi",
    "scsi-hd,bus=scsi.0,drive=disk",
];
/// Modules that a boot of this machine loads.
const EXPECTED: [&str; 10] = [
    "nvme",
    "e1000e",
    "virtio_rng",
    "snd_hda_intel",
    "snd_hda_codec_generic",
    "xhci_pci",
    "usb_storage",
    "virtio_scsi",
    "sd_mod",
    "dummy",
];
/// The devices that are plugged in later.
const PLUGGED: [&str; 2] = ["rtl8139,id=later", "usb-mouse,id=mouse,bus=xhci.0"];
/// Files of every boot: their name in `integration/system`, and in the guest.
const FILES: [(&str, &str); 4] = [
    ("report.service", "etc/systemd/system/report.service"),
    ("drive.txt", "usr/local/share/drive.txt"),
    ("modprobe.conf", "etc/modprobe.d/of-the-test.conf"),
    ("modules-load.conf", "etc/modules-load.d/of-the-test.conf"),
];
/// initramfs-tools and what it needs beside [`PACKAGES`], for the guest with the packaged library.
const GENERATOR: [&str; 9] = [
    "initramfs-tools",
    "initramfs-tools-core",
    "initramfs-tools-bin",
    "klibc-utils",
    "libklibc",
    "dracut-install",
    "cpio",
    "linux-base",
    "logsave",
];

/// What the guests have of ours.
pub(crate) struct UnderTest<'a> {
    /// The C library.
    pub(crate) library: &'a Path,
    /// The static binary.
    pub(crate) binary: &'a Path,
}

/// What a guest reported: the lines of each section.
type Report = BTreeMap<String, Vec<String>>;

/// Boots and compares.
///
/// # Errors
/// When there is a difference, or a guest does not boot.
pub(crate) fn run(options: &Options) -> Result<()> {
    let library = options.libkmod.clone().map_or_else(libkmod::build, Ok)?;
    let binary = options.binary.clone().map_or_else(binary::build_static, Ok)?;
    let under_test = UnderTest { library: &library, binary: &binary };
    let (cache, suite) = (Cache::open()?, options.suite.as_deref());
    let results = if options.replaced {
        let is_wanted = |of: &str, name: &str| {
            suite.is_none_or(|only| only == of)
                && options.name.as_ref().is_none_or(|part| name.contains(part))
        };
        replaced::compare(&cache, &under_test, is_wanted, options.show)
    } else {
        compare(&cache, &under_test, suite, options.show)
    };
    ensure!(!results.is_empty(), "that release is not booted so");
    if results.iter().all(ScenarioResult::passed) { Ok(()) } else { bail!("there are differences") }
}

/// Boots the releases, or one of them, and compares. Each is a result, whose row is printed.
pub(crate) fn compare(
    cache: &Cache,
    under_test: &UnderTest,
    only: Option<&str>,
    show: bool,
) -> Vec<ScenarioResult> {
    let releases = RELEASES.into_iter().filter(|(suite, _)| only.is_none_or(|only| only == *suite));
    let result = |release: (&'static str, &'static str)| {
        let start = Instant::now();
        let compared = image::provide(cache, &recipe(release))
            .and_then(|image| compare_boots(cache, &image, under_test, release.0 == "trixie", show));
        let (verdict, log) = match compared {
            Ok(log) => (ScenarioVerdict::Passed, log),
            Err(error) => {
                (ScenarioVerdict::Failed, format!("{error:#}").lines().map(str::to_owned).collect())
            }
        };
        let seconds = format!("{:.1}", start.elapsed().as_secs_f64());
        let result = ScenarioResult { name: format!("system-{}", release.0), verdict, seconds, log };
        result.print();
        result
    };
    releases.map(result).collect()
}

fn recipe(release: (&'static str, &'static str)) -> Recipe<'static> {
    // stress-ng gives the file to the kernel itself.
    Recipe { name: release.0, release, packages: &PACKAGES, plain: &["ts_kmp"] }
}

/// Boots an image with both libraries and compares. The library of Debian 12 lacks functions that the program calls, and its
/// stress-ng has no stressor for modules: `is_newest` is false there.
fn compare_boots(
    cache: &Cache,
    image: &Image,
    under_test: &UnderTest,
    is_newest: bool,
    show: bool,
) -> Result<Vec<String>> {
    let library = under_test.library;
    let driver = if is_newest { Some(driver(library)?) } else { None };
    image.read()?;
    let generator = if is_newest { generator(cache, under_test.binary)? } else { Vec::new() };
    let boot = |ours, more| boot(cache, image, ours, driver.as_deref(), more, show);
    let theirs = boot(None, generator).context("with the packaged library")?;
    let ours = boot(Some(under_test), Vec::new()).context("with our library")?;
    if is_newest && !ours.contains_key("drive") {
        bail!("the program that calls the library did nothing");
    }
    check_library(&theirs, &ours, library)?;
    let lines = |report: &Report, name: &str| report.get(name).cloned().unwrap_or_default();
    let modules: BTreeSet<String> = lines(&ours, "modules").into_iter().collect();
    if let Some(missing) = EXPECTED.iter().find(|name| !modules.contains(**name)) {
        bail!("{missing} is not loaded, but {modules:?}");
    }
    check_configuration(&ours)?;
    let plugged = lines(&ours, "modules-plugged");
    let has = |name: &str| plugged.iter().any(|line| line == name);
    if !has("8139cp") || !has("hid_generic") || has("8139too") {
        bail!("the devices that were plugged in have other modules: {plugged:?}");
    }
    if is_newest && !lines(&ours, "stress-ng").iter().any(|line| line == "module 20") {
        bail!("stress-ng did not load its module: {:?}", lines(&ours, "stress-ng"));
    }
    let mut differences = String::new();
    for section in [
        "modules",
        "failed-units",
        "journal",
        "configured",
        "modules-plugged",
        "stress-ng",
        "drive",
        "modules-end",
        "journal-end",
    ] {
        let [there, here] = [&theirs, &ours].map(|report| lines(report, section));
        let only = |these: &[String], others: &[String], mark: &str| -> String {
            let only = these.iter().filter(|line| !others.contains(line));
            only.map(|line| format!("{section}: {mark} {line}\n")).collect()
        };
        differences += &only(&here, &there, "only with our library:");
        // A line that the journal no longer has is not a fault of ours.
        if !section.starts_with("journal") {
            differences += &only(&there, &here, "only with the packaged library:");
        }
    }
    let seconds = |report: &Report| -> Result<f64> {
        let time = lines(report, "boot");
        Ok(time.first().context("no time of the boot")?.parse::<f64>()? / 1e6)
    };
    let (there, here) = (seconds(&theirs)?, seconds(&ours)?);
    if !differences.is_empty() {
        bail!("{differences}");
    }
    let count = |name: &str| lines(&ours, name).len();
    let closure = lines(&theirs, "closure");
    if is_newest && !closure.last().is_some_and(|line| line.starts_with("= ")) {
        bail!("closure: {}", closure.join("\n"));
    }
    let mut log = vec![
        format!(
            "= {} modules after the boot, {} at the end; {} failed units; {} kinds of lines in the journal",
            count("modules"),
            count("modules-end"),
            count("failed-units"),
            count("journal-end")
        ),
        format!("= multi-user after {there:.1} s with the packaged library, {here:.1} s with ours"),
    ];
    log.push(devices::compare(&lines(&ours, "device"), &lines(&ours, "lspci"), &lines(&ours, "drivers"))?);
    if is_newest {
        let calls = lines(&ours, "drive").len();
        log.extend(closure);
        log.push(format!("= stress-ng: {}; {calls} lines of calls", lines(&ours, "stress-ng").join("; ")));
    }
    Ok(log)
}

/// Checks that `integration/system/modprobe.conf` was honoured.
fn check_configuration(report: &Report) -> Result<()> {
    let configured = report.get("configured").map_or(&[][..], Vec::as_slice);
    if !["installed vcan", "150"].iter().all(|wanted| configured.iter().any(|line| line == wanted)) {
        bail!("the configuration was not honoured: {configured:?}");
    }
    Ok(())
}

/// Checks that the second guest used our library, and not the first.
fn check_library(theirs: &Report, ours: &Report, library: &Path) -> Result<()> {
    let digest = process::output(Command::new("sha256sum").arg(library))?;
    let digest = digest.split_whitespace().next().unwrap_or_default();
    let has =
        |report: &Report| report.get("library").is_some_and(|lines| lines.iter().any(|it| it == digest));
    if has(theirs) || !has(ours) {
        bail!("our library is not where it belongs: {:?}, {:?}", theirs.get("library"), ours.get("library"));
    }
    let used = |report: &Report| report.get("in-use").is_some_and(|lines| lines.len() == 1);
    if !used(theirs) || !used(ours) {
        bail!("udevd does not use it: {:?}, {:?}", theirs.get("in-use"), ours.get("in-use"));
    }
    Ok(())
}

/// What a guest runs after the boot: `boot.sh` reports about that, then comes the file of this name.
fn guest_script(name: &str) -> Result<String> {
    let directory = workspace::root().join("integration/system");
    let read = |name: &str| fs::read_to_string(directory.join(name)).with_context(|| name.to_owned());
    Ok(format!("{}{}echo '@@ end'\n", read("boot.sh")?, read(name)?))
}

/// The program of `tests/libkmod`, which calls the library as a script has it.
fn driver(library: &Path) -> Result<Vec<u8>> {
    let workspace = workspace::root();
    let directory = tempfile::tempdir()?;
    let program = directory.path().join("drive");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=gnu11", "-I"]).arg(workspace.join("crates/libkmod/include"));
    compiler.arg(workspace.join("tests/libkmod/drive.c")).arg(library).arg("-o").arg(&program);
    process::output(&mut compiler)?;
    Ok(fs::read(&program)?)
}

/// Files with which a guest makes an initial file system for itself, and compares that with our closure.
fn generator(cache: &Cache, binary: &Path) -> Result<Vec<(String, Content<'static>)>> {
    let script = fs::read(workspace::root().join("integration/system/closure.sh"))?;
    let mut files = vec![
        ("usr/local/share/closure.sh".to_owned(), Content::Bytes(script)),
        ("usr/local/lib/modutils".to_owned(), Content::Program(fs::read(binary)?)),
    ];
    for name in GENERATOR {
        let package = mirror::package(cache, "trixie", "amd64", name, "")?;
        files.push((format!("usr/local/share/debs/{name}.deb"), Content::Bytes(fs::read(package)?)));
    }
    Ok(files)
}

/// Boots an image and returns what the guest reports, with our library and tools if they are given.
fn boot(
    cache: &Cache,
    image: &Image,
    ours: Option<&UnderTest>,
    driver: Option<&[u8]>,
    more: Vec<(String, Content)>,
    show: bool,
) -> Result<Report> {
    let directory = tempfile::tempdir()?;
    let monitor = directory.path().join("monitor");
    let mut files = Vec::new();
    for (name, path) in FILES {
        let bytes = fs::read(workspace::root().join("integration/system").join(name));
        files.push(File { path, content: Content::Bytes(bytes.with_context(|| name.to_owned())?) });
    }
    files.push(File {
        path: "usr/local/sbin/report",
        content: Content::Bytes(guest_script("report.sh")?.into_bytes()),
    });
    files.push(File {
        path: "etc/systemd/system/multi-user.target.wants/report.service",
        content: Content::Link("../report.service"),
    });
    if let Some(driver) = driver {
        files.push(File { path: "usr/local/sbin/drive", content: Content::Program(driver.to_vec()) });
    }
    for (path, content) in &more {
        files.push(File { path, content: content.clone() });
    }
    if let Some(UnderTest { library, binary }) = ours {
        files.push(File { path: LIBRARY, content: Content::Bytes(fs::read(library)?) });
        files.push(File { path: "usr/local/sbin/modutils", content: Content::Program(fs::read(binary)?) });
    }
    let mut report = Report::new();
    let mut shown = Vec::new();
    let ended = image.boot(cache, &devices(directory.path(), &monitor)?, &files, |line| {
        shown.push(line.to_owned());
        if show {
            println!("{line}");
        }
        // The terminal's own sequences may come before it.
        let Some((_, line)) = line.split_once("@@ ") else { return SerialAction::Read };
        match line {
            "end" => return SerialAction::PowerOff,
            "plug" => {
                if let Err(error) = plug(&monitor) {
                    report.entry("failed-units".to_owned()).or_default().push(format!("plug: {error:#}"));
                }
            }
            line => {
                let (section, text) = line.split_once(' ').unwrap_or((line, ""));
                report.entry(section.to_owned()).or_default().push(text.to_owned());
            }
        }
        SerialAction::Read
    });
    ended.with_context(|| shown.iter().rev().take(30).rev().cloned().collect::<Vec<_>>().join("\n"))?;
    if let Some(failed) = report.get("failed") {
        bail!("{}", failed.join("\n"));
    }
    Ok(report)
}

/// The arguments of QEMU for the devices, their disks below a directory, and the monitor.
fn devices(directory: &Path, monitor: &Path) -> Result<Vec<String>> {
    // Backends that lead nowhere.
    let backends = ["-netdev", "user,restrict=on,id=net", "-audiodev", "none,id=sound"];
    let mut arguments = backends.map(str::to_owned).to_vec();
    for name in ["nvme", "stick", "disk"] {
        let path = directory.join(name);
        fs::File::create(&path)?.set_len(8 << 20)?;
        arguments.push("-drive".to_owned());
        arguments.push(format!("if=none,id={name},format=raw,file={}", path.display()));
    }
    for device in DEVICES {
        arguments.extend(["-device".to_owned(), device.to_owned()]);
    }
    let socket = format!("socket,id=monitor,server=on,wait=off,path={}", monitor.display());
    arguments.extend(["-chardev", &socket, "-mon", "chardev=monitor,mode=readline"].map(str::to_owned));
    Ok(arguments)
}

/// Plugs devices into the running machine.
fn plug(monitor: &Path) -> Result<()> {
    let mut stream = UnixStream::connect(monitor).context("QEMU's monitor")?;
    for device in PLUGGED {
        writeln!(stream, "device_add {device}")?;
    }
    // A connection that is closed at once loses what QEMU has not read.
    std::thread::sleep(std::time::Duration::from_secs(2));
    Ok(())
}
