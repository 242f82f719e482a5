//! The behaviour of our tools when their system calls fail (`cargo xtask faults` prints all results as a table). Here some
//! calls of each name get each fault, all of them with `MODUTILS_FULL=1`.

use modutils_tests::faults::{
    Extent, FAULTS, FaultSubject, StateAfter, Trial, depmod::Depmod, load::Load, memory, sweep, sweep_of,
    table,
};
use testkit::{Compression, Errno, FaultEffect, Side, Signal, Start};

fn extent(few: usize) -> Extent {
    if std::env::var_os("MODUTILS_FULL").is_some() { Extent::Whole } else { Extent::Spread(few) }
}

#[track_caller]
fn assert_no_defects(trials: &[Trial]) {
    assert!(trials.len() > 100, "{}", table::summary(trials));
    assert!(trials.iter().all(|trial| trial.defects.is_empty()), "{}", table::defects(trials));
}

/// Whole files, all old or all new, no temporary file, no silent success, and the next run repairs everything.
#[test]
fn depmod_replaces_all_files_or_none_whatever_call_fails() {
    assert_no_defects(&sweep(&Depmod::new(Side::Ours), &FAULTS, extent(4)));
}

/// The signals with which users, sessions and services end a program: it must end, and leave no temporary file.
#[test]
fn depmod_that_is_interrupted_leaves_all_old_files_or_all_new_ones() {
    let signals = [
        ("SIGINT", FaultEffect::Signal(Signal::SIGINT)),
        ("SIGTERM", FaultEffect::Signal(Signal::SIGTERM)),
        ("SIGHUP", FaultEffect::Signal(Signal::SIGHUP)),
    ];
    let trials = sweep(&Depmod::new(Side::Ours), &signals, extent(3));
    assert_no_defects(&trials);
    assert!(trials.iter().all(Trial::died), "{:?}", trials.iter().find(|trial| !trial.died()));
}

/// Success means that the work is done, and a failure has a cause.
#[test]
fn load_and_remove_report_correctly_whatever_call_fails() {
    for (name, world) in Load::all(Side::Ours) {
        let trials = sweep(&world as &dyn FaultSubject, &FAULTS, extent(2));
        println!("{name}: {}", table::summary(&trials));
        assert_no_defects(&trials);
    }
}

/// Old indexes or complete new ones, right answers or none: `cargo xtask faults` has more limits for more commands.
#[test]
fn a_lack_of_memory_is_never_taken_for_anything_else() {
    for compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let world = memory::MemoryWorld::new(compression, false);
        for command in &memory::COMMANDS[..2] {
            let steps = world.ladder(command, 7);
            let defects: Vec<_> = steps.iter().filter(|step| step.defect.is_some()).collect();
            assert!(defects.is_empty(), "{}\n{defects:#?}", memory::line(command, &steps));
            assert!(
                steps.iter().any(|step| step.end != memory::End::Done),
                "{}",
                memory::line(command, &steps)
            );
        }
    }
}

