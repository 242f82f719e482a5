//! `--root`: the system in a directory, as that system itself would see it, and nothing of what is outside.

use std::fs;

use modutils_tests::module;
use testkit::surroundings::program;
use testkit::{
    Crc, Errno, FakeKernel, Fault, FaultEffect, Side, Start, TargetCall, TestRoot, TracedPath, TracedRun,
};

/// `RESOLVE_IN_ROOT` of `include/uapi/linux/openat2.h`.
const IN_ROOT: u64 = 0x10;

/// `O_NOFOLLOW` on x86.
const NOFOLLOW: u64 = 0o400_000;
/// `O_CLOEXEC | O_NONBLOCK`, for reading.
const OF_COPY: u64 = 0o2_004_000;

/// `O_LARGEFILE`, which musl adds.
const LARGE_FILE: u64 = 0o100_000;

/// Where the system is that the tools are to look at.
const IMAGE: &str = "/image";

/// Text of what no tool may read.
const DECOY: &str = "decoy";

/// A system whose files are behind links of every kind. Below a prefix it is an image, without one a root.
///
/// The module directory, that of the configuration, a module and a firmware file are behind absolute links; another
/// module is behind a link with more `..` than there are directories.
fn populate(root: &TestRoot, prefix: &str) {
    let at = |path: &str| format!("{prefix}{path}");
    let version = root.version();
    let base = module("base").modinfo("license", "GPL").export("base_fn", Crc::Section(0x0b));
    let top = module("top")
        .modinfo("license", "GPL")
        .modinfo("description", "The right one")
        .modinfo("firmware", "fw/one.bin")
        .modinfo("softdep", "pre: extra")
        .modinfo("parm", "depth:how deep")
        .modinfo("parmtype", "depth:int")
        .alias("fs-top")
        .needs("base_fn", 0x0b);
    let extra = module("extra").alias("devname:extra/node").alias("char-major-10-200");
    root.write(&at("/srv/top.ko"), top.build())
        .write(&at("/data/deep/base.ko"), base.build())
        .write(&at("/var/tree/kernel/extra.ko"), extra.build())
        .symlink("/srv/top.ko", &at("/var/tree/kernel/top.ko"))
        .symlink("../../../../../../../../../../data/deep/base.ko", &at("/var/tree/kernel/base.ko"))
        .symlink("/data/linked", &at("/var/tree/updates"))
        .write(&at("/data/linked/more.ko"), module("more").build())
        .write(&at("/opt/modprobe.d/local.conf"), "options top depth=3\nalias other top\n")
        .symlink("/opt/named.conf", &at("/opt/modprobe.d/named.conf"))
        .write(&at("/opt/named.conf"), "blacklist more\n")
        .symlink("/nowhere", &at("/etc/depmod.d/gone"))
        .write(&at("/etc/depmod.d/more.conf"), "external * /ext\n")
        .write(&at("/ext/far.ko"), module("far").build())
        .write(&at("/opt/fw/real.bin"), "the firmware")
        .symlink("/opt/fw/real.bin", &at("/lib/firmware/fw/one.bin"));
    let tree = root.path().join(at(&format!("/lib/modules/{version}")).trim_start_matches('/'));
    let _ = fs::remove_dir(&tree);
    root.symlink("/var/tree", &at(&format!("/lib/modules/{version}")));
    let configuration = root.path().join(at("/etc/modprobe.d").trim_start_matches('/'));
    let _ = fs::remove_dir(&configuration);
    root.symlink("/opt/modprobe.d", &at("/etc/modprobe.d"));
    // Neither may be waited for or read to an end that does not come.
    for (tool, path, rest) in [
        ("mkfifo", "/var/tree/kernel/pipe.ko", &[][..]),
        ("mknod", "/var/tree/kernel/zero.ko", &["c", "1", "5"]),
        ("mkfifo", "/opt/modprobe.d/pipe.conf", &[]),
    ] {
        let path = root.path().join(at(path).trim_start_matches('/'));
        assert!(program(tool).arg(path).args(rest).status().unwrap().success());
    }
}

