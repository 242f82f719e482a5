//! The inputs of the tests: the kernels' module trees, the packaged kmods, the guest's shell. If one is unavailable, the
//! tests that need it fail by name, or are skipped if it is optional; all others run.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use crate::cache::Cache;
use crate::mirror::{self, Unavailable};
use crate::stages::{Count, Stages};
use crate::{busybox, reference, trees};

/// The guest's shell, among the names of trees and references.
pub(crate) const BUSYBOX: &str = "busybox";

/// An unavailable input.
#[derive(Clone, Debug)]
pub(crate) struct MissingMaterial {
    name: &'static str,
    cause: String,
    /// Whether the tests that need it are skipped.
    optional: bool,
}

impl MissingMaterial {
    /// What is missing, and why.
    pub(crate) fn sentence(&self) -> String {
        format!("{} is unavailable: {}", self.name, self.cause)
    }
}

/// Which inputs are available, and which are not.
pub(crate) struct Materials<'a> {
    cache: &'a Cache,
    missing: Vec<MissingMaterial>,
    /// The missing ones for the tests: lines of a name, `optional` or `required`, and the cause, separated by tabs.
    list: NamedTempFile,
}

impl<'a> Materials<'a> {
    /// Fetches and makes all inputs, in one stage.
    ///
    /// # Errors
    /// When the list of what is missing cannot be written.
    pub(crate) fn gather(cache: &'a Cache, stages: &mut Stages) -> Result<Materials<'a>> {
        let mut missing: Vec<MissingMaterial> = Vec::new();
        stages.tests("kernels, module trees and the packaged kmod", || {
            let mut count = Count::default();
            for name in names() {
                let made_from = trees::made_from(name);
                let above = missing.iter().find(|one| Some(one.name) == made_from).cloned();
                let result = match above {
                    Some(above) => Err((above.optional, format!("it is made from {}", above.name))),
                    None => provide(cache, name).map_err(|error| {
                        (is_optional(name) && error.is::<Unavailable>(), mirror::cause(&error))
                    }),
                };
                if let Err((optional, cause)) = result {
                    let one = MissingMaterial { name, cause, optional };
                    println!("      {}", one.sentence());
                    // Counted so that the stage does not pass.
                    count.failed += usize::from(!optional);
                    missing.push(one);
                }
            }
            Ok(count)
        });
        Materials::new(cache, missing)
    }

    /// The inputs that are in the cache from an earlier run.
    ///
    /// # Errors
    /// As [`Materials::gather`].
    pub(crate) fn cached(cache: &'a Cache) -> Result<Materials<'a>> {
        let absent = |name: &&'static str| !place(cache, name).exists();
        let missing =
            |name| MissingMaterial { name, cause: "it is not in the cache".to_owned(), optional: true };
        Materials::new(cache, names().filter(absent).map(missing).collect())
    }

    fn new(cache: &'a Cache, missing: Vec<MissingMaterial>) -> Result<Materials<'a>> {
        let mut list = NamedTempFile::new().context("a list of what is missing")?;
        for MissingMaterial { name, cause, optional } in &missing {
            let cause = cause.replace(['\n', '\t'], " ");
            writeln!(list, "{name}\t{}\t{cause}", if *optional { "optional" } else { "required" })?;
        }
        list.flush()?;
        Ok(Materials { cache, missing, list })
    }

    pub(crate) fn cache(&self) -> &Cache {
        self.cache
    }

    pub(crate) fn list(&self) -> &Path {
        self.list.path()
    }

    /// The first of these that is missing.
    pub(crate) fn missing_of(&self, names: &[&str]) -> Option<&MissingMaterial> {
        self.missing.iter().find(|one| names.contains(&one.name))
    }
}

/// Everything, each after what it is made from; first what the most tests need.
fn names() -> impl Iterator<Item = &'static str> {
    reference::names().chain([BUSYBOX]).chain(trees::names())
}

fn is_optional(name: &str) -> bool {
    trees::is_optional(name) || reference::is_optional(name)
}

fn provide(cache: &Cache, name: &str) -> Result<()> {
    if name == BUSYBOX {
        return busybox::provide(cache).map(drop);
    }
    match trees::provide(cache, name)? {
        Some(_) => Ok(()),
        None => reference::provide(cache, name).map(drop),
    }
}

fn place(cache: &Cache, name: &str) -> std::path::PathBuf {
    let directory = match name {
        BUSYBOX => "guest",
        _ if reference::names().any(|reference| reference == name) => "reference",
        _ => "trees",
    };
    cache.root().join(directory).join(name)
}
