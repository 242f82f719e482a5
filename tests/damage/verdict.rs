//! The verdict on a run with a damaged file, and the table of many verdicts.

use std::collections::BTreeMap;
use std::fmt;

use testkit::Side;
use testkit::damage::Damage;

use crate::subjects::Action;

/// The result of running a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolRun {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The files that depmod wrote.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// The verdicts, in the order of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The same as on the undamaged file.
    Same,
    /// Exit 0 with another result, and a message that names the file.
    Reported,
    /// Exit 0 with another result: the damaged file is valid too, with other contents.
    OtherResult,
    /// Exit 1 and a message that names the file.
    Refused,
    /// Exit 1 because the requested module was not found: its name was damaged.
    NotFound,
    /// Exit 1 and no message, or one that does not locate the fault.
    RefusedSilently,
    /// A stream with a checksum was damaged, but another result was read from it without a message.
    AcceptedDamage,
    /// Killed by a signal.
    Signal,
    /// A panic, or an exit code that no tool has.
    OtherExit,
    /// It took too long.
    Timeout,
    /// It took too much memory.
    Memory,
}

const COLUMNS: [(Verdict, &str); 11] = [
    (Verdict::Same, "as before"),
    (Verdict::Reported, "reported"),
    (Verdict::OtherResult, "otherwise"),
    (Verdict::Refused, "refused"),
    (Verdict::NotFound, "not found"),
    (Verdict::RefusedSilently, "silent"),
    (Verdict::AcceptedDamage, "accepted"),
    (Verdict::Signal, "signal"),
    (Verdict::OtherExit, "other exit"),
    (Verdict::Timeout, "timeout"),
    (Verdict::Memory, "memory"),
];

/// Texts of error numbers, which do not describe the fault of a file.
const ERRNO_TEXTS: [&str; 4] =
    ["Invalid argument", "Invalid parameters", "Exec format error", "Invalid module format"];

const SIGXCPU: i32 = 24;

impl ToolRun {
    /// Without the directory of a case, so that two runs can be compared.
    pub(crate) fn without(self, directory: &str) -> ToolRun {
        let replaced = |bytes: Vec<u8>| replace(&bytes, directory.as_bytes(), b"/CASE/");
        ToolRun {
            stdout: replaced(self.stdout),
            stderr: replaced(self.stderr),
            files: self.files.into_iter().map(|(name, bytes)| (name, replaced(bytes))).collect(),
            ..self
        }
    }

    fn result(&self) -> (Option<i32>, &[u8], &BTreeMap<String, Vec<u8>>) {
        (self.code, &self.stdout, &self.files)
    }
}

/// Replaces each occurrence of some bytes.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// Judges a run on a damaged file: `place` is the path of the file, `before` the run on the undamaged one.
pub(crate) fn judge(
    side: Side,
    damage: &Damage,
    place: &str,
    action: &Action,
    before: &ToolRun,
    outcome: &ToolRun,
) -> Verdict {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    if ["annot allocate memory", "memory allocation of"].iter().any(|text| stderr.contains(text)) {
        return Verdict::Memory;
    }
    match (outcome.code, outcome.signal) {
        (_, Some(SIGXCPU)) => return Verdict::Timeout,
        // The fake kernel's deadline.
        (_, Some(9)) => return Verdict::Timeout,
        (_, Some(_)) => return Verdict::Signal,
        (Some(0 | 1), None) if !stderr.contains("panicked") => {}
        _ => return Verdict::OtherExit,
    }
    if outcome.result() == before.result() && (outcome.code == Some(0) || outcome.stderr == before.stderr) {
        return Verdict::Same;
    }
    let file = action.copied_to.as_deref().unwrap_or(place);
    let names_fault = names_fault(side, &stderr, file, action.loads);
    match outcome.code {
        Some(0) if names_fault => Verdict::Reported,
        Some(0) if damage.is_detectable() => Verdict::AcceptedDamage,
        Some(0) => Verdict::OtherResult,
        _ if names_fault => Verdict::Refused,
        _ if stderr.contains("not found") || stderr.contains("No such file") => Verdict::NotFound,
        _ => Verdict::RefusedSilently,
    }
}

/// Whether messages name a file and its fault. Of kmod the module's name is enough, since it reports no more; of both,
/// if the kernel refuses a module that the tool had no reason to read.
fn names_fault(side: Side, stderr: &str, file: &str, kernel_refuses: bool) -> bool {
    let name = file.rsplit('/').next().expect("a file");
    let stem = name.split('.').next().expect("a name").replace('-', "_");
    stderr.lines().any(|line| match line.split_once(file) {
        Some((_, after)) if side == Side::Ours => {
            let fault = after.trim_start_matches([':', '\'', ' ']);
            !fault.is_empty() && (kernel_refuses || !ERRNO_TEXTS.contains(&fault))
        }
        Some(_) => true,
        None if line.contains(&format!("'{stem}'")) => side != Side::Ours || kernel_refuses,
        None => side != Side::Ours && line.contains(name),
    })
}

/// A case with the verdict on each side.
pub(crate) struct JudgedCase {
    /// The row of the table.
    pub(crate) group: String,
    /// The description of the case.
    pub(crate) case: String,
    /// By side.
    pub(crate) verdicts: Vec<Verdict>,
    /// The run of ours.
    pub(crate) ours: Option<ToolRun>,
}

impl JudgedCase {
    /// A description of the case and our run, if the run was wrong.
    pub(crate) fn wrong(&self) -> Option<String> {
        let (Some(ours), Some(verdict)) = (&self.ours, self.verdicts.first()) else { return None };
        let stderr: String = String::from_utf8_lossy(&ours.stderr).chars().take(1500).collect();
        let text = || {
            format!(
                "{verdict:?}: {}\n  exit {:?}, signal {:?}\n  {stderr}",
                self.case, ours.code, ours.signal
            )
        };
        (*verdict >= Verdict::RefusedSilently).then(text)
    }
}

/// The number of runs by verdict.
pub(crate) struct Table {
    side: Side,
    rows: BTreeMap<String, BTreeMap<Verdict, usize>>,
}

impl Table {
    pub(crate) fn new(side: Side) -> Table {
        Table { side, rows: BTreeMap::new() }
    }

    pub(crate) fn count(&mut self, row: &str, verdict: &Verdict) {
        for row in [row, "~ all"] {
            *self.rows.entry(row.to_owned()).or_default().entry(*verdict).or_default() += 1;
        }
    }

    pub(crate) fn signals(&self) -> usize {
        self.total(Verdict::Signal)
    }

    pub(crate) fn silent(&self) -> usize {
        self.total(Verdict::RefusedSilently)
    }

    fn total(&self, verdict: Verdict) -> usize {
        self.rows.get("~ all").and_then(|row| row.get(&verdict)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:32}{:>7}", self.side.dir(), "runs")?;
        for (_, name) in COLUMNS {
            write!(f, " {name:>10}")?;
        }
        writeln!(f)?;
        for (name, row) in &self.rows {
            write!(f, "{:32}{:>7}", name.trim_start_matches("~ "), row.values().sum::<usize>())?;
            for (verdict, _) in COLUMNS {
                write!(f, " {:>10}", row.get(&verdict).copied().unwrap_or_default())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
