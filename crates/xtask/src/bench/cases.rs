//! The measured cases: the commands of each row, and the limit of our cost relative to kmod's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::measure::ToolCall;
use super::world::{BenchRoots, BenchSide, version};

/// The same tree in each form.
pub(super) const PLAIN: &str = "trixie-amd64-plain";
pub(super) const ZST: &str = "trixie-amd64-zst";
pub(super) const GZ: &str = "trixie-amd64-gz";
pub(super) const XZ: &str = "trixie-amd64";

/// The tree that modprobe and modinfo read.
pub(super) const LOOKUP_TREE: &str = ZST;

/// A module that changes, and one with many dependencies.
const CHANGING: &str = "kernel/drivers/net/ethernet/intel/e1000/e1000.ko";
pub(super) const DEEP: &str = "iwlmvm";

/// A device that one of many drivers supports.
pub(super) const MODALIAS: &str = "pci:v00008086d0000100Esv00008086sd00001076bc02sc00i00";

/// How many modaliases one command resolves.
const MODALIASES: usize = 300;

/// A row of the table.
pub(super) struct BenchCase {
    pub(super) name: String,
    /// The limit of our time relative to kmod's.
    pub(super) limit: Option<f64>,
    /// The same for peak memory, which then has its own row.
    pub(super) memory: Option<f64>,
    /// The trees it needs.
    pub(super) trees: Vec<&'static str>,
    /// What is done before each run.
    pub(super) before: Preparation,
    /// Whether both sides must print the same.
    pub(super) same_output: bool,
    /// The commands of both sides, once the trees exist.
    pub(super) calls: Calls,
}

/// Makes the commands of both sides.
type Calls = Box<dyn Fn(&BenchRoots) -> Result<[ToolCall; 2]>>;

/// What is done before each run and is not measured.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Preparation {
    Nothing,
    /// Our depmod's cache is removed: depmod reads everything, and writes the cache.
    Forget,
    /// One module of the tree is replaced.
    Change(&'static str),
}

impl Preparation {
    /// Prepares one side.
    ///
    /// # Errors
    /// When the file system fails.
    pub(super) fn act(self, world: &BenchRoots, side: BenchSide) -> Result<()> {
        match self {
            Preparation::Forget if side == BenchSide::Ours => world.remove_depmod_cache(),
            Preparation::Nothing | Preparation::Forget => Ok(()),
            Preparation::Change(tree) => world.replace(side, tree, &format!("{CHANGING}{}", suffix(tree))),
        }
    }
}

/// All rows.
pub(super) fn all() -> Vec<BenchCase> {
    let mut cases = vec![
        depmod("depmod, plain", Some(0.30), [PLAIN, PLAIN], &[]),
        depmod("depmod, zst", Some(0.42), [ZST, ZST], &[]),
        depmod("depmod, gz (kmod: zst)", Some(0.65), [GZ, ZST], &[]),
        depmod("depmod, xz", Some(0.62), [XZ, XZ], &[]),
        changed("depmod, one module changed, xz", 0.02, XZ),
        changed("depmod, one module changed, plain", 0.25, PLAIN),
        depmod("depmod -j 1, plain", None, [PLAIN, PLAIN], &["-j", "1"]),
        depmod("depmod -j 1, zst", None, [ZST, ZST], &["-j", "1"]),
    ];
    for (name, arguments) in [
        ("modprobe -D", vec!["-D", DEEP]),
        ("modprobe -R, name", vec!["-R", DEEP]),
        ("modprobe -R, modalias", vec!["-R", MODALIAS]),
    ] {
        cases.push(modprobe(name, 0.40, arguments));
    }
    let version = modprobe("modprobe -V", 0.40, vec!["-V"]);
    cases.push(BenchCase { same_output: false, ..version });
    let configuration = modprobe("modprobe -c", 0.45, vec!["-c"]);
    cases.push(BenchCase { same_output: false, ..configuration });
    cases.push(BenchCase {
        calls: Box::new(|world| {
            let paths = modules(&world.modules(BenchSide::Theirs, LOOKUP_TREE))?;
            let mut arguments = vec!["-F".to_owned(), "firmware".to_owned()];
            arguments
                .extend(paths.iter().map(|path| format!("/lib/modules/{}/{path}", version_of_looked_at())));
            let call = ToolCall { tool: "modinfo", arguments };
            Ok([call.clone(), call])
        }),
        ..modprobe("modinfo -F firmware, all modules, zst", 0.42, vec![])
    });
    cases.push(BenchCase {
        calls: Box::new(|world| {
            let aliases = world.modules(BenchSide::Theirs, LOOKUP_TREE).join("modules.alias");
            let text = fs::read_to_string(&aliases).with_context(|| aliases.display().to_string())?;
            let version = version_of_looked_at();
            let mut call = ToolCall::new("modprobe", &["-S", &version, "-a", "-n"]);
            call.arguments.extend(modaliases(&text, MODALIASES));
            Ok([call.clone(), call])
        }),
        // kmod prints nothing then without -v (docs/differences.md).
        same_output: false,
        ..modprobe("modprobe -a -n, 300 modaliases", 0.50, vec![])
    });
    cases
}

