//! Runs cases in batches: the files of many cases are written, a shell in the root runs the tools one after the other, and
//! the results are read back. So a case costs one process and a few files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use testkit::{FakeKernel, Side, Start, TestRoot, cache};

use crate::cases::{Baseline, DamageCase};
use crate::subjects::{self, INDEXED, Subject};
use crate::verdict::{JudgedCase, ToolRun, Verdict, judge};

/// Cases in a batch.
pub(crate) const SIZE: usize = 50;

/// Seconds of processor time after which a tool counts as hanging. A file takes milliseconds, damaged or not; the rest is
/// for slow machines.
const SECONDS: u64 = 4;
/// The same for the packaged kmod: a run that takes more than a second never ends, and there are many such runs.
const SECONDS_OF_REFERENCE: u64 = 1;
/// KiB of address space that a tool may use.
const MEMORY: u64 = 1 << 20;
/// Blocks of 512 bytes that a tool may write to a file.
const BLOCKS: u64 = 1 << 19;

/// The directory of the cases in the root.
const DIRECTORY: &str = "damage";

/// The root that all cases run in.
pub(crate) struct DamageRoot {
    root: TestRoot,
    subjects: Vec<Subject>,
    /// The results on the undamaged files.
    undamaged: HashMap<(Side, Baseline), ToolRun>,
    keep: bool,
}

/// A file written for one run.
struct PlacedFile<'a> {
    setting: Baseline,
    bytes: &'a [u8],
}

impl DamageRoot {
    /// `keep` keeps the root and prints its path.
    pub(crate) fn new(keep: bool) -> DamageRoot {
        let root = TestRoot::with_version(&cache::tree(INDEXED).version);
        let subjects = subjects::all(&root);
        root.write("cmdline", root.read("proc/cmdline"));
        DamageRoot { root, subjects, undamaged: HashMap::new(), keep }
    }

    pub(crate) fn case(&self, seed: u64, number: usize) -> DamageCase {
        DamageCase::new(&self.subjects, seed, number)
    }

    /// Runs the cases on each side, and the tools on the undamaged files unless that is done already.
    pub(crate) fn run(&mut self, cases: Vec<DamageCase>, sides: &[Side]) -> Vec<JudgedCase> {
        let mut verdicts: Vec<Vec<(Verdict, ToolRun)>> = cases.iter().map(|_| Vec::new()).collect();
        for &side in sides {
            self.run_undamaged(&cases, side);
            let laid: Vec<PlacedFile> =
                cases.iter().map(|case| PlacedFile { setting: case.setting, bytes: &case.bytes }).collect();
            let outcomes = self.outcomes(&laid, side);
            for ((case, outcome), verdicts) in cases.iter().zip(outcomes).zip(&mut verdicts) {
                let before = &self.undamaged[&(side, case.setting)];
                let subject = &self.subjects[case.setting.subject];
                let action = &subject.actions[case.setting.action];
                let verdict =
                    judge(side, &case.damage, &case.setting.place(subject), action, before, &outcome);
                verdicts.push((verdict, outcome));
            }
        }
        let judged = cases.iter().zip(verdicts).map(|(case, results)| {
            let (verdicts, outcomes): (Vec<_>, Vec<_>) = results.into_iter().unzip();
            JudgedCase {
                group: format!("{}, {}", self.subjects[case.setting.subject].group, case.damage.kind),
                case: case.describe(&self.subjects),
                verdicts,
                ours: outcomes.into_iter().zip(sides).find(|(_, side)| **side == Side::Ours).map(|(o, _)| o),
            }
        });
        judged.collect()
    }

    fn run_undamaged(&mut self, cases: &[DamageCase], side: Side) {
        let mut settings: Vec<Baseline> = cases.iter().map(|case| case.setting).collect();
        settings.retain(|setting| !self.undamaged.contains_key(&(side, *setting)));
        let files: Vec<Vec<u8>> =
            settings.iter().map(|setting| setting.undamaged(&self.subjects[setting.subject])).collect();
        let laid: Vec<PlacedFile> = settings
            .iter()
            .zip(&files)
            .map(|(setting, bytes)| PlacedFile { setting: *setting, bytes })
            .collect();
        for part in laid.chunks(SIZE) {
            for (laid, outcome) in part.iter().zip(self.outcomes(part, side)) {
                self.undamaged.insert((side, laid.setting), outcome);
            }
        }
    }

