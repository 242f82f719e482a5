//! The message when the configuration denies a module.

use bstr::BStr;
use modutils::{ModuleName, config::Origin};

/// Which line denies the requested module, or one of its dependencies, and the reason it gives.
pub(super) fn denial(origin: &Origin, reason: &BStr, denied: &ModuleName, target: &ModuleName) -> String {
    let what = if denied == target { "it".to_owned() } else { format!("{denied}, which it needs") };
    let reason = match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    };
    format!("{origin} denies {what}{reason}")
}
