//! `cargo xtask damage` runs this: what inputs cost that are made to cost much.
//!
//! Each subject comes in three sizes, N, 2N and 4N. The processor time must not grow faster than input and output
//! together (a fitted exponent below 1.2, where it is long enough to be measured), nor may the instructions, which decide
//! where the time does: it also grows where the processor's caches no longer hold the input, and with what else the machine
//! does. Neither time nor memory may be out of proportion to what is there. The packaged kmod's figures stand beside ours and decide nothing.

mod subjects;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use subjects::{SUBJECTS, Subject};
use testkit::{Side, TestRoot, callgrind};
use wait4::Wait4;

/// Below this a figure is the machine's noise, and the subject is cheap.
const MEASURABLE: f64 = 0.2;
/// The fastest growth: 1 is that of the input.
const EXPONENT: f64 = 1.2;
/// For files of a mebibyte and more: processor time, and resident memory, for each MiB that is read, held or written.
const SECONDS: f64 = 0.5;
const RESIDENT: f64 = 64.0;
/// Resident memory that is always allowed, besides what a compressed file holds.
const BASE: f64 = 64.0;
/// Processor time for each MiB that is decompressed.
const DECOMPRESSED: f64 = 0.02;
/// MiB of messages that are always allowed.
const MESSAGES: f64 = 1.0;
/// Seconds of processor time after which a run is ended.
const LIMIT: u32 = 30;
/// The same for the packaged kmod, which does not always come to an end.
const LIMIT_OF_REFERENCE: u32 = 5;

/// The argument that makes this program a [`Runner`].
const RUNNER: &str = "--runner";

/// What a run came to.
#[derive(Debug, Clone, Copy)]
struct Cost {
    seconds: f64,
    /// MiB.
    resident: f64,
    /// MiB of messages.
    messages: f64,
    /// Whether it came to an end by itself, with an exit code of its own.
    ended: bool,
}

/// A subject in one size.
struct Measured {
    /// MiB of input and output together, decompressed.
    size: f64,
    /// MiB that the input holds, where it is compressed.
    plain: f64,
    ours: Cost,
    theirs: Cost,
}

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    if only == RUNNER {
        serve();
        return ExitCode::SUCCESS;
    }
    let mut runner = Runner::start();
    println!(
        "{:34} {:>24} {:>22} {:>5} {:>16}  kmod 34.2: CPU s, MiB",
        "subject", "MiB in and out, N to 4N", "CPU s", "exp.", "resident MiB"
    );
    let mut wrong = Vec::new();
    for subject in SUBJECTS.iter().filter(|subject| subject.name.contains(&only)) {
        let sizes = [1, 2, 4].map(|factor| measure(&mut runner, subject, subject.least * factor));
        let mut exponent = exponent(&sizes);
        println!("{}", line(subject, &sizes, exponent));
        if exponent.is_some_and(|exponent| exponent >= EXPONENT) && callgrind::is_installed() {
            exponent = Some(exponent_of_instructions(subject, &sizes));
            println!("{:34} by instructions {:.2}", "", exponent.unwrap_or_default());
        }
        wrong.extend(faults(&sizes, exponent).into_iter().map(|fault| format!("{}: {fault}", subject.name)));
    }
    wrong.iter().for_each(|fault| println!("{fault}"));
    println!("{} wrong", wrong.len());
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(runner: &mut Runner, subject: &Subject, count: usize) -> Measured {
    let root = prepared(subject, count);
    let directory = root.path().join(root.module_path(""));
    let ours = run(runner, &root, Side::Ours, subject.command);
    let places = [directory, root.path().join("etc"), root.path().join("tmp")];
    // What works on indexes opens no module: to count those would hide how fast the cost grows, or pretend that it does.
    let is_read = |path: &Path| subject.before.is_empty() || path.extension().is_none_or(|end| end != "ko");
    let size = places.iter().map(|place| bytes_in(place, &is_read)).sum::<u64>() as f64 / f64::from(1 << 20);
    // The same beginning.
    let theirs = run(runner, &root, Side::Kmod34, subject.command);
    let plain = (subject.plain * count) as f64 / f64::from(1 << 20);
    Measured { size, plain, ours, theirs }
}

/// A root with a subject's files, and with our tools.
fn prepared(subject: &Subject, count: usize) -> TestRoot {
    let root = TestRoot::new();
    subject.make.make(&root, count);
    for tool in subject.before {
        root.run(Side::Ours, tool[0], &tool[1..]);
    }
    root.run(Side::Ours, "kmod", &["--version"]);
    root
}

/// The cheaper of two runs: the machine does other things as well.
fn run(runner: &mut Runner, root: &TestRoot, side: Side, command: &[&str]) -> Cost {
    // Puts the side's programs into the root.
    root.run(side, "kmod", &["--version"]);
    let first = runner.run(root, side, command);
    if !first.ended || first.seconds < MEASURABLE || side != Side::Ours {
        return first;
    }
    let second = runner.run(root, side, command);
    if second.seconds < first.seconds { second } else { first }
}

/// Starts the programs that are measured. The largest memory of a process is at first that of the one it was forked
/// from, so a small one does it.
struct Runner {
    commands: ChildStdin,
    costs: BufReader<ChildStdout>,
}

