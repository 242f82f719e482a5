//! The options that several commands of `kmod` share: which configuration and modules to use.

use std::path::PathBuf;

use clap::{ArgMatches, Command};
use modutils::{Context, Release};

use crate::{cli, report::Report, status::Status};

/// Adds `--dirname`, `--root`, `--kernel-cmdline`, `--set-version` and `--config`, as modprobe has them, and `--json` and `--help`.
pub(super) fn add_to(command: Command) -> Command {
    command
        .arg(cli::value('C', "config", "FILE", "Read this file or directory instead of modprobe.d"))
        .arg(cli::value('d', "dirname", "DIR", "Use the module directories below DIR"))
        .arg(cli::root_option())
        .arg(cli::command_line_option())
        .arg(cli::value('S', "set-version", "VERSION", "Use this kernel release instead of the running one"))
        .arg(cli::json())
        .arg(cli::help())
}

/// Opens the configuration and the indexes that the options select, and reports faults in them.
///
/// # Errors
/// If they cannot be opened. That has been reported; the error is the status for [`Report::finish`].
pub(super) fn context(options: &ArgMatches, report: &mut Report) -> Result<Context, Status> {
    let release = cli::place_of(options, "set-version");
    let release = release.map_or_else(Release::running, |release| Ok(Release::new(release)));
    let release = release.map_err(|error| report.fail(error.to_string()))?;
    let root = cli::root_of(options, "dirname").map_err(|error| report.fail(error.to_string()))?;
    report.use_root(&root);
    let paths: Option<Vec<PathBuf>> = cli::place_of(options, "config").map(|path| vec![root.locate(path)]);
    let builder = Context::builder().root(root).release(release);
    let builder = match paths {
        Some(paths) => builder.config_paths(paths),
        None => builder,
    };
    report.open(builder).map_err(|error| report.fail(error.to_string()))
}
