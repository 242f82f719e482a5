//! `kmod params`: the parameters of modules, and their current values.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, process::ExitCode};

use bstr::{BStr, ByteSlice};
use modutils::{
    Context, Error, Module, ModuleName, Release,
    kernel::{PresentParameter, State},
    module_file::{ModInfo, ModuleFile, Parameter},
};
use serde::Serialize;

use super::shared_options;
use crate::{
    Invocation,
    cause::failed_request,
    cli,
    json::{Document, Text},
    report::Report,
    status::Status,
};

/// A module whose parameters are shown.
#[derive(Serialize)]
struct ModuleParametersItem<'a> {
    name: Text<'a>,
    /// `None` if it is built in.
    filename: Option<Text<'a>>,
    loaded: bool,
    parameters: Vec<CurrentParameterItem<'a>>,
}

#[derive(Serialize)]
struct CurrentParameterItem<'a> {
    name: Text<'a>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    description: Option<Text<'a>>,
    /// The current value, if the kernel shows it and we may read it.
    value: Option<Text<'a>>,
    /// The permission bits of its file, in octal digits.
    mode: Option<String>,
    /// Why the value cannot be read.
    #[serde(skip)]
    unreadable: Option<String>,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    if arguments.is_empty() {
        let status = report.fail("missing module name.");
        return report.finish(status);
    }
    let context = match shared_options::context(&options, &mut report) {
        Ok(context) => context,
        Err(status) => return report.finish(status),
    };
    let json = options.get_flag("json");
    let mut document = json.then(|| Document::begin("parameters", "kmod", "modules", &mut report));
    let shown = |argument: &OsString| show(&context, argument.as_bytes(), &mut document, &mut report);
    let status = arguments.iter().map(shown).collect::<Status>();
    if let Some(document) = document {
        document.end(&mut report);
    }
    report.finish(status)
}

pub(super) fn command() -> clap::Command {
    shared_options::add_to(
        cli::command("params", "Show the parameters of modules, and their current values")
            .arg(cli::arguments("MODULE|FILE")),
    )
}

/// Shows the modules of an argument: a file, or all modules with this name or alias.
fn show(context: &Context, argument: &[u8], document: &mut Option<Document>, report: &mut Report) -> Status {
    let root = context.root();
    let path = root.locate(cli::os_str(argument));
    if argument.contains(&b'/') || (argument.contains_str(".ko") && cli::is_file(&path, root)) {
        let shown = ModuleFile::open(&path).and_then(|file| show_file(context, &file, document, report));
        return status_of(shown, argument, report);
    }
    let (found, error) = match context.lookup(argument) {
        Ok(found) => (found, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    if found.is_empty() {
        let why = failed_request::not_found(context, argument, error.as_ref(), report);
        return report.fail_because([b"Module ", argument, b" not found."].concat(), why);
    }
    let mut status = Status::Success;
    for module in found {
        let shown = match module.file() {
            Ok(Some(file)) => show_file(context, file, document, report),
            Ok(None) => show_builtin(&module, document, report),
            Err(error) => Err(error),
        };
        status = status.and(status_of(shown, module.name().as_bytes(), report));
    }
    status
}

fn status_of(shown: modutils::Result<()>, name: &[u8], report: &mut Report) -> Status {
    let Err(error) = shown else { return Status::Success };
    report.fail([b"could not get parameters of '", name, b"': ", error.to_string().as_bytes()].concat())
}

fn show_file(
    context: &Context,
    file: &ModuleFile,
    document: &mut Option<Document>,
    report: &mut Report,
) -> Result<(), Error> {
    let info = file.modinfo()?;
    // The module may have another name in the kernel than its file.
    let name = info.value("name").map_or_else(|| file.name().clone(), ModuleName::new);
    show_parameters(&context.module(name), Some(file.path().as_os_str().as_bytes()), &info, document, report);
    Ok(())
}

fn show_builtin(module: &Module, document: &mut Option<Document>, report: &mut Report) -> Result<(), Error> {
    show_parameters(module, None, &module.modinfo()?, document, report);
    Ok(())
}

fn show_parameters(
    module: &Module,
    filename: Option<&[u8]>,
    info: &ModInfo,
    document: &mut Option<Document>,
    report: &mut Report,
) {
    // The values of the running kernel do not apply to the modules of another one.
    let directory = module.context().directory();
    let running = Release::running().is_ok_and(|release| directory.ends_with(release.as_os_str()));
    let present = if running { module.parameters() } else { Vec::new() };
    let is_live = matches!(module.state(), State::Live | State::Going);
    let loaded = running && (is_live || !present.is_empty());
    let item = ModuleParametersItem {
        name: Text::from(module.name()),
        filename: filename.map(Text),
        loaded,
        parameters: parameter_items(&info.parameters(), &present),
    };
    match document {
        Some(document) => document.item(&item, report),
        None => print_module(&item, report),
    }
}

/// The parameters that the module declares, with the values that the kernel shows. Parameters that only the kernel
/// shows come last: built-in modules without a description have such.
fn parameter_items<'a>(
    declared: &[Parameter<'a>],
    present: &'a [PresentParameter],
) -> Vec<CurrentParameterItem<'a>> {
    let mut items: Vec<CurrentParameterItem> = declared
        .iter()
        .map(|parameter| {
            let present = present.iter().find(|present| present.name == parameter.name);
            parameter_item(parameter.name, parameter.kind, parameter.description, present)
        })
        .collect();
    let is_new = |present: &&PresentParameter| declared.iter().all(|declared| declared.name != present.name);
    let more = present.iter().filter(is_new);
    items.extend(more.map(|present| parameter_item(present.name.as_bstr(), None, None, Some(present))));
    items
}

fn parameter_item<'a>(
    name: &'a BStr,
    kind: Option<&'a BStr>,
    description: Option<&'a BStr>,
    present: Option<&'a PresentParameter>,
) -> CurrentParameterItem<'a> {
    let value = present.map(|present| present.value.as_ref());
    CurrentParameterItem {
        name: Text(name),
        kind: kind.map(|kind| Text(kind)),
        description: description.map(|description| Text(description)),
        value: value.and_then(Result::ok).map(Text::from),
        mode: present.map(|present| format!("{:04o}", present.mode)),
        unreadable: value.and_then(Result::err).map(modutils::error_text),
    }
}

/// Prints a block for each module, with a line for each parameter and its description below.
fn print_module(item: &ModuleParametersItem, report: &mut Report) {
    let state = if item.loaded { "loaded" } else { "not loaded" };
    let title = [item.name.0, b" (", state.as_bytes(), b")"].concat();
    report.print_styled_line(&report.styled_line().heading(title));
    if item.parameters.is_empty() {
        report.print_own_line("  no parameters");
    }
    for parameter in &item.parameters {
        let mut line = report.styled_line().plain("  ").name(parameter.name.0);
        if let Some(Text(kind)) = parameter.kind {
            line = line.plain(" (").plain(kind).plain(")");
        }
        if let Some(Text(value)) = parameter.value {
            line = line.plain(" = ").plain(value);
        }
        if let Some(mode) = &parameter.mode {
            line = line.plain(", ").plain(mode);
        }
        if let Some(cause) = &parameter.unreadable {
            line = line.plain(", unreadable: ").plain(cause);
        }
        report.print_styled_line(&line);
        for line in parameter.description.iter().flat_map(|Text(text)| text.lines()) {
            report.print_own_line([b"      ", line].concat());
        }
    }
}