/// A system with an image in it, and decoys wherever a link of the image leads outside of it.
fn with_image() -> TestRoot {
    let root = TestRoot::new();
    populate(&root, IMAGE);
    let decoy = |name: &str| module(name).modinfo("description", DECOY).alias("fs-top").build();
    root.write("/srv/top.ko", decoy("top"))
        .write("/data/deep/base.ko", decoy("base"))
        .write("/var/tree/kernel/extra.ko", decoy("extra"))
        .write("/data/linked/decoy.ko", decoy("decoy"))
        .write("/ext/decoy.ko", decoy("decoy"))
        .write("/opt/modprobe.d/decoy.conf", "options top decoy=1\n")
        .write("/etc/modprobe.d/decoy.conf", "options top decoy=1\n")
        .write("/etc/depmod.d/decoy.conf", "exclude decoy\n")
        .write("/etc/modutils.d/decoy.conf", "deny top decoy\n")
        .write("/opt/named.conf", "options top decoy=1\n")
        .write("/opt/fw/real.bin", DECOY)
        .write_module_file("kernel/top.ko", decoy("top"));
    root.ours("depmod", &[]).succeeds();
    root
}

/// How the kernel answers `openat2(2)`.
const ANSWERS: [Option<Errno>; 3] = [None, Some(Errno::ENOSYS), Some(Errno::EPERM)];

fn traced(root: &TestRoot, tool: &str, arguments: &[&str], openat2: Option<Errno>) -> TracedRun {
    drop(root.invoke(Side::Ours, tool));
    let start = Start::new(format!("/ours/{tool}"))
        .args(arguments)
        .env("PATH", "/bin")
        .env("MODUTILS_EXPLAIN", "always");
    let fault = openat2
        .map(|errno| Fault { target: TargetCall::Every("openat2"), effect: FaultEffect::Fails(errno) });
    FakeKernel::new(root.path(), root.version()).trace(&start, fault)
}

/// Whether a path can lead out of the image: one from the current directory that is not of the kernel and not the image's
/// own; one from a directory that follows links, by other means than `RESOLVE_IN_ROOT`.
fn leaves(path: &TracedPath, outside: &[&str]) -> bool {
    if !path.from_directory {
        let is_below = |top: &&str| {
            path.path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // Of an unoptimised binary, the C library.
        let of_the_loader =
            ["/etc/ld.so", "/lib/x86_64", "/lib64", "/usr/lib/x86_64", "/lib/glibc", "/usr/lib64"];
        let is_library =
            path.path.contains(".so") && of_the_loader.iter().any(|top| path.path.starts_with(top));
        return path.path != IMAGE
            && path.path != "/"
            && !["/proc", "/sys", "/dev"].iter().chain(outside).any(is_below)
            && !is_library
            && !of_the_loader.iter().any(|top| path.path.starts_with(top));
    }
    match path.call {
        "openat2" => path.resolve & IN_ROOT == 0,
        "openat" => {
            let follows = path.flags & NOFOLLOW == 0;
            // depmod reads the modules of the copy by its directory's handle; those of an image, which is a confined root,
            // it never reads so.
            let is_of_copy = !outside.is_empty() && path.flags & !LARGE_FILE == OF_COPY;
            !is_of_copy && (path.path.contains('/') || path.path == ".." || (follows && path.path != "."))
        }
        _ => path.path.contains('/') || path.path == "..",
    }
}

fn stays_inside(run: &TracedRun, outside: &[&str], what: &str) {
    let out: Vec<_> = run.paths.iter().filter(|path| leaves(path, outside)).collect();
    assert!(out.is_empty(), "{what}: {out:#?}");
    for stream in [&run.outcome.stdout, &run.outcome.stderr] {
        assert!(!String::from_utf8_lossy(stream).contains(DECOY), "{what}: {:?}", run.outcome);
    }
}

/// Command lines, the tool first. `ROOT` is where `--root` belongs.
const LINES: [&[&str]; 24] = [
    &["depmod"],
    &["depmod", "-n"],
    &["depmod", "-A"],
    &["modprobe", "-D", "top"],
    &["modprobe", "-D", "other"],
    &["modprobe", "-D", "fs-top"],
    &["modprobe", "-n", "-v", "/srv/top.ko"],
    &["modprobe", "-c"],
    &["modprobe", "-R", "fs-top"],
    &["modprobe", "--show-exports", "base"],
    &["modprobe", "-C", "/opt/named.conf", "-D", "top"],
    &["modprobe", "nosuch"],
    &["modinfo", "top", "far"],
    &["modinfo", "/srv/top.ko"],
    &["modinfo", "nosuch"],
    &["kmod", "closure", "top", "more", "/ext/far.ko"],
    &["kmod", "closure", "--firmware", "/opt/fw", "top"],
    &["kmod", "graph", "top"],
    &["kmod", "status", "top", "more", "nosuch"],
    &["kmod", "blocked", "more"],
    &["kmod", "params", "top"],
    &["kmod", "params", "/srv/top.ko"],
    &["kmod", "static-nodes"],
    &["kmod", "static-nodes", "-f", "tmpfiles", "-o", "/run/made/nodes.conf"],
];

/// The line with `--root`, which belongs behind a command of kmod.
fn with_root<'a>(line: &[&'a str]) -> (&'a str, Vec<&'a str>) {
    let (tool, rest) = line.split_first().unwrap();
    let (command, rest) = rest.split_at(usize::from(*tool == "kmod"));
    (tool, [command, &["--root", IMAGE], rest].concat())
}

