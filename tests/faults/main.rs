//! `cargo xtask faults` runs this: it prints tables of the tools' behaviour when their system calls fail.

use std::time::Instant;

use modutils_tests::faults::{Extent, FAULTS, FaultSubject, Trial, depmod::Depmod, load::Load, sweep, table};
use testkit::Side;

fn main() {
    let reference = std::env::args().any(|argument| argument == "--reference");
    let side = if reference { Side::Kmod34 } else { Side::Ours };
    println!("{}\n", table::LEGEND);
    show("depmod", &Depmod::new(side));
    let mut trials = Vec::new();
    for (name, world) in Load::all(side) {
        trials.extend(show(name, &world));
    }
    println!("all tools that load, remove or show\n{}\n{}", table::table(&trials), table::summary(&trials));
}

/// Prints a subject's table, and each trial with a defect.
fn show(name: &str, world: &dyn FaultSubject) -> Vec<Trial> {
    let start = Instant::now();
    let trials = sweep(world, &FAULTS, Extent::Whole);
    println!("{name}\n{}\n{}", table::table(&trials), table::summary(&trials));
    println!("{}{:.1} s\n", table::defects(&trials), start.elapsed().as_secs_f64());
    trials
}
