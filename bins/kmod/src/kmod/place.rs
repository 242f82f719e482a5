//! Where the commands of `kmod` look for modules: the options that they share.

use std::path::PathBuf;

use clap::{ArgMatches, Command};
use modutils::{Context, Release, Root};

use crate::{cli, report::Report};

/// Adds `--dirname`, `--set-version` and `--config`, as modprobe has them, and `--json` and `--help`.
pub(super) fn options(command: Command) -> Command {
    command
        .arg(cli::value('C', "config", "FILE", "Read this file or directory instead of modprobe.d"))
        .arg(cli::value('d', "dirname", "DIR", "Look for module directories below DIR"))
        .arg(cli::value('S', "set-version", "VERSION", "Work for this kernel, not the running one"))
        .arg(cli::json())
        .arg(
            clap::Arg::new("help")
                .short('h')
                .long("help")
                .action(clap::ArgAction::Help)
                .help("Show this help"),
        )
}

/// The configuration and the indexes that the options ask for; what is wrong with them is told.
pub(super) fn context(options: &ArgMatches, report: &mut Report) -> Option<Context> {
    let release = cli::value_of(options, "set-version");
    let release = match release.map_or_else(Release::running, |release| Ok(Release::new(release))) {
        Ok(release) => release,
        Err(error) => {
            report.error(error.to_string());
            return None;
        }
    };
    let root = match cli::value_of(options, "dirname").filter(|directory| !directory.is_empty()) {
        Some(directory) => Root::default().with_base(cli::from_current_directory(&directory)),
        None => Root::default(),
    };
    let paths: Option<Vec<PathBuf>> = cli::value_of(options, "config").map(|path| vec![path.into()]);
    let builder = Context::builder().root(root).release(release);
    let builder = match paths {
        Some(paths) => builder.config_paths(paths),
        None => builder,
    };
    match report.open(builder) {
        Ok(context) => Some(context),
        Err(error) => {
            report.error(error.to_string());
            None
        }
    }
}