/// The error numbers that module system calls return, by their manual pages and `kernel/module/main.c`.
const OF_MODULE_CALLS: [(&str, FaultEffect); 24] = [
    ("EPERM", FaultEffect::Fails(Errno::EPERM)),
    ("ENOENT", FaultEffect::Fails(Errno::ENOENT)),
    ("EINTR", FaultEffect::Fails(Errno::EINTR)),
    ("EIO", FaultEffect::Fails(Errno::EIO)),
    ("ENXIO", FaultEffect::Fails(Errno::ENXIO)),
    ("ENOEXEC", FaultEffect::Fails(Errno::ENOEXEC)),
    ("EBADF", FaultEffect::Fails(Errno::EBADF)),
    ("EAGAIN", FaultEffect::Fails(Errno::EAGAIN)),
    ("ENOMEM", FaultEffect::Fails(Errno::ENOMEM)),
    ("EACCES", FaultEffect::Fails(Errno::EACCES)),
    ("EFAULT", FaultEffect::Fails(Errno::EFAULT)),
    ("EBUSY", FaultEffect::Fails(Errno::EBUSY)),
    ("ENODEV", FaultEffect::Fails(Errno::ENODEV)),
    ("EINVAL", FaultEffect::Fails(Errno::EINVAL)),
    ("ETXTBSY", FaultEffect::Fails(Errno::ETXTBSY)),
    ("EFBIG", FaultEffect::Fails(Errno::EFBIG)),
    ("ENOSPC", FaultEffect::Fails(Errno::ENOSPC)),
    ("EBADMSG", FaultEffect::Fails(Errno::EBADMSG)),
    ("EOVERFLOW", FaultEffect::Fails(Errno::EOVERFLOW)),
    ("EOPNOTSUPP", FaultEffect::Fails(Errno::EOPNOTSUPP)),
    ("ENOKEY", FaultEffect::Fails(Errno::ENOKEY)),
    ("EKEYREJECTED", FaultEffect::Fails(Errno::EKEYREJECTED)),
    ("ETIMEDOUT", FaultEffect::Fails(Errno::ETIMEDOUT)),
    ("ENOPKG", FaultEffect::Fails(Errno::ENOPKG)),
];

#[test]
fn every_error_of_a_module_call_is_reported() {
    for (name, world) in Load::all(Side::Ours) {
        let is_module_call = |call: &str| call.ends_with("_module");
        let trials = sweep_of(&world, &OF_MODULE_CALLS, Extent::Whole, &is_module_call);
        assert_eq!(trials.is_empty(), name == "modprobe -D", "{name}");
        for trial in trials {
            // `-r` has done its work even without removing the unused dependency, the second call.
            let code = if name == "modprobe -r" && trial.nth == 1 { 0 } else { 1 };
            assert!(trial.defects.is_empty() && trial.status.code() == Some(code), "{name}: {trial:?}");
        }
    }
}

/// A kernel without finit_module(2) gets the image, and a module that is already loaded is not an error of modprobe.
#[test]
fn two_errors_of_the_kernel_are_not_failures() {
    let answers =
        [("ENOSYS", FaultEffect::Fails(Errno::ENOSYS)), ("EEXIST", FaultEffect::Fails(Errno::EEXIST))];
    let codes = |name: &str| {
        let (_, world) =
            Load::all(Side::Ours).into_iter().find(|(other, _)| *other == name).expect("a world");
        let trials = sweep_of(&world, &answers, Extent::Whole, &|call| call == "finit_module");
        let code =
            |trial: &Trial| (trial.fault, trial.nth, trial.status.code(), trial.left == StateAfter::New);
        trials.iter().map(code).collect::<Vec<_>>()
    };
    assert_eq!(codes("insmod"), [("ENOSYS", 0, Some(0), true), ("EEXIST", 0, Some(1), false)]);
    let modprobe = codes("modprobe");
    assert!(
        modprobe.iter().all(|(fault, _, code, done)| *fault != "ENOSYS" || (*code, *done) == (Some(0), true))
    );
    // Another process has just loaded the module.
    assert!(modprobe.contains(&("EEXIST", 1, Some(0), false)), "{modprobe:?}");
}

/// A file opened later must not replace a closed stream and receive messages.
#[test]
fn closed_streams_change_nothing() {
    let closed = |start: Start, streams: u32| {
        (0..3).filter(|stream| streams & 1 << stream != 0).fold(start, Start::closed)
    };
    let (depmod, others) = (Depmod::new(Side::Ours), Load::all(Side::Ours));
    for streams in 1..8 {
        depmod.restore();
        let run = depmod.trace(&closed(depmod.start(), streams), None).outcome;
        assert!(
            run.status.success() && depmod.judge(&run, &run) == (StateAfter::New, Vec::new()),
            "{streams:03b}: {run:?}"
        );
        for (name, world) in &others {
            world.restore();
            let run = world.trace(&closed(world.start(), streams), None).outcome;
            let (left, _) = world.judge(&run, &run);
            assert!(run.status.success() && left == StateAfter::New, "{name} {streams:03b}: {run:?}");
        }
    }
}
