//! `cargo xtask faults` runs this: it prints tables of the tools' behaviour when their system calls fail, and when memory
//! is short.

use std::process::ExitCode;
use std::time::Instant;

use modutils_tests::faults::{
    Extent, FAULTS, FaultSubject, Trial, depmod::Depmod, load::Load, memory, sweep, table,
};
use testkit::{Compression, Side};

/// The limits of each ladder.
const STEPS: u32 = 28;

fn main() -> ExitCode {
    let reference = std::env::args().any(|argument| argument == "--reference");
    if std::env::args().any(|argument| argument == "--memory") {
        return if climb() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let side = if reference { Side::Kmod34 } else { Side::Ours };
    println!("{}\n", table::LEGEND);
    let of_depmod = show("depmod", &Depmod::new(side));
    let mut trials = Vec::new();
    for (name, world) in Load::all(side) {
        trials.extend(show(name, &world));
    }
    println!("all tools that load, remove or show\n{}\n{}", table::table(&trials), table::summary(&trials));
    if reference {
        return ExitCode::SUCCESS;
    }
    let no_defect = of_depmod.iter().chain(&trials).all(|trial| trial.defects.is_empty());
    if climb() && no_defect { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the ladders of address space; whether no run under one of the limits did wrong.
fn climb() -> bool {
    println!(
        "address space: + as without a limit   - refused   . ended by a signal, or not started   X wrong"
    );
    let mut wrong = Vec::new();
    for compression in Compression::ALL {
        for cached in [false, true] {
            let start = Instant::now();
            let world = memory::MemoryWorld::new(compression, cached);
            println!("{compression:?}, {} cache", if cached { "with a" } else { "without a" });
            // Only depmod has a cache.
            let commands = if cached { &memory::COMMANDS[..1] } else { &memory::COMMANDS[..] };
            for command in commands {
                let steps = world.ladder(command, STEPS);
                println!("{}", memory::line(command, &steps));
                wrong.extend(steps.into_iter().filter_map(|step| Some((step.limit, step.defect?))));
            }
            println!("{:.1} s", start.elapsed().as_secs_f64());
        }
    }
    wrong.iter().for_each(|(limit, defect)| println!("{limit} KiB: {defect}"));
    println!("{} wrong", wrong.len());
    wrong.is_empty()
}

/// Prints a subject's table, and each trial with a defect.
fn show(name: &str, world: &dyn FaultSubject) -> Vec<Trial> {
    let start = Instant::now();
    let trials = sweep(world, &FAULTS, Extent::Whole);
    println!("{name}\n{}\n{}", table::table(&trials), table::summary(&trials));
    println!("{}{:.1} s\n", table::defects(&trials), start.elapsed().as_secs_f64());
    trials
}
