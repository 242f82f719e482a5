//! Chooses among several copies of a module, as depmod.d configures.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::PathBuf,
};

use bstr::ByteSlice;
use foldhash::fast::RandomState;

use super::{
    TreeFile,
    lines::unlistable,
    omission::{Omission, Omissions, Omitted},
    scan::Found,
};
use crate::{
    Malformed, ModuleName, Notice, Sink,
    config::{DepmodConfig, depmod_d::Place},
    formats::extension,
    shown::{shown, shown_path},
};

/// How good a copy's place is: the lower, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// An `override` line names it.
    Override,
    /// Its place in the `search` list.
    Searched(usize),
    /// In the module directory, though `search` does not name `built-in`.
    BuiltIn,
    /// In an external directory, though `search` does not name `external`.
    External,
}

/// One file for each module name. Copies of equal rank: the one found first counts.
///
/// A file whose name begins with a dot has no module name, and some paths cannot be listed: they are omissions.
pub fn choose(
    found: Vec<Found>,
    config: &DepmodConfig,
    omissions: &mut Omissions,
    sink: &mut Sink,
) -> Vec<TreeFile> {
    let mut places: HashMap<ModuleName, usize, RandomState> = HashMap::default();
    places.reserve(found.len());
    let mut chosen: Vec<(Rank, TreeFile)> = Vec::with_capacity(found.len());
    for line in &config.overrides {
        if !found.iter().any(|found| !found.external && is_file_of(&found.listed, &line.path)) {
            let what = format!("override has no effect: there is no {}.ko", shown(&line.path));
            sink(Notice::warning(format!("{}: {what}", line.place)));
        }
    }
    for found in found {
        let Some(name) = ModuleName::from_path(&found.path) else {
            omissions.report(nameless(found.path), sink);
            continue;
        };
        if let Some(why) = unlistable(&found.listed) {
            omissions.report(not_listable(found.path, why), sink);
            continue;
        }
        let rank = rank(&found, config);
        let file = TreeFile { name, path: found.path, listed: found.listed };
        match places.entry(file.name.clone()) {
            Entry::Vacant(place) => {
                place.insert(chosen.len());
                chosen.push((rank, file));
            }
            Entry::Occupied(place) => {
                if let Some(other) = chosen.get_mut(*place.get()) {
                    if other.1.path.parent() == file.path.parent() && other.0 == rank {
                        sink(beside(&file, &other.1));
                    }
                    if rank < other.0 {
                        *other = (rank, file);
                    }
                }
            }
        }
    }
    chosen.into_iter().map(|(_, file)| file).collect()
}

/// Two files of one module in one directory are an accident, such as a module that was installed plain over a
/// compressed one: which of them counts is for the reader to know.
fn beside(unused: &TreeFile, used: &TreeFile) -> Notice {
    let [unused, used] = [unused, used].map(|file| shown(&file.listed));
    Notice::warning(format!("{unused} is not listed: {used} is the same module in the same directory"))
}

fn nameless(path: PathBuf) -> Omission {
    let error = Malformed::file("the file's name holds no module name").at(&path);
    let notice = Notice::warning(format!("no module name in this path: {}", shown_path(&path)));
    Omission::new(Omitted::Name, path, error, notice)
}

fn not_listable(path: PathBuf, why: &str) -> Omission {
    let error = Malformed::file(format!("the indexes cannot list a path with {why}")).at(&path);
    let notice = Notice::warning(error.to_string());
    Omission::new(Omitted::Name, path, error, notice)
}

fn rank(found: &Found, config: &DepmodConfig) -> Rank {
    if found.external {
        let external = config.search.iter().position(|place| *place == Place::External);
        return external.map_or(Rank::External, Rank::Searched);
    }
    if config.overrides.iter().any(|line| is_file_of(&found.listed, &line.path)) {
        return Rank::Override;
    }
    let directory = config.search.iter().position(|place| match place {
        Place::Directory(directory) => is_below(&found.listed, directory),
        Place::BuiltIn | Place::External => false,
    });
    let built_in = || config.search.iter().position(|place| *place == Place::BuiltIn);
    directory.or_else(built_in).map_or(Rank::BuiltIn, Rank::Searched)
}

/// Whether a path is that of a module, given without its extension. The spelling must be the same:
/// here a dash is a dash.
fn is_file_of(listed: &[u8], module: &[u8]) -> bool {
    listed.strip_prefix(module).is_some_and(|rest| rest.starts_with_str(extension::MODULE))
}

