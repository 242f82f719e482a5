//! `kmod`: the binary under its own name, or under any name that is not a tool's.

#[cfg(feature = "diagnose")]
mod blocked;
#[cfg(feature = "diagnose")]
mod check;
#[cfg(feature = "closure")]
mod closure;
#[cfg(feature = "commands")]
mod complete;
#[cfg(feature = "diagnose")]
mod device;
#[cfg(feature = "commands")]
mod graph;
#[cfg(feature = "commands")]
mod params;
#[cfg(any(feature = "closure", feature = "commands", feature = "diagnose"))]
mod shared_options;
mod static_nodes;
#[cfg(feature = "diagnose")]
mod status;

use std::{ffi::OsStr, process::ExitCode};

use modutils::Level;

use crate::{Invocation, cause::failed_request, cli, help, lsmod, report::Report, status::Status};

pub(crate) use static_nodes::FORMATS;

/// A command of `kmod`.
pub(crate) struct KnownCommand {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
    /// Its command line's description, if it has options.
    pub(crate) options: fn() -> Option<clap::Command>,
}

/// The commands, as the help lists them.
pub(crate) const COMMANDS: &[KnownCommand] = &[
    #[cfg(feature = "diagnose")]
    KnownCommand {
        name: "blocked",
        about: "Show what keeps modules from being loaded",
        options: || Some(blocked::command()),
    },
    #[cfg(feature = "diagnose")]
    KnownCommand {
        name: "check",
        about: "Check whether a kernel would load a module, without loading it",
        options: || Some(check::command()),
    },
    #[cfg(feature = "closure")]
    KnownCommand {
        name: "closure",
        about: "List everything that modules need: other modules and firmware",
        options: || Some(closure::command()),
    },
    #[cfg(feature = "commands")]
    KnownCommand {
        name: "complete",
        about: "Print the completions of a command line, for shells",
        options: || None,
    },
    #[cfg(feature = "diagnose")]
    KnownCommand {
        name: "device",
        about: "Show devices, their drivers, and the modules that match them",
        options: || Some(device::command()),
    },
    #[cfg(feature = "commands")]
    KnownCommand {
        name: "graph",
        about: "Show which module needs which",
        options: || Some(graph::command()),
    },
    KnownCommand { name: "help", about: "Show this help", options: || None },
    KnownCommand {
        name: "list",
        about: "Show the loaded modules, as lsmod does",
        options: || Some(lsmod::command()),
    },
    #[cfg(feature = "commands")]
    KnownCommand {
        name: "params",
        about: "Show the parameters of modules, and their current values",
        options: || Some(params::command()),
    },
    KnownCommand {
        name: "static-nodes",
        about: "Show the device nodes that modules need at boot",
        options: || Some(static_nodes::command()),
    },
    #[cfg(feature = "diagnose")]
    KnownCommand {
        name: "status",
        about: "Show whether modules are loaded, or can be",
        options: || Some(status::command()),
    },
];

/// Runs the command that the first argument names.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"kmod", Level::Warning);
    let arguments = &invocation.arguments;
    let is_option = |word: &&std::ffi::OsString| word.as_encoded_bytes().starts_with(b"-") && *word != "--";
    let own = arguments.iter().take_while(is_option).count();
    let (own, rest) = arguments.split_at(own);
    let own = Invocation { program: invocation.program.clone(), arguments: own.to_vec(), is_command: false };
    if let Err(status) = cli::parse(command(), &own, &mut report) {
        return report.finish(status);
    }
    let rest = rest.strip_prefix(&["--".into()]).unwrap_or(rest);
    let Some((command, arguments)) = rest.split_first() else {
        report.usage(b"missing command");
        return help(report, Status::Failure);
    };
    // getopt's messages begin with the command's name.
    let invocation = Invocation { program: command.clone(), arguments: arguments.to_vec(), is_command: true };
    match command.as_encoded_bytes() {
        #[cfg(feature = "diagnose")]
        b"check" => check::run(&invocation, report.of_own_command()),
        b"help" => help(report, Status::Success),
        b"list" => lsmod::list(&invocation, Report::new(c"kmod", Level::Error)),
        #[cfg(feature = "diagnose")]
        b"blocked" => blocked::run(&invocation, report.of_own_command()),
        #[cfg(feature = "closure")]
        b"closure" => closure::run(&invocation, report.of_own_command()),
        #[cfg(feature = "diagnose")]
        b"device" => device::run(&invocation, report),
        #[cfg(feature = "commands")]
        b"graph" => graph::run(&invocation, report.of_own_command()),
        #[cfg(feature = "commands")]
        b"params" => params::run(&invocation, report.of_own_command()),
        b"static-nodes" => static_nodes::run(&invocation, report),
        #[cfg(feature = "diagnose")]
        b"status" => status::run(&invocation, report.of_own_command()),
        #[cfg(feature = "commands")]
        b"complete" => complete::run(&invocation, report),
        name => match crate::tool(name) {
            Some(run) => run(&invocation),
            None => unknown(command, report),
        },
    }
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("kmod", "Inspect kernel modules, and the device nodes they need at boot")
            .override_usage("kmod [OPTIONS] COMMAND")
            .after_help(after_help()),
    )
}

fn after_help() -> String {
    let lines = COMMANDS.iter().map(|command| format!("  {:13} {}\n", command.name, command.about));
    let lines: String = lines.collect();
    format!(
        "Commands:\n{lines}\nCalled as depmod, insmod, lsmod, modinfo, modprobe or rmmod it is that tool; `kmod TOOL ...` runs it as well."
    )
}

fn unknown(command: &OsStr, mut report: Report) -> ExitCode {
    let name = command.as_encoded_bytes();
    let known = COMMANDS.iter().map(|known| known.name).chain(crate::TOOLS.map(|(name, _)| name));
    let why = failed_request::misspelled("", name, known);
    report.usage_because(&[b"invalid command '", name, b"'"].concat(), why);
    help(report, Status::Failure)
}

fn help(mut report: Report, status: Status) -> ExitCode {
    report.print_line(help::text(command(), "kmod"));
    report.finish(status)
}
