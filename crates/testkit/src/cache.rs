//! What `cargo xtask fetch` has put outside the checkout: the packaged kmods and the kernels' module trees.
//!
//! The cache lies at `$MODUTILS_CACHE`, else `$XDG_CACHE_HOME/modutils`, else `~/.cache/modutils`, where a
//! `$HOME` that is no directory counts for nothing. In it,
//! `reference/kmod34` and `reference/kmod30` are roots with Debian's packages unpacked, and `trees/NAME` holds
//! `lib/modules/VERSION`. `$MODUTILS_REFERENCE_KMOD34` and `$MODUTILS_REFERENCE_KMOD30` name other such roots.
//!
//! `cargo xtask test` knows what could not be had: `$MODUTILS_MISSING` names a file with lines of a name, `optional` or
//! `required`, and the cause, with tabs between them. A test that needs something optional asks with [`tree_or_skip`]
//! or [`has_or_skips`]; that it did without is written to the file that `$MODUTILS_SKIPPED` names. With
//! `$MODUTILS_FULL` set such a test fails.

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::surroundings;

/// The root that the packaged kmod `name` (`kmod34`, `kmod30`) was unpacked into.
///
/// # Panics
/// When it is not there; the message says how to get it. A test that cannot compare must not pass.
pub fn reference(name: &str) -> PathBuf {
    let variable = format!("MODUTILS_REFERENCE_{}", name.to_uppercase());
    let root = env::var_os(variable).map_or_else(|| root().join("reference").join(name), PathBuf::from);
    present(root, name, &format!("the packaged {name}"))
}

/// A kernel's module tree.
#[derive(Debug, Clone)]
pub struct Tree {
    /// `lib/modules/VERSION` in the cache: not to be changed.
    pub modules: PathBuf,
    /// The kernel's version.
    pub version: String,
}

/// The tree called `name` (`trixie-amd64-zst`, …).
///
/// # Panics
/// When it is not there; the message says how to get it.
pub fn tree(name: &str) -> Tree {
    present(root().join("trees").join(name), name, &format!("the module tree {name}"));
    find_tree(name).expect("a tree has a version")
}

/// The tree called `name`, when it is of this series of kernels (`6.12`, or `""` for any); none when it could not be had,
/// and the test that runs then counts as skipped: it must return at once.
///
/// # Panics
/// When it is not there and nobody says why.
pub fn tree_or_skip(name: &str, series: &str) -> Option<Tree> {
    if !has_or_skips(name) {
        return None;
    }
    let tree = tree(name);
    let is_of_series = tree
        .version
        .strip_prefix(series)
        .is_some_and(|rest| series.is_empty() || !rest.starts_with(char::is_numeric));
    if !is_of_series {
        skip("whole", &format!("{name} is Linux {}, not {series}", tree.version));
        return None;
    }
    Some(tree)
}

/// Whether a tree or a packaged kmod is there; when it could not be had, the test that runs counts as skipped: it must
/// return at once.
///
/// # Panics
/// As [`tree_or_skip`].
pub fn has_or_skips(name: &str) -> bool {
    let missing = missing(name).filter(|missing| missing.optional);
    if let Some(missing) = &missing {
        skip("whole", &missing.sentence);
    }
    missing.is_none()
}

/// The same for a test that goes on with less: it passes, and the run says that it passed on a part.
pub fn has_or_goes_on(name: &str) -> bool {
    let missing = missing(name).filter(|missing| missing.optional);
    if let Some(missing) = &missing {
        skip("part", &missing.sentence);
    }
    missing.is_none()
}

/// Something that could not be had.
struct Missing {
    optional: bool,
    /// What, and why.
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
            sentence: format!("{name} cannot be had: {cause}"),
        })
    })
}

/// Says that the test that runs now did without something.
fn skip(kind: &str, cause: &str) {
    assert!(env::var_os("MODUTILS_FULL").is_none(), "nothing is skipped here: {cause}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("{test} is skipped: {cause}");
    let Some(file) = env::var_os("MODUTILS_SKIPPED") else { return };
    // One write for each line: tests run side by side.
    let line = format!("{kind}\t{test}\t{cause}\n");
    let written =
        OpenOptions::new().append(true).open(file).and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("the file that MODUTILS_SKIPPED names");
}

/// The tree called `name`, if it is there: for measurements, which can do with less. A test must not.
pub fn find_tree(name: &str) -> Option<Tree> {
    let lib = root().join("trees").join(name).join("lib/modules");
    let modules = std::fs::read_dir(lib).ok()?.next()?.ok()?.path();
    let version = modules.file_name()?.to_string_lossy().into_owned();
    Some(Tree { modules, version })
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
        .expect("MODUTILS_CACHE, XDG_CACHE_HOME or a home says where the cache is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Output};

    /// Runs [`a_test_that_asks`] in a process of its own, with a list that says so of what it asks for; what came of it,
    /// and what the file of skipped tests has then.
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
            && has_or_skips("no-tree")
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
            "whole\tcache::tests::a_test_that_asks\tno-tree cannot be had: HTTP status 404\n"
        );
        let (run, skipped) = ask("required", false);
        assert!(!run.status.success() && skipped.is_empty());
        assert!(String::from_utf8_lossy(&run.stdout).contains("no-tree cannot be had: HTTP status 404"));
        let (run, skipped) = ask("optional", true);
        assert!(!run.status.success() && skipped.is_empty());
    }
}
