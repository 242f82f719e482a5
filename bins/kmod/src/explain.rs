//! What follows a message of a failure: why, and what to do.
//!
//! The message stays as scripts know it; these lines come after it, indented. Nothing is worked out where
//! nobody would read it.

use modutils::{
    Context, Errno, Error, Level, ModuleName, Root,
    diagnose::{Remark, request},
    plan::Action,
};

use crate::report::Report;

/// Why a name means no module. Where the lookup has met an error, that is why.
pub fn not_found(context: &Context, name: &[u8], error: Option<&Error>, report: &Report) -> String {
    if !report.shows(Level::Error) {
        return String::new();
    }
    remarks(&request::not_found(context, name, error))
}

/// That an index lists a file which is not there. Where a caller named the file, no index did.
pub fn gone(context: &Context, action: &Action) -> String {
    let Action::Load { file, .. } = action else { return String::new() };
    remarks(request::listed_but_gone(context, file).as_slice())
}

/// By whom a module is in use; by which modules, the message may have said.
pub fn in_use(root: &Root, module: &ModuleName, with_modules: bool, report: &Report) -> String {
    if !report.shows(Level::Error) {
        return String::new();
    }
    let users = request::in_use(root, module);
    indented(&if with_modules { users.lines() } else { users.lines_without_modules() })
}

/// Why the kernel did not drop a module, by its answer.
pub fn not_removed(root: &Root, module: &ModuleName, errno: Errno, report: &Report) -> String {
    if !report.shows(Level::Error) {
        return String::new();
    }
    remarks(&request::not_removed(root, module, errno))
}

/// Which module may have been meant in the place of one that is not loaded.
pub fn not_loaded(root: &Root, module: &ModuleName) -> String {
    remarks(request::not_loaded(root, module).as_slice())
}

fn remarks(remarks: &[Remark]) -> String {
    remarks.iter().map(|remark| indented(remark.text())).collect()
}

/// Lines of our own after a message.
pub fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
