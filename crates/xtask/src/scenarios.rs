//! The scenarios of `integration/scenarios`: shell scripts that run one after the other in a booted guest.
//!
//! A scenario's first comment describes what it shows. Header lines select where it runs:
//! `# kernels: 6.12` (prefixes of the version; `rust` is the kernel with the companion modules, and without the line
//! a scenario runs on all the others), `# tools: ours` (or `reference`), `# boot: PARAMETERS` in a separate
//! machine with these kernel parameters, and `# processors: NUMBER` in one with several processors. With
//! `# needs: other-kernel` it uses modules of a kernel that is not the guest's.
//! The guest's `vm/run.sh` reports on the serial port in lines that begin with `@@`, see [`Report`].

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::guest::{self, Tools};
use crate::qemu::{self, Machine, SerialAction};
use crate::trees::KernelTree;
use crate::{busybox, reference};

/// How a `# kernels:` line names the kernel with the companion modules.
const RUST: &str = "rust";

/// A scenario file.
struct Scenario {
    name: String,
    script: String,
    boot: Boot,
    /// Whether it uses modules of another kernel.
    needs_other: bool,
}

/// The machine that a scenario needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Boot {
    processors: u32,
    parameters: String,
}

/// The modules that a guest has besides those of its kernel.
pub(crate) enum ExtraModules<'a> {
    /// Some modules of a stock kernel, compressed in each way, and those of another kernel, which this one refuses.
    Variants(OtherKernel<'a>),
    /// The companion modules, and those of a stock kernel, which the guest's kernel refuses: it is the one with Rust.
    Companions(&'a Path, OtherKernel<'a>),
}

/// The modules of a kernel that is not the guest's, or why they are unavailable: the scenarios that need them then fail.
pub(crate) type OtherKernel<'a> = Result<&'a KernelTree, &'a str>;

/// The result of a scenario.
pub(crate) struct ScenarioResult {
    /// The guest, and the file's name without its ending.
    pub(crate) name: String,
    /// Whether it passed.
    pub(crate) verdict: ScenarioVerdict,
    /// How long it took in the guest.
    pub(crate) seconds: String,
    /// Its output, if it failed.
    pub(crate) log: Vec<String>,
}

/// Whether a scenario passed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ScenarioVerdict {
    /// It passed.
    Passed,
    /// It failed, or could not be run.
    Failed,
    /// It was not run, for this reason.
    Skipped(String),
}

/// Where and how to run scenarios.
pub(crate) struct ScenarioRun<'a> {
    /// The checkout.
    pub(crate) workspace: &'a Path,
    /// The kernel to boot, with its modules.
    pub(crate) tree: &'a KernelTree,
    /// The other modules.
    pub(crate) extra: ExtraModules<'a>,
    /// Whose tools are under test.
    pub(crate) tools: Tools<'a>,
    /// Run only scenarios whose names contain this.
    pub(crate) only: Option<&'a str>,
    /// Parameters of the kernel beside the ones a scenario asks for.
    pub(crate) parameters: &'a str,
    /// QEMU's accelerator.
    pub(crate) accelerator: &'a str,
}

impl ScenarioRun<'_> {
    /// What the rows of this guest begin with: `6.12`, or `rust kmod` where the packaged tools run.
    fn guest(&self) -> String {
        let kernel = match self.extra {
            ExtraModules::Variants(_) => self.tree.version.split('.').take(2).collect::<Vec<_>>().join("."),
            ExtraModules::Companions(..) => RUST.to_owned(),
        };
        match self.tools {
            Tools::Ours(_) => kernel,
            Tools::Reference => kernel + " kmod",
        }
    }
}

/// Boots the kernel, runs the scenarios that apply to it, prints a row for each and the log of each that failed.
///
/// # Errors
/// When the guest cannot be made or booted, hangs, or ends before the last scenario.
pub(crate) fn run(cache: &Cache, run: &ScenarioRun) -> Result<Vec<ScenarioResult>> {
    let kernel = match run.extra {
        ExtraModules::Variants(_) => run.tree.version.as_str(),
        ExtraModules::Companions(..) => RUST,
    };
    let (ExtraModules::Variants(other) | ExtraModules::Companions(_, other)) = run.extra;
    let mut scenarios = applicable(run.workspace, kernel, &run.tools)?;
    scenarios.retain(|scenario| run.only.is_none_or(|part| scenario.name.contains(part)));
    if scenarios.is_empty() {
        bail!("no scenario applies");
    }
    let mut outcomes = Vec::new();
    if let Err(cause) = other {
        let (needy, others): (Vec<_>, Vec<_>) =
            scenarios.into_iter().partition(|scenario| scenario.needs_other);
        outcomes.extend(needy.into_iter().map(|scenario| ScenarioResult::failed(scenario.name, cause)));
        scenarios = others;
    }
    // Scenarios with the same kernel parameters share a boot; the boot without parameters is first.
    let mut boots: Vec<&Boot> = scenarios.iter().map(|scenario| &scenario.boot).collect();
    boots.sort_unstable();
    boots.dedup();
    for boot in boots {
        let together: Vec<&Scenario> = scenarios.iter().filter(|scenario| scenario.boot == *boot).collect();
        outcomes.extend(run_in_one_boot(cache, run, boot, &together)?);
    }
    Ok(outcomes)
}

