//! `cargo xtask tour`: generates the tour of README.md from a real run.
//!
//! A virtual machine runs `integration/vm/tour.sh`; its output becomes the part of README.md between two markers.
//! The tests run it too, and compare it with the README; only numbers may differ, as they do with a newer kernel.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::guest::{self, Tools};
use crate::packages::{self, PYTHON};
use crate::qemu::{self, Machine, SerialAction};
use crate::{binary, busybox, trees, workspace};

/// The markers in README.md; the first one ends with the version of the booted kernel.
const BEGIN: &str = "<!-- From `cargo xtask tour`, on Linux ";
const END: &str = "<!-- The tour ends. -->\n";

/// The python3 program that reads a JSON document: a single line, as one types it.
const READER: &str =
    "import json, sys; print(*(m[\"signature\"][\"hash\"] for m in json.load(sys.stdin)[\"modules\"]))";

/// What the tour needs from the cache: a kernel with its modules, a module of another, a shell.
pub(crate) const NEEDS: [&str; 3] = ["trixie-cloud", "bookworm-cloud", crate::materials::BUSYBOX];

/// Writes the tour into README.md.
///
/// # Errors
/// When the machine does not boot, or README.md lacks the markers.
pub(crate) fn run() -> Result<()> {
    let (release, tour) = tour(&Cache::open()?, &binary::build_static()?)?;
    let path = workspace::root().join("README.md");
    let readme = fs::read_to_string(&path).context("README.md")?;
    let (before, _, _, after) = parts(&readme)?;
    fs::write(&path, format!("{before}{BEGIN}{release} -->\n{tour}{END}{after}")).context("README.md")?;
    println!("README.md has the tour, on Linux {release}");
    Ok(())
}

/// Whether README.md shows what these tools print.
///
/// # Errors
/// When it does not.
pub(crate) fn check(cache: &Cache, binary: &Path) -> Result<()> {
    let readme = fs::read_to_string(workspace::root().join("README.md")).context("README.md")?;
    let (_, _, documented, _) = parts(&readme)?;
    let (_, printed) = tour(cache, binary)?;
    let different = documented
        .lines()
        .zip(printed.lines())
        .find(|(documented, printed)| shape(documented) != shape(printed));
    if let Some((documented, printed)) = different {
        bail!("README.md has `{documented}`, the tools print `{printed}`: run `cargo xtask tour`");
    }
    if documented.lines().count() != printed.lines().count() {
        bail!("the tour of README.md has another length: run `cargo xtask tour`");
    }
    Ok(())
}

/// The text without what differs in another point release of the kernel: its version, CRCs, counts and words that depend
/// on them.
fn shape(line: &str) -> String {
    let word = |word: &str| -> String {
        let is_number = word.starts_with(|first: char| first.is_ascii_digit());
        if word.starts_with("0x") || (is_number && word.contains('.')) {
            return "0".to_owned();
        }
        word.chars().filter(|char| !char.is_ascii_digit()).collect()
    };
    let words = line.split_inclusive([' ', '/', ':', ',', ')']).map(|part| {
        let end = part.len() - usize::from(part.ends_with([' ', '/', ':', ',', ')']));
        word(&part[..end]) + &part[end..]
    });
    words.collect::<String>().replace("other modules need it", "other module needs it")
}

/// README.md: before the tour, its kernel's version, the tour, after it.
fn parts(readme: &str) -> Result<(&str, &str, &str, &str)> {
    let (before, rest) = readme.split_once(BEGIN).context("README.md: the tour's first marker")?;
    let (release, rest) =
        rest.split_once(" -->\n").context("README.md: the end of the tour's first marker")?;
    let (tour, after) = rest.split_once(END).context("README.md: the tour's last marker")?;
    Ok((before, release, tour, after))
}

