//! `cargo xtask system --replaced`: Debian 13 and 12 without C kmod, from the initial file system to the shell.
//!
//! In the root of an image our packages take the place of kmod and libkmod2, and a search shows that nothing of those is
//! left. The initial file system is made in the root with our tools, and QEMU boots it with the root's kernel. The same
//! root is booted before that with the packaged kmod: what is loaded must be the same, and what the tools print. Then the
//! kernel is upgraded, dkms builds a module for the new one, the machine boots that and removes the one before.
//! What takes long is done in a chroot, by the scripts of `integration/system/replaced`.

mod root;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::root::Root;
use super::{EXPECTED, Report, UnderTest};
use crate::cache::Cache;
use crate::image;
use crate::process;
use crate::qemu::{self, Machine, SerialAction};
use crate::scenarios::{ScenarioResult, ScenarioVerdict};

/// A release and what makes its initial file system.
struct Variant {
    name: &'static str,
    suite: &'static str,
    generator: &'static str,
    /// Whether its kernel is upgraded after that, which takes as long again.
    is_upgraded: bool,
}

const VARIANTS: [Variant; 3] = [
    Variant { name: "replaced-trixie", suite: "trixie", generator: "initramfs-tools", is_upgraded: true },
    Variant { name: "replaced-trixie-dracut", suite: "trixie", generator: "dracut", is_upgraded: false },
    Variant { name: "replaced-bookworm", suite: "bookworm", generator: "initramfs-tools", is_upgraded: true },
];
/// The units' states come on the serial port, as one would see them; only our lines come after the boot. The watchdog of
/// soft lockups measures real time, of which an emulated processor may get none for a while: beside other work it reported
/// one of 26 seconds, with a trace of a module's BTF being checked (`btf_module_notify`).
const PARAMETERS: &str = "root=/dev/vda rw net.ifnames=0 nosoftlockup systemd.show_status=true \
     systemd.mask=serial-getty@ttyS0.service systemd.mask=getty@tty1.service systemd.mask=systemd-firstboot.service";
/// How much of what the serial port shows of a boot is printed.
const LAST_LINES: usize = 4;

/// Boots the releases without C kmod: those whose suite and name are wanted. Each is a result, whose row is printed.
pub(crate) fn compare(
    cache: &Cache,
    ours: &UnderTest,
    is_wanted: impl Fn(&str, &str) -> bool,
    show: bool,
) -> Vec<ScenarioResult> {
    let variants = VARIANTS.iter().filter(|variant| is_wanted(variant.suite, variant.name));
    let result = |variant: &Variant| {
        let start = Instant::now();
        let mut log = Vec::new();
        let verdict = match run(cache, ours, variant, show, &mut log) {
            Ok(()) => ScenarioVerdict::Passed,
            Err(error) => {
                log.extend(format!("{error:#}").lines().map(str::to_owned));
                ScenarioVerdict::Failed
            }
        };
        let seconds = format!("{:.1}", start.elapsed().as_secs_f64());
        let result = ScenarioResult { name: variant.name.to_owned(), verdict, seconds, log };
        result.print();
        result
    };
    variants.map(result).collect()
}

fn run(cache: &Cache, ours: &UnderTest, variant: &Variant, show: bool, log: &mut Vec<String>) -> Result<()> {
    let root = Root::of(cache, variant.suite, variant.generator)?;
    let first = root.kernel(None)?;
    log.extend(root.script("packaged", ours)?);
    let theirs = boot(&root, &first, "tools", show, log).context("with the packaged kmod")?;
    log.extend(root.script("replace", ours)?);
    let here = boot(&root, &first, "tools", show, log).context("without it")?;
    is_ours(&here, ours)?;
    ensure!(!line(&theirs, "identity").starts_with("modutils"), "the tools were ours from the beginning");
    log.push(same(&theirs, &here)?);
    // dracut's image, which is for any host, loads the mouse's driver without the configuration of this one.
    if variant.generator != "dracut" {
        super::check_configuration(&here)?;
    }
    if !variant.is_upgraded {
        return Ok(());
    }

    log.extend(root.script("kernel", ours)?);
    let second = root.kernel(Some(&first))?;
    let report = boot(&root, &second, "second", show, log).context("the second kernel")?;
    is_ours(&report, ours)?;
    super::check_configuration(&report)?;
    let removed = report.get("removal").context("nothing was removed")?;
    ensure!(removed.iter().any(|line| line.starts_with("Purging")), "{}", removed.join("\n"));
    log.push(format!("= {first} was removed in the running {second}; {}", lines(&report, "dkms").join("; ")));
    Ok(())
}

fn lines<'a>(report: &'a Report, section: &str) -> &'a [String] {
    report.get(section).map_or(&[], Vec::as_slice)
}

fn line<'a>(report: &'a Report, section: &str) -> &'a str {
    lines(report, section).first().map_or("", String::as_str)
}

/// Checks that the tools of a guest and the library that udev uses are ours, and that no unit has failed.
fn is_ours(report: &Report, ours: &UnderTest) -> Result<()> {
    let digest = process::output(std::process::Command::new("sha256sum").arg(ours.library))?;
    let digest = digest.split_whitespace().next().context("a digest")?;
    ensure!(line(report, "library") == digest, "the library is another: {}", line(report, "library"));
    ensure!(lines(report, "in-use").len() == 1, "udevd uses {:?}", lines(report, "in-use"));
    ensure!(line(report, "identity").starts_with("modutils "), "the tools: {}", line(report, "identity"));
    ensure!(lines(report, "failed-units").is_empty(), "failed: {}", lines(report, "failed-units").join(" "));
    Ok(())
}

