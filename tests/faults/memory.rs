//! The tools when memory is short: the same run under one limit of address space after the other, from
//! one under which nothing starts to one that suffices.
//!
//! depmod leaves the old indexes or complete new ones, and its exit code shows which. The tools that read are right or
//! refuse; what they refuse for is never taken for damage, or for something that is not there. Where an allocation of
//! the standard library or of another crate fails, the process is aborted: that is a refusal, too.

use std::fs;
use std::path::PathBuf;

use testkit::{Compression, Crc, Indexes, Run, Side, TestRoot};

use crate::{add_ordered, module};

/// The bytes of a large module.
const LARGE: usize = 12 << 20;

/// What a failure may have been for.
const CAUSES: [&str; 5] = [
    "out of memory",
    "Cannot allocate memory",
    "memory allocation of",
    "could not be read: nothing is written",
    "could not execute",
];

/// A tree, indexed, and what to run in it.
pub struct MemoryWorld {
    root: TestRoot,
    old: Indexes,
    new: Indexes,
    cached: bool,
}

/// A run under a limit.
#[derive(Debug)]
pub struct Step {
    /// KiB of address space.
    pub limit: u64,
    /// How it ended.
    pub end: End,
    /// What must not happen.
    pub defect: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As without a limit.
    Done,
    /// With an exit code, and a message.
    Refused,
    /// By a signal, or before it started.
    Died,
}

/// The commands of the ladder; depmod comes with and without a cache.
pub const COMMANDS: [&[&str]; 5] = [
    &["depmod"],
    &["modinfo", "-F", "alias", "large", "small0"],
    &["modprobe", "-D", "large"],
    &["kmod", "check", "large"],
    &["kmod", "check", "--all"],
];

impl MemoryWorld {
    /// Small modules and a large one, all in one compression. The large one is new: the old indexes lack what it has.
    pub fn new(compression: Compression, cached: bool) -> MemoryWorld {
        let root = TestRoot::new();
        let name = |name: &str| format!("kernel/{name}{}", compression.suffix());
        let base = module("base").export("base_fn", Crc::Section(1)).alias("base-*");
        add_ordered(&root, &name("base"), &base.compressed(compression));
        for number in 0..24 {
            let small =
                module(format!("small{number}")).needs("base_fn", 1).alias(format!("small-{number}*"));
            let small = small.modinfo("softdep", "pre: base").compressed(compression);
            add_ordered(&root, &name(&format!("small{number}")), &small);
        }
        root.write_module_file("modules.builtin", "").write_module_file("modules.builtin.modinfo", "");
        root.run(Side::Ours, "depmod", &["--no-cache"]).succeeds();
        let old = root.take_indexes();
        // Neither compressible to nothing nor slow to compress.
        let text: Vec<u8> =
            (0..1_u32 << 14).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let data = text.repeat(LARGE / text.len());
        let large = module("large").needs("base_fn", 1).alias("pci:v1*").modinfo("softdep", "pre: small0");
        let large = large.section(testkit::Section::new(".data", data)).compressed(compression);
        add_ordered(&root, &name("large"), &large);
        root.run(Side::Ours, "depmod", &["--no-cache"]).succeeds();
        let new = root.take_indexes();
        MemoryWorld { root, old, new, cached }
    }

    /// Runs a command under `steps` limits. The last one suffices.
    ///
    /// # Panics
    /// Where it does not work without a limit.
    pub fn ladder(&self, command: &[&str], steps: u32) -> Vec<Step> {
        let is_depmod = command[0] == "depmod";
        let undisturbed = self.run(command, u64::MAX);
        let works = |limit| {
            let run = self.run(command, limit);
            (run.code, &run.stdout) == (undisturbed.code, &undisturbed.stdout)
        };
        let mut enough = 8 << 10;
        while !works(enough) {
            enough += enough / 4;
            assert!(enough < 4 << 20, "{command:?} does not work: {undisturbed:?}");
        }
        // Below this the kernel has no room for the program itself.
        let least = 3 << 10;
        let limits = (0..steps).map(|step| least + (enough - least) * u64::from(step) / u64::from(steps - 1));
        limits
            .map(|limit| {
                let run = self.run(command, limit);
                let defect =
                    if is_depmod { self.judge_depmod(&run) } else { judge_reader(&run, &undisturbed) };
                let done = run.code == undisturbed.code && run.stdout == undisturbed.stdout;
                let end = match run.code {
                    Some(0) | Some(1) | Some(2) if done => End::Done,
                    Some(code) if code < 126 => End::Refused,
                    _ => End::Died,
                };
                Step { limit, end, defect }
            })
            .collect()
    }

