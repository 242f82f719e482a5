//! Isolates tests from the process that starts them: from signals that are ignored or blocked (`nohup`, a job in the
//! background), the umask, lowered limits, and an environment with a language, a home and options.
//!
//! Files get the umask of this process, hence [`settle`], which every [`TestRoot`](crate::TestRoot) calls. Child
//! processes inherit everything: [`Invocation`](crate::Invocation) and [`FakeKernel`](crate::FakeKernel) start our tools
//! without it, [`program`] the machine's own programs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{User, getuid};

/// The options of env(1) that isolate a program from our caller: it gets only the environment that follows them, and no
/// signal is ignored or blocked.
pub(crate) const ISOLATED: [&str; 2] = ["-i", "--default-signal"];

/// The least soft limits that tests need; the hard limits are kept.
const LIMITS: [(Resource, u64); 7] = [
    (Resource::RLIMIT_AS, RLIM_INFINITY),
    (Resource::RLIMIT_CPU, RLIM_INFINITY),
    (Resource::RLIMIT_DATA, RLIM_INFINITY),
    (Resource::RLIMIT_FSIZE, RLIM_INFINITY),
    (Resource::RLIMIT_NPROC, RLIM_INFINITY),
    // The usual limit, no more: some programs do work for every possible descriptor.
    (Resource::RLIMIT_NOFILE, 1024),
    (Resource::RLIMIT_STACK, 8 << 20),
];

/// Gives this process the umask 022 and the usual limits, once: unprivileged processes of some tests must be able to read
/// the files that tests write.
pub fn settle() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| {
        umask(Mode::from_bits_truncate(0o022));
        for (resource, least) in LIMITS {
            let Ok((soft, hard)) = getrlimit(resource) else { continue };
            if soft < least.min(hard) {
                // A failure shows in the test that needs the limit.
                let _ = setrlimit(resource, least.min(hard), hard);
            }
        }
    });
}

/// A program of the machine, about to be started with default signals, umask and language. Its environment has `PATH`, `HOME` and `LC_ALL=C`; its standard input is empty.
///
/// # Panics
/// When it is not on the path.
pub fn program(name: &str) -> Command {
    program_with(name, &[])
}

/// The same with more or other variables in the environment. `name` is searched in the `PATH` of that environment.
///
/// # Panics
/// When it is not on the path.
pub fn program_with(name: &str, environment: &[(&str, &OsStr)]) -> Command {
    settle();
    let mut all = vec![("PATH", path()), ("LC_ALL", "C".into())];
    // Scripts of version managers need it to find their programs.
    all.extend(home().map(|home| ("HOME", home.into_os_string())));
    all.extend(environment.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let (_, path) = all.iter().rfind(|(name, _)| *name == "PATH").expect("just put there");
    let is_there = env::split_paths(path).any(|directory| directory.join(name).is_file());
    assert!(is_there, "{name} is not on the path: `cargo xtask test` installs what tests need");
    let mut command = Command::new("env");
    command.args(ISOLATED);
    for (name, value) in all {
        let mut assignment = OsString::from(name);
        assignment.push("=");
        assignment.push(value);
        command.arg(assignment);
    }
    command.arg(name).stdin(Stdio::null());
    command
}

/// Our own path, with the directories of system programs, which some users lack after becoming root.
pub fn path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let roots = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::join_paths(env::split_paths(&own).chain(roots)).unwrap_or(own)
}

/// `$HOME` where it is a directory, else the account's.
pub(crate) fn home() -> Option<PathBuf> {
    let of_account = || Some(User::from_uid(getuid()).ok()??.dir);
    let variable = env::var_os("HOME").map(PathBuf::from);
    variable.filter(|home| home.is_absolute() && home.is_dir()).or_else(of_account)
}

/// Whether everyone may read and run a file.
pub(crate) fn is_for_everyone(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o555 == 0o555)
}
