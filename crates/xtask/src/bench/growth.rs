//! How depmod's time grows with the number of modules.
//!
//! Up to the size of the real tree the modules are a selection, evenly spread. Beyond that, they are all modules and
//! copies of them with other names of files and exported symbols: the modules of a copy need each other like the originals.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use serde_json::{Value, json};

use super::cases::{self, PLAIN, Preparation};
use super::figures::{CostPair, FittedLine, Summary};
use super::measure::{self, Runs, ToolCall};
use super::world::{BenchRoots, BenchSide, version};

/// The numbers of modules.
pub(super) const SIZES: [usize; 5] = [500, 1_000, 2_000, 4_000, 16_000];

/// The prefixes that an exported symbol's name may have in the string tables.
const PREFIXES: [&[u8]; 5] = [b"__ksymtab_", b"__kstrtab_", b"__kstrtabns_", b"__crc_", b"__export_symbol_"];

/// The sections that hold names of symbols.
const STRING_SECTIONS: [&str; 3] = [".strtab", "__ksymtab_strings", "__versions"];

/// The times for one number of modules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) modules: usize,
    pub(super) pairs: usize,
    pub(super) times: Summary,
}

/// The times for all of them, the smallest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth {
    pub(super) points: Vec<Point>,
}

impl Growth {
    /// Adds the measurement of a number of modules.
    pub(super) fn add(&mut self, modules: usize, pairs: &[CostPair]) {
        let times = Summary::of(pairs, |cost| cost.wall);
        self.points.extend(times.map(|times| Point { modules, pairs: pairs.len(), times }));
    }

    /// The line that fits a side's times best.
    pub(super) fn line(&self, side: BenchSide) -> Option<FittedLine> {
        let points: Vec<(f64, f64)> =
            self.points.iter().map(|point| (point.modules as f64, point.seconds(side))).collect();
        FittedLine::through(&points)
    }

    /// Describes a side's growth: how well a line fits, and the time for each module at both ends.
    pub(super) fn describe(&self, side: BenchSide) -> Option<String> {
        let (line, first, last) = (self.line(side)?, self.points.first()?, self.points.last()?);
        let each = |point: &Point| point.seconds(side) / point.modules as f64 * 1e6;
        Some(format!(
            "{:.2} µs for each module and {:.2} ms, R² = {:.5}; {:.2} µs a module at {}, {:.2} µs at {}",
            line.slope * 1e6,
            line.start * 1e3,
            line.fit,
            each(first),
            first.modules,
            each(last),
            last.modules
        ))
    }

    /// The results as JSON.
    pub(super) fn json(&self) -> Value {
        let points = self.points.iter().map(|point| {
            json!({
                "modules": point.modules, "pairs": point.pairs,
                "ours": point.times.ours, "kmod": point.times.theirs, "ratio": point.times.ratio,
            })
        });
        let line = |side| {
            self.line(side)
                .map(|line| json!({ "s_per_module": line.slope, "s_at_zero": line.start, "r2": line.fit }))
        };
        json!({
            "points": points.collect::<Vec<_>>(), "ours": line(BenchSide::Ours), "kmod": line(BenchSide::Theirs),
        })
    }
}

impl Point {
    /// A side's time.
    pub(super) fn seconds(&self, side: BenchSide) -> f64 {
        if side == BenchSide::Ours { self.times.ours } else { self.times.theirs }
    }
}

/// Makes a tree of so many modules, measures it and removes it.
///
/// # Errors
/// When it can't be made or measured.
pub(super) fn measure(world: &BenchRoots, modules: usize, runs: Runs) -> Result<Vec<CostPair>> {
    let tree = format!("growth-{modules}");
    make(world, &tree, modules)?;
    let call = ToolCall::new("depmod", &[&version(&tree)]);
    let pairs = measure::pairs(world, [&call, &call], runs, |side| Preparation::Forget.act(world, side))?;
    world.check_indexes(&tree)?;
    for side in BenchSide::BOTH {
        fs::remove_dir_all(world.modules(side, &tree))?;
    }
    Ok(pairs)
}

