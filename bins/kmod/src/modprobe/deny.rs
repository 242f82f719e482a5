//! What is said when the configuration denies a module.

use modutils::{ModuleName, config::DenyLine};

/// Which line denies a module that was asked for, or one that it needs, and why.
pub(super) fn refusal(line: &DenyLine, denied: &ModuleName, target: &ModuleName) -> String {
    let what = if denied == target { "it".to_owned() } else { format!("{denied}, which it needs") };
    let reason = match line.reason.is_empty() {
        true => String::new(),
        false => format!(": {}", line.reason),
    };
    format!("{} denies {what}{reason}", line.origin)
}
