//! What `modinfo --json` tells of a distribution's modules is what the text tells: another program makes
//! the text of the document.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::{cache, compare::same_text};
use walkdir::WalkDir;

/// How many modules one run is given.
const AT_ONCE: usize = 200;
/// Of how many modules one is taken, where not all are.
const SAMPLE: usize = 8;

#[test]
fn json_and_text_tell_the_same_facts_of_each_module_of_a_tree() {
    let tree = cache::tree("trixie-amd64");
    let step = if std::env::var_os("MODUTILS_FULL").is_some() { 1 } else { SAMPLE };
    let modules: Vec<PathBuf> = module_files(&tree.modules).into_iter().step_by(step).collect();
    let (mut compared, mut lines) = (0, 0);
    for files in modules.chunks(AT_ONCE) {
        let text = output(modinfo().args(files));
        let document = output(modinfo().arg("--json").args(files));
        same_text("what modinfo says", &by_another_program(&document), &text);
        compared += text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"filename:")).count();
        lines += text.iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(compared, modules.len());
    println!("{compared} modules, {lines} lines of text, each made of the document");
    assert!(compared > 500, "a tree of only {compared} modules");
}

fn module_files(directory: &Path) -> Vec<PathBuf> {
    let files = WalkDir::new(directory).sort_by_file_name().into_iter().flatten();
    let files = files.map(walkdir::DirEntry::into_path);
    files.filter(|path| path.to_string_lossy().contains(".ko") && path.is_file()).collect()
}

fn modinfo() -> Command {
    let mut command = Command::new(testkit::under_test::kmod());
    std::os::unix::process::CommandExt::arg0(&mut command, "modinfo");
    command
}

fn by_another_program(document: &[u8]) -> Vec<u8> {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("document.json");
    std::fs::write(&file, document).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tool/facts.py");
    output(Command::new("python3").arg(script).stdin(File::open(&file).expect("just written")))
}

fn output(command: &mut Command) -> Vec<u8> {
    let output =
        command.stderr(Stdio::inherit()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}
