//! How many instructions a command executes, counted by callgrind.

use anyhow::Result;
use testkit::callgrind;

use super::cases::{self, Preparation};
use super::measure::ToolCall;
use super::world::{BenchRoots, BenchSide, version};

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

/// Brings callgrind into both roots, and the tree of few modules; the plain one must be there.
///
/// # Errors
/// When a file can't be written.
pub(super) fn prepare(world: &BenchRoots) -> Result<()> {
    for side in BenchSide::BOTH {
        callgrind::install(&world.root(side))?;
    }
    super::growth::make(world, SMALL, MODULES)
}

/// Counts the instructions of a call of one side.
///
/// # Errors
/// When it fails, or callgrind reports no total.
pub(super) fn count(world: &BenchRoots, side: BenchSide, call: &ToolCall) -> Result<f64> {
    Preparation::Forget.act(world, side)?;
    Ok(callgrind::count(&world.root(side), &format!("/usr/sbin/{}", call.tool), &call.arguments)?)
}
