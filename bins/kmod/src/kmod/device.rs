//! `kmod device`: the devices of this machine, their drivers, and the modules that match them.

use std::{os::unix::ffi::OsStrExt, path::Path, process::ExitCode};

use bstr::BString;
use modutils::{
    Context, Level,
    devices::{Device, devices},
};
use serde::Serialize;

use super::{
    shared_options,
    status::{Found, ModuleItem, Query, module_item, print_module},
};
use crate::{
    Invocation, cli,
    json::{Document, Text},
    report::Report,
    status::Status,
};

/// What is shown: a device, or a modalias without one.
struct Shown<'a> {
    device: Option<&'a Device>,
    modalias: Option<&'a [u8]>,
    modules: Vec<Found>,
}

#[derive(Serialize)]
struct DeviceItem<'a> {
    /// `None` where only a modalias was given; so are the members below.
    bus: Option<Text<'a>>,
    name: Option<Text<'a>>,
    path: Option<Text<'a>>,
    driver: Option<Text<'a>>,
    /// `None` also where the driver is part of the kernel.
    driver_module: Option<Text<'a>>,
    modalias: Option<Text<'a>>,
    modules: Vec<ModuleItem<'a>>,
}

/// Runs the command.
pub(super) fn run(invocation: &Invocation, mut report: Report) -> ExitCode {
    report.set_threshold(Level::Error);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    let Ok(context) = shared_options::context(&options, &mut report) else {
        return report.finish(Status::Failure);
    };
    let all = match devices(context.root()) {
        Ok(all) => all,
        Err(error) => {
            let status = report.fail(error.to_string());
            return report.finish(status);
        }
    };
    let query = Query::new(&context, None);
    let mut document =
        options.get_flag("json").then(|| Document::begin("devices", "kmod", "devices", &mut report));
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    let only_unbound = options.get_flag("unbound");
    let mut status = Status::Success;
    if arguments.is_empty() {
        // A device that nothing drives is a failure only where it was requested.
        for device in all.iter().filter(|device| device.modalias.is_some()) {
            if let Err(error) = show(device, &context, &query, only_unbound, &mut document, &mut report) {
                status = report.fail(error.to_string());
            }
        }
    }
    for argument in &arguments {
        let argument = argument.as_bytes();
        let meant = meant(&all, argument);
        if meant.is_empty() && !argument.contains(&b':') {
            status = report.fail([b"no device, bus or modalias: ", argument].concat());
        }
        for device in &meant {
            match show(device, &context, &query, only_unbound, &mut document, &mut report) {
                Ok(true) => {}
                Ok(false) => status = Status::Failure,
                Err(error) => status = report.fail(error.to_string()),
            }
        }
        if meant.is_empty() && argument.contains(&b':') {
            let shown = match look_up(&context, &query, argument) {
                Ok(modules) => Shown { device: None, modalias: Some(argument), modules },
                Err(error) => {
                    status = report.fail(error.to_string());
                    continue;
                }
            };
            if shown.modules.is_empty() {
                status = report.fail([b"no module matches ", argument].concat());
            }
            print(&shown, &mut document, &mut report);
        }
    }
    if let Some(document) = document {
        document.end(&mut report);
    }
    report.finish(status)
}

pub(super) fn command() -> clap::Command {
    shared_options::add_to(
        cli::command("device", "Show devices, their drivers, and the modules that match them")
            .arg(cli::arguments("PATH|NAME|BUS|MODALIAS"))
            .arg(cli::flag('u', "unbound", "Only devices without a driver for which there is a module")),
    )
}

/// The devices that an argument means: a directory of /sys, the name of a device, or all of a bus.
fn meant<'a>(all: &'a [Device], argument: &[u8]) -> Vec<&'a Device> {
    if argument.contains(&b'/') {
        let Ok(path) = Path::new(cli::os_str(argument)).canonicalize() else { return Vec::new() };
        let is_it = |device: &&Device| device.path.canonicalize().is_ok_and(|other| other == path);
        return all.iter().filter(is_it).collect();
    }
    let named: Vec<&Device> = all.iter().filter(|device| *device.name == argument).collect();
    if named.is_empty() { all.iter().filter(|device| *device.bus == argument).collect() } else { named }
}

/// Shows one device. Returns whether it has a driver, or a module that may be one.
fn show(
    device: &Device,
    context: &Context,
    query: &Query,
    only_unbound: bool,
    document: &mut Option<Document>,
    report: &mut Report,
) -> modutils::Result<bool> {
    let modalias = device.modalias.as_deref().map(Vec::as_slice);
    let modules = modalias.map_or(Ok(Vec::new()), |alias| look_up(context, query, alias))?;
    let is_driven = device.driver.is_some() || !modules.is_empty();
    if !only_unbound || (device.driver.is_none() && is_driven) {
        print(&Shown { device: Some(device), modalias, modules }, document, report);
    }
    Ok(is_driven)
}

fn look_up(context: &Context, query: &Query, alias: &[u8]) -> modutils::Result<Vec<Found>> {
    Ok(context.lookup(alias)?.iter().map(|module| query.standing(module)).collect())
}

fn print(shown: &Shown, document: &mut Option<Document>, report: &mut Report) {
    if let Some(document) = document {
        return document.item(&DeviceItem::from(shown), report);
    }
    let title = match shown.device {
        Some(device) => {
            let driver = device.driver.as_ref().map_or_else(
                || BString::from("no driver"),
                |driver| [b"driver ", driver.as_slice()].concat().into(),
            );
            [device.bus.as_slice(), b" ", &device.name, b": ", &driver].concat()
        }
        None => [shown.modalias.unwrap_or_default(), b":"].concat(),
    };
    report.print_own_line(title);
    for module in &shown.modules {
        print_module(module, report);
    }
}

impl<'a> From<&'a Shown<'a>> for DeviceItem<'a> {
    fn from(shown: &'a Shown<'a>) -> Self {
        let device = shown.device;
        Self {
            bus: device.map(|device| Text::from(&device.bus)),
            name: device.map(|device| Text::from(&device.name)),
            path: device.map(|device| Text(device.path.as_os_str().as_bytes())),
            driver: device.and_then(|device| device.driver.as_ref()).map(Text::from),
            driver_module: device.and_then(|device| device.driver_module.as_ref()).map(Text::from),
            modalias: shown.modalias.map(Text),
            modules: shown.modules.iter().map(module_item).collect(),
        }
    }
}
