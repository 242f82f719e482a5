//! `lsmod`: show the loaded modules.

use std::process::ExitCode;

use modutils::Level;

use crate::{Invocation, cli, report::Report};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"lsmod", Level::Warning);
    let command = cli::common(cli::command("lsmod", "Show the loaded modules"));
    let options = match cli::parse(command, invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    let _ = options;
    report.error("not here yet");
    report.finish(false)
}
