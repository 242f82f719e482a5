//! depmod while its module directory is exchanged for another one, and back, at any moment.
//!
//! The other directory has modules of its own. Whatever comes of a run, no directory gets indexes of the other's modules,
//! or of some of its own.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use testkit::{Indexes, Side, TestRoot};

use crate::module;

/// Two module directories, one of which has the kernel's path.
pub struct Exchange {
    root: TestRoot,
    /// What depmod writes for the modules of the one, and of the other.
    indexes: [Indexes; 2],
    /// How long depmod takes.
    longest: Duration,
}

/// What many exchanges came to.
#[derive(Debug, Default)]
pub struct Exchanges {
    /// How many runs there were.
    pub runs: usize,
    /// How many wrote the indexes.
    pub written: usize,
    /// What must not happen.
    pub wrong: Vec<String>,
}

const MODULES: usize = 300;

impl Exchange {
    /// Makes and indexes both.
    pub fn new() -> Exchange {
        let root = TestRoot::new();
        let mut exchange =
            Exchange { root, indexes: [Indexes::new(), Indexes::new()], longest: Duration::ZERO };
        for (number, letter) in ["a", "b"].into_iter().enumerate() {
            for file in 0..MODULES {
                let module = module("m").alias(format!("{letter}{file}-*"));
                exchange.root.add_module(&format!("kernel/{letter}{file}.ko"), &module);
            }
            for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
                exchange.root.write_module_file(list, "");
            }
            let start = Instant::now();
            exchange.root.run(Side::Ours, "depmod", &["--no-cache"]).succeeds();
            exchange.longest = exchange.longest.max(start.elapsed());
            exchange.indexes[number] = exchange.root.take_indexes();
            let [here, other, _] = exchange.places();
            // The second one stays, the first one goes beside it.
            if number == 0 {
                fs::rename(here, other).expect("a directory of the root");
            }
        }
        exchange
    }

    /// The kernel's module directory, where the other one is, and a place for one of them meanwhile.
    fn places(&self) -> [PathBuf; 3] {
        let here = self.root.path().join(self.root.module_path("").trim_end_matches('/'));
        ["", ".other", ".meanwhile"].map(|end| {
            let mut place = here.clone().into_os_string();
            place.push(end);
            place.into()
        })
    }

    fn exchange(&self) {
        let [here, other, meanwhile] = self.places();
        for (from, to) in [(&here, &meanwhile), (&other, &here), (&meanwhile, &other)] {
            fs::rename(from, to).expect("a directory of the root");
        }
    }

    /// Runs depmod so often; each time the directories are exchanged and exchanged back at moments that `seed` chooses.
    pub fn run(&self, runs: usize, seed: u64) -> Exchanges {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut exchanges = Exchanges::default();
        let dir = self.root.module_path("").trim_end_matches('/').to_owned();
        for number in 0..runs {
            let mut depmod = self.root.invoke(Side::Ours, "depmod").args(["--no-cache"]).start();
            let mut wait = |most: f64| std::thread::sleep(self.longest.mul_f64(random.f64() * most));
            wait(0.5);
            self.exchange();
            wait(0.3);
            self.exchange();
            let is_done = depmod.wait().expect("a child").success();
            let mut written = 0;
            for (place, own) in [(format!("{dir}.other"), 0), (dir.clone(), 1)] {
                let found = self.root.indexes_in(&place);
                if found.is_empty() {
                    continue;
                }
                written += 1;
                if found != self.indexes[own] {
                    exchanges
                        .wrong
                        .push(format!("exchange {number}: {place} has others than its own indexes"));
                }
                for name in found.keys() {
                    self.root.remove(&format!("{place}/{name}"));
                }
            }
            if is_done != (written == 1) {
                exchanges
                    .wrong
                    .push(format!("exchange {number}: success {is_done}, {written} directories written"));
            }
            exchanges.runs += 1;
            exchanges.written += usize::from(is_done);
        }
        exchanges
    }
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange::new()
    }
}
