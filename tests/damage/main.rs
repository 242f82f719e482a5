//! Damaged files, given to the real binary.
//!
//! Real modules of several machines in every compression, real indexes, and the texts that the tools read are damaged
//! as a seed decides, and a tool that reads them runs under bounds of time and memory. Whatever it makes of them: it
//! does not crash, does not hang, does not take much memory, ends with 0 or 1, and when it refuses it names the file and
//! what is wrong with it. Damage to a compressed stream, which has a checksum, is never taken for content.
//!
//! `cargo xtask damage --runs N --seed S` runs more than the tests do by themselves, and with `--reference` has the
//! packaged kmod run on the same damage. A case that went wrong is printed with its seed and number, and
//! `cargo xtask damage --seed S --only NUMBER` repeats it and leaves its files.

mod batch;
mod cases;
mod subjects;
mod verdict;

use std::env;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use batch::DamageRoot;
use testkit::Side;
use verdict::Table;

/// The runs share the machine and one of them has a deadline: not two at once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs cases `numbers` of a seed on ours, and on the packaged kmod where `reference` says so. Prints what came of them
/// and returns the cases in which ours did wrong.
fn run(seed: u64, numbers: std::ops::Range<usize>, reference: bool, keep: bool) -> Vec<String> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut bench = DamageRoot::new(keep);
    let sides: &[Side] = if reference { &[Side::Ours, Side::Kmod34] } else { &[Side::Ours] };
    let mut tables: Vec<Table> = sides.iter().map(|side| Table::new(*side)).collect();
    let mut wrong = Vec::new();
    let all: Vec<usize> = numbers.collect();
    for part in all.chunks(batch::SIZE) {
        if part[0] % 500 == 0 && part[0] > all[0] {
            println!("seed {seed}, up to case {}", part[0]);
            tables.iter().for_each(|table| println!("{table}"));
        }
        let cases = part.iter().map(|number| bench.case(seed, *number)).collect();
        for judged in bench.run(cases, sides) {
            for (table, verdict) in tables.iter_mut().zip(&judged.verdicts) {
                table.count(&judged.group, verdict);
            }
            wrong.extend(judged.wrong());
        }
    }
    println!("seed {seed}, {} cases", all.len());
    tables.iter().for_each(|table| println!("{table}"));
    wrong
}

#[track_caller]
fn nothing_is_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_damage_of_a_fixed_seed_makes_a_tool_misbehave() {
    nothing_is_wrong(&run(1, 0..300, false, false));
}

/// Other damage each time. The seed is printed when it fails, as is the way to repeat it.
#[test]
fn no_damage_of_the_clocks_seed_makes_a_tool_misbehave() {
    let number = |name: &str| -> Option<u64> { env::var(name).ok()?.parse().ok() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970").as_secs();
    let seed = number("MODUTILS_DAMAGE_SEED").unwrap_or(now);
    let runs = number("MODUTILS_DAMAGE_RUNS").unwrap_or(300) as usize;
    let reference = env::var_os("MODUTILS_DAMAGE_REFERENCE").is_some();
    match number("MODUTILS_DAMAGE_ONLY") {
        Some(only) => nothing_is_wrong(&run(seed, only as usize..only as usize + 1, reference, true)),
        None => nothing_is_wrong(&run(seed, 0..runs, reference, false)),
    }
}

/// The judge would see what the tests look for: the packaged kmod 34.2 does all of it but hang. (Measured; the cases of
/// this seed hold a signal and a refusal in silence.)
#[test]
fn the_judge_sees_what_the_packaged_kmod_does_wrong() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut bench = DamageRoot::new(false);
    let mut table = Table::new(Side::Kmod34);
    for part in (0..400).collect::<Vec<usize>>().chunks(batch::SIZE) {
        let cases = part.iter().map(|number| bench.case(1, *number)).collect();
        for judged in bench.run(cases, &[Side::Kmod34]) {
            table.count(&judged.group, &judged.verdicts[0]);
        }
    }
    assert!(table.signals() > 0 && table.silent() > 0, "{table}");
}
