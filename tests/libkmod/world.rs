//! The root that every script runs in, and running one on both sides.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use testkit::{
    Call, Compression, Crc, FakeKernel, ModuleBuilder, Side, SigningKey, Start, TestRoot, surroundings,
    under_test,
};

use crate::calls::{self, Counts};

/// The release of the root's kernel.
pub(crate) const RELEASE: &str = "6.12.0-test";

/// A line of the packaged library's output, and ours in its place. Either may be several lines, or empty.
pub(crate) type Difference<'a> = (&'a str, &'a str);

/// What one side printed and did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) output: String,
    pub(crate) errors: String,
    pub(crate) calls: Vec<Call>,
    /// How often each function was called.
    pub(crate) counts: Counts,
}

/// A script with what it runs in.
pub(crate) struct Script<'a> {
    text: String,
    files: Vec<(&'a str, Vec<u8>)>,
    absent: Vec<String>,
    kernel: Box<dyn Fn(&FakeKernel) + 'a>,
    variables: Vec<(&'a str, &'a str)>,
    differences: &'a [Difference<'a>],
}

/// A script in the root's standard state.
pub(crate) fn script(text: &str) -> Script<'_> {
    let text = text.lines().map(|line| format!("{}\n", line.trim())).collect();
    Script {
        text,
        files: Vec::new(),
        absent: Vec::new(),
        kernel: Box::new(|_| ()),
        variables: Vec::new(),
        differences: &[],
    }
}

impl<'a> Script<'a> {
    /// With one more file in the root.
    pub(crate) fn file(mut self, path: &'a str, bytes: impl AsRef<[u8]>) -> Self {
        self.files.push((path, bytes.as_ref().to_vec()));
        self
    }

    /// With a configuration file.
    pub(crate) fn config(self, text: &str) -> Self {
        self.file("etc/modprobe.d/t.conf", text)
    }

    /// Without a file of the standard state.
    pub(crate) fn without(mut self, path: &str) -> Self {
        self.absent.push(path.to_owned());
        self
    }

    /// With a kernel in this state.
    pub(crate) fn kernel(mut self, prepare: impl Fn(&FakeKernel) + 'a) -> Self {
        self.kernel = Box::new(prepare);
        self
    }

    /// With one more environment variable.
    pub(crate) fn variable(mut self, name: &'a str, value: &'a str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// With these differences, in the order in which they show.
    pub(crate) fn differs(mut self, differences: &'a [Difference<'a>]) -> Self {
        self.differences = differences;
        self
    }

    /// Runs it on both sides and compares. Returns what ours did.
    ///
    /// # Panics
    /// When there is a difference that was not named, or a named one does not show.
    #[track_caller]
    pub(crate) fn compare(self) -> Observed {
        let (ours, theirs) = self.compared();
        assert_eq!(ours.calls, theirs.calls, "{}", ours.output);
        ours
    }

    /// The same where the system calls differ because what is loaded does.
    #[track_caller]
    pub(crate) fn compare_output(self) -> Observed {
        self.compared().0
    }

    #[track_caller]
    fn compared(&self) -> (Observed, Observed) {
        let (ours, theirs) = (self.run(Side::Ours), self.run(Side::Kmod34));
        // It leaves errno as it happens to be.
        let theirs_output = theirs.output.replace(" (errno differs)", "");
        let mut expected = String::new();
        let mut rest = theirs_output.as_str();
        let mut differing = Vec::new();
        for (there, here) in self.differences {
            let Some((before, after)) = split_at_lines(rest, there) else {
                panic!("the packaged library does not print {there:?} in the rest:\n{rest}");
            };
            expected.push_str(before);
            expected.push_str(here);
            let same = there.bytes().zip(here.bytes()).take_while(|(one, other)| one == other).count();
            let at = theirs_output.len() - rest.len() + before.len() + same;
            differing.push(command_at(&theirs_output, at));
            rest = after;
        }
        expected.push_str(rest);
        if ours.output != expected {
            let shown = difference(&expected, &ours.output);
            panic!("{shown}\nour errors: {}\ntheir errors: {}", ours.errors, theirs.errors);
        }
        // The script with NULL for every object calls everything, and shows nothing of what it does.
        if !self.text.lines().any(|line| line == "null") {
            ours.counts.record(&differing);
        }
        (ours, theirs)
    }

