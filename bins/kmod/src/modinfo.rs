//! `modinfo`: show what a module file says of itself.

use std::process::ExitCode;

use modutils::Level;

use crate::{Invocation, cli, report::Report};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"modinfo", Level::Warning);
    let command = cli::common(cli::command("modinfo", "Show what a module file says of itself"));
    let options = match cli::parse(command, invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    let _ = options;
    report.error("not here yet");
    report.finish(false)
}
