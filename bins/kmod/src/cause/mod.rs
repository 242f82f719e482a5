//! The lines after an error message: why it happened, and what to do.
//!
//! The first line of a message stays as scripts know it; the cause follows it, indented. It is worked out after
//! the failure, and only where somebody will read it.

pub mod failed_request;
pub mod refused_load;

/// Lines to append to a message.
pub fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
