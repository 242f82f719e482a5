//! `lsmod`: show the loaded modules.

use std::process::ExitCode;

use modutils::{Level, ModuleName, Root, kernel::Kernel};

use crate::{Invocation, cli, report::Report};

/// What is shown for a number that the kernel did not tell: the error number of a missing file.
const UNKNOWN: i64 = -2;

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    list(invocation, Report::new(c"lsmod", Level::Error))
}

/// Lists the modules, in the name of whichever tool the report is for.
pub fn list(invocation: &Invocation, mut report: Report) -> ExitCode {
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    if options.get_flag("syslog") {
        report.use_syslog();
    }
    if !cli::values_of(&options, cli::ARGUMENTS).is_empty() {
        report.error("too many arguments provided.");
        return report.finish(false);
    }
    let done = print(&mut report);
    report.finish(done)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("lsmod", "Show the loaded modules")
            .arg(cli::arguments("ARGUMENT").hide(true))
            .arg(cli::flag('s', "syslog", "Send messages to syslog"))
            .arg(cli::flag('v', "verbose", "Accepted; there is no more to show")),
    )
}

fn print(report: &mut Report) -> bool {
    let root = Root::default();
    let kernel = Kernel::running(&root);
    let modules = match kernel.loaded_modules(&mut |notice| report.notice(&notice)) {
        Ok(modules) => modules,
        Err(modutils::Error::Io { path, source, .. }) => {
            let cause = modutils::error_text(&source);
            report.error(format!("could not open {}: {cause}", path.display()));
            report.error(format!("could not get list of modules: {cause}"));
            return false;
        }
        Err(error) => {
            report.error(error.to_string());
            return false;
        }
    };
    report.print("Module                  Size  Used by\n");
    for module in modules {
        // The kernel lists a module before and after /sys shows it.
        let listed = kernel.is_in_sysfs(&module.name).then_some(module.size);
        let listed = listed.and_then(|size| i64::try_from(size).ok());
        let size = kernel.size(&module.name).or(listed).unwrap_or(UNKNOWN);
        let references = kernel.references(&module.name).unwrap_or(UNKNOWN);
        report.print(&module.name);
        let padding = " ".repeat(19_usize.saturating_sub(module.name.as_bytes().len()));
        report.print(format!("{padding} {size:>8}  {references}"));
        let holders = holders(&kernel, &module.name, report);
        if !holders.is_empty() {
            let holders: Vec<&[u8]> = holders.iter().map(ModuleName::as_bytes).collect();
            report.print([b" ", holders.join(&b',').as_slice()].concat());
        }
        report.print("\n");
    }
    true
}

/// The modules that use a module. That they cannot be listed is told, and means none: a module may
/// vanish at any time.
pub fn holders(kernel: &Kernel, module: &ModuleName, report: &mut Report) -> Vec<ModuleName> {
    kernel.holders(module).unwrap_or_else(|error| {
        let cause = modutils::error_text(&error.errno().into());
        report.error(
            [b"could not open '/sys/module/", module.as_bytes(), b"/holders': ", cause.as_bytes()].concat(),
        );
        Vec::new()
    })
}
