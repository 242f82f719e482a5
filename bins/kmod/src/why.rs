//! What follows a message of a failure: why, and what to do.
//!
//! The message stays as scripts know it; these lines come after it, indented.

use modutils::{Level, diagnose::not_found, lookup::Context};

use crate::report::Report;

/// Why a name means no module. Nothing is looked for where nobody would read it.
pub fn not_found(context: &Context, name: &[u8], report: &Report) -> String {
    if !report.shows(Level::Error) {
        return String::new();
    }
    let lines: Vec<String> =
        not_found::causes(context, name).iter().flat_map(not_found::Cause::lines).collect();
    indented(&lines)
}

/// Lines of our own after a message.
pub fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
