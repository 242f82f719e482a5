//! `rmmod`: remove modules from the kernel, without their dependencies.

use std::{ffi::OsStr, path::Path, process::ExitCode};

use modutils::{
    Context, Errno, Level, ModuleName, Root,
    kernel::{Kernel, State},
    module_file::ModuleFile,
};

use crate::{
    Invocation,
    cause::{Cause, failed_request},
    cli, lsmod,
    report::Report,
    status::Status,
};

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
        if let Err((message, cause)) = remove(&module, options.get_flag("force"), &mut report) {
            status = report.fail_because(message, cause);
        }
    }
    report.finish(status)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("rmmod", "Remove modules from the kernel")
            .arg(cli::arguments("MODULE"))
            .arg(cli::flag('f', "force", "Remove a module even if it is in use, where the kernel allows it"))
            .arg(cli::flag('s', "syslog", "Send messages to syslog"))
            .arg(cli::flag('v', "verbose", "Accepted; there is no more to show")),
    )
}

/// The module that an argument names: the module of an existing file, or the name up to the first dot.
fn named(argument: &OsStr) -> Option<ModuleName> {
    let path = Path::new(argument);
    if path.exists() {
        // The kernel has it by the name in the file. One that cannot be read has its own name only.
        let file = ModuleFile::open(path).and_then(|file| file.kernel_name());
        return file.ok().or_else(|| ModuleName::from_path(path));
    }
    let name = argument.as_encoded_bytes().split(|&byte| byte == b'.').next();
    Some(ModuleName::new(name.unwrap_or_default()))
}

/// A message and its cause.
type Refusal = (Vec<u8>, Cause);

fn remove(module: &ModuleName, force: bool, report: &mut Report) -> Result<(), Refusal> {
    let root = Root::default();
    let kernel = Kernel::running(&root);
    // Without /proc and /sys the kernel itself is asked.
    let state = kernel.state(module);
    if !force && state != State::Unknown {
        check(&kernel, &root, module, report)?;
    }
    kernel.delete(module, force).map_err(|error| {
        let (errno, cause) = (error.errno(), error.cause());
        if state == State::Unknown && errno == Errno::ENOENT && !force {
            return not_loaded(&root, module, report);
        }
        let name = module.as_bytes();
        // kmod prints this twice, from its library and from the tool; scripts search for either.
        report.error([b"could not remove '", name, b"': ", cause.as_bytes()].concat());
        let why = failed_request::not_removed(&root, module, errno, report);
        ([b"could not remove module ", name, b": ", cause.as_bytes()].concat(), why)
    })
}

/// Checks whether a module can be removed, for a clearer message than the kernel's error number.
fn check(kernel: &Kernel, root: &Root, module: &ModuleName, report: &mut Report) -> Result<(), Refusal> {
    let refuse = |end: &[u8], why: Cause| Err(([b"Module ", module.as_bytes(), end].concat(), why));
    if is_builtin(root, module) || kernel.is_built_in(module) {
        return refuse(b" is builtin.", Cause::default());
    }
    if kernel.state(module) == State::Absent {
        return Err(not_loaded(root, module, report));
    }
    // If the holders cannot be read, the kernel decides.
    let holders = lsmod::holders(kernel, module, report);
    if !holders.is_empty() {
        let names: Vec<&[u8]> = holders.iter().map(ModuleName::as_bytes).collect();
        let why = failed_request::in_use(root, module, false, report);
        return refuse(&[b" is in use by: ", names.join(&b' ').as_slice()].concat(), why);
    }
    match kernel.references(module) {
        Some(0) => Ok(()),
        Some(_) => refuse(b" is in use", failed_request::in_use(root, module, false, report)),
        None => Err((b"Module unloading is not supported".to_vec(), Cause::default())),
    }
}

fn not_loaded(root: &Root, module: &ModuleName, report: &Report) -> Refusal {
    let why = failed_request::not_loaded(root, module, report);
    ([b"Module ", module.as_bytes(), b" is not currently loaded"].concat(), why)
}

/// Whether the running kernel's index of built-in modules lists it; false without that index.
fn is_builtin(root: &Root, module: &ModuleName) -> bool {
    let context = Context::builder().root(root.clone()).without_configuration().build();
    context.and_then(|context| context.module(module.clone()).is_builtin()).unwrap_or(false)
}
