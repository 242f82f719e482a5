//! The root of every case, and a run of one side in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use testkit::{
    Call, Compression, Crc, FakeKernel, ModuleBuilder, Outcome, Side, Start, TestRoot, VersionTables,
};
use testkit::{cache, under_test};

use super::case::{Case, Step};
use super::release::RELEASE;

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
        start = apply_step(step, &root, &kernel, start);
    }
    let has_log = !case.steps.iter().any(|step| matches!(step, Step::NoLog));
    let log = has_log.then(|| listen(&root));
    let outcome = kernel.run(&start.args(argv.iter().map(|argument| OsStr::from_bytes(argument))));
    Observed {
        outcome,
        loaded: kernel.loaded_names().iter().map(|name| name.to_string_lossy().into_owned()).collect(),
        files: files(&root.path().join("tmp"), ""),
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

fn apply_step(step: &Step, root: &TestRoot, kernel: &FakeKernel, start: Start) -> Start {
    match step {
        Step::File(path, bytes) => {
            root.write(path, bytes);
        }
        Step::Link(target, path) => {
            root.symlink(target, path);
        }
        Step::Dir(path) => {
            root.create_dir(path);
        }
        Step::Delete(path) => {
            root.remove(path);
        }
        Step::Loaded(name, depends) => {
            kernel.loaded(name, depends);
        }
        Step::Users(name, users) => {
            kernel.users(name, *users);
        }
        Step::State(name, state) => {
            kernel.state(name, state);
        }
        Step::Refuse(name, errno) => {
            kernel.refuse_load(name, *errno);
        }
        Step::Keep(name, errno) => {
            kernel.refuse_removal(name, *errno);
        }
        Step::FinitFails(errno) => {
            kernel.finit_fails(*errno);
        }
        Step::Decompresses(compression) => {
            kernel.decompresses(*compression);
        }
        Step::UsersAfter(delay, name, users) => {
            kernel.users_after(*delay, name, *users);
        }
        Step::Env(name, value) => return start.env(name, OsStr::from_bytes(value)),
        Step::Name(name) => return start.name(name),
        Step::Directory(path) => return start.directory(path),
        Step::Closed(descriptor) => return start.closed(*descriptor),
        Step::BrokenPipe => return start.broken_pipe(),
        Step::NoLog => {}
    }
    start
}

fn fresh_root(side: Side) -> TestRoot {
    let root = TestRoot::with_version(RELEASE);
    for (path, bytes) in module_directory() {
        root.write(path, bytes);
    }
    // Installs the side's tools.
    let _ = root.invoke(side, "kmod");
    root.symlink(side.dir(), "sbin");
    root
}

/// The module directory with its indexes, which the packaged depmod wrote, once.
fn module_directory() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let root = TestRoot::with_version(RELEASE);
        let mut order = String::new();
        for (file, module) in modules() {
            let path = format!("kernel/{file}");
            root.add_module(&path, &module);
            order.push_str(&format!("{path}\n"));
        }
        root.write_module_file("kernel/broken.ko", "this is no module\n");
        root.write_module_file("modules.order", order);
        root.write_module_file("modules.builtin", "kernel/inside.ko\n");
        root.write_module_file("modules.builtin.modinfo", "inside.license=GPL\0inside.alias=inside-alias\0");
        root.reference("depmod", &[RELEASE]).succeeds();
        root.remove(&root.module_path("kernel/gone.ko"));
        let directory = root.module_path("");
        let files = files(&root.path().join(&directory), "");
        files.into_iter().map(|(path, bytes)| (format!("{directory}/{path}"), bytes)).collect()
    })
}

/// The modules of that directory, in module order.
fn modules() -> Vec<(&'static str, ModuleBuilder)> {
    let bare = |name: &str| ModuleBuilder::new(name).modinfo("license", "GPL");
    let module = |name: &str| bare(name).modinfo("vermagic", format!("{RELEASE} SMP mod_unload "));
    let foreign = |name: &str| bare(name).modinfo("vermagic", "5.0.0-other SMP mod_unload ");
    vec![
        (
            "alone.ko",
            module("alone").alias("pci:v*d0001*").alias("alone-alias").modinfo("parmtype", "depth:int"),
        ),
        ("lower.ko", module("lower").export("low", Crc::Section(0x1111_1111))),
        (
            "middle.ko",
            module("middle")
                .modinfo("depends", "lower")
                .needs("low", 0x1111_1111)
                .export("mid", Crc::Section(0x2222_2222)),
        ),
        ("upper.ko", module("upper").modinfo("depends", "middle").needs("mid", 0x2222_2222)),
        ("side.ko", module("side").modinfo("depends", "lower").needs("low", 0x1111_1111)),
        ("dash-ed.ko", module("dash_ed").alias("usb:v1234-p*").alias("usb:[a-c]-x")),
        ("packed_xz.ko.xz", module("packed_xz").compressed(Compression::Xz)),
        ("packed_zst.ko.zst", module("packed_zst").compressed(Compression::Zstd)),
        ("packed_gz.ko.gz", module("packed_gz").compressed(Compression::Gzip)),
        ("foreign.ko", foreign("foreign")),
        ("versioned.ko", module("versioned").needs("kernel_symbol", 0xdead_beef)),
        ("both.ko", foreign("both").needs("kernel_symbol", 0xdead_beef)),
        ("twin_a.ko", module("twin_a").alias("twins:*")),
        ("twin_b.ko", module("twin_b").alias("twins:*")),
        ("soft.ko", module("soft").modinfo("softdep", "pre: alone post: side")),
        ("weak.ko", module("weak").modinfo("weakdep", "alone")),
        ("gone.ko", module("gone").export("away", Crc::None)),
        ("needs_gone.ko", module("needs_gone").modinfo("depends", "gone").needs("away", None)),
        (
            "rustic.ko",
            module("rustic").version_tables(VersionTables::Extended).needs("_R".repeat(60), 0x3333_3333),
        ),
        ("node.ko", module("node").alias("devname:cool/node").alias("char-major-10-200")),
        ("block.ko", module("block").alias("devname:blk").alias("block-major-7-1")),
    ]
}

/// The files below a directory, by path.
fn files(directory: &Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory of the root").flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("a directory entry has a type");
        if kind.is_dir() {
            found.extend(files(&entry.path(), &format!("{name}/")));
        } else if kind.is_file() {
            found.insert(name, fs::read(entry.path()).expect("root reads everything"));
        }
    }
    found
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
