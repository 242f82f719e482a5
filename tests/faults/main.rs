//! `cargo xtask faults` runs this: it prints tables of the tools' behaviour when their system calls fail, when memory is
//! short, when depmod is killed or has readers beside it, and when its directory is moved meanwhile.

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use modutils_tests::faults::{
    Extent, FAULTS, FaultSubject, Trial, depmod::Depmod, exchange::Exchange, load::Load, memory,
    rewrites::Rewrites, sweep, table,
};
use testkit::{Compression, Side};

/// The limits of each ladder.
const STEPS: u32 = 28;

/// How often depmod's directory is exchanged for another one.
const EXCHANGES: usize = 200;

/// How often depmod is killed, and for how long it runs with readers beside it.
const KILLS: usize = 200;
const READERS: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let reference = has("--reference");
    if has("--memory") || has("--rewrites") {
        return code(if has("--memory") { climb() } else { rewrite() });
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
    // Each prints what it finds: none is left out for another.
    let held = [no_defect, climb(), rewrite()];
    code(!held.contains(&false))
}

fn code(held: bool) -> ExitCode {
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Kills depmod many times, then has lookups run beside it, then moves its directory meanwhile; whether nothing was wrong.
fn rewrite() -> bool {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let world = Rewrites::new();
    let kills = world.kill(KILLS, seed);
    let [old, mixed, new] = kills.left;
    println!(
        "depmod killed {} times, seed {seed}: {} had ended; the indexes were old {old}, of both {mixed}, new {new} times; \
         {} left a file, which the next run removed; {} wrong",
        kills.runs,
        kills.ended,
        kills.leftovers,
        kills.wrong.len()
    );
    let lookups = world.look_up(READERS);
    println!(
        "{} lookups during {} rewrites in {} s: {} wrong",
        lookups.lookups,
        lookups.rewrites,
        READERS.as_secs(),
        lookups.wrong.len()
    );
    let exchanges = Exchange::new().run(EXCHANGES, seed);
    println!(
        "the module directory exchanged for another one and back {} times: written {} times, {} wrong",
        exchanges.runs,
        exchanges.written,
        exchanges.wrong.len()
    );
    let wrong = [kills.wrong, lookups.wrong, exchanges.wrong].concat();
    wrong.iter().for_each(|what| println!("{what}"));
    wrong.is_empty()
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