/// Compares what a boot with the packaged kmod and one without it report. Returns a line that counts.
fn same(theirs: &Report, ours: &Report) -> Result<String> {
    let mut differences = String::new();
    for section in ["modules", "failed-units", "journal", "configured", "tools"] {
        let (there, here) = (lines(theirs, section), lines(ours, section));
        if section == "tools" && there != here {
            // Their order counts.
            let pair = there.iter().zip(here).find(|(one, other)| one != other);
            differences += &format!("tools: {pair:?}; {} and {} lines\n", there.len(), here.len());
        }
        for line in here.iter().filter(|line| !there.contains(line)) {
            differences += &format!("{section}: only without kmod: {line}\n");
        }
        // A line that the journal no longer has is not a fault of ours.
        for line in there.iter().filter(|line| section != "journal" && !here.contains(line)) {
            differences += &format!("{section}: only with kmod: {line}\n");
        }
    }
    if !differences.is_empty() {
        bail!("{differences}");
    }
    let modules = lines(ours, "modules");
    if let Some(missing) = EXPECTED.iter().find(|name| !modules.iter().any(|module| module == *name)) {
        bail!("{missing} is not loaded, but {modules:?}");
    }
    Ok(format!(
        "= the same with kmod and without it: {} modules after the boot, {} failed units, {} lines of the tools",
        modules.len(),
        lines(ours, "failed-units").len(),
        lines(ours, "tools").len()
    ))
}

/// Boots a kernel of the root with its initial file system, and returns what the guest reports after the boot. The end of
/// what a user would see, and the time, are added to the log.
fn boot(root: &Root, kernel: &str, script: &str, show: bool, log: &mut Vec<String>) -> Result<Report> {
    let directory = root.directory();
    let disk = directory.join("system");
    root.boots_with(script)?;
    image::file_system(&root.path(), &disk)?;
    let [image, initramfs] =
        ["vmlinuz", "initrd.img"].map(|name| root.path().join(format!("boot/{name}-{kernel}")));
    let initramfs = fs::read(&initramfs).with_context(|| initramfs.display().to_string())?;
    let machine = Machine {
        parameters: PARAMETERS,
        disk: Some(&disk),
        devices: &super::devices(directory, &directory.join("monitor"))?,
        timeout: Duration::from_secs(1800),
        ..Machine::of(&image, &initramfs)
    };
    let mut report = Report::new();
    let mut shown: Vec<String> = Vec::new();
    let ended = qemu::boot(&machine, |line| {
        if show {
            println!("{line}");
        }
        let Some((_, text)) = line.split_once("@@ ") else {
            shown.push(without_sequences(line));
            return SerialAction::Read;
        };
        if text == "end" {
            return SerialAction::PowerOff;
        }
        let (section, text) = text.split_once(' ').unwrap_or((text, ""));
        report.entry(section.to_owned()).or_default().push(text.to_owned());
        SerialAction::Read
    });
    fs::remove_file(&disk)?;
    let last = |count: usize| shown.iter().skip(shown.len().saturating_sub(count)).cloned();
    ended.with_context(|| last(30).collect::<Vec<_>>().join("\n"))?;
    if let Some(failed) = report.get("failed") {
        bail!("{}", failed.join("\n"));
    }
    let seconds = line(&report, "boot").parse::<f64>().context("no time of the boot")? / 1e6;
    log.push(format!("= {} on {kernel}: multi-user after {seconds:.1} s", line(&report, "identity")));
    log.extend(last(LAST_LINES).map(|line| format!("=     {line}")));
    Ok(report)
}

/// A line without the sequences that give a terminal its colours.
fn without_sequences(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|one: char| one.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        text += part.get(end..).unwrap_or_default();
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sections: &[(&str, &[&str])]) -> Report {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        sections.iter().map(|(name, text)| ((*name).to_owned(), lines(text))).collect()
    }

    #[test]
    fn what_differs_is_an_error() {
        let configured = ("configured", &["installed vcan", "150"][..]);
        let journal = ("journal", &["once"][..]);
        let theirs = report(&[("modules", &EXPECTED), ("tools", &["a", "b"]), journal, configured]);
        let mut ours = theirs.clone();
        ours.remove("journal");
        assert!(same(&theirs, &ours).unwrap().contains("10 modules"));
        for (section, other) in
            [("modules", &EXPECTED[1..]), ("tools", &["b", "a"]), ("journal", &["once", "another"])]
        {
            let mut ours = theirs.clone();
            ours.extend(report(&[(section, other)]));
            assert!(same(&theirs, &ours).is_err(), "{section}");
        }
        assert!(same(&report(&[]), &report(&[])).is_err());
    }

    #[test]
    fn sequences_are_removed() {
        assert_eq!(without_sequences("[\x1b[0;32m  OK  \x1b[0m] Reached\x1b[K\r"), "[  OK  ] Reached");
        assert_eq!(without_sequences("\x1b"), "");
    }
}
