//! depmod again and again on a tree that changes each time: it is killed at any moment, or lookups run beside it.
//!
//! The tree is a real kernel's, with three modules of our own that change between two states. Whenever depmod was
//! killed, each index is that of the one state or of the other, whole. A lookup beside it answers as in one of the two.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use testkit::{Crc, Indexes, ModuleBuilder, Run, Side, TestRoot, cache};

use crate::module;

/// The kernel's tree.
const TREE: &str = "trixie-cloud";

/// The lookups. The last two are of modules that do not change.
const LOOKUPS: [&[&str]; 5] = [
    &["modprobe", "-D", "top-of-both"],
    &["modprobe", "-R", "side-of-both"],
    &["modinfo", "-F", "filename", "side-of-both"],
    &["modprobe", "-D", "ext4"],
    &["modprobe", "-R", "fs-vfat"],
];

/// A tree in two states.
pub struct Rewrites {
    root: TestRoot,
    states: [State; 2],
}

/// One of the two.
struct State {
    top: ModuleBuilder,
    left: ModuleBuilder,
    right: ModuleBuilder,
    indexes: Indexes,
    /// What each of [`LOOKUPS`] prints, with its exit code.
    answers: Vec<(Option<i32>, Vec<u8>)>,
}

/// What many kills came to.
#[derive(Debug, Default)]
pub struct Kills {
    /// How many runs there were.
    pub runs: usize,
    /// How many had ended before the signal.
    pub ended: usize,
    /// How many left all indexes old, some new, all new.
    pub left: [usize; 3],
    /// How many left a temporary file or a lock, which the next run removed.
    pub leftovers: usize,
    /// What must not happen.
    pub wrong: Vec<String>,
}

/// What many lookups came to.
#[derive(Debug, Default)]
pub struct Lookups {
    /// How many lookups there were.
    pub lookups: usize,
    /// How many runs of depmod there were beside them.
    pub rewrites: usize,
    /// Lookups that answered as in neither state, and runs of depmod that failed.
    pub wrong: Vec<String>,
}

impl Rewrites {
    /// Indexes the tree in both states. It is left in the second one.
    ///
    /// # Panics
    /// Where a lookup fails, or the two states answer the same.
    pub fn new() -> Rewrites {
        let tree = cache::tree(TREE);
        let root = TestRoot::new();
        root.add_tree(&tree, &|_| true);
        let states = [true, false].map(|first| {
            let side = |name: &str, has_alias: bool| {
                let side = module(name).export(format!("{name}_fn"), Crc::None);
                if has_alias { side.alias("side-*") } else { side }
            };
            let needs = if first { "left_fn" } else { "right_fn" };
            let mut state = State {
                top: module("top").needs(needs, None).alias("top-of-*"),
                left: side("left", first),
                right: side("right", !first),
                indexes: Indexes::new(),
                answers: Vec::new(),
            };
            state.put(&root);
            root.run(Side::Ours, "depmod", &[]).succeeds();
            state.indexes = root.indexes();
            state.answers = LOOKUPS.iter().map(|lookup| answer(&ask(&root, lookup).succeeds())).collect();
            state
        });
        assert_ne!(states[0].answers[..3], states[1].answers[..3], "the states must differ");
        assert_eq!(states[0].answers[3..], states[1].answers[3..], "the kernel's own modules do not change");
        Rewrites { root, states }
    }

