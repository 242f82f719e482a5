//! What is said when the configuration denies a module.

use bstr::BStr;
use modutils::{ModuleName, config::Origin};

/// Which line denies a module that was asked for, or one that it needs, and why.
pub(super) fn denial(origin: &Origin, reason: &BStr, denied: &ModuleName, target: &ModuleName) -> String {
    let what = if denied == target { "it".to_owned() } else { format!("{denied}, which it needs") };
    let reason = match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    };
    format!("{origin} denies {what}{reason}")
}
