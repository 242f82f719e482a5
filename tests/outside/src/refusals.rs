//! What a tool shows before it does anything: the plan; and errors that a program can act on.

use std::{fs, path::Path};

use modutils::{
    Context, ErrorKind,
    module_file::ModuleFile,
    plan::{LoadOptions, Planner},
};

use crate::result::{CheckResult, ensure};

pub fn check(directory: &Path) -> CheckResult {
    let context = Context::builder().directory(directory).without_configuration().build()?;
    let module = context.lookup(b"vfat")?.into_iter().next().ok_or("vfat was not found")?;
    let mut planner = Planner::new(&context);
    let plan = planner.load(&module, &LoadOptions::default().parameters("debug=1"))?;
    let lines: Vec<String> =
        plan.steps().iter().filter_map(|step| step.line()).map(|line| line.to_string()).collect();
    let (last, first) = (lines.last().ok_or("no steps")?, &lines[0]);
    ensure(
        first.contains("/fat.ko") && last.contains("/vfat.ko") && last.trim_end().ends_with("debug=1"),
        lines.join("; "),
    )?;

    let missing = ModuleFile::open(&directory.join("missing.ko")).err().ok_or("a missing file was opened")?;
    ensure(missing.kind() == ErrorKind::NotFound, missing.to_string())?;
    let damaged = directory.join("damaged.ko");
    fs::write(&damaged, "not a module, but long enough for one's header: sixty-four bytes and more of text")?;
    let error = ModuleFile::open(&damaged).err();
    fs::remove_file(&damaged)?;
    let error = error.ok_or("a damaged file was opened")?;
    ensure(error.kind() == ErrorKind::Damaged && error.path() == Some(damaged.as_path()), error.to_string())?;
    Ok(format!("{} steps; {}", lines.len(), error.cause()))
}
