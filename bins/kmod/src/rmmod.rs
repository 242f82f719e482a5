//! `rmmod`: have the kernel drop modules, and nothing else.

use std::{ffi::OsStr, path::Path, process::ExitCode};

use modutils::{
    Context, Level, ModuleName, Root,
    kernel::{Kernel, State},
};

use crate::{Invocation, cause::failed_request, cli, lsmod, report::Report, status::Status};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"rmmod", Level::Error);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    if options.get_flag("syslog") {
        report.use_syslog();
    }
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    if arguments.is_empty() {
        let status = report.fail("missing module name.");
        return report.finish(status);
    }
    let mut status = Status::Success;
    for argument in &arguments {
        let Some(module) = named(argument) else {
            let text =
                [b"could not use module ", argument.as_encoded_bytes(), b": No such file or directory"];
            let status = report.fail(text.concat());
            return report.finish(status);
        };
        if let Err(message) = remove(&module, options.get_flag("force"), &mut report) {
            status = report.fail(message);
        }
    }
    report.finish(status)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("rmmod", "Have the kernel drop modules")
            .arg(cli::arguments("MODULE"))
            .arg(cli::flag('f', "force", "Drop a module in use, where the kernel allows that"))
            .arg(cli::flag('s', "syslog", "Send messages to syslog"))
            .arg(cli::flag('v', "verbose", "Accepted; there is no more to show")),
    )
}

/// The module that an argument names: that of a file which exists, or a name up to its first dot.
fn named(argument: &OsStr) -> Option<ModuleName> {
    let path = Path::new(argument);
    if path.exists() {
        return ModuleName::from_path(path);
    }
    let name = argument.as_encoded_bytes().split(|&byte| byte == b'.').next();
    Some(ModuleName::new(name.unwrap_or_default()))
}

fn remove(module: &ModuleName, force: bool, report: &mut Report) -> Result<(), Vec<u8>> {
    let root = Root::default();
    let kernel = Kernel::running(&root);
    if !force {
        check(&kernel, &root, module, report)?;
    }
    kernel.delete(module, force).map_err(|error| {
        let (errno, cause) = (error.errno(), error.cause());
        let name = module.as_bytes();
        // kmod says it twice, once for the library and once for the tool; scripts look for either.
        report.error([b"could not remove '", name, b"': ", cause.as_bytes()].concat());
        let why = failed_request::not_removed(&root, module, errno, report);
        [b"could not remove module ", name, b": ", cause.as_bytes(), why.as_bytes()].concat()
    })
}

/// Says what stands against removing a module, in better words than the kernel's error number.
fn check(kernel: &Kernel, root: &Root, module: &ModuleName, report: &mut Report) -> Result<(), Vec<u8>> {
    let no = |end: &[u8]| Err([b"Module ", module.as_bytes(), end].concat());
    if is_builtin(root, module) {
        return no(b" is builtin.");
    }
    if kernel.state(module) == State::Absent {
        let why = failed_request::not_loaded(root, module);
        return no(&[b" is not currently loaded", why.as_bytes()].concat());
    }
    // An unreadable list of holders is no reason: the kernel decides.
    let holders = lsmod::holders(kernel, module, report);
    if !holders.is_empty() {
        let names: Vec<&[u8]> = holders.iter().map(ModuleName::as_bytes).collect();
        let why = failed_request::in_use(root, module, false, report);
        return no(&[b" is in use by: ", names.join(&b' ').as_slice(), why.as_bytes()].concat());
    }
    match kernel.references(module) {
        Some(0) => Ok(()),
        Some(_) => {
            no(&[b" is in use", failed_request::in_use(root, module, false, report).as_bytes()].concat())
        }
        None => Err(b"Module unloading is not supported".to_vec()),
    }
}

/// Whether the running kernel's index of built-in modules knows it; without that index, nothing does.
fn is_builtin(root: &Root, module: &ModuleName) -> bool {
    let context = Context::builder().root(root.clone()).without_configuration().build();
    context.and_then(|context| context.module(module.clone()).is_builtin()).unwrap_or(false)
}
