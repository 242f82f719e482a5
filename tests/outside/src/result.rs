//! The result of a check.

/// The line to print when the check passes, or what is wrong.
pub type CheckResult = Result<String, Box<dyn std::error::Error>>;

/// Fails with `text` unless `condition` holds.
pub fn ensure(condition: bool, text: impl Into<String>) -> Result<(), Box<dyn std::error::Error>> {
    if condition { Ok(()) } else { Err(text.into().into()) }
}
