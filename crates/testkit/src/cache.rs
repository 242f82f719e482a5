//! What `cargo xtask fetch` has put outside the checkout: the packaged kmods and the kernels' module trees.
//!
//! The cache is at `$MODUTILS_CACHE`, else `$XDG_CACHE_HOME/modutils`, else `~/.cache/modutils`, where a
//! `$HOME` that is not a directory is ignored. In it,
//! `reference/kmod34` and `reference/kmod30` are roots with Debian's packages unpacked, and `trees/NAME` holds
//! `lib/modules/VERSION`. `$MODUTILS_REFERENCE_KMOD34` and `$MODUTILS_REFERENCE_KMOD30` name other such roots.
//!
//! `cargo xtask test` lists what is unavailable: `$MODUTILS_MISSING` names a file with lines of a name, `optional` or
//! `required`, and the cause, separated by tabs. A test that needs something optional calls [`tree_or_skip`] or
//! [`require_or_skip`], which record a skipped test in the file that `$MODUTILS_SKIPPED` names. With `$MODUTILS_FULL` set
//! such a test fails.

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::surroundings;

/// The root that the packaged kmod `name` (`kmod34`, `kmod30`) was unpacked into.
///
/// # Panics
/// When it is not there; the message shows how to get it. A test that cannot compare must not pass.
pub fn reference(name: &str) -> PathBuf {
    let variable = format!("MODUTILS_REFERENCE_{}", name.to_uppercase());
    let root = env::var_os(variable).map_or_else(|| root().join("reference").join(name), PathBuf::from);
    present(root, name, &format!("the packaged {name}"))
}

/// A kernel's module tree.
#[derive(Debug, Clone)]
pub struct ModuleTree {
    /// `lib/modules/VERSION` in the cache: not to be changed.
    pub modules: PathBuf,
    /// The kernel's version.
    pub version: String,
}

/// The tree called `name` (`trixie-amd64-zst`, …).
///
/// # Panics
/// When it is not there; the message shows how to get it.
pub fn tree(name: &str) -> ModuleTree {
    present(root().join("trees").join(name), name, &format!("the module tree {name}"));
    find_tree(name).expect("a tree has a version")
}

/// The tree called `name`, if it is of this series of kernels (`6.12`, or `""` for any). `None` if it is unavailable or of
/// another series: the running test is then recorded as skipped, and must return at once.
///
/// # Panics
/// When it is missing and `$MODUTILS_MISSING` has no cause for it.
pub fn tree_or_skip(name: &str, series: &str) -> Option<ModuleTree> {
    require_or_skip(name, SkipExtent::WholeTest).ok()?;
    let tree = tree(name);
    let is_of_series = tree
        .version
        .strip_prefix(series)
        .is_some_and(|rest| series.is_empty() || !rest.starts_with(char::is_numeric));
    if !is_of_series {
        record_skip(SkipExtent::WholeTest, &format!("{name} is Linux {}, not {series}", tree.version));
        return None;
    }
    Some(tree)
}

/// How much of a test is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipExtent {
    /// All of it: the test must return at once.
    WholeTest,
    /// A part: the test goes on without it and passes, and the run reports that it passed on a part.
    PartOfTest,
}

/// Something optional is unavailable, and the running test is recorded as skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped;

/// Succeeds if the tree or the packaged kmod called `name` is available, or required: using it then fails with the cause.
///
/// # Errors
/// When it is optional and unavailable. The running test is then recorded as skipped.
///
/// # Panics
/// In that case, when `$MODUTILS_FULL` is set.
pub fn require_or_skip(name: &str, extent: SkipExtent) -> Result<(), Skipped> {
    match missing(name) {
        Some(missing) if missing.optional => {
            record_skip(extent, &missing.sentence);
            Err(Skipped)
        }
        _ => Ok(()),
    }
}

/// Something that is unavailable.
struct Missing {
    optional: bool,
    /// What is missing, and why.
    sentence: String,
}