#[test]
fn everything_is_what_the_system_in_the_directory_would_find_itself() {
    let native = TestRoot::new();
    populate(&native, "");
    let images = ANSWERS.map(|_| with_image());
    for line in LINES {
        let (tool, arguments) = line.split_first().unwrap();
        let expected =
            native.invoke(Side::Ours, tool).args(arguments).env("MODUTILS_EXPLAIN", "always").run();
        // A refusal by EPERM is one call's, not the kernel's: a few lines show that.
        for (image, openat2) in images.iter().zip(ANSWERS) {
            if openat2 == Some(Errno::EPERM) && !["depmod", "modinfo"].contains(tool) {
                continue;
            }
            let (tool, arguments) = with_root(line);
            let what = format!("{line:?}, openat2 {openat2:?}");
            let run = traced(image, tool, &arguments, openat2);
            stays_inside(&run, &[], &what);
            let seen = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                text.replace(&format!("--root {IMAGE} "), "").replace(IMAGE, "")
            };
            assert_eq!(seen(&run.outcome.stdout), String::from_utf8_lossy(&expected.stdout), "{what}");
            assert_eq!(run.outcome.status.code(), expected.code, "{what}: {:?}", run.outcome);
            if line[0] != "kmod" && line != &["modprobe", "nosuch"][..] {
                assert_eq!(seen(&run.outcome.stderr), String::from_utf8_lossy(&expected.stderr), "{what}");
            }
            assert!(run.trace.contains(&"openat2"), "{what}");
        }
    }
    for image in &images[..2] {
        assert_eq!(image.read("/image/run/made/nodes.conf"), native.read("/run/made/nodes.conf"));
    }
    let indexes = native.indexes_in("/var/tree");
    assert!(indexes.iter().any(|(name, _)| name == "modules.dep"), "{indexes:?}");
    for image in &images {
        assert_eq!(image.indexes_in("/image/var/tree"), indexes);
        assert!(!image.exists("/run/made") && !image.exists("/var/tree/modules.dep"));
    }
}

#[test]
fn a_check_and_a_copy_stay_inside() {
    let image = with_image();
    traced(&image, "depmod", &["--root", IMAGE], None);
    for openat2 in ANSWERS {
        for line in [&["check", "--root", IMAGE, "top"][..], &["check", "--root", IMAGE, "--all"]] {
            let run = traced(&image, "kmod", line, openat2);
            stays_inside(&run, &[], &format!("{line:?}"));
        }
        let line = ["closure", "--root", IMAGE, "--copy", "/out", "top"];
        let run = traced(&image, "kmod", &line, openat2);
        stays_inside(&run, &["/out"], &format!("{line:?}"));
        assert!(run.outcome.status.success(), "{:?}", run.outcome);
        assert_eq!(image.read("/out/lib/firmware/fw/one.bin"), b"the firmware");
        assert_eq!(
            image.read("/out/etc/modprobe.d/local.conf"),
            image.read("/image/opt/modprobe.d/local.conf")
        );
        fs::remove_dir_all(image.path().join("out")).unwrap();
    }
}

