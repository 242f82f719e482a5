//! Why a request could not be met: a name without a module, a module that is in use or not loaded.

use modutils::{
    Context, Errno, Error, Level, ModuleName, Root,
    diagnose::{blocked, request},
    plan::Action,
};

use super::Cause;
use crate::report::Report;

/// The known names that may have been meant instead of one that does not exist, each with a prefix.
pub fn misspelled<'a>(prefix: &str, name: &[u8], known: impl IntoIterator<Item = &'a str>) -> Cause {
    let similar = request::similar(name, known.into_iter().map(str::as_bytes));
    if similar.is_empty() {
        return Cause::default();
    }
    let names: Vec<String> = similar.iter().map(|name| format!("{prefix}{name}")).collect();
    Cause::line(format!("Did you mean {}?", names.join(" or ")))
}

/// Why no module has this name. An error of the lookup is the cause, where there was one.
pub fn not_found(context: &Context, name: &[u8], error: Option<&Error>, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    request::not_found(context, name, error).as_slice().into()
}

/// Why no module to remove has this name.
pub fn not_found_to_remove(context: &Context, name: &[u8], error: Option<&Error>, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    request::not_found_to_remove(context, name, error).as_slice().into()
}

/// The aliases that lead to a module which is not there.
pub fn dangling_alias(context: &Context, module: &ModuleName, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    request::dangling_alias(context, module).as_slice().into()
}

/// That an index lists a file which does not exist. No index lists a file that the caller named.
pub fn file_missing(context: &Context, action: &Action, report: &Report) -> Cause {
    let Action::Load { file, .. } = action else { return Cause::default() };
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    request::listed_but_gone(context, file).as_slice().into()
}

/// The line of the configuration that has a command run in the place of loading a module.
pub fn install_line(context: &Context, module: &ModuleName, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    let blocks = blocked::blocks(context, Some(module)).unwrap_or_default();
    let line = blocks.iter().find(|block| block.kind() == "install" && block.concerns(module));
    line.map_or_else(Cause::default, |line| {
        Cause::line(format!("{} has this command run in its place.", line.origin()))
    })
}

/// What uses a module. The modules among its users are omitted where the message names them.
pub fn in_use(root: &Root, module: &ModuleName, with_modules: bool, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    let users = request::in_use(root, module);
    if with_modules { users.lines() } else { users.lines_without_modules() }.into()
}

/// Why the kernel refused to remove a module, by the error number that it returned.
pub fn not_removed(root: &Root, module: &ModuleName, errno: Errno, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    request::not_removed(root, module, errno).as_slice().into()
}

/// Which loaded module the caller may have meant instead of one that is not loaded.
pub fn not_loaded(root: &Root, module: &ModuleName, report: &Report) -> Cause {
    if !report.explains(Level::Error) {
        return Cause::default();
    }
    request::not_loaded(root, module).as_slice().into()
}
