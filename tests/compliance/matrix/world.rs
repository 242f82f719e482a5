//! A run of one side in the root of a case.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;
use std::time::Duration;

use modutils_tests::files_below;
use testkit::{Call, FakeKernel, Outcome, Side, Start, TestRoot, cache, under_test};

use super::case::{Case, Step};
use super::release::RELEASE;
use super::root;

/// Much longer than any case takes, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(15);

/// The output and the effects of one side's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) outcome: Outcome,
    /// The modules loaded afterwards, newest first.
    pub(crate) loaded: Vec<String>,
    /// Files in /tmp afterwards.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The messages sent to /dev/log, without the time and the process.
    pub(crate) log: Vec<String>,
}

/// Runs a case's command line on one side in a fresh root.
pub(crate) fn run(case: &Case, argv: &[Vec<u8>], side: Side) -> Observed {
    let root = fresh_root(side);
    let kernel = FakeKernel::new(root.path(), RELEASE);
    kernel.crc("kernel_symbol", 0xcafe);
    let mut start = Start::new(format!("/sbin/{}", case.tool)).env("PATH", "/sbin:/bin").deadline(DEADLINE);
    for step in &case.steps {
        start = root::apply_step(step, &root, &kernel, start);
    }
    let has_log = !case.steps.iter().any(|step| matches!(step, Step::NoLog));
    let log = has_log.then(|| listen(&root));
    let outcome = kernel.run(&start.args(argv.iter().map(|argument| OsStr::from_bytes(argument))));
    Observed {
        outcome,
        loaded: kernel.loaded_names().iter().map(|name| name.to_string_lossy().into_owned()).collect(),
        files: files_below(&root.path().join("tmp"), ""),
        log: log.as_ref().map(received).unwrap_or_default(),
    }
}

/// Whether the packaged kmod is compared with itself: `$MODUTILS_KMOD` names it.
pub(crate) fn reference_is_under_test() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let reference = fs::read(cache::reference("kmod34").join("usr/bin/kmod"));
        fs::read(under_test::kmod()).ok() == reference.ok()
    })
}

fn fresh_root(side: Side) -> TestRoot {
    let root = root::fresh();
    // Installs the side's tools.
    let _ = root.invoke(side, "kmod");
    root.symlink(side.dir(), "sbin");
    root
}

/// A log daemon's socket. It is bound through /proc, because the path of the root may be too long for a socket.
fn listen(root: &TestRoot) -> UnixDatagram {
    use std::os::fd::AsRawFd;
    let directory = fs::File::open(root.path().join("dev")).expect("the root has a /dev");
    let path = format!("/proc/self/fd/{}/log", directory.as_raw_fd());
    let socket = UnixDatagram::bind(path).expect("a socket in the root");
    socket.set_nonblocking(true).expect("sockets can be non-blocking");
    socket
}

fn received(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = vec![0; 65536];
    std::iter::from_fn(|| {
        let length = socket.recv(&mut buffer).ok()?;
        Some(without_time(&String::from_utf8_lossy(&buffer[..length])))
    })
    .collect()
}

/// `<30>Nov 23 09:06:35 modprobe[17]: text` -> `<30>modprobe[PID]: text`.
fn without_time(message: &str) -> String {
    let Some((priority, rest)) = message.split_once('>') else { return message.to_owned() };
    let is_time = rest.len() > 16 && rest.as_bytes()[3] == b' ' && rest.as_bytes()[15] == b' ';
    let rest = if is_time { &rest[16..] } else { rest };
    let text = match (rest.split_once('['), rest.split_once("]: ")) {
        (Some((tag, _)), Some((_, text))) => format!("{tag}[PID]: {text}"),
        _ => rest.to_owned(),
    };
    format!("{priority}>{}", text.trim_end_matches(['\n', '\0']))
}

impl Observed {
    /// Standard error without the internal messages of kmod's library.
    pub(crate) fn messages(&self) -> String {
        tool_messages(&String::from_utf8_lossy(&self.outcome.stderr))
    }

    /// The log without those lines.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.iter().filter(|line| !of_library(line) && complaint(line).is_none()).cloned().collect()
    }

    /// The lines of configuration with complaints, as `FILE line N`. kmod's library prints them to standard error before its
    /// logging is set up, ours are the tool's own messages.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let stderr = String::from_utf8_lossy(&self.outcome.stderr);
        stderr.lines().chain(self.log.iter().map(String::as_str)).filter_map(complaint).collect()
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.outcome.calls
    }
}

fn tool_messages(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !of_library(line) && complaint(line).is_none()).collect()
}

/// `FILE line N` of a message about a bad line; `FILE` where kmod reports no line.
fn complaint(message: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("kmod_config_parse: ") {
        let (file, deprecated) =
            rest.split_once(": command ").map_or((rest, false), |(file, _)| (file, true));
        return if deprecated {
            Some(file.to_owned())
        } else {
            Some(rest.split(": ignoring").next()?.to_owned())
        };
    }
    let (place, rest) = message.split_once(": ignoring bad line starting with ")?;
    let place = place.rsplit_once(": ").map_or(place, |(_, place)| place);
    let file = place.split(" line ").next()?;
    Some(if rest.contains("is deprecated and not parsed") { file } else { place }.to_owned())
}

fn of_library(line: &str) -> bool {
    ["libkmod: ", "../libkmod/", "ctx=0x", ": custom logging function 0x", ": context 0x"]
        .iter()
        .any(|sign| line.contains(sign))
}
