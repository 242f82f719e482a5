//! How many instructions a command executes in user space, counted by callgrind if it is installed: a number that hardly
//! depends on the load of the machine.
//!
//! callgrind runs inside each side's root, where its program needs no library. It needs /proc, which is mounted in a
//! separate mount namespace.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cases::{self, Preparation};
use super::measure::ToolCall;
use super::world::{BenchRoots, BenchSide, version};
use crate::process;

/// Where distributions put the program.
const PLACES: [&str; 2] = ["/usr/libexec/valgrind", "/usr/lib/valgrind"];

/// Its path in the roots, and the file it writes there.
const INSIDE: &str = "usr/libexec/valgrind";
const RESULT: &str = "tmp/callgrind";

/// How many modules depmod reads under callgrind, which makes it some fifty times slower, and the tree of them.
const MODULES: usize = 100;
pub(super) const SMALL: &str = "small";

/// The rows: their names and commands.
pub(super) fn rows() -> Vec<(String, ToolCall)> {
    let looked_at = version(cases::LOOKUP_TREE);
    let modprobe = |name: &str, arguments: &[&str]| {
        let arguments: Vec<&str> = ["-S", &looked_at].into_iter().chain(arguments.iter().copied()).collect();
        (format!("instructions of modprobe {name}"), ToolCall::new("modprobe", &arguments))
    };
    vec![
        modprobe("-V", &["-V"]),
        modprobe("-D", &["-D", cases::DEEP]),
        modprobe("-R, name", &["-R", cases::DEEP]),
        modprobe("-R, modalias", &["-R", cases::MODALIAS]),
        modprobe("-c", &["-c"]),
        (format!("instructions of depmod, {MODULES} modules"), ToolCall::new("depmod", &[&version(SMALL)])),
    ]
}

/// Whether callgrind is installed.
pub(super) fn available() -> bool {
    program().is_some()
}

/// Brings callgrind into both roots, and the tree of few modules; the plain one must be there.
///
/// # Errors
/// When a file can't be written.
pub(super) fn prepare(world: &BenchRoots) -> Result<()> {
    let from = program().context("callgrind is not installed")?;
    for side in BenchSide::BOTH {
        let into = world.root(side).join(INSIDE);
        fs::create_dir_all(into.parent().context("a directory in /usr")?)?;
        process::run(Command::new("cp").args(["-aL", "--no-target-directory"]).arg(from).arg(into))?;
    }
    super::growth::make(world, SMALL, MODULES)
}

/// Counts the instructions of a call of one side.
///
/// # Errors
/// When it fails, or callgrind reports no total.
pub(super) fn count(world: &BenchRoots, side: BenchSide, call: &ToolCall) -> Result<f64> {
    Preparation::Forget.act(world, side)?;
    let root = world.root(side);
    let script = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(&root);
    command.arg(format!("/{INSIDE}/callgrind-amd64-linux"));
    command.args(["--tool=callgrind", "-q"]).arg(format!("--callgrind-out-file=/{RESULT}"));
    command.arg(format!("/usr/sbin/{}", call.tool)).args(&call.arguments);
    // Its program is started without the script that usually sets these.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("VALGRIND_LIB", format!("/{INSIDE}")).env("VALGRIND_LAUNCHER", "/usr/bin/valgrind");
    process::output(&mut command)?;
    let result = fs::read_to_string(root.join(RESULT))?;
    match total(&result) {
        Some(count) => Ok(count),
        None => bail!("callgrind wrote no total"),
    }
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