/// A full run of depmod on a tree, ours and theirs.
fn depmod(
    name: &str,
    limit: Option<f64>,
    trees: [&'static str; 2],
    more: &'static [&'static str],
) -> BenchCase {
    BenchCase {
        name: name.to_owned(),
        limit,
        memory: Some(1.0).filter(|_| more.is_empty()),
        trees: trees.to_vec(),
        before: Preparation::Forget,
        same_output: false,
        calls: Box::new(move |_| {
            let [ours, theirs] = trees.map(version);
            let mut call = ToolCall::new("depmod", more);
            call.arguments.push(ours);
            Ok([call, ToolCall::new("depmod", &[&theirs])])
        }),
    }
}

/// depmod after one module of the tree was replaced, with its cache of the others.
fn changed(name: &str, limit: f64, tree: &'static str) -> BenchCase {
    BenchCase {
        before: Preparation::Change(tree),
        memory: None,
        ..depmod(name, Some(limit), [tree, tree], &[])
    }
}

/// A command of modprobe that reads the indexes.
fn modprobe(name: &str, limit: f64, arguments: Vec<&'static str>) -> BenchCase {
    BenchCase {
        name: name.to_owned(),
        limit: Some(limit),
        memory: None,
        trees: vec![LOOKUP_TREE],
        before: Preparation::Nothing,
        same_output: true,
        calls: Box::new(move |_| {
            let version = version_of_looked_at();
            let mut call = ToolCall::new("modprobe", &["-S", &version]);
            call.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
            Ok([call.clone(), call])
        }),
    }
}

fn version_of_looked_at() -> String {
    version(LOOKUP_TREE)
}

/// The suffix of a tree's file names after `.ko`.
fn suffix(tree: &str) -> &'static str {
    match tree {
        ZST => ".zst",
        GZ => ".gz",
        XZ => ".xz",
        _ => "",
    }
}

/// The modules of an indexed directory, as modules.dep lists them.
///
/// # Errors
/// When there is no modules.dep.
pub(super) fn modules(directory: &Path) -> Result<Vec<String>> {
    let path = directory.join("modules.dep");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().filter_map(|line| line.split_once(':')).map(|(module, _)| module.to_owned()).collect())
}

/// Strings that devices might have, one for each of some patterns spread over modules.alias.
fn modaliases(text: &str, count: usize) -> Vec<String> {
    let patterns: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("alias ")?.split(' ').next())
        .filter(|pattern| pattern.contains(':') && pattern.contains('*'))
        .collect();
    let step = (patterns.len() / count).max(1);
    patterns.iter().step_by(step).take(count).map(|pattern| matching(pattern)).collect()
}

/// A string that the pattern matches: of brackets their first character, digits for wildcards.
fn matching(pattern: &str) -> String {
    let mut text = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => text.push_str("00"),
            '?' => text.push('0'),
            '[' => {
                text.extend(characters.next());
                characters.by_ref().find(|&character| character == ']');
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modaliases_are_spread_over_the_patterns_of_buses() {
        let text = "# comment\nalias fs-x x\nalias pci:v1d*sv* a\nalias usb:v0[2-4]p?d* b\nalias pci:v9* c\n";
        assert_eq!(modaliases(text, 3), ["pci:v1d00sv00", "usb:v02p0d00", "pci:v900"]);
        assert_eq!(modaliases(text, 1), ["pci:v1d00sv00"]);
    }
}
