//! `kmod static-nodes`: the device nodes that load a module when first opened, for systemd-tmpfiles to create at
//! boot. `modules.devname` lists them.

use std::{fs::File, io::Write, path::Path, process::ExitCode};

use bstr::ByteSlice;
use modutils::{
    Release, Root,
    depmod::devname::{self, Device, Node},
};

use crate::{Invocation, cause::Cause, cli, help, report::Report, status::Status};

/// The names of the formats.
pub(crate) const FORMATS: [&str; 3] = ["human", "tmpfiles", "devname"];

/// The format of a node.
#[derive(Clone, Copy)]
enum NodeFormat {
    Human,
    Tmpfiles,
    Devname,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    let word = cli::value_of(&options, "format").unwrap_or_else(|| "human".into());
    let Some(format) = NodeFormat::named(word.as_encoded_bytes()) else {
        report.usage(&[b"Unknown format: '", word.as_encoded_bytes(), b"'."].concat());
        report.print_line(help::text(command(), "kmod static-nodes"));
        return report.finish(Status::Failure);
    };
    let root = match cli::root(cli::place_of(&options, "root").as_deref(), None) {
        Ok(root) => root,
        Err(error) => {
            let status = failure(&mut report, &error.to_string());
            return report.finish(status);
        }
    };
    let output = cli::value_of(&options, "output").map(|path| root.locate(path));
    let status = write_nodes(format, output.as_deref(), &root, &mut report);
    report.finish(status)
}

pub(super) fn command() -> clap::Command {
    cli::command("static-nodes", "Show the device nodes that modules need at boot")
        .arg(cli::arguments("ARGUMENT").hide(true))
        .arg(cli::value('f', "format", "FORMAT", "human (for reading), tmpfiles (tmpfiles.d) or devname"))
        .arg(cli::value('o', "output", "FILE", "Write to this file"))
        .arg(cli::root_option())
        .arg(cli::help())
}

fn write_nodes(format: NodeFormat, output: Option<&Path>, root: &Root, report: &mut Report) -> Status {
    let release = match Release::running() {
        Ok(release) => release,
        Err(error) => return failure(report, &error.to_string()),
    };
    let directory = root.modules(&release);
    let path = directory.join("modules.devname");
    let text = match devname::read(&directory) {
        Ok(text) => text,
        // A kernel without modules has no such file, and that must not stop the boot.
        Err(error) if error.is_not_found() => {
            report.usage(format!("Warning: {} not found - ignoring", path.display()).as_bytes());
            return Status::Success;
        }
        Err(error) => {
            return failure(report, &format!("could not open {} - {}", path.display(), error.cause()));
        }
    };
    let Some(output) = output else {
        let (shown, status) = format_all(format, &text, &path, report);
        report.print(shown);
        return status;
    };
    let mut file = match create(output, root, report) {
        Ok(file) => file,
        Err(status) => return status,
    };
    let (shown, status) = format_all(format, &text, &path, report);
    if let Err(error) = file.write_all(&shown) {
        let cause = modutils::error_text(&error);
        return failure(report, &format!("could not write {} - {cause}", output.display()));
    }
    status
}

/// Formats all nodes of a file; a failure if a line is malformed.
fn format_all(format: NodeFormat, text: &[u8], path: &Path, report: &mut Report) -> (Vec<u8>, Status) {
    let mut shown = Vec::new();
    let mut status = Status::Success;
    for node in devname::parse(text) {
        match node {
            Ok(node) => write(&node, format, &mut shown),
            Err(bad) => {
                let line = [b"Error: invalid devname entry: ", bad.text.as_bytes()].concat();
                report.usage_because(&line, Cause::line(bad.fault.at(path)));
                status = Status::Failure;
            }
        }
    }
    (shown, status)
}

/// Creates a file and its parent directories.
fn create(path: &Path, root: &Root, report: &mut Report) -> Result<File, Status> {
    root.create(path).map_err(|error| {
        let (place, cause) = (path.display(), error.cause());
        let message = match error.path() == Some(path) {
            true => format!("could not create {place} - {cause}"),
            false => format!("could not create parent directory for {place} - {cause}."),
        };
        failure(report, &message)
    })
}

fn failure(report: &mut Report, message: &str) -> Status {
    report.usage(format!("Error: {message}").as_bytes());
    Status::Failure
}

impl NodeFormat {
    fn named(word: &[u8]) -> Option<Self> {
        match word {
            b"human" => Some(Self::Human),
            b"tmpfiles" => Some(Self::Tmpfiles),
            b"devname" => Some(Self::Devname),
            _ => None,
        }
    }
}

fn write(node: &Node<'_>, format: NodeFormat, shown: &mut Vec<u8>) {
    let Node { module, name, device: Device { block, major, minor } } = *node;
    let (letter, kind) = if block { ("b", "block") } else { ("c", "character") };
    let (parts, end): (Vec<&[u8]>, String) = match format {
        NodeFormat::Human => (
            vec![b"Module: ", module, b"\n\tDevice node: /dev/", name],
            format!("\n\t\tType: {kind} device\n\t\tMajor: {major}\n\t\tMinor: {minor}\n"),
        ),
        NodeFormat::Tmpfiles => {
            if let Some((directory, _)) = name.rsplit_once_str("/") {
                shown.extend([b"d /dev/", directory, b" 0755 - - -\n"].concat());
            }
            (vec![letter.as_bytes(), b"! /dev/", name], format!(" 0600 - - - {major}:{minor}\n"))
        }
        NodeFormat::Devname => return node.write(shown),
    };
    shown.extend(parts.concat());
    shown.extend(end.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_three_forms() {
        let shown = |format| {
            let device = Device { block: true, major: 116, minor: 1 };
            let node = Node { module: "snd".into(), name: "snd/seq".into(), device };
            let mut shown = Vec::new();
            write(&node, format, &mut shown);
            String::from_utf8(shown).unwrap()
        };
        assert_eq!(
            shown(NodeFormat::Human),
            "Module: snd\n\tDevice node: /dev/snd/seq\n\t\tType: block device\n\t\tMajor: 116\n\t\tMinor: 1\n"
        );
        assert_eq!(shown(NodeFormat::Tmpfiles), "d /dev/snd 0755 - - -\nb! /dev/snd/seq 0600 - - - 116:1\n");
        assert_eq!(shown(NodeFormat::Devname), "snd snd/seq b116:1\n");
    }
}