fn missing(name: &str) -> Option<Missing> {
    let list = std::fs::read_to_string(env::var_os("MODUTILS_MISSING")?)
        .expect("the file that MODUTILS_MISSING names");
    list.lines().find_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (found, kind, cause) = (fields.next()?, fields.next()?, fields.next()?);
        (found == name).then(|| Missing {
            optional: kind == "optional",
            sentence: format!("{name} is unavailable: {cause}"),
        })
    })
}

/// Records that the running test skips something.
fn record_skip(extent: SkipExtent, cause: &str) {
    assert!(env::var_os("MODUTILS_FULL").is_none(), "nothing is skipped here: {cause}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("{test} is skipped: {cause}");
    let Some(file) = env::var_os("MODUTILS_SKIPPED") else { return };
    let kind = match extent {
        SkipExtent::WholeTest => "whole",
        SkipExtent::PartOfTest => "part",
    };
    // One write for each line: tests run in parallel.
    let line = format!("{kind}\t{test}\t{cause}\n");
    let written =
        OpenOptions::new().append(true).open(file).and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("the file that MODUTILS_SKIPPED names");
}

/// The tree called `name`, if it is in the cache: for measurements, which can go without. A test must not.
pub fn find_tree(name: &str) -> Option<ModuleTree> {
    let lib = root().join("trees").join(name).join("lib/modules");
    let modules = std::fs::read_dir(lib).ok()?.next()?.ok()?.path();
    let version = modules.file_name()?.to_string_lossy().into_owned();
    Some(ModuleTree { modules, version })
}

fn present(path: PathBuf, name: &str, what: &str) -> PathBuf {
    if !path.is_dir() {
        match missing(name) {
            Some(missing) => panic!("{}", missing.sentence),
            None => panic!("{what} is not at {}: run `cargo xtask fetch`", path.display()),
        }
    }
    path
}

fn root() -> PathBuf {
    let under = |variable: &str, rest: &str| -> Option<PathBuf> {
        let value: OsString = env::var_os(variable).filter(|value| !value.is_empty())?;
        Some(Path::new(&value).join(rest))
    };
    under("MODUTILS_CACHE", "")
        .or_else(|| under("XDG_CACHE_HOME", "modutils"))
        .or_else(|| surroundings::home().map(|home| home.join(".cache/modutils")))
        .expect("MODUTILS_CACHE, XDG_CACHE_HOME or HOME names the cache")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Output};

    /// Runs [`a_test_that_asks`] in a separate process, with a list of missing things that has `no-tree`. Returns its
    /// output and the contents of the file of skipped tests.
    fn ask(kind: &str, full: bool) -> (Output, String) {
        let dir = tempfile::tempdir().unwrap();
        let (list, skipped) = (dir.path().join("missing"), dir.path().join("skipped"));
        std::fs::write(&list, format!("other\toptional\tx\nno-tree\t{kind}\tHTTP status 404\n")).unwrap();
        std::fs::write(&skipped, "").unwrap();
        let mut test = Command::new(env::current_exe().unwrap());
        test.args(["--exact", "cache::tests::a_test_that_asks"]);
        test.env("MODUTILS_MISSING", list).env("MODUTILS_SKIPPED", &skipped).env_remove("MODUTILS_FULL");
        if full {
            test.env("MODUTILS_FULL", "1");
        }
        (test.output().unwrap(), std::fs::read_to_string(skipped).unwrap())
    }

    #[test]
    fn a_test_that_asks() {
        if env::var_os("MODUTILS_SKIPPED").is_some()
            && require_or_skip("no-tree", SkipExtent::WholeTest).is_ok()
            && missing("no-tree").is_some()
        {
            tree("no-tree");
        }
    }

    #[test]
    fn a_test_without_something_optional_is_skipped_and_without_something_required_fails_with_the_cause() {
        let (run, skipped) = ask("optional", false);
        assert!(run.status.success());
        assert_eq!(
            skipped,
            "whole\tcache::tests::a_test_that_asks\tno-tree is unavailable: HTTP status 404\n"
        );
        let (run, skipped) = ask("required", false);
        assert!(!run.status.success() && skipped.is_empty());
        assert!(String::from_utf8_lossy(&run.stdout).contains("no-tree is unavailable: HTTP status 404"));
        let (run, skipped) = ask("optional", true);
        assert!(!run.status.success() && skipped.is_empty());
    }
}
