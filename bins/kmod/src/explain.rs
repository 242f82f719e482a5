//! What follows a message of a failure: why, and what to do.
//!
//! The message stays as scripts know it; these lines come after it, indented.

use bstr::BString;
use modutils::{
    Context, Errno, Error, Level, ModuleName, Release, Root,
    diagnose::request::{in_use, not_found, not_removed},
    module_file::ModuleFile,
    plan::Action,
};

use crate::report::Report;

/// Why a name means no module. Nothing is looked for where nobody would read it, nor where the lookup
/// has met an error: that is why, and it may not come again.
pub fn not_found(context: &Context, name: &[u8], error: Option<&Error>, report: &Report) -> String {
    if !report.shows(Level::Error) {
        return String::new();
    }
    if let Some(error) = error {
        return indented(&not_found::unreadable(error));
    }
    let lines: Vec<String> =
        not_found::causes(context, name).iter().flat_map(not_found::Cause::lines).collect();
    indented(&lines)
}

/// That an index lists a file which is not there. Where a caller named the file, no index did.
pub fn gone(context: &Context, action: &Action) -> String {
    let Action::Load { file, .. } = action else { return String::new() };
    let index = context.indexes().directory().join("modules.dep.bin");
    let listed =
        ModuleName::from_path(file).and_then(|module| context.indexes().dependency_line(&module).ok()?);
    if listed.is_none_or(|line| line.path != *file) {
        return String::new();
    }
    indented(&not_found::listed_but_gone(&index, file))
}

/// By whom a module is in use; by which modules, the message may have said.
pub fn in_use(root: &Root, module: &ModuleName, with_modules: bool, report: &Report) -> String {
    if !report.shows(Level::Error) {
        return String::new();
    }
    indented(&in_use::users(root, module, &aliases(module)).lines(with_modules))
}

/// Why the kernel did not drop a module, by its answer.
pub fn not_removed(root: &Root, module: &ModuleName, errno: Errno, report: &Report) -> String {
    match errno {
        Errno::EAGAIN => in_use(root, module, true, report),
        errno => indented(&not_removed::causes(root, module, errno)),
    }
}

/// Which module may have been meant in the place of one that is not loaded.
pub fn not_loaded(root: &Root, module: &ModuleName) -> String {
    indented(&not_removed::not_loaded(root, module))
}

/// The aliases that a module of the running kernel gives itself; none where its file is not to be found.
fn aliases(module: &ModuleName) -> Vec<BString> {
    let Ok(release) = Release::running() else { return Vec::new() };
    let context = Context::without_configuration(Root::default(), &release);
    let path = match context.indexes().dependency_line(module) {
        Ok(Some(line)) => line.path,
        _ => return Vec::new(),
    };
    let Ok(file) = ModuleFile::open(&path) else { return Vec::new() };
    file.modinfo().map(|info| info.values("alias").map(BString::from).collect()).unwrap_or_default()
}

/// Lines of our own after a message.
pub fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
