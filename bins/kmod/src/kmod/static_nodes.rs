//! `kmod static-nodes`: the device nodes by which modules are loaded when first opened, for
//! systemd-tmpfiles to make at boot. They are listed in `modules.devname`.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use bstr::{BStr, ByteSlice};
use modutils::{
    Malformed, Release, Root,
    config::{lines::words, read},
};

use crate::{Invocation, cli, report::Report};

/// The ways in which nodes can be written, by name.
pub(crate) const FORMATS: [&str; 3] = ["human", "tmpfiles", "devname"];

/// How a node is written.
#[derive(Clone, Copy)]
enum Format {
    Human,
    Tmpfiles,
    Devname,
}

/// A line of `modules.devname`.
struct Node<'a> {
    module: &'a BStr,
    name: &'a BStr,
    block: bool,
    major: u32,
    minor: u32,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    let word = cli::value_of(&options, "format").unwrap_or_else(|| "human".into());
    let Some(format) = Format::named(word.as_encoded_bytes()) else {
        report.usage(&[b"Unknown format: '", word.as_encoded_bytes(), b"'."].concat());
        report.print_line(command().render_help().to_string().trim_end());
        return report.finish(false);
    };
    let output = cli::value_of(&options, "output").map(PathBuf::from);
    let done = nodes(format, output.as_deref(), &mut report);
    report.finish(done)
}

pub(super) fn command() -> clap::Command {
    cli::command("static-nodes", "Show the device nodes that modules need at boot")
        .arg(cli::arguments("ARGUMENT").hide(true))
        .arg(cli::value('f', "format", "FORMAT", "human (for reading), tmpfiles (tmpfiles.d) or devname"))
        .arg(cli::value('o', "output", "FILE", "Write to this file"))
        .arg(
            clap::Arg::new("help")
                .short('h')
                .long("help")
                .action(clap::ArgAction::Help)
                .help("Show this help"),
        )
}

fn nodes(format: Format, output: Option<&Path>, report: &mut Report) -> bool {
    let release = match Release::running() {
        Ok(release) => release,
        Err(error) => return failure(report, &error.to_string()),
    };
    let path = Root::default().modules(&release).join("modules.devname");
    let text = match read(&path) {
        Ok(text) => text,
        // A kernel without modules has no such file, and booting goes on.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.usage(format!("Warning: {} not found - ignoring", path.display()).as_bytes());
            return true;
        }
        Err(error) => {
            let cause = modutils::error_text(&error);
            return failure(report, &format!("could not open {} - {cause}", path.display()));
        }
    };
    let Some(output) = output else {
        let (shown, done) = format_all(format, &text, &path, report);
        report.print(shown);
        return done;
    };
    let Some(mut file) = create(output, report) else { return false };
    let (shown, done) = format_all(format, &text, &path, report);
    if let Err(error) = file.write_all(&shown) {
        let cause = modutils::error_text(&error);
        return failure(report, &format!("could not write {} - {cause}", output.display()));
    }
    done
}

/// All nodes of the text in a file, and whether every line was one.
fn format_all(format: Format, text: &[u8], path: &Path, report: &mut Report) -> (Vec<u8>, bool) {
    let mut shown = Vec::new();
    let mut done = true;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with(b"#")) {
        match Node::parse(line) {
            Some(node) => node.write(format, &mut shown),
            None => {
                report.usage(&[b"Error: invalid devname entry: ", line].concat());
                let fault = Malformed::line(number, "not MODULE NODE cMAJOR:MINOR or bMAJOR:MINOR");
                report.usage(format!("  {}", fault.at(path)).as_bytes());
                done = false;
            }
        }
    }
    (shown, done)
}

/// Creates a file and the directories above it.
fn create(path: &Path, report: &mut Report) -> Option<File> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
        && let Err(error) = fs::create_dir_all(parent)
    {
        let cause = modutils::error_text(&error);
        failure(report, &format!("could not create parent directory for {} - {cause}.", path.display()));
        return None;
    }
    match File::create(path) {
        Ok(file) => Some(file),
        Err(error) => {
            let cause = modutils::error_text(&error);
            failure(report, &format!("could not create {} - {cause}", path.display()));
            None
        }
    }
}

fn failure(report: &mut Report, message: &str) -> bool {
    report.usage(format!("Error: {message}").as_bytes());
    false
}

impl Format {
    fn named(word: &[u8]) -> Option<Self> {
        match word {
            b"human" => Some(Self::Human),
            b"tmpfiles" => Some(Self::Tmpfiles),
            b"devname" => Some(Self::Devname),
            _ => None,
        }
    }
}

impl<'a> Node<'a> {
    /// `MODULE NAME cMAJOR:MINOR`, or `b` for a block device.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = words(line);
        let (module, name, device) = (words.next()?.as_bstr(), words.next()?.as_bstr(), words.next()?);
        let (kind, numbers) = device.split_first()?;
        let (major, minor) = numbers.to_str().ok()?.split_once(':')?;
        let block = match kind {
            b'b' => true,
            b'c' => false,
            _ => return None,
        };
        Some(Self { module, name, block, major: major.parse().ok()?, minor: minor.parse().ok()? })
    }

    fn write(&self, format: Format, shown: &mut Vec<u8>) {
        let Self { major, minor, .. } = self;
        let (letter, kind) = if self.block { ("b", "block") } else { ("c", "character") };
        let parts: Vec<&[u8]> = match format {
            Format::Human => vec![b"Module: ", self.module, b"\n\tDevice node: /dev/", self.name],
            Format::Tmpfiles => {
                if let Some((directory, _)) = self.name.rsplit_once_str("/") {
                    shown.extend([b"d /dev/", directory, b" 0755 - - -\n"].concat());
                }
                vec![letter.as_bytes(), b"! /dev/", self.name]
            }
            Format::Devname => vec![self.module, b" ", self.name],
        };
        shown.extend(parts.concat());
        let end = match format {
            Format::Human => format!("\n\t\tType: {kind} device\n\t\tMajor: {major}\n\t\tMinor: {minor}\n"),
            Format::Tmpfiles => format!(" 0600 - - - {major}:{minor}\n"),
            Format::Devname => format!(" {letter}{major}:{minor}\n"),
        };
        shown.extend(end.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Format, line: &str) -> Option<String> {
        let mut shown = Vec::new();
        Node::parse(line.as_bytes())?.write(format, &mut shown);
        Some(String::from_utf8(shown).unwrap())
    }

    #[test]
    fn a_node_has_three_forms() {
        let line = "snd snd/seq b116:1";
        assert_eq!(
            shown(Format::Human, line).unwrap(),
            "Module: snd\n\tDevice node: /dev/snd/seq\n\t\tType: block device\n\t\tMajor: 116\n\t\tMinor: 1\n"
        );
        assert_eq!(
            shown(Format::Tmpfiles, line).unwrap(),
            "d /dev/snd 0755 - - -\nb! /dev/snd/seq 0600 - - - 116:1\n"
        );
        assert_eq!(shown(Format::Devname, line).unwrap(), "snd snd/seq b116:1\n");
    }

    #[test]
    fn other_lines_are_no_nodes() {
        for line in ["", "a b", "a b c1", "a b q1:2", "a b c1:x", "a b c1:99999999999"] {
            assert_eq!(shown(Format::Devname, line), None, "{line}");
        }
    }
}
