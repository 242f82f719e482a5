//! After any sequence of changes a run with the cache gives what a run without it gives.

use std::{
    fs::{self, File},
    num::NonZeroUsize,
    path::PathBuf,
    thread,
    time::Duration,
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use testkit::{Crc, ModuleBuilder};

use super::*;
use crate::depmod::{self, omission::Omissions, tree::Configuration};

/// Names of modules: few, so that changes meet.
const NAMES: u8 = 8;

#[derive(Clone, Debug)]
enum Change {
    Add(u8, u8),
    Remove(u8),
    /// By another file, renamed into its place, with its modification time.
    Replace(u8, u8),
    Touch(u8),
    Rename(u8, u8),
    /// In place, the size and the modification time as before, and again at once after a run.
    EditTwice(u8, u8, u8),
    /// Time passes, so that what was changed is settled.
    Settle,
}

fn change() -> impl Strategy<Value = Change> {
    let (name, content) = (0..NAMES, 0..10_u8);
    prop_oneof![
        (name.clone(), content.clone()).prop_map(|(name, content)| Change::Add(name, content)),
        name.clone().prop_map(Change::Remove),
        (name.clone(), content.clone()).prop_map(|(name, content)| Change::Replace(name, content)),
        name.clone().prop_map(Change::Touch),
        (name.clone(), name.clone()).prop_map(|(from, to)| Change::Rename(from, to)),
        (name, content.clone(), content).prop_map(|(name, one, two)| Change::EditTwice(name, one, two)),
    ]
}

struct Tree {
    directory: tempfile::TempDir,
    cache: Vec<u8>,
    reused: usize,
}

impl Tree {
    fn path(&self, name: u8) -> PathBuf {
        self.directory.path().join(format!("m{name}.ko"))
    }

    fn write(&self, name: u8, content: u8) {
        let module = ModuleBuilder::new("m").modinfo("license", "GPL").alias(format!("alias-{content}"));
        fs::write(self.path(name), module.export(format!("symbol_{content}"), Crc::None).build()).unwrap();
    }

    /// One run with the cache of the last one and one without any: their facts must be the same.
    fn run(&mut self, when: &dyn Fn() -> String) {
        let tree =
            depmod::tree::Tree::find(self.directory.path(), Configuration::default(), &mut |_| ()).unwrap();
        let files = tree.files();
        let cache = std::mem::take(&mut self.cache);
        let mut known = CachedFacts::parse(&cache, self.directory.path());
        known.look();
        self.reused += files.iter().filter(|file| known.facts(file).is_some()).count();
        let two = NonZeroUsize::new(2).unwrap();
        let read = |known: &_| {
            depmod::read_facts(files, None, known, two, &|| true, &mut Omissions::default(), &mut |_| ())
        };
        let (with, stamps) = read(&known);
        let (without, _) = read(&CachedFacts::default());
        self.cache = to_bytes(self.directory.path(), files, &with, &stamps).unwrap();
        assert_eq!(with, without, "{}", when());
    }

    fn apply(&mut self, change: &Change) {
        match *change {
            Change::Add(name, content) => self.write(name, content),
            Change::Remove(name) => drop(fs::remove_file(self.path(name))),
            Change::Replace(name, content) => {
                let Ok(before) = fs::metadata(self.path(name)) else { return };
                self.write(NAMES, content);
                let file = File::options().write(true).open(self.path(NAMES)).unwrap();
                file.set_modified(before.modified().unwrap()).unwrap();
                fs::rename(self.path(NAMES), self.path(name)).unwrap();
            }
            Change::Touch(name) => {
                if let Ok(file) = File::options().write(true).open(self.path(name)) {
                    file.set_modified(std::time::SystemTime::now()).unwrap();
                }
            }
            Change::Rename(from, to) => drop(fs::rename(self.path(from), self.path(to))),
            Change::EditTwice(name, one, two) => {
                self.write(name, one);
                let modified = fs::metadata(self.path(name)).unwrap().modified().unwrap();
                self.run(&|| format!("{change:?}"));
                self.write(name, two);
                File::options().write(true).open(self.path(name)).unwrap().set_modified(modified).unwrap();
            }
            Change::Settle => thread::sleep(Duration::from_millis(3100)),
        }
    }
}

#[test]
fn the_cache_never_shows() {
    let mut tree = Tree { directory: tempfile::tempdir().unwrap(), cache: Vec::new(), reused: 0 };
    let changes = prop::collection::vec(change(), 60);
    let mut runner = TestRunner::default();
    for round in 0..3 {
        for name in 0..NAMES {
            tree.write(name, round);
        }
        tree.apply(&Change::Settle);
        let sequence = changes.new_tree(&mut runner).unwrap().current();
        for (at, change) in sequence.iter().enumerate() {
            tree.run(&|| format!("before change {at} of {sequence:?}"));
            tree.apply(change);
        }
    }
    assert!(tree.reused > 50, "the cache was of use: {}", tree.reused);
}