    /// Runs a command on the old indexes where it is depmod, on the new ones else.
    fn run(&self, command: &[&str], limit: u64) -> Run {
        let is_depmod = command[0] == "depmod";
        self.root.take_indexes();
        for (name, bytes) in if is_depmod { &self.old } else { &self.new } {
            fs::write(self.directory().join(name), bytes).expect("an index");
        }
        let (tool, arguments) = command.split_first().expect("a command");
        let mut arguments = arguments.join(" ");
        if is_depmod && !self.cached {
            arguments += " --no-cache";
        }
        let limit = if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
        // The shell has started before the limit counts. A tool that the loader has no memory for has not started: 126,
        // as 127 means that there is no such program.
        let script = format!(
            "export MODUTILS_EXPLAIN=always; ulimit -c 0; ulimit -v {limit}; /ours/{tool} {arguments} </dev/null; \
             code=$?; [ $code -ne 127 ] || code=126; exit $code"
        );
        self.root.shell(&[Side::Ours], &script)
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join(self.root.module_path(""))
    }

    fn judge_depmod(&self, run: &Run) -> Option<String> {
        let are = |indexes: &Indexes| {
            indexes
                .iter()
                .all(|(name, bytes)| fs::read(self.directory().join(name)).is_ok_and(|now| now == *bytes))
        };
        let wrong = |what: &str| Some(format!("{what}: {:?}: {}", run.code, run.err()));
        match (run.code, are(&self.old), are(&self.new)) {
            (Some(0), _, true) => false_cause(&run.err()).and_then(|what| wrong(&what)),
            (Some(0), ..) => wrong("exit 0 without new indexes"),
            (_, false, _) => wrong("it failed and the old indexes are not there"),
            (Some(code), ..) if code < 126 && !is_explained(&run.err()) => wrong("no cause"),
            _ => false_cause(&run.err()).and_then(|what| wrong(&what)),
        }
    }
}

fn judge_reader(run: &Run, undisturbed: &Run) -> Option<String> {
    let (output, wrong) = (run.err() + &run.out(), |what: &str| Some(format!("{what}: {run:?}")));
    match run.code {
        code if code == undisturbed.code && run.stdout == undisturbed.stdout => None,
        Some(0) => wrong("exit 0, and something else than without a limit"),
        Some(code) if code < 126 && !is_explained(&output) => wrong("no cause"),
        _ => false_cause(&output).and_then(|what| wrong(&what)),
    }
}

fn is_explained(output: &str) -> bool {
    CAUSES.iter().any(|cause| output.contains(cause))
}

/// How Rust's runtime ends a process in which a new thread has no room for the stack of its signal handler: by a panic
/// before any of our code runs, which is an abort. As where an allocation fails, the message says what was missing.
const NO_SIGNAL_STACK: &str = "failed to allocate an alternative stack: Out of memory";

/// What is held against a file that is sound, or a fault of ours.
fn false_cause(output: &str) -> Option<String> {
    let causes = ["damaged", "cut short", "not found", "No such file", "not an ELF", "would be refused"];
    let found = causes.iter().find(|what| output.contains(**what));
    let count = |what: &str| output.matches(what).count();
    let panicked = (count("panicked") > count(NO_SIGNAL_STACK)).then_some(&"panicked");
    found.or(panicked).map(|what| format!("a false cause, {what}"))
}

/// One line for a ladder: a letter for each step, then what the limits were.
pub fn line(command: &[&str], steps: &[Step]) -> String {
    let letter = |step: &Step| match (&step.defect, step.end) {
        (Some(_), _) => 'X',
        (None, End::Done) => '+',
        (None, End::Refused) => '-',
        (None, End::Died) => '.',
    };
    let letters: String = steps.iter().map(letter).collect();
    let limits = |step: Option<&Step>| step.map_or(0, |step| step.limit >> 10);
    let (first, last) = (limits(steps.first()), limits(steps.last()));
    format!("{letters}  {first} to {last} MiB  {}", command.join(" "))
}
