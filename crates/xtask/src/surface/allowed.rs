//! The crates whose types public signatures may name.

use super::resolve::STANDARD;

/// The crates beside the standard library whose types public signatures may name.
const ALLOWED: [&str; 1] = ["bstr"];

/// Whether what comes from a crate may be public.
pub(super) fn is_allowed(crate_name: &str) -> bool {
    STANDARD.contains(&crate_name) || ALLOWED.contains(&crate_name)
}
