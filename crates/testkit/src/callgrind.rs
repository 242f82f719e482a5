//! How many instructions a program executes in user space, counted by callgrind where it is installed: a number that
//! hardly depends on the load of the machine.
//!
//! callgrind runs inside a root, where its program needs no library. It needs /proc, which is mounted in a separate mount
//! namespace.

use std::ffi::OsStr;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where distributions put the program.
const PLACES: [&str; 2] = ["/usr/libexec/valgrind", "/usr/lib/valgrind"];

/// Its path in a root, and the file it writes there.
const INSIDE: &str = "usr/libexec/valgrind";
const RESULT: &str = "tmp/callgrind";

/// Whether callgrind (Debian's package valgrind) is installed.
pub fn is_installed() -> bool {
    program().is_some()
}

/// Brings callgrind into a root.
///
/// # Errors
/// When it is not installed, or a file cannot be written.
pub fn install(root: &Path) -> Result<()> {
    let from = program().ok_or_else(|| Error::other("callgrind is not installed"))?;
    let into = root.join(INSIDE);
    if into.exists() {
        return Ok(());
    }
    for directory in [INSIDE, RESULT].into_iter().filter_map(|path| Path::new(path).parent()) {
        fs::create_dir_all(root.join(directory))?;
    }
    let status = Command::new("cp").args(["-aL", "--no-target-directory"]).arg(from).arg(into).status()?;
    status.success().then_some(()).ok_or_else(|| Error::other("callgrind cannot be copied"))
}

/// The instructions that a program of a root executes there, over all its threads, whatever it exits with. [`install`]
/// comes first.
///
/// # Errors
/// When callgrind does not start, or reports no total.
pub fn count<A: AsRef<OsStr>>(root: &Path, program: &str, arguments: &[A]) -> Result<f64> {
    fs::create_dir_all(root.join("proc"))?;
    let script = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(root);
    command.arg(format!("/{INSIDE}/callgrind-amd64-linux"));
    command.args(["--tool=callgrind", "-q"]).arg(format!("--callgrind-out-file=/{RESULT}"));
    command.arg(program).args(arguments);
    // Its program is started without the script that usually sets these.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("VALGRIND_LIB", format!("/{INSIDE}")).env("VALGRIND_LAUNCHER", "/usr/bin/valgrind");
    let _ = fs::remove_file(root.join(RESULT));
    let output = command.stdin(Stdio::null()).output()?;
    let result = fs::read_to_string(root.join(RESULT)).unwrap_or_default();
    total(&result).ok_or_else(|| {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Error::other(format!("callgrind wrote no total: {program}: {}: {stderr}", output.status))
    })
}

/// The sum over all functions and threads.
fn total(result: &str) -> Option<f64> {
    result.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

fn program() -> Option<&'static Path> {
    PLACES.map(Path::new).into_iter().find(|place| place.join("callgrind-amd64-linux").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_what_callgrind_writes() {
        let result = "# callgrind format\nevents: Ir\nsummary: 12\n\nfn=(1)\n0 12\n\ntotals: 213353\n";
        assert_eq!(total(result), Some(213_353.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
