//! Indexes written by the library alone; a caller that drops every message still gets whole ones or none.

use std::{fs, os::unix::fs::symlink, path::Path};

use modutils::depmod::{Observer, Run, RunOutcome};

use crate::result::{CheckResult, ensure};

/// Stops a run before it publishes anything.
struct Interrupted;

impl Observer for Interrupted {
    fn is_interrupted(&self) -> bool {
        true
    }
}

pub fn check(directory: &Path) -> CheckResult {
    let run = Run::new(directory).without_configuration();
    let report = run.execute(&())?;
    ensure(report.is_complete() && report.outcome() == RunOutcome::Written, format!("{report:?}"))?;
    ensure(report.written().iter().all(|file| file.is_file()), "a file that the report names is not there")?;
    let before = fs::read(directory.join("modules.dep.bin"))?;

    // A caller that changes its mind gets the old files, too.
    let interrupted = run.execute(&Interrupted);
    ensure(interrupted.is_err(), "a run that was interrupted succeeded")?;
    ensure(fs::read(directory.join("modules.dep.bin"))? == before, "an interrupted run wrote an index")?;

    // A module that even root cannot read: the loopback device has no speed, and reading it fails.
    let unreadable = directory.join("unreadable.ko");
    symlink("/sys/class/net/lo/speed", &unreadable)?;
    ensure(fs::read(&unreadable).is_err(), "/sys/class/net/lo/speed can be read, or is not there")?;
    let incomplete = run.execute(&());
    fs::remove_file(&unreadable)?;
    let error = incomplete.err().ok_or("a run that could not read a module succeeded")?;
    ensure(fs::read(directory.join("modules.dep.bin"))? == before, "an incomplete run wrote an index")?;

    let again = run.clone().quick(true).execute(&())?;
    ensure(
        again.outcome() == RunOutcome::Current && again.written().is_empty(),
        "quick wrote what was current",
    )?;
    Ok(format!("{} files written; refused when incomplete: {error}", report.written().len()))
}