fn is_below(listed: &[u8], directory: &[u8]) -> bool {
    listed.strip_prefix(directory).is_some_and(|rest| rest.starts_with_str("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPIES: [&str; 7] = [
        "extra/a.ko",
        "extra/deep/b.ko",
        "kernel/b.ko",
        "kernel/u-v.ko",
        "kernel/x/a.ko.xz",
        "updates/a.ko",
        "updates/dkms/b.ko",
    ];

    fn chosen(copies: &[&str], config: &DepmodConfig) -> Vec<String> {
        let found = copies.iter().map(|copy| Found {
            path: format!("/m/{copy}").into(),
            listed: (*copy).into(),
            external: copy.starts_with('/'),
        });
        let mut chosen: Vec<_> = choose(found.collect(), config, &mut Omissions::default(), &mut |_| ())
            .into_iter()
            .map(|file| file.listed.to_string())
            .collect();
        chosen.sort();
        chosen
    }

    fn search(places: &[&str]) -> DepmodConfig {
        let place = |place: &&str| match *place {
            "built-in" => Place::BuiltIn,
            "external" => Place::External,
            directory => Place::Directory(directory.into()),
        };
        DepmodConfig { search: places.iter().map(place).collect(), ..DepmodConfig::default() }
    }

    #[test]
    fn by_default_updates_count_before_the_rest() {
        let config = DepmodConfig::default();
        assert_eq!(chosen(&COPIES, &config), ["kernel/u-v.ko", "updates/a.ko", "updates/dkms/b.ko"]);
    }

    #[test]
    fn the_first_place_of_the_search_list_counts_most() {
        let config = search(&["built-in", "extra", "updates"]);
        assert_eq!(chosen(&COPIES, &config), ["kernel/b.ko", "kernel/u-v.ko", "kernel/x/a.ko.xz"]);
        let config = search(&["extra/deep", "updates", "built-in"]);
        assert_eq!(chosen(&COPIES, &config), ["extra/deep/b.ko", "kernel/u-v.ko", "updates/a.ko"]);
    }

    #[test]
    fn an_override_counts_before_any_search_but_must_be_spelt_as_the_file() {
        let line =
            |path: &str| crate::config::depmod_d::Override { path: path.into(), place: "d.conf:1".into() };
        let overrides = vec![line("kernel/x/a"), line("extra/u_v")];
        let config = DepmodConfig { overrides, ..DepmodConfig::default() };
        let copies = [&COPIES[..], &["extra/u-v.ko", "updates/u-v.ko"]].concat();
        assert_eq!(chosen(&copies, &config), ["kernel/x/a.ko.xz", "updates/dkms/b.ko", "updates/u-v.ko"]);
    }

    #[test]
    fn what_cannot_be_listed_or_has_no_effect_is_reported() {
        let line =
            |path: &str| crate::config::depmod_d::Override { path: path.into(), place: "d.conf:7".into() };
        let config = DepmodConfig {
            overrides: vec![line("extra/nothing"), line("extra/a")],
            ..DepmodConfig::default()
        };
        let copies =
            ["extra/a.ko", "extra/a.ko.xz", "updates/New Driver/b.ko", "k/c:d.ko", "k/\te.ko", "kernel/a.ko"];
        let found = copies.iter().map(|copy| Found {
            path: format!("/m/{copy}").into(),
            listed: (*copy).into(),
            external: false,
        });
        let (mut notices, mut omissions) = (Vec::new(), Omissions::default());
        let chosen = choose(found.collect(), &config, &mut omissions, &mut |notice: Notice| {
            notices.push(notice.message.to_string());
        });
        assert_eq!(chosen.iter().map(|file| file.listed.to_string()).collect::<Vec<_>>(), ["extra/a.ko"]);
        assert!(!omissions.has_unread());
        assert_eq!(
            notices,
            [
                "d.conf:7: override has no effect: there is no extra/nothing.ko",
                "extra/a.ko.xz is not listed: extra/a.ko is the same module in the same directory",
                "/m/updates/New Driver/b.ko: the indexes cannot list a path with a blank",
                "/m/k/c:d.ko: the indexes cannot list a path with a colon",
                "/m/k/\te.ko: the indexes cannot list a path with a control character",
            ]
        );
    }

    #[test]
    fn external_copies_count_least_unless_search_says_otherwise() {
        let copies = ["kernel/a.ko", "/ext/a.ko"];
        assert_eq!(chosen(&copies, &DepmodConfig::default()), ["kernel/a.ko"]);
        assert_eq!(chosen(&copies, &search(&["updates"])), ["kernel/a.ko"]);
        assert_eq!(chosen(&copies, &search(&["external", "built-in"])), ["/ext/a.ko"]);
    }

    #[test]
    fn dash_and_underscore_make_no_difference_to_what_is_a_copy() {
        assert_eq!(chosen(&["extra/u_v.ko", "kernel/u-v.ko"], &DepmodConfig::default()), ["extra/u_v.ko"]);
    }
}