/// Boots a stock kernel with our tools; returns its version and the tour.
fn tour(cache: &Cache, binary: &Path) -> Result<(String, String)> {
    let tree = trees::provide(cache, NEEDS[0])?.context("no such tree")?;
    let foreign = trees::provide(cache, NEEDS[1])?.context("no such tree")?;
    let busybox = busybox::provide(cache)?;
    let mut root = guest::base(&workspace::root(), &tree, &Tools::Ours(binary), &busybox, None)?;
    guest::add_variants(&mut root, &tree, Some(&foreign))?;
    root.link("job", "/vm/tour.sh");
    let (kernel, initramfs) = (tree.kernel(), root.finish());
    let mut lines = Vec::new();
    qemu::boot(&Machine::of(&kernel, &initramfs), |line| {
        lines.push(line.trim_end().to_owned());
        if line == "@@ end" { SerialAction::PowerOff } else { SerialAction::Read }
    })?;
    Ok((tree.version.clone(), markdown(&lines)?))
}

/// The lines of the machine as markdown: the narration, and below it what was typed and printed.
fn markdown(lines: &[String]) -> Result<String> {
    let mut text = String::new();
    let mut open = false;
    let mut lines = lines.iter().skip_while(|line| !line.starts_with("@@text "));
    while let Some(line) = lines.next() {
        if let Some(documented) = line.strip_prefix("@@text ") {
            text.push_str(if open { "```\n" } else { "" });
            text.push_str(&format!("\n{documented}\n\n```\n"));
            open = true;
        } else if let Some(command) = line.strip_prefix("@@json ") {
            let document: Vec<&str> =
                lines.by_ref().take_while(|line| *line != "@@end json").map(String::as_str).collect();
            text.push_str(&format!("$ {command} | python3 -c '{READER}'\n{}", read(&document.join("\n"))?));
        } else if !line.starts_with("@@") && !is_kernels(line) {
            text.push_str(&format!("{line}\n"));
        }
    }
    Ok(text + "```\n\n")
}

/// Whether the kernel printed this line on its console, as it does after the emulator was stopped for long.
fn is_kernels(line: &str) -> bool {
    line.strip_prefix('[')
        .is_some_and(|rest| rest.trim_start().starts_with(|char: char| char.is_ascii_digit()))
}

/// python3's output for a document.
fn read(document: &str) -> Result<String> {
    packages::need(&[PYTHON])?;
    let mut python = Command::new(PYTHON.name)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("python3")?;
    std::io::Write::write_all(&mut python.stdin.take().context("a pipe")?, document.as_bytes())?;
    let out = python.wait_with_output()?;
    if !out.status.success() {
        bail!("python3 cannot read {document}");
    }
    Ok(String::from_utf8(out.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_may_differ_from_the_readme() {
        assert_eq!(shape("CRC 0x82164fbb, of 6.12.117"), shape("CRC 0x1f9b2b9a, of 6.12.120"));
        assert_eq!(
            shape("insmod /lib/modules/6.12.117+deb13-cloud-amd64/kernel/fat.ko"),
            shape("insmod /lib/modules/6.12.43-cloud-amd64/kernel/fat.ko")
        );
        assert_eq!(shape("(as 1 other module needs it)"), shape("(as 9 other modules need it)"));
        assert_ne!(shape("needs 2 modules"), shape("needs 2 files"));
        assert_ne!(shape("/lib/modules/6.1/fat.ko"), shape("/lib/modules/6.1/vfat.ko"));
    }

    #[test]
    fn commands_appear_below_their_explanation() {
        let lines = [
            "[    1.2] Linux",
            "@@text See:",
            "$ lsmod",
            "[   43.8] BUG",
            "Module",
            "@@text And:",
            "$ kmod",
            "@@ end",
        ];
        let text = markdown(&lines.map(str::to_owned)).unwrap();
        assert_eq!(text, "\nSee:\n\n```\n$ lsmod\nModule\n```\n\nAnd:\n\n```\n$ kmod\n```\n\n");
    }
}