/// Runs scenarios in one guest.
fn run_in_one_boot(
    cache: &Cache,
    run: &ScenarioRun,
    boot: &Boot,
    scenarios: &[&Scenario],
) -> Result<Vec<ScenarioResult>> {
    let (shell, packaged) = (busybox::provide(cache)?, reference::provide(cache, "kmod34")?);
    let mut root = guest::base(run.workspace, run.tree, &run.tools, &shell, Some(&packaged))?;
    match run.extra {
        ExtraModules::Variants(other) => guest::add_variants(&mut root, run.tree, other.ok())?,
        ExtraModules::Companions(dir, other) => {
            guest::add_companions(&mut root, run.tree, dir)?;
            if let Ok(other) = other {
                guest::add_foreign(&mut root, other)?;
            }
        }
    }
    root.link("job", "/vm/run.sh");
    for scenario in scenarios {
        root.file(&format!("scenarios/{}.sh", scenario.name), 0o644, scenario.script.as_bytes());
    }
    let start = Instant::now();
    let initramfs = root.finish();
    let timeout = Duration::from_secs(300 + 120 * scenarios.len() as u64);
    let machine = Machine {
        kernel: &run.tree.kernel(),
        initramfs: &initramfs,
        parameters: &format!("{} {}", boot.parameters, run.parameters),
        processors: boot.processors,
        accelerator: run.accelerator,
        disk: None,
        devices: &[],
        timeout,
    };
    let mut report = Report { guest: run.guest(), ..Report::default() };
    let booted = qemu::boot(&machine, |line| report.line(line));
    let unreported = if booted.is_err() { report.log.as_slice() } else { &[] };
    let log: String = unreported.iter().map(|line| format!("    | {line}\n")).collect();
    // In one piece: other guests run at the same time.
    print!(
        "  {} {} finished in {:.1} s\n{log}",
        run.tree.version,
        boot.parameters,
        start.elapsed().as_secs_f64()
    );
    booted?;
    if report.outcomes.len() < scenarios.len() {
        bail!("only {} of {} scenarios reported", report.outcomes.len(), scenarios.len());
    }
    Ok(report.outcomes)
}

/// The names of the scenarios for a kernel (its version, or `rust`) and these tools.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn names(workspace: &Path, kernel: &str, tools: &Tools) -> Result<Vec<String>> {
    Ok(applicable(workspace, kernel, tools)?.into_iter().map(|scenario| scenario.name).collect())
}

/// The scenarios for this kernel and these tools, in the order of their names.
fn applicable(workspace: &Path, kernel: &str, tools: &Tools) -> Result<Vec<Scenario>> {
    let dir = workspace.join("integration/scenarios");
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let script = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let tools = match tools {
            Tools::Ours(_) => "ours",
            Tools::Reference => "reference",
        };
        if applies(&script, kernel, tools) {
            let parameters = header(&script, "# boot:").unwrap_or_default().trim().to_owned();
            let processors = header(&script, "# processors:").unwrap_or("1").trim().parse();
            let processors = processors.with_context(|| format!("{}: # processors:", path.display()))?;
            let needs_other = header(&script, "# needs:").is_some_and(|needs| needs.contains("other-kernel"));
            found.push(Scenario { name, script, boot: Boot { processors, parameters }, needs_other });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Whether the header lines allow this kernel (its version, or [`RUST`]) and these tools.
fn applies(script: &str, kernel: &str, tools: &str) -> bool {
    let on_kernel = match header(script, "# kernels:") {
        None => kernel != RUST,
        Some(list) => list
            .split_whitespace()
            .any(|word| word == kernel || (kernel != RUST && kernel.starts_with(&format!("{word}.")))),
    };
    on_kernel
        && header(script, "# tools:").is_none_or(|list| list.split_whitespace().any(|word| word == tools))
}

/// The value of a header line.
fn header<'a>(script: &'a str, key: &str) -> Option<&'a str> {
    script.lines().find_map(|line| line.strip_prefix(key))
}

/// Reads the guest's report: `@@ begin NAME`, the log, `@@ pass NAME SECONDS` or `@@ fail NAME SECONDS`, `@@ end`.
#[derive(Default)]
struct Report {
    guest: String,
    log: Vec<String>,
    outcomes: Vec<ScenarioResult>,
}

