//! `kmod`: the binary by its own name, and by any that is no tool's.

mod blocked;
mod graph;
mod params;
mod place;
mod static_nodes;

use std::{ffi::OsStr, process::ExitCode};

use modutils::Level;

use crate::{Invocation, cli, lsmod, report::Report};

/// Runs the command that the first argument names.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"kmod", Level::Warning);
    let arguments = &invocation.arguments;
    let is_option = |word: &&std::ffi::OsString| word.as_encoded_bytes().starts_with(b"-") && *word != "--";
    let own = arguments.iter().take_while(is_option).count();
    let (own, rest) = arguments.split_at(own);
    let own = Invocation { program: invocation.program.clone(), arguments: own.to_vec() };
    if let Err(done) = cli::parse(command(), &own, &mut report) {
        return report.finish(done);
    }
    let rest = rest.strip_prefix(&["--".into()]).unwrap_or(rest);
    let Some((command, arguments)) = rest.split_first() else {
        report.usage(b"missing command");
        return help(report, false);
    };
    // Messages of getopt's kind begin with the command's name.
    let invocation = Invocation { program: command.clone(), arguments: arguments.to_vec() };
    match command.as_encoded_bytes() {
        b"help" => help(report, true),
        b"list" => lsmod::list(&invocation, Report::new(c"kmod", Level::Error)),
        b"blocked" => blocked::run(&invocation, report),
        b"graph" => graph::run(&invocation, report),
        b"params" => params::run(&invocation, report),
        b"static-nodes" => static_nodes::run(&invocation, report),
        _ => unknown(command, report),
    }
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("kmod", "Look at modules, at what is loaded, and at what modules need at boot")
            .override_usage("kmod [OPTIONS] COMMAND")
            .after_help(
                "Commands:\n  \
                 blocked       Show what keeps modules from being loaded\n  \
                 graph         Show which module needs which\n  \
                 help          Show this help\n  \
                 list          Show the loaded modules, as lsmod does\n  \
                 params        Show the parameters of modules, and what they are now\n  \
                 static-nodes  Show the device nodes that modules need at boot\n\n\
                 Called as depmod, insmod, lsmod, modinfo, modprobe or rmmod it is that tool.",
            ),
    )
}

fn unknown(command: &OsStr, mut report: Report) -> ExitCode {
    report.usage(&[b"invalid command '", command.as_encoded_bytes(), b"'"].concat());
    help(report, false)
}

fn help(mut report: Report, done: bool) -> ExitCode {
    report.print_line(command().render_help().to_string().trim_end());
    report.finish(done)
}
