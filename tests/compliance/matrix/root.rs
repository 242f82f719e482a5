//! The root of every case, and what cases change there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use testkit::{Compression, Crc, FakeKernel, ModuleBuilder, Start, TestRoot, VersionTables};

use super::case::Step;
use super::release::RELEASE;

/// A root with the module directory, whose files all roots share: to create them takes longer than to run a tool.
pub(crate) fn fresh() -> TestRoot {
    static SHARED: OnceLock<TestRoot> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let root = TestRoot::with_version(RELEASE);
        for (path, bytes) in modutils_tests::module_directory(RELEASE, &modules()) {
            root.write(&path, bytes);
        }
        root
    });
    let root = TestRoot::with_version(RELEASE);
    root.add_modules_of(shared);
    root
}

/// Prepares the root, the kernel or the start of a program.
pub(crate) fn apply_step(step: &Step, root: &TestRoot, kernel: &FakeKernel, start: Start) -> Start {
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