#[test]
fn other_directories_are_paths_in_the_root() {
    let root = with_image();
    let version = root.version().to_owned();
    let top = module("top").modinfo("description", "Of another base");
    root.write(&format!("/image/base/lib/modules/{version}/top.ko"), top.build())
        .write("/image/one.conf", "options top depth=7\n");
    root.ours("depmod", &["--root", IMAGE, "-b", "/base"]).succeeds();
    for base in ["/base", "base", "../base"] {
        let shown = root.ours("modinfo", &["--root", IMAGE, "-b", base, "-d", "top"]).succeeds().out();
        assert_eq!(shown, "Of another base\n", "{base}");
    }
    let arguments = ["--root", IMAGE, "-d", "/base", "-C", "one.conf", "-D", "top"];
    let shown = root.ours("modprobe", &arguments).succeeds().out();
    assert_eq!(shown, format!("insmod /image/base/lib/modules/{version}/top.ko depth=7 \n"));
    root.ours("depmod", &["--root", IMAGE, "-b", "base", "-o", "/made"]).succeeds();
    assert!(root.exists(&format!("/image/made/lib/modules/{version}/modules.dep")));
    // Relative to the directory the tool runs in, as it is given.
    let relative = root.invoke(Side::Ours, "modinfo").args(["--root", ".", "-d", "top"]).dir(IMAGE);
    assert_eq!(relative.run().out(), root.ours("modinfo", &["--root", IMAGE, "-d", "top"]).out());
    // The root itself is no other one.
    let own = root.ours("modinfo", &["--root", "/", "-n", "top"]).succeeds().out();
    assert_eq!(own, root.ours("modinfo", &["-n", "top"]).out());
}

/// What a command prints with an image whose kernel command line is in `/image/boot/cmdline`, and another one is that of the
/// running kernel.
fn with_command_line(root: &TestRoot, line: &[&str], given: &[&str]) -> testkit::Run {
    let (tool, mut arguments) = with_root(line);
    let place = arguments.iter().position(|word| *word == IMAGE).unwrap() + 1;
    arguments.splice(place..place, given.iter().copied());
    root.ours(tool, &arguments)
}

