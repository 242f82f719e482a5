//! `cargo xtask faults` runs this: the tables of what becomes of the tools when their system calls fail.

use std::time::Instant;

use modutils_tests::faults::{Extent, FAULTS, World, depmod::Depmod, sweep, table};
use testkit::Side;

fn main() {
    let reference = std::env::args().any(|argument| argument == "--reference");
    let side = if reference { Side::Kmod34 } else { Side::Ours };
    let worlds: Vec<(&str, Box<dyn World>)> = vec![("depmod", Box::new(Depmod::new(side)))];
    println!("{}\n", table::LEGEND);
    for (name, world) in worlds {
        let start = Instant::now();
        let trials = sweep(world.as_ref(), &FAULTS, Extent::Whole);
        println!("{name}\n{}\n{}", table::table(&trials), table::summary(&trials));
        println!("{}{:.1} s\n", table::wrongs(&trials), start.elapsed().as_secs_f64());
    }
}
