//! Running the tools of both sides alternately, and measuring the cost of each run.
//!
//! Both are started and waited for by the same few lines, so that what these cost is the same for both: posix_spawn(3)
//! from within the side's root, and wait4(2), which reports the processor's time and the peak memory of that process alone.
//! What the process that calls them has resident when it starts one counts as that one's, too (the kernel takes the
//! peak before exec(2) along), which is why everything here keeps to a few megabytes.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use wait4::Wait4;

use super::figures::{Cost, CostPair};
use super::world::{BenchRoots, BenchSide};

/// A tool with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolCall {
    pub(super) tool: &'static str,
    pub(super) arguments: Vec<String>,
}

impl ToolCall {
    pub(super) fn new(tool: &'static str, arguments: &[&str]) -> ToolCall {
        ToolCall { tool, arguments: arguments.iter().map(|&argument| argument.to_owned()).collect() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(format!("/usr/sbin/{}", self.tool));
        command.args(&self.arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin");
        command
    }
}

/// How many pairs to measure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Runs {
    /// This many.
    Exactly(usize),
    /// As many as fit into this time, within reason.
    For(Duration),
}

/// The fewest and the most pairs that a time is used for: less is no median, more adds nothing.
const BOUNDS: (usize, usize) = (5, 400);

impl Runs {
    /// The number of pairs if one takes this long. The order alternates between pairs, so their number is even.
    fn count(self, pair: Duration) -> usize {
        match self {
            Runs::Exactly(number) => number,
            Runs::For(time) => {
                let fitting = (time.as_secs_f64() / pair.as_secs_f64().max(1e-6)) as usize;
                fitting.clamp(BOUNDS.0, BOUNDS.1).next_multiple_of(2)
            }
        }
    }
}

/// Measures pairs: ours and theirs, theirs and ours, and so on. `before` is called before each run and is not measured.
///
/// # Errors
/// When a run ends differently from the first run of its side.
pub(super) fn pairs(
    world: &BenchRoots,
    [ours, theirs]: [&ToolCall; 2],
    runs: Runs,
    before: impl Fn(BenchSide) -> Result<()>,
) -> Result<Vec<CostPair>> {
    let run = |side: BenchSide| -> Result<Cost> {
        before(side)?;
        once(world, side, if side == BenchSide::Ours { ours } else { theirs })
    };
    // The first pair warms the caches up, and shows how long one takes.
    let start = Instant::now();
    run(BenchSide::Theirs)?;
    run(BenchSide::Ours)?;
    let count = runs.count(start.elapsed());
    let pair = |number: usize| -> Result<CostPair> {
        if number.is_multiple_of(2) {
            let ours = run(BenchSide::Ours)?;
            Ok(CostPair { ours, theirs: run(BenchSide::Theirs)? })
        } else {
            let theirs = run(BenchSide::Theirs)?;
            Ok(CostPair { ours: run(BenchSide::Ours)?, theirs })
        }
    };
    (0..count).map(pair).collect()
}

/// Runs a command once and discards its output.
fn once(world: &BenchRoots, side: BenchSide, call: &ToolCall) -> Result<Cost> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let mut command = call.command();
    command.stdin(null.try_clone()?).stdout(null.try_clone()?).stderr(null);
    let (status, cost) = world.within(side, || {
        let start = Instant::now();
        let used = command.spawn()?.wait4()?;
        let wall = start.elapsed().as_secs_f64();
        let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
        Ok((used.status, Cost { wall, cpu, peak: used.rusage.maxrss as f64 }))
    })?;
    if !status.success() {
        // Runs it again to get the message.
        output(world, side, call)?;
        bail!("{} of {side:?}: {status}", call.tool);
    }
    Ok(cost)
}

/// Runs a command and returns its output.
///
/// # Errors
/// When it fails, with its messages.
pub(super) fn output(world: &BenchRoots, side: BenchSide, call: &ToolCall) -> Result<Vec<u8>> {
    let null = File::open("/dev/null")?;
    let mut command = call.command();
    command.stdin(null).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = world.within(side, || Ok(command.spawn()?.wait_with_output()?))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!(
            "{} of {side:?}: {}: {}",
            call.tool,
            output.status,
            messages.lines().take(3).collect::<Vec<_>>().join(" / ")
        );
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_gives_as_many_pairs_as_fit_but_never_less_than_a_median_needs() {
        let time = Runs::For(Duration::from_secs(10));
        assert_eq!(time.count(Duration::from_secs(1)), 10);
        assert_eq!(time.count(Duration::from_secs(60)), 6);
        assert_eq!(time.count(Duration::from_micros(10)), 400);
        assert_eq!(Runs::Exactly(3).count(Duration::from_secs(60)), 3);
    }
}