#[test]
fn the_kernel_command_line_is_that_of_a_file_in_the_root() {
    let root = with_image();
    root.ours("depmod", &["--root", IMAGE]).succeeds();
    root.write(
        "/proc/cmdline",
        "top.depth=5 modprobe.blacklist=top modutils.deny=top module_blacklist=top\n",
    )
    .write("/boot/cmdline", "top.depth=5 modprobe.blacklist=base\n")
    .symlink("/boot/real", "/image/boot/cmdline")
    .write(
        "/image/boot/real",
        "top.depth=8 modprobe.blacklist=extra modutils.deny=more module_blacklist=base\n",
    );
    let file = ["--kernel-cmdline", "/boot/cmdline"];
    let running = ["--kernel-cmdline=/proc/cmdline"];
    for (line, plain, ours, kernels) in [
        (&["modprobe", "-c"][..], "", "blacklist extra\n", "blacklist top\n"),
        (&["modprobe", "-D", "top"], "top.ko depth=3 \n", "top.ko depth=3 depth=8 \n", ""),
        (&["modprobe", "-b", "-D", "extra"], "extra.ko", "", "extra.ko"),
        (&["kmod", "status", "more"], "can be loaded", "blocked", "can be loaded"),
        (&["kmod", "blocked", "base"], "", "/image/boot/cmdline", ""),
        (&["kmod", "blocked", "top"], "", "base is refused", "/proc/cmdline"),
    ] {
        for (given, wanted) in
            [(&[][..], plain), (&file, ours), (&["--kernel-cmdline", "boot/cmdline"], ours)]
        {
            let run = with_command_line(&root, line, given);
            assert!(run.out().contains(wanted), "{line:?} {given:?}: {run:?}");
            assert!(!run.out().contains("/proc/cmdline"), "{line:?} {given:?}: {run:?}");
            assert!(!wanted.is_empty() || !run.out().contains("cmdline"), "{line:?} {given:?}: {run:?}");
            assert!(line[1] != "-c" || !run.out().contains("blacklist top"), "{line:?} {given:?}: {run:?}");
        }
        let run = with_command_line(&root, line, &running);
        assert!(run.out().contains(kernels), "{line:?}: {run:?}");
    }
    let run = traced(&root, "modprobe", &["--root", IMAGE, file[0], file[1], "-D", "top"], None);
    stays_inside(&run, &[], "the kernel command line");
    // A file that cannot be read was asked for, and is an error. An empty path counts as not given.
    for line in [&["modprobe", "-D", "top"][..], &["kmod", "status", "top"], &["kmod", "closure", "top"]] {
        for missing in ["/nowhere", "/boot"] {
            let run = with_command_line(&root, line, &["--kernel-cmdline", missing]);
            assert!(run.code != Some(0) && run.out().is_empty(), "{run:?}");
            assert!(run.err().contains(&format!("could not read {IMAGE}{missing}")), "{run:?}");
        }
        let run = with_command_line(&root, line, &["--kernel-cmdline="]);
        assert_eq!(
            (run.code, run.out()),
            (with_command_line(&root, line, &[]).code, with_command_line(&root, line, &[]).out())
        );
    }
    // Without a root, too.
    let run = root.ours("modprobe", &["--kernel-cmdline", "/boot/cmdline", "-c"]);
    assert!(run.out().contains("blacklist base\n") && !run.out().contains("blacklist top\n"), "{run:?}");
}

#[test]
fn what_is_loaded_follows_the_running_kernels_command_line() {
    let load = |given: &[&str]| {
        let root = with_image();
        root.ours("depmod", &["--root", IMAGE]).succeeds();
        root.write("/proc/cmdline", "top.depth=5\n").write("/image/boot/cmdline", "top.depth=8\n");
        let kernel = FakeKernel::new(root.path(), root.version());
        drop(root.invoke(Side::Ours, "modprobe"));
        let start = Start::new("/ours/modprobe").args(["--root", IMAGE]).args(given).arg("top");
        let run = kernel.run(&start.env("PATH", "/bin"));
        assert!(run.status.success(), "{run:?}");
        format!("{:?}", run.calls)
    };
    let calls = load(&[]);
    assert!(calls.contains("depth=3 depth=5") && !calls.contains("depth=8"), "{calls}");
    let calls = load(&["--kernel-cmdline", "/boot/cmdline"]);
    assert!(calls.contains("depth=3 depth=8") && !calls.contains("depth=5"), "{calls}");
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let root = TestRoot::new();
    root.write("/file", "");
    for directory in ["/nowhere", "/file"] {
        for line in LINES {
            let (tool, mut arguments) = with_root(line);
            let place = arguments.iter().position(|word| *word == IMAGE).unwrap();
            arguments[place] = directory;
            let run = root.ours(tool, &arguments);
            assert_ne!(run.code, Some(0), "{run:?}");
            assert!(run.err().contains(directory), "{run:?}");
        }
    }
}

#[test]
fn modules_are_loaded_from_the_root() {
    let root = with_image();
    root.ours("depmod", &["--root", IMAGE]).succeeds();
    let kernel = FakeKernel::new(root.path(), root.version());
    drop(root.invoke(Side::Ours, "modprobe"));
    let run = kernel.run(&Start::new("/ours/modprobe").args(["--root", IMAGE, "top"]).env("PATH", "/bin"));
    assert!(run.status.success(), "{run:?}");
    assert_eq!(kernel.loaded_names(), ["top", "extra", "base"]);
    let calls = format!("{:?}", run.calls);
    assert!(calls.contains("/image/srv/top.ko") && calls.contains("depth=3"), "{calls}");
}
