//! `kmod closure`: everything that a set of modules needs, for builders of initramfs images and of other roots.

mod document;
mod request;
mod text;

use std::{path::PathBuf, process::ExitCode};

use clap::ArgMatches;
use modutils::{
    Context, Release,
    closure::{Closure, Destination, Firmware, FirmwareSearch, Follow, Member, Packing},
};

use super::shared_options;
use crate::{Invocation, cli, json::Document, report::Report, status::Status};

/// Whether the set is complete; the exit codes that kmod-closure(8) documents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completeness {
    /// Everything is there.
    Complete,
    /// A module is missing, or something could not be read.
    Incomplete,
    /// All modules are there, but firmware is missing.
    LacksFirmware,
}

impl From<Completeness> for ExitCode {
    fn from(completeness: Completeness) -> Self {
        match completeness {
            Completeness::Complete => Self::SUCCESS,
            Completeness::Incomplete => Self::FAILURE,
            Completeness::LacksFirmware => Self::from(2),
        }
    }
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    let completeness = closure(&options, &mut report).unwrap_or_else(|error| {
        report.error(error.to_string());
        Completeness::Incomplete
    });
    report.finish(completeness)
}

pub(super) fn command() -> clap::Command {
    shared_options::add_to(
        cli::command("closure", "List everything that modules need: other modules and firmware")
            .arg(cli::arguments("MODULE|ALIAS|FILE|PATTERN|@LIST"))
            .arg(cli::long_flag(
                "from-running",
                "Add the loaded modules, and those for this machine's devices",
            ))
            .arg(cli::long_flag("no-soft", "Do not follow soft dependencies"))
            .arg(cli::long_flag("no-weak", "Do not follow weak dependencies"))
            .arg(cli::long_flag("no-firmware", "Do not look for firmware"))
            .arg(cli::long_value("firmware", "DIR", "Look for firmware below DIR"))
            .arg(cli::long_value(
                "copy",
                "DIR",
                "Copy everything into the root DIR, with indexes, or nothing",
            ))
            .arg(cli::long_value("compress", "FORMAT", "With --copy, compress modules: none, gz, xz or zst"))
            .arg(cli::flag('p', "paths", "Print the paths of the files only"))
            .arg(cli::flag('w', "why", "Add to each line by whom it is needed"))
            .arg(cli::flag('0', "null", "End lines with a NUL byte")),
    )
}

fn closure(options: &ArgMatches, report: &mut Report) -> modutils::Result<Completeness> {
    let arguments = cli::values_of(options, cli::ARGUMENTS);
    if arguments.is_empty() && !options.get_flag("from-running") {
        report.error("missing module name. See -h.");
        return Ok(Completeness::Incomplete);
    }
    let Some(packing) = packing(options, report) else { return Ok(Completeness::Incomplete) };
    let Ok(context) = shared_options::context(options, report) else { return Ok(Completeness::Incomplete) };
    let (mut modules, mut status) = request::modules(&context, &arguments, report);
    if options.get_flag("from-running") {
        modules
            .extend(modutils::closure::of_running_machine(&context, &mut |notice| report.notice(&notice))?);
    }
    let mut follow = Follow::default();
    follow.soft = !options.get_flag("no-soft");
    follow.weak = !options.get_flag("no-weak");
    let closure = Closure::of_modules(&context, &modules, &follow)?;
    let (release, directory) = (release(options)?, firmware_directory(&context, options));
    let firmware = match options.get_flag("no-firmware") {
        true => Vec::new(),
        false => closure.firmware(&FirmwareSearch::below(&directory, &release), |module, error| {
            status = report.fail(format!("firmware of {module}: {error}"));
        }),
    };
    let complete = completeness(&closure, &firmware, status);
    if let Some(root) = cli::value_of(options, "copy") {
        // What lacks a module would not work; what lacks firmware may.
        if complete == Completeness::Incomplete {
            text::print_missing(&closure, report);
            return Ok(complete);
        }
        let mut to = Destination::new(cli::from_current_directory(&root), release, directory);
        to.packing = packing;
        closure.copy(&context, &firmware, &to)?;
    }
    if options.get_flag("json") {
        let mut document = Document::begin("closure", "kmod", "modules", report);
        document::write(&closure, &firmware, &mut document, report);
        document.end(report);
    } else {
        let format = text::Format {
            only_paths: options.get_flag("paths"),
            with_reasons: options.get_flag("why"),
            end: if options.get_flag("null") { 0 } else { b'\n' },
        };
        status = text::print(&closure, &firmware, &format, report);
    }
    Ok(if status == Status::Failure { Completeness::Incomplete } else { complete })
}

fn release(options: &ArgMatches) -> modutils::Result<Release> {
    cli::value_of(options, "set-version").map(Release::new).map_or_else(Release::running, Ok)
}

fn firmware_directory(context: &Context, options: &ArgMatches) -> PathBuf {
    let given = cli::value_of(options, "firmware").filter(|directory| !directory.is_empty());
    let root = context.root();
    given.map_or_else(
        || root.firmware(),
        |directory| cli::from_current_directory(root.locate(directory).as_os_str()),
    )
}

/// How copied modules are compressed; `None` after reporting an unknown format.
fn packing(options: &ArgMatches, report: &mut Report) -> Option<Packing> {
    let Some(name) = cli::value_of(options, "compress") else { return Some(Packing::AsIs) };
    let packing = name.to_str().and_then(Packing::by_name);
    if packing.is_none() {
        let name = name.as_encoded_bytes();
        report.error([b"unknown format '", name, b"': none, gz, xz or zst"].concat());
    }
    packing
}

fn completeness(closure: &Closure, firmware: &[Firmware], status: Status) -> Completeness {
    if status == Status::Failure || closure.members().any(Member::is_missing) {
        Completeness::Incomplete
    } else if firmware.iter().any(|firmware| firmware.files.is_empty()) {
        Completeness::LacksFirmware
    } else {
        Completeness::Complete
    }
}