impl Runner {
    fn start() -> Runner {
        let own = std::env::current_exe().expect("a program");
        let mut child = Command::new(own).arg(RUNNER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.as_mut().expect("this program again");
        let (commands, costs) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Runner { commands, costs: BufReader::new(costs) }
    }

    fn run(&mut self, root: &TestRoot, side: Side, command: &[&str]) -> Cost {
        let program = format!("/{}/{}", side.dir(), command[0]);
        let limit = if side == Side::Ours { LIMIT } else { LIMIT_OF_REFERENCE }.to_string();
        let words = [&[&limit, root.path().to_str().expect("UTF-8"), &program], &command[1..]].concat();
        writeln!(self.commands, "{}", words.join("\t")).expect("a runner");
        let mut line = String::new();
        self.costs.read_line(&mut line).expect("a runner");
        let mut figures = line.split_whitespace().map(|figure| figure.parse::<f64>().expect("a figure"));
        let mut next = || figures.next().expect("four figures");
        let [seconds, resident, messages, code] = [(); 4].map(|()| next());
        Cost {
            seconds,
            resident: resident / 1024.0,
            messages: messages / f64::from(1 << 20),
            ended: code < 126.0,
        }
    }
}

/// For each line, a limit of seconds, a root and a command, prints the seconds, the KiB, the bytes of messages and the
/// exit code; that is 255 after a signal.
fn serve() {
    for line in std::io::stdin().lines() {
        let line = line.expect("a line");
        let (limit, words) = line.split_once('\t').expect("a limit and a command");
        let mut process = Command::new("prlimit");
        process
            .args([&format!("--cpu={limit}"), "--as=4294967296", "/usr/sbin/chroot"])
            .args(words.split('\t'));
        process.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let messages = tempfile::tempfile().expect("a file");
        let own = messages.try_clone().expect("a descriptor");
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(own);
        let used =
            process.spawn().and_then(|mut child| child.wait4()).expect("prlimit (util-linux) and chroot");
        let seconds = (used.rusage.utime + used.rusage.stime).as_secs_f64();
        let messages = messages.metadata().expect("a size").len();
        let (resident, code) = (used.rusage.maxrss / 1024, used.status.code().unwrap_or(255));
        println!("{seconds} {resident} {messages} {code}");
    }
}

/// The exponent by which time grows with size; `None` where there is too little of either to be seen.
fn exponent([first, _, last]: &[Measured; 3]) -> Option<f64> {
    let is_seen = last.ours.seconds >= MEASURABLE && last.size > first.size * 1.5;
    is_seen.then(|| (last.ours.seconds / first.ours.seconds.max(0.005)).ln() / (last.size / first.size).ln())
}

/// The same for the instructions of the smallest size and the largest one.
fn exponent_of_instructions(subject: &Subject, [first, _, last]: &[Measured; 3]) -> f64 {
    let [few, many] = [1, 4].map(|factor| {
        let root = prepared(subject, subject.least * factor);
        callgrind::install(root.path()).expect("callgrind in a root");
        let program = format!("/{}/{}", Side::Ours.dir(), subject.command[0]);
        callgrind::count(root.path(), &program, &subject.command[1..]).expect("callgrind's count")
    });
    (many / few).ln() / (last.size / first.size).ln()
}

fn faults(sizes: &[Measured; 3], exponent: Option<f64>) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(exponent) = exponent.filter(|exponent| *exponent >= EXPONENT) {
        faults.push(format!("the cost grows by the power of {exponent:.2}"));
    }
    for Measured { size, plain, ours, .. } in sizes {
        if !ours.ended {
            faults.push(format!("{size:.1} MiB: it did not end within {LIMIT} s"));
        }
        if ours.seconds > SECONDS * size.max(1.0) + DECOMPRESSED * plain {
            faults.push(format!("{size:.1} MiB take {:.2} s", ours.seconds));
        }
        if ours.resident > BASE + plain + RESIDENT * size {
            faults.push(format!("{size:.1} MiB take {:.0} MiB of memory", ours.resident));
        }
        if ours.messages > MESSAGES + size {
            faults.push(format!("{size:.1} MiB give {:.0} MiB of messages", ours.messages));
        }
    }
    faults
}

fn line(subject: &Subject, sizes: &[Measured; 3], exponent: Option<f64>) -> String {
    let all = |of: &dyn Fn(&Measured) -> String| sizes.iter().map(of).collect::<Vec<_>>().join(" ");
    let theirs = |measured: &Measured| match measured.theirs {
        Cost { seconds, resident, ended: true, .. } => format!("{seconds:.2},{resident:.0}"),
        Cost { seconds, .. } => format!(">{seconds:.0}"),
    };
    format!(
        "{:34} {:>24} {:>22} {:>5} {:>16}  {}",
        subject.name,
        all(&|measured| format!("{:.2}", measured.size)),
        all(&|measured| format!("{:.2}", measured.ours.seconds)),
        exponent.map_or_else(|| "-".to_owned(), |exponent| format!("{exponent:.2}")),
        all(&|measured| format!("{:.0}", measured.ours.resident)),
        all(&theirs),
    )
}

/// The bytes of the files below a directory that are read or written, links not followed.
fn bytes_in(directory: &Path, is_read: &dyn Fn(&Path) -> bool) -> u64 {
    let files = walkdir::WalkDir::new(directory).into_iter().filter_map(Result::ok);
    files
        .filter(|entry| entry.file_type().is_file() && is_read(entry.path()))
        .filter_map(|entry| entry.metadata().ok())
        .map(|file| file.size())
        .sum()
}
