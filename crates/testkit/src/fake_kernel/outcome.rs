//! What a run of a tool did: its exit, its output and its system calls.

use std::process::ExitStatus;

use super::call::Call;
use super::fault::TracedPath;

/// What one run of a tool printed and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// The module system calls of the tool and its children, in order.
    pub calls: Vec<Call>,
}

/// A run that was traced.
#[derive(Debug, Clone)]
pub struct TracedRun {
    /// How it ended.
    pub outcome: Outcome,
    /// The names of its system calls, in their order.
    pub trace: Vec<&'static str>,
    /// The paths that they were given.
    pub paths: Vec<TracedPath>,
    /// The call that faulted_call the fault, with the path it was about; `None` where the run made no such call.
    pub faulted_call: Option<(&'static str, String)>,
}
