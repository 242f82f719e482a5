//! `lsmod`: show the loaded modules.

use std::process::ExitCode;

use modutils::{
    Error, Level, ModuleName, Root,
    kernel::{Kernel, LoadedModule, State},
};
use serde::Serialize;

use crate::{
    Invocation,
    cause::Cause,
    cli,
    json::{self, Document, Text},
    report::Report,
    status::Status,
};

/// Printed for a number that the kernel does not show, as kmod does: -ENOENT.
const UNKNOWN: i64 = -2;

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    list(invocation, Report::new(c"lsmod", Level::Error))
}

/// Lists the modules, for `lsmod` and `kmod list`.
pub fn list(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    if options.get_flag("syslog") {
        report.use_syslog();
    }
    if !cli::values_of(&options, cli::ARGUMENTS).is_empty() {
        let status = report.fail("too many arguments provided.");
        return report.finish(status);
    }
    let status = print(options.get_flag("json"), &mut report);
    report.finish(status)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("lsmod", "Show the loaded modules")
            .arg(cli::arguments("ARGUMENT").hide(true))
            .arg(cli::json())
            .arg(cli::flag('s', "syslog", "Send messages to syslog"))
            .arg(cli::flag('v', "verbose", "Accepted; there is no more to show")),
    )
}

/// A module as `--json` shows it.
#[derive(Serialize)]
struct LoadedItem<'a> {
    name: Text<'a>,
    size: Option<i64>,
    references: Option<i64>,
    holders: Vec<Text<'a>>,
    state: Option<&'static str>,
}

fn print(json: bool, report: &mut Report) -> Status {
    let root = Root::default();
    let kernel = Kernel::running(&root);
    let modules = match kernel.loaded_modules(&mut |notice| report.notice(&notice)) {
        Ok(modules) => modules,
        Err(error) => {
            report.error(error.to_string());
            let message = format!("could not get list of modules: {}", error.cause());
            return report.fail_because(message, no_list(&root, &error));
        }
    };
    if json {
        document(&kernel, &modules, report);
    } else {
        table(&kernel, &modules, report);
    }
    Status::Success
}

/// Why there is no list of modules, where that is certain.
fn no_list(root: &Root, error: &Error) -> Cause {
    match root.system("/proc/self").exists() {
        _ if !error.is_not_found() => Cause::default(),
        // `/proc/modules` is there in every kernel with module support.
        true => Cause::line("This kernel has no module support."),
        false => Cause::line("/proc is not mounted."),
    }
}

fn table(kernel: &Kernel, modules: &[LoadedModule], report: &mut Report) {
    report.print("Module                  Size  Used by\n");
    for module in modules {
        let size = size(kernel, module).unwrap_or(UNKNOWN);
        let references = references(kernel, module).unwrap_or(UNKNOWN);
        report.print(&module.name);
        let padding = " ".repeat(19_usize.saturating_sub(module.name.as_bytes().len()));
        report.print(format!("{padding} {size:>8}  {references}"));
        let holders = listed_holders(kernel, module);
        if !holders.is_empty() {
            let holders: Vec<&[u8]> = holders.iter().map(ModuleName::as_bytes).collect();
            report.print([b" ", holders.join(&b',').as_slice()].concat());
        }
        report.print("\n");
    }
}

fn document(kernel: &Kernel, modules: &[LoadedModule], report: &mut Report) {
    let mut document = Document::begin("modules", "lsmod", "modules", report);
    for module in modules {
        let holders = listed_holders(kernel, module);
        let item = LoadedItem {
            name: Text::from(&module.name),
            size: size(kernel, module),
            references: references(kernel, module),
            holders: json::names(&holders),
            state: match module.state {
                State::Live => Some("live"),
                State::Coming => Some("coming"),
                State::Going => Some("going"),
                _ => None,
            },
        };
        document.item(&item, report);
    }
    document.end(report);
}

/// The size of a module in bytes. What /sys does not have, because it is not mounted or the module is on its way
/// in or out, its line of /proc/modules has; likewise below.
fn size(kernel: &Kernel, module: &LoadedModule) -> Option<i64> {
    kernel.size(&module.name).or_else(|| i64::try_from(module.size).ok())
}

fn references(kernel: &Kernel, module: &LoadedModule) -> Option<i64> {
    kernel.references(&module.name).or(module.references)
}

fn listed_holders(kernel: &Kernel, module: &LoadedModule) -> Vec<ModuleName> {
    kernel.holders(&module.name).unwrap_or_else(|_| module.holders.clone())
}

/// The modules that use a module. If they cannot be read, that is reported and there are none: a module may
/// be removed at any time.
pub fn holders(kernel: &Kernel, module: &ModuleName, report: &mut Report) -> Vec<ModuleName> {
    kernel.holders(module).unwrap_or_else(|error| {
        let cause = error.cause();
        report.error(
            [b"could not open '/sys/module/", module.as_bytes(), b"/holders': ", cause.as_bytes()].concat(),
        );
        Vec::new()
    })
}