    fn outcomes(&self, laid: &[PlacedFile], side: Side) -> Vec<ToolRun> {
        for (number, laid) in laid.iter().enumerate() {
            self.lay_out(number, laid);
        }
        let mut outcomes: BTreeMap<usize, ToolRun> = BTreeMap::new();
        let seconds = if side == Side::Ours { SECONDS } else { SECONDS_OF_REFERENCE };
        let mut script = format!(
            "export MODUTILS_EXPLAIN=always; ulimit -c 0; ulimit -t {seconds}; ulimit -v {MEMORY}; ulimit -f {BLOCKS}\n"
        );
        for (number, laid) in laid.iter().enumerate() {
            let action = &self.subjects[laid.setting.subject].actions[laid.setting.action];
            if action.loads {
                outcomes.insert(number, self.run_with_kernel(number, laid, side));
            } else {
                script.push_str(&self.lines(number, laid, side));
            }
        }
        self.root.shell(&[side], &script);
        for number in 0..laid.len() {
            let read = |name: &str| self.root.read(&format!("{DIRECTORY}/{number}/{name}"));
            outcomes.entry(number).or_insert_with(|| {
                let code = String::from_utf8(read("code")).expect("a number");
                let code: i32 = code.trim().parse().expect("an exit code");
                // A shell reports signals this way.
                let (code, signal) = if code > 128 { (None, Some(code - 128)) } else { (Some(code), None) };
                ToolRun {
                    code,
                    signal,
                    stdout: read("stdout"),
                    stderr: read("stderr"),
                    files: BTreeMap::new(),
                }
            });
        }
        let outcomes = outcomes.into_iter().map(|(number, outcome)| {
            let files = self.written(number);
            ToolRun { files, ..outcome }.without(&format!("/{DIRECTORY}/{number}/"))
        });
        let outcomes = outcomes.collect();
        if !self.keep {
            fs::remove_dir_all(self.root.path().join(DIRECTORY)).expect("a directory of our own");
        }
        outcomes
    }

    fn lay_out(&self, number: usize, laid: &PlacedFile) {
        let subject = &self.subjects[laid.setting.subject];
        let directory = format!("{DIRECTORY}/{number}");
        if self.keep {
            let _ = fs::remove_dir_all(self.root.path().join(&directory));
        }
        self.root.write(&format!("{directory}/{}", laid.setting.place(subject)), laid.bytes);
        for (path, target) in &subject.links {
            self.root.symlink(target, &format!("{directory}/{path}"));
        }
        self.root.create_dir(&format!("{directory}/out"));
    }

    /// The tool and its arguments for a case.
    fn words(&self, number: usize, laid: &PlacedFile, side: Side) -> Vec<String> {
        let subject = &self.subjects[laid.setting.subject];
        let action = &subject.actions[laid.setting.action];
        let directory = format!("/{DIRECTORY}/{number}");
        let file = format!("{directory}/{}", laid.setting.place(subject));
        let args = action.args.iter().map(|arg| arg.replace("{file}", &file).replace("{}", &directory));
        std::iter::once(format!("/{}/{}", side.dir(), action.tool)).chain(args).collect()
    }

    /// The lines of the script that run a case.
    fn lines(&self, number: usize, laid: &PlacedFile, side: Side) -> String {
        let subject = &self.subjects[laid.setting.subject];
        let action = &subject.actions[laid.setting.action];
        let words: Vec<String> =
            self.words(number, laid, side).iter().map(|word| format!("'{word}'")).collect();
        let directory = format!("/{DIRECTORY}/{number}");
        let run = format!(
            "{} </dev/null >{directory}/stdout 2>{directory}/stderr; echo $? >{directory}/code\n",
            words.join(" ")
        );
        match &action.copied_to {
            Some(path) => {
                let file = format!("{directory}/{}", laid.setting.place(subject));
                let kept =
                    if path == "proc/cmdline" { format!("cat /cmdline >/{path}\n") } else { String::new() };
                format!("cat {file} >/{path}\n{run}{kept}")
            }
            None => run,
        }
    }

    /// A run with a fake kernel, under the same limits.
    fn run_with_kernel(&self, number: usize, laid: &PlacedFile, side: Side) -> ToolRun {
        self.root.shell(&[side], "");
        let _ = fs::remove_dir_all(self.root.path().join("sys/module"));
        let kernel = FakeKernel::new(self.root.path(), self.root.version());
        let bounds = format!("ulimit -c 0; ulimit -t {SECONDS}; ulimit -v {MEMORY}; exec \"$@\"");
        let start = Start::new("/bin/sh")
            .args(["-c", &bounds, "sh"])
            .args(self.words(number, laid, side))
            .env("PATH", "/bin")
            .env("MODUTILS_EXPLAIN", "always")
            .deadline(Duration::from_secs(6 * SECONDS));
        let run = kernel.run(&start);
        ToolRun {
            code: run.status.code(),
            signal: run.status.signal(),
            stdout: run.stdout,
            stderr: run.stderr,
            files: BTreeMap::new(),
        }
    }

    /// The files that depmod wrote.
    fn written(&self, number: usize) -> BTreeMap<String, Vec<u8>> {
        let directory = format!("{DIRECTORY}/{number}/out/{}", self.root.module_path(""));
        if self.root.exists(&directory) { self.root.indexes_in(&directory) } else { BTreeMap::new() }
    }
}

impl Drop for DamageRoot {
    fn drop(&mut self) {
        if self.keep {
            let place = self.root.path().with_extension("kept");
            if fs::rename(self.root.path(), &place).is_ok() {
                println!("the files are in {}/{DIRECTORY}", place.display());
            }
        }
    }
}