    /// Runs it on one side.
    pub(crate) fn run(&self, side: Side) -> Observed {
        let root = TestRoot::with_version(RELEASE);
        for (path, bytes) in module_directory() {
            root.write(path, bytes);
        }
        for (path, bytes) in &self.files {
            root.write(path, bytes);
        }
        for path in &self.absent {
            root.remove(path);
        }
        root.write("script", &self.text);
        let mut start = start(&root, side, "/script");
        for (name, value) in &self.variables {
            start = start.env(name, value);
        }
        let kernel = FakeKernel::new(root.path(), RELEASE);
        kernel.crc("kernel_symbol", 0xcafe);
        (self.kernel)(&kernel);
        observe(&root, &kernel, &start, side)
    }
}

/// Runs `/script` in a root.
pub(crate) fn observe(root: &TestRoot, kernel: &FakeKernel, start: &Start, side: Side) -> Observed {
    let outcome = kernel.run(start);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let errors = text(&outcome.stderr);
    let output = text(&outcome.stdout);
    assert!(outcome.status.success(), "{side:?}: {}: {errors}\n{output}", outcome.status);
    Observed { output, errors, calls: outcome.calls, counts: Counts::of(root, "/script") }
}

/// The program about to run a script in a root, with the library of a side.
pub(crate) fn start(root: &TestRoot, side: Side, script: &str) -> Start {
    if !root.exists("drive") {
        place(driver(), &root.path().join("drive"));
        root.create_dir("ours-lib");
        place(under_test::libkmod(), &root.path().join("ours-lib/libkmod.so.2"));
    }
    let start = Start::new("/drive").arg(script).env("PATH", "/bin").env("CALLS", calls::file(script));
    let start = start.deadline(Duration::from_secs(120));
    if side == Side::Ours { start.env("LD_LIBRARY_PATH", "/ours-lib") } else { start }
}

/// The text before and after some whole lines.
fn split_at_lines<'a>(text: &'a str, lines: &str) -> Option<(&'a str, &'a str)> {
    let at = text.match_indices(lines).map(|(at, _)| at);
    let mut whole = at.filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n');
    let at = whole.next()?;
    Some((&text[..at], &text[at + lines.len()..]))
}

/// The first word of the script's line whose output has a byte: those lines are not indented.
fn command_at(output: &str, at: usize) -> String {
    let line_end = output[at..].find('\n').map_or(output.len(), |length| at + length);
    let mut lines = output[..line_end].lines().rev();
    let line = lines.find(|line| !line.starts_with(' ')).unwrap_or_default();
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// What diff(1) shows of two outputs.
pub(crate) fn difference(expected: &str, ours: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in [("expected", expected), ("ours", ours)] {
        fs::write(directory.path().join(name), text).expect("a file of our own");
    }
    let mut diff = surroundings::program("diff");
    diff.args(["-U", "3"]).args(["expected", "ours"].map(|name| directory.path().join(name)));
    String::from_utf8_lossy(&diff.output().expect("diff starts").stdout).into_owned()
}

/// A copy in another process: a program that this one has open for writing could not be started.
fn place(from: &Path, to: &Path) {
    let copied = surroundings::program("cp").arg(from).arg(to).status().expect("cp starts");
    assert!(copied.success(), "cannot copy {}", from.display());
}

/// The program, linked with our library, whose nodes the packaged one must have as well.
pub(crate) fn driver() -> &'static Path {
    static PATH: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = PATH.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("drive");
        let header = directory.path().join("counted.h");
        fs::write(&header, calls::header()).expect("a file of our own");
        let drive = concat!(env!("CARGO_MANIFEST_DIR"), "/libkmod/drive.c");
        compile(&path, &[drive], &["-include", &header.to_string_lossy()]);
        // For programs that run outside of a root.
        place(under_test::libkmod(), &directory.path().join("libkmod.so.2"));
        (directory, path)
    });
    path
}

