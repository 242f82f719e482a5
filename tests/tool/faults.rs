//! What becomes of our tools when their system calls fail (`cargo xtask faults` prints the whole as a table). Here some
//! calls of each name meet each fault, all of them with `MODUTILS_FULL=1`.

use modutils_tests::faults::{Extent, FAULTS, Trial, World, depmod::Depmod, load::Load, sweep, table};
use testkit::{Signal, What};

fn extent(few: usize) -> Extent {
    if std::env::var_os("MODUTILS_FULL").is_some() { Extent::Whole } else { Extent::Spread(few) }
}

#[track_caller]
fn nothing_goes_wrong(trials: &[Trial]) {
    assert!(trials.len() > 100, "{}", table::summary(trials));
    assert!(trials.iter().all(|trial| trial.wrongs.is_empty()), "{}", table::wrongs(trials));
}

/// Whole files, all old or all new, no temporary file, no silent success, and the next run makes everything good.
#[test]
fn depmod_replaces_all_files_or_none_whatever_call_fails() {
    nothing_goes_wrong(&sweep(&Depmod::new(testkit::Side::Ours), &FAULTS, extent(4)));
}

/// The signals by which people, sessions and services end a program: it goes by them, and leaves no trace.
#[test]
fn depmod_that_is_interrupted_leaves_all_old_files_or_all_new_ones() {
    let signals = [
        ("SIGINT", What::Signal(Signal::SIGINT)),
        ("SIGTERM", What::Signal(Signal::SIGTERM)),
        ("SIGHUP", What::Signal(Signal::SIGHUP)),
    ];
    let trials = sweep(&Depmod::new(testkit::Side::Ours), &signals, extent(3));
    nothing_goes_wrong(&trials);
    assert!(trials.iter().all(Trial::died), "{:?}", trials.iter().find(|trial| !trial.died()));
}

/// Success means that it is done, and failure says why.
#[test]
fn tools_that_load_and_remove_do_what_they_say_whatever_call_fails() {
    for (name, world) in Load::all(testkit::Side::Ours) {
        let trials = sweep(&world as &dyn World, &FAULTS, extent(2));
        println!("{name}: {}", table::summary(&trials));
        nothing_goes_wrong(&trials);
    }
}
