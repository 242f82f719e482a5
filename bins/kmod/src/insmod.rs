//! `insmod`: load one module file, without its dependencies.

use std::{path::Path, process::ExitCode};

use modutils::{
    Errno, Error, Level, Root,
    kernel::{Force, Kernel},
    module_file::ModuleFile,
};

use crate::{
    Invocation,
    cause::{Cause, refused_load::LoadWatch},
    cli, parameters,
    report::Report,
    status::Status,
};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"insmod", Level::Error);
    let options = match cli::parse(command(), invocation, &mut report) {
        Ok(options) => options,
        Err(status) => return report.finish(status),
    };
    if options.get_flag("syslog") {
        report.use_syslog();
    }
    let all_checks = options.get_flag("force");
    let force = Force::default()
        .modversions(all_checks || options.get_flag("force-modversion"))
        .vermagic(all_checks || options.get_flag("force-vermagic"));
    let arguments = cli::values_of(&options, cli::ARGUMENTS);
    let status = match arguments.split_first() {
        None => report.fail("missing filename."),
        Some((file, _)) if file == "-" => report.fail("this tool does not support loading from stdin!"),
        Some((file, given)) => {
            let file = Path::new(file);
            let given = parameters::join(given, || {
                let module = ModuleFile::open(file).ok();
                let info = module.as_ref().and_then(|module| module.modinfo().ok());
                info.map(|info| parameters::names_in(&info)).unwrap_or_default()
            });
            insert(file, &given, force, &mut report)
        }
    };
    report.finish(status)
}

/// The command line's description, for the tests and the completions.
pub fn command() -> clap::Command {
    cli::common(
        cli::command("insmod", "Load one module file")
            .arg(cli::arguments("FILE [PARAMETER]..."))
            .arg(
                cli::flag('f', "force", "Skip both checks below")
                    // Abbreviations of --force from before the longer options existed.
                    .aliases(["forc", "for", "fo", "f"]),
            )
            .arg(cli::long_flag("force-modversion", "Do not check the versions of symbols"))
            .arg(cli::long_flag("force-vermagic", "Do not check the module's vermagic"))
            .arg(cli::flag('s', "syslog", "Send messages to syslog"))
            .arg(cli::flag('v', "verbose", "Accepted; there is no more to show")),
    )
}

fn insert(file: &Path, parameters: &[u8], force: Force, report: &mut Report) -> Status {
    let shown = file.as_os_str().as_encoded_bytes();
    if let Err(error) = std::fs::metadata(file) {
        let cause = modutils::error_text(&error);
        return report.fail([b"could not load module ", shown, b": ", cause.as_bytes()].concat());
    }
    let root = Root::default();
    let mut watch = LoadWatch::begin(&root, true);
    match Kernel::running(&root).insert(file, parameters, force) {
        Ok(()) => Status::Success,
        Err(error) => {
            let (text, cause) = match error {
                Error::NotLoaded { errno, .. } => {
                    let cause = watch.cause(file, parameters, force, errno, Level::Error, report);
                    (error_text(errno).to_owned(), cause)
                }
                // The message names the file.
                Error::Io { .. } => (error.cause(), Cause::default()),
                error => (error_text(error.errno()).to_owned(), Cause::line(error)),
            };
            report.fail_because([b"could not insert module ", shown, b": ", text.as_bytes()].concat(), cause)
        }
    }
}

/// The text of an error number. Some have a special meaning when the kernel loads a module.
fn error_text(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOEXEC => "Invalid module format",
        Errno::ENOENT => "Unknown symbol in module",
        Errno::ESRCH => "Module has wrong symbol version",
        Errno::EINVAL => "Invalid parameters",
        other => other.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_may_be_shortened_although_others_begin_like_it() {
        let force =
            |word| command().try_get_matches_from(["insmod", word]).map(|given| given.get_flag("force"));
        assert!(["--f", "--fo", "--for", "--forc", "--force", "-f"].iter().all(|word| force(word).unwrap()));
        assert!(!force("--force-v").unwrap());
        assert!(force("--force-").is_err());
    }
}