/// Compiles a C program against our header, and links it with our library.
pub(crate) fn compile(program: &Path, sources: &[&str], options: &[&str]) {
    let library = under_test::libkmod().to_string_lossy();
    call_compiler(program, &[sources, &[&library]].concat(), options);
}

/// Compiles a C program against our header that opens the library itself.
pub(crate) fn compile_alone(program: &Path, source: &str) {
    call_compiler(program, &[source], &[]);
}

fn call_compiler(program: &Path, sources: &[&str], options: &[&str]) {
    let mut gcc = surroundings::program("gcc");
    gcc.args(["-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I"]);
    gcc.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/libkmod/include"));
    gcc.args(options).arg("-o").arg(program).args(sources);
    let output = gcc.output().expect("gcc starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("a file of our own");
}

/// Writes the module directory below a directory that is no root.
pub(crate) fn write_module_directory(directory: &Path) {
    for (path, bytes) in module_directory() {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory of our own");
        fs::write(path, bytes).expect("a file of our own");
    }
}

/// The module directory with its indexes, once.
fn module_directory() -> &'static BTreeMap<String, Vec<u8>> {
    static FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| modutils_tests::module_directory(RELEASE, &modules()))
}

/// The modules of that directory, in module order.
fn modules() -> Vec<(&'static str, ModuleBuilder)> {
    let module = |name: &str| {
        let module = ModuleBuilder::new(name).modinfo("license", "GPL");
        module.modinfo("vermagic", format!("{RELEASE} SMP mod_unload "))
    };
    let key = std::sync::Arc::new(SigningKey::new("Key of the tests", "0x5929aabb"));
    vec![
        ("base.ko", module("base").export("base_sym", Crc::Absolute(0x1234)).alias("pci:v00001AF4d*sv*")),
        (
            "mid.ko",
            module("mid")
                .modinfo("depends", "base")
                .needs("base_sym", 0x1234)
                .needs_weak("maybe", 0x77)
                .export("mid_sym", Crc::Absolute(0xdead_beef))
                .export("mid_other", Crc::Absolute(1))
                .alias("pci:v00001AF4d00001000sv*"),
        ),
        (
            "top-most.ko",
            module("top_most")
                .modinfo("depends", "mid,base")
                .modinfo("firmware", "top/a.bin")
                .modinfo("firmware", "top/b.bin")
                .modinfo("description", "Two words = a value")
                .modinfo("parm", "level:How much")
                .modinfo("parmtype", "level:int")
                .needs("mid_sym", 0xdead_beef)
                .needs("base_sym", 0x1234)
                .version("module_layout", 0xa1)
                .alias("top-alias[a-c]-*"),
        ),
        ("soft-one.ko", module("soft_one").modinfo("softdep", "pre: base post: alone")),
        ("alone.ko", module("alone").alias("twin").alias("usb:v1D6Bp*")),
        ("other.ko", module("other").alias("twin").modinfo("weakdep", "base")),
        ("exports.ko", module("exports").export("without_crc", Crc::None)),
        ("bare.ko", ModuleBuilder::new("bare")),
        ("signed.ko", module("signed").signed_by(&key, "sha256")),
        ("packed.ko.xz", module("packed").needs("base_sym", 0x1234).compressed(Compression::Xz)),
        (
            "pressed.ko.zst",
            module("pressed").export("pressed_sym", Crc::Absolute(5)).compressed(Compression::Zstd),
        ),
        ("gone.ko", module("gone")),
        ("needs-gone.ko", module("needs_gone").modinfo("depends", "gone")),
        ("foreign.ko", ModuleBuilder::new("foreign").modinfo("vermagic", "5.0.0-other SMP ")),
    ]
}