/// Makes the tree in both roots from the plain one, which must be there, indexed.
///
/// # Errors
/// When a file can't be read or written.
pub(super) fn make(world: &BenchRoots, tree: &str, modules: usize) -> Result<()> {
    let from = world.modules(BenchSide::Theirs, PLAIN);
    let all = cases::modules(&from)?;
    let exported = exported_symbols(&from)?;
    let [ours, theirs] = BenchSide::BOTH.map(|side| world.modules(side, tree));
    let mut order = String::new();
    for number in 0..modules {
        let copy = number / all.len();
        let source = if modules < all.len() { number * all.len() / modules } else { number % all.len() };
        let source = &all[source];
        let path = if copy == 0 { source.clone() } else { copy_path(source, copy) };
        for side in [&theirs, &ours] {
            fs::create_dir_all(side.join(&path).parent().context("a module is in a directory")?)?;
        }
        if copy == 0 {
            fs::hard_link(from.join(source), theirs.join(&path))?;
        } else {
            let bytes = fs::read(from.join(source))?;
            fs::write(theirs.join(&path), with_renamed_symbols(bytes, &exported, copy)?)?;
        }
        fs::hard_link(theirs.join(&path), ours.join(&path))?;
        order += &path;
        order.push('\n');
    }
    for side in [&theirs, &ours] {
        fs::write(side.join("modules.order"), &order)?;
        for name in ["modules.builtin", "modules.builtin.modinfo"] {
            fs::copy(from.join(name), side.join(name))?;
        }
    }
    super::world::flush_writes()
}

/// The path of a copy: in a separate directory, with a distinct name.
fn copy_path(path: &str, copy: usize) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    format!("kernel/copy{copy}/{directory}/copy{copy}_{name}")
}

/// The symbols that modules export.
fn exported_symbols(directory: &Path) -> Result<HashSet<Vec<u8>>> {
    let text = fs::read_to_string(directory.join("modules.symbols"))?;
    let names = text.lines().filter_map(|line| line.strip_prefix("alias symbol:")?.split(' ').next());
    Ok(names.map(|name| name.as_bytes().to_vec()).collect())
}

/// The module with other names for exported symbols.
fn with_renamed_symbols(mut bytes: Vec<u8>, exported: &HashSet<Vec<u8>>, copy: usize) -> Result<Vec<u8>> {
    let ranges: Vec<(u64, u64)> = {
        let file = object::File::parse(bytes.as_slice())?;
        let holds_names = |name: &str| STRING_SECTIONS.contains(&name);
        let sections = file.sections().filter(|section| section.name().is_ok_and(holds_names));
        sections.filter_map(|section| section.file_range()).collect()
    };
    for (start, size) in ranges {
        let end = start.checked_add(size).context("a section ends in the file")?;
        let section = bytes.get_mut(start as usize..end as usize).context("a section ends in the file")?;
        for string in section.split_mut(|&byte| byte == 0) {
            let prefix =
                PREFIXES.iter().find(|prefix| string.starts_with(prefix)).map_or(0, |prefix| prefix.len());
            let name = &mut string[prefix..];
            if exported.contains(name) {
                rename(name, copy);
            }
        }
    }
    Ok(bytes)
}

/// Gives a symbol another name of the same length: each bit of the copy's number changes one of its first letters, into
/// a character that no kernel symbol has there, so that all names differ.
fn rename(name: &mut [u8], copy: usize) {
    for (place, letter) in name.iter_mut().enumerate().take(usize::BITS as usize) {
        if copy >> place & 1 == 1 {
            *letter = match *letter {
                b'_' => b'~',
                digit @ b'0'..=b'9' => b"!$%&+,/:;="[usize::from(digit - b'0')],
                letter => letter ^ (b'a' ^ b'A'),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_differ_in_the_names_of_files_and_symbols() {
        assert_eq!(copy_path("kernel/fs/fat.ko", 2), "kernel/copy2/kernel/fs/copy2_fat.ko");
        let names = (0..4).map(|copy| {
            let mut name = *b"f_8";
            rename(&mut name, copy);
            name
        });
        assert_eq!(names.collect::<Vec<_>>(), [*b"f_8", *b"F_8", *b"f~8", *b"F~8"]);
    }
}
