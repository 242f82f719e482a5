//! insmod, modprobe and rmmod: a fake kernel lists the modules that are loaded afterwards.

use std::cell::RefCell;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;

use testkit::{Compression, Crc, FakeKernel, Fault, Outcome, Side, Start, TestRoot, TracedRun};

use super::{Defect, FaultSubject, StateAfter};
use crate::{add_ordered, module};

/// A tool that loads, removes or shows modules.
pub struct Load {
    root: TestRoot,
    kernel: RefCell<FakeKernel>,
    side: Side,
    /// The tool and its arguments.
    line: &'static [&'static str],
    /// The modules loaded before.
    before: &'static [(&'static str, &'static [&'static str])],
    /// The modules loaded afterwards, newest first.
    after: &'static [&'static str],
}

/// A subject's name and command line, and the modules loaded before and afterwards.
type ToolLine = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static [&'static str])],
    &'static [&'static str],
);

const LINES: [ToolLine; 7] = [
    ("insmod", &["insmod", "/lib/modules/alone.ko", "x=1"], &[], &["alone"]),
    ("insmod xz", &["insmod", "/lib/modules/packed.ko.xz"], &[], &["packed"]),
    ("modprobe", &["modprobe", "upper"], &[], &["upper", "lower"]),
    ("modprobe with an install command", &["modprobe", "commanded"], &[], &["alone"]),
    ("modprobe -r", &["modprobe", "-r", "upper"], &[("lower", &[]), ("upper", &["lower"])], &[]),
    ("modprobe -D", &["modprobe", "-D", "upper"], &[], &[]),
    ("rmmod", &["rmmod", "lower"], &[("lower", &[])], &[]),
];

impl Load {
    /// All subjects of one side, by name.
    pub fn all(side: Side) -> Vec<(&'static str, Load)> {
        LINES.map(|(name, line, before, after)| (name, Load::new(side, line, before, after))).into()
    }

    fn new(
        side: Side,
        line: &'static [&'static str],
        before: &'static [(&'static str, &'static [&'static str])],
        after: &'static [&'static str],
    ) -> Load {
        let root = TestRoot::in_memory();
        let lower = module("lower").export("fn", Crc::Section(1));
        let upper = module("upper").needs("fn", 1).modinfo("depends", "lower").alias("upper-alias");
        add_ordered(&root, "kernel/lower.ko", &lower);
        add_ordered(&root, "kernel/upper.ko", &upper);
        root.write("lib/modules/alone.ko", module("alone").build());
        root.write("lib/modules/packed.ko.xz", module("packed").compressed(Compression::Xz).build());
        let command = format!("/{}/insmod /lib/modules/alone.ko", side.dir());
        root.write("etc/modprobe.d/some.conf", format!("install commanded {command}\noptions upper y=2\n"));
        root.run(side, "depmod", &[]).succeeds();
        let kernel = RefCell::new(FakeKernel::new(root.path(), root.version()));
        Load { root, kernel, side, line, before, after }
    }
}

impl FaultSubject for Load {
    fn restore(&self) {
        let sys = self.root.path().join("sys/module");
        std::fs::remove_dir_all(&sys).expect("a directory of the test root");
        self.root.create_dir("sys/module").write("proc/modules", "");
        let kernel = FakeKernel::new(self.root.path(), self.root.version());
        for (module, depends) in self.before {
            kernel.loaded(module, depends);
        }
        self.kernel.replace(kernel);
    }

    fn start(&self) -> Start {
        let (tool, arguments) = self.line.split_first().expect("a command line");
        Start::new(format!("/{}/{tool}", self.side.dir()))
            .args(arguments)
            .env("PATH", "/bin")
            .env("MODUTILS_EXPLAIN", "always")
    }

    fn trace(&self, start: &Start, fault: Option<Fault>) -> TracedRun {
        self.kernel.borrow().trace(start, fault)
    }

    /// A run that fails after it has loaded a dependency has changed something, which is not a defect. Neither is the work
    /// of a command whose end could not be observed.
    fn judge(&self, run: &Outcome, undisturbed: &Outcome) -> (StateAfter, Vec<Defect>) {
        let names = self.kernel.borrow().loaded_names();
        let as_asked = names == self.after.iter().map(OsString::from).collect::<Vec<_>>();
        let mut before: Vec<OsString> = self.before.iter().map(|(name, _)| name.into()).collect();
        before.reverse();
        let left = match () {
            () if as_asked => StateAfter::New,
            () if names == before => StateAfter::Old,
            () => StateAfter::Mixed,
        };
        let reported = !run.stderr.is_empty();
        // A dependency that nobody uses any more goes where it can; that it could not is reported. So is
        // configuration that cannot be read: modprobe goes on without, as kmod does in silence.
        let kept = self.line.contains(&"-r") && left == StateAfter::Mixed && reported;
        let done = (as_asked || kept) && (reported || run.stdout == undisturbed.stdout);
        let wrong = run.status.signal().is_none() && run.status.success() && !done;
        (left, if wrong { vec![Defect::Silent] } else { Vec::new() })
    }
}
