//! A smoke test of a release binary before it is packed, in an emulator if it is for another architecture: it must write
//! the indexes of a small tree with modules in every compression, show the modules, and print the same as the binary for
//! this architecture.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use testkit::{Compression, Crc, ModuleBuilder};

use crate::binary::Target;
use crate::process;

/// The module files. Each module needs a symbol of the one before it.
const MODULES: [(&str, &str, Option<Compression>); 4] = [
    ("plain", "ko", None),
    ("zipped", "ko.gz", Some(Compression::Gzip)),
    ("squeezed", "ko.xz", Some(Compression::Xz)),
    ("upper", "ko.zst", Some(Compression::Zstd)),
];

/// Tests a target's binary, compared with `reference` if there is one, and returns the output of `--version`.
///
/// # Errors
/// When it fails, or its output differs.
pub(super) fn test(target: Target, binary: &Path, reference: Option<&Path>) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let modules = directory.path().join("lib/modules/1.0");
    fs::create_dir_all(&modules)?;
    for (number, (name, ending, compression)) in MODULES.into_iter().enumerate() {
        let module = module(name, number, compression);
        fs::write(modules.join(format!("{name}.{ending}")), module.build())?;
    }
    let outputs = outputs_of(target, binary, directory.path())?;
    if let Some(reference) = reference {
        let expected = outputs_of(Target::Amd64, reference, directory.path())?;
        for (what, bytes) in &expected {
            if outputs.get(what) != Some(bytes) {
                bail!("{} does not give the same as {}: {what}", binary.display(), reference.display());
            }
        }
    }
    let loads = outputs.get("modprobe").context("modprobe ran")?;
    for (name, ..) in MODULES {
        if !String::from_utf8_lossy(loads).contains(name) {
            bail!("{} does not load {name}: {}", binary.display(), String::from_utf8_lossy(loads));
        }
    }
    Ok(String::from_utf8_lossy(outputs.get("kmod").context("kmod ran")?).into_owned())
}

fn module(name: &str, number: usize, compression: Option<Compression>) -> ModuleBuilder {
    let symbol = |number: usize| format!("symbol_{number}");
    let mut module = ModuleBuilder::new(name)
        .modinfo("license", "GPL")
        .alias(format!("test:{name}*"))
        .export(symbol(number), Crc::Absolute(1));
    if let Some(before) = number.checked_sub(1) {
        module = module.needs(symbol(before), 1);
    }
    match compression {
        Some(compression) => module.compressed(compression),
        None => module,
    }
}

/// The output of each tool on the tree, and the bytes of each index.
fn outputs_of(target: Target, binary: &Path, base: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let modules = base.join("lib/modules/1.0");
    let directory = base.to_str().context("a temporary directory has a plain name")?;
    let mut outputs = BTreeMap::new();
    let mut runs = vec![("kmod", vec!["--version".to_owned()])];
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    runs.push(("depmod", words(&["-n", "-b", directory, "1.0"])));
    runs.push(("depmod -w", words(&["-b", directory, "1.0"])));
    runs.push(("modprobe", words(&["-d", directory, "-S", "1.0", "-D", "test:upper-1"])));
    let mut files = Vec::new();
    for entry in fs::read_dir(&modules)? {
        let path = entry?.path();
        let name = path.to_string_lossy().into_owned();
        if name.contains(".ko") {
            files.push(name);
        } else {
            // From an earlier run.
            fs::remove_file(path)?;
        }
    }
    files.sort();
    runs.push(("modinfo", files));
    for (what, arguments) in runs {
        let name = what.split(' ').next().unwrap_or(what);
        let out = process::output(target.command(binary, name)?.args(&arguments))?;
        outputs.insert(what.to_owned(), out.into_bytes());
    }
    for entry in fs::read_dir(&modules)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("modules.") {
            outputs.insert(name, fs::read(path)?);
        }
    }
    Ok(outputs)
}