    /// Changes the tree `runs` times, and kills depmod each time at a moment that `seed` chooses, from its start to
    /// somewhat later than its end. Then it runs undisturbed.
    pub fn kill(&self, runs: usize, seed: u64) -> Kills {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut kills = Kills::default();
        let longest = (0..5).map(|number| self.rewrite(number)).max().unwrap_or_default();
        self.rewrite(1);
        for number in 0..runs {
            let (new, old) = (&self.states[number % 2], &self.states[(number + 1) % 2]);
            new.put(&self.root);
            let mut depmod = self.root.invoke(Side::Ours, "depmod").start();
            std::thread::sleep(longest.mul_f64(random.f64() * 1.1));
            let has_ended = depmod.try_wait().expect("a child").is_some();
            depmod.kill().and_then(|()| depmod.wait()).expect("a child");
            kills.runs += 1;
            kills.ended += usize::from(has_ended);
            let mut count = [0, 0];
            let found = self.root.indexes();
            for (name, bytes) in &new.indexes {
                match found.get(name) {
                    Some(now) if now == bytes => count[1] += 1,
                    Some(now) if old.indexes.get(name) == Some(now) => count[0] += 1,
                    Some(now) => kills.wrong.push(format!("kill {number}: {name}: {} bytes", now.len())),
                    None => kills.wrong.push(format!("kill {number}: {name} is gone")),
                }
            }
            // An index that is the same in both states counts as new.
            let same =
                new.indexes.iter().filter(|(name, bytes)| old.indexes.get(*name) == Some(bytes)).count();
            let left = if count[1] == same { 0 } else { 1 + usize::from(count[0] == 0) };
            kills.left[left] += 1;
            kills.leftovers += usize::from(self.has_leftovers());
            kills.wrong.extend((0..LOOKUPS.len()).filter_map(|lookup| self.wrong_answer(lookup)));
            let next = self.root.run(Side::Ours, "depmod", &[]);
            if next.code != Some(0) || self.root.indexes() != new.indexes {
                kills.wrong.push(format!("kill {number}: the next run does not repair it: {}", next.err()));
            }
            if self.has_leftovers() {
                kills.wrong.push(format!("kill {number}: the next run leaves a file of the killed one"));
            }
        }
        kills
    }

    /// Changes the tree and runs depmod for this long, with two threads that look up.
    pub fn look_up(&self, time: Duration) -> Lookups {
        let done = AtomicBool::new(false);
        let look_up = |first: usize| {
            let mut lookups = Lookups::default();
            while !done.load(Ordering::Relaxed) {
                lookups.wrong.extend(self.wrong_answer((first + lookups.lookups) % LOOKUPS.len()));
                lookups.lookups += 1;
            }
            lookups
        };
        std::thread::scope(|scope| {
            let readers = [0, 2].map(|first| scope.spawn(move || look_up(first)));
            let (start, mut all) = (Instant::now(), Lookups::default());
            while start.elapsed() < time {
                self.states[all.rewrites % 2].put(&self.root);
                let run = self.root.run(Side::Ours, "depmod", &[]);
                if run.code != Some(0) || !run.stderr.is_empty() {
                    all.wrong.push(format!("depmod: {:?}: {}", run.code, run.err()));
                }
                all.rewrites += 1;
            }
            done.store(true, Ordering::Relaxed);
            for reader in readers {
                let lookups = reader.join().expect("a reader that does not panic");
                all.lookups += lookups.lookups;
                all.wrong.extend(lookups.wrong);
            }
            all
        })
    }

    /// Puts a state in place and indexes it; how long that took.
    fn rewrite(&self, number: usize) -> Duration {
        self.states[number % 2].put(&self.root);
        let start = Instant::now();
        let mut depmod = self.root.invoke(Side::Ours, "depmod").start();
        assert!(depmod.wait().expect("a child").success(), "depmod on a sound tree");
        start.elapsed()
    }

    /// What is wrong with the answer to one of [`LOOKUPS`].
    fn wrong_answer(&self, lookup: usize) -> Option<String> {
        let run = ask(&self.root, LOOKUPS[lookup]);
        let is_right = self.states.iter().any(|state| state.answers[lookup] == answer(&run));
        (!is_right).then(|| format!("{run:?}"))
    }

    /// Whether a file is in the module directory that belongs to a run which has not ended.
    fn has_leftovers(&self) -> bool {
        let directory = self.root.path().join(self.root.module_path(""));
        let entries = fs::read_dir(directory).expect("the module directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.into_iter().any(|name| name.starts_with('.') || name.ends_with(".tmp"))
    }
}

impl Default for Rewrites {
    fn default() -> Rewrites {
        Rewrites::new()
    }
}

impl State {
    /// Replaces the three modules, each at once, as a package manager does.
    fn put(&self, root: &TestRoot) {
        for (name, module) in [("top", &self.top), ("left", &self.left), ("right", &self.right)] {
            let path = root.module_path(&format!("updates/{name}.ko"));
            root.write("tmp/next.ko", module.build());
            fs::create_dir_all(root.path().join(root.module_path("updates")))
                .expect("a directory of the root");
            fs::rename(root.path().join("tmp/next.ko"), root.path().join(path)).expect("a file of the root");
        }
    }
}

fn ask(root: &TestRoot, lookup: &[&str]) -> Run {
    root.run(Side::Ours, lookup[0], &lookup[1..])
}

fn answer(run: &Run) -> (Option<i32>, Vec<u8>) {
    (run.code, run.stdout.clone())
}
