//! `depmod`: make the module indexes of a kernel.

use std::process::ExitCode;

use modutils::Level;

use crate::{Invocation, cli, report::Report};

/// Runs the tool.
pub fn run(invocation: &Invocation) -> ExitCode {
    let mut report = Report::new(c"depmod", Level::Warning);
    let command = cli::common(cli::command("depmod", "Make the module indexes of a kernel"));
    let options = match cli::parse(command, invocation, &mut report) {
        Ok(options) => options,
        Err(done) => return report.finish(done),
    };
    let _ = options;
    report.error("not here yet");
    report.finish(false)
}
