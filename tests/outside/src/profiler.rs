//! The module part of a profiler: from the name of a module, as the kernel shows it, to its file, and to
//! where its sections are.

use std::{collections::HashMap, path::Path};

use modutils::{Context, Index, ModuleName};

use crate::result::{CheckResult, ensure};

pub fn check(directory: &Path) -> CheckResult {
    let context = Context::builder().directory(directory).without_configuration().build()?;
    let mut names = Vec::new();
    context.dump(Index::Dependencies, |name, _line| names.push(ModuleName::new(name)))?;
    let mut files = HashMap::new();
    for name in names {
        let module = context.module(name.clone());
        let path = module.path()?.ok_or_else(|| format!("{name} has no file"))?.to_owned();
        files.insert(name, path);
    }
    ensure(files.values().all(|path| path.starts_with(directory)), "a file outside of the directory")?;
    // A dash in a file's name is an underscore in the kernel's.
    let dashed = files
        .iter()
        .find(|(_, path)| path.file_name().is_some_and(|name| name.as_encoded_bytes().contains(&b'-')));
    let (name, path) = dashed.ok_or("no file with a dash in its name")?;
    ensure(
        !name.as_bytes().contains(&b'-') && ModuleName::from_path(path).as_ref() == Some(name),
        "names differ",
    )?;
    // What is loaded here, if anything is: sections are not shown to everybody, names are.
    let loaded = context.loaded().map(|modules| modules.len());
    Ok(format!(
        "{} modules have files; {} are loaded here",
        files.len(),
        loaded.map_or("unknown how many".into(), |count| count.to_string())
    ))
}