impl Report {
    fn line(&mut self, line: &str) -> SerialAction {
        let mut words = line.split(' ');
        if words.next() != Some("@@") {
            self.log.push(line.to_owned());
            return SerialAction::Read;
        }
        match (words.next(), words.next(), words.next()) {
            (Some("begin"), ..) => self.log.clear(),
            (Some(result @ ("pass" | "fail")), Some(name), seconds) => {
                let outcome = ScenarioResult {
                    name: format!("{} {name}", self.guest),
                    verdict: if result == "pass" { ScenarioVerdict::Passed } else { ScenarioVerdict::Failed },
                    seconds: seconds.unwrap_or("?").to_owned(),
                    log: std::mem::take(&mut self.log),
                };
                outcome.print();
                self.outcomes.push(outcome);
            }
            (Some("end"), ..) => return SerialAction::PowerOff,
            _ => self.log.push(line.to_owned()),
        }
        SerialAction::Read
    }
}

impl ScenarioResult {
    /// The result of a scenario that could not be run; its row is printed.
    pub(crate) fn failed(name: impl Into<String>, cause: &str) -> ScenarioResult {
        let log = cause.lines().map(str::to_owned).collect();
        let outcome = ScenarioResult {
            name: name.into(),
            verdict: ScenarioVerdict::Failed,
            seconds: "-".to_owned(),
            log,
        };
        outcome.print();
        outcome
    }

    /// The results of scenarios that are not run.
    pub(crate) fn all_skipped(names: &[String], cause: &str) -> Vec<ScenarioResult> {
        let verdict = ScenarioVerdict::Skipped(cause.to_owned());
        let skipped = |name: &String| ScenarioResult {
            name: name.clone(),
            verdict: verdict.clone(),
            seconds: "-".to_owned(),
            log: Vec::new(),
        };
        names.iter().map(skipped).collect()
    }

    /// Whether it passed.
    pub(crate) fn passed(&self) -> bool {
        self.verdict == ScenarioVerdict::Passed
    }

    /// Prints its row, and its output if it failed, in one piece: several guests run at the same time.
    pub(crate) fn print(&self) {
        let result = if self.passed() { "pass" } else { "FAIL" };
        // A scenario that passed reports in lines that begin with "= ", such as how much it compared.
        let shown = self.log.iter().filter(|line| !self.passed() || line.starts_with("= "));
        let shown: String = shown.map(|line| format!("    | {line}\n")).collect();
        print!("  {result}  {:34} {:>6} s\n{shown}", self.name, self.seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_select_where_a_scenario_runs() {
        assert!(applies("# What it shows\n", "6.1.0-50-cloud-amd64", "ours"));
        assert!(applies("# kernels: 6.1 6.12\n", "6.12.107+deb13", "ours"));
        assert!(!applies("# kernels: 6.1\n", "6.12.107+deb13", "ours"));
        assert!(!applies("# tools: ours\n", "6.1.0", "reference"));
        assert!(applies("# kernels: rust\n", RUST, "ours"));
        assert!(!applies("# kernels: rust\n", "6.1.0", "ours"));
        assert!(!applies("# What it shows\n", RUST, "ours"));
    }

    /// The first argument of a shell command, without its quotes.
    fn first_argument(arguments: &str) -> String {
        let quote = arguments.chars().next().filter(|first| matches!(first, '\'' | '"'));
        let (text, end) = quote.map_or((arguments, ' '), |quote| (&arguments[1..], quote));
        text.split(end).next().unwrap_or_default().replace('\\', "")
    }

    #[test]
    fn a_session_differs_only_as_a_row_of_the_differences_states() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let rows = fs::read_to_string(workspace.join("docs/differences.md")).unwrap();
        let mut named = 0;
        for entry in fs::read_dir(workspace.join("integration/scenarios")).unwrap() {
            let script = fs::read_to_string(entry.unwrap().path()).unwrap();
            for (word, arguments) in script.lines().filter_map(|line| line.trim().split_once(' ')) {
                if matches!(word, "differs" | "reordered") {
                    let row = first_argument(arguments);
                    assert!(rows.contains(&format!("| {row} |")), "no row \"{row}\"");
                    named += 1;
                }
            }
        }
        assert!(named > 0);
    }

    #[test]
    fn a_failing_scenario_keeps_its_log_and_the_last_line_powers_off() {
        let mut report = Report::default();
        for line in
            ["noise of the boot", "@@ begin a", "@@ pass a 0.1", "@@ begin b", "wrong", "@@ fail b 0.2"]
        {
            assert!(report.line(line) == SerialAction::Read);
        }
        assert!(report.line("@@ end") == SerialAction::PowerOff);
        assert_eq!(report.outcomes.iter().map(ScenarioResult::passed).collect::<Vec<_>>(), [true, false]);
        assert_eq!(report.outcomes[1].log, ["wrong"]);
    }
}
