//! Messages are lines: whoever reads them line by line takes none for what a name has in it.

use modutils_tests::{add_ordered, little_kernel, module};
use testkit::{Run, TestRoot};

/// What a name may have in it; behind it stands what would pass for a message.
const ENDS: [&str; 2] = ["\n", "\r\n\n"];

/// Each line of standard error is a message of the tool, or indented as the cause of one.
#[track_caller]
fn has_no_forged_line(run: &Run, tool: &str) {
    let err = run.err();
    assert!(!err.contains('\r'), "{run:?}");
    for line in err.lines() {
        let starts = ["Error: ", "Warning: ", "invalid command ", "Unknown format: "].map(str::to_owned);
        let starts = [format!("{tool}: "), format!("/ours/{tool}: ")].into_iter().chain(starts);
        let is_ours = starts.into_iter().any(|start| line.starts_with(&start));
        let is_cause = line.starts_with("  ");
        assert!((is_ours || is_cause) && !line.trim_start().starts_with("forged"), "{line:?} in {run:?}");
        assert_eq!(line.contains("forged"), line.contains("\\n") || line.contains("\\r"), "{line:?}");
    }
}

fn runs(root: &TestRoot, calls: &[(&str, &[&str])]) {
    for (tool, args) in calls {
        for run in [root.ours(tool, args), root.explained(tool, args)] {
            has_no_forged_line(&run, tool);
        }
    }
}

#[test]
fn an_argument_makes_no_second_message() {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    for end in ENDS {
        let name = format!("x{end}forged");
        let (path, long) = (format!("/tmp/{name}"), format!("--{name}"));
        let alias = format!("x[{end}forged");
        root.write(&path, "no such thing");
        root.write(&format!("tmp/y{end}forged.ko"), "\x7fELF");
        let file = format!("/tmp/y{end}forged.ko");
        runs(
            &root,
            &[
                ("modprobe", &[&name]),
                ("modprobe", &["-D", &name]),
                ("modprobe", &["-r", &name]),
                ("modprobe", &["-R", &alias]),
                ("modprobe", &["-n", &path]),
                ("modprobe", &["-n", &file]),
                ("modprobe", &["-C", &path, "-n", "top"]),
                ("modprobe", &["-d", &path, "top"]),
                ("modprobe", &["-S", &name, "top"]),
                ("modprobe", &["--show-exports", &file]),
                ("modprobe", &["-w", &name, "-r", "top"]),
                ("modprobe", &[&long]),
                ("modinfo", &[&name]),
                ("modinfo", &[&path]),
                ("modinfo", &[&file]),
                ("modinfo", &["-F", &name, "top"]),
                ("modinfo", &["-k", &name, "top"]),
                ("insmod", &[&name]),
                ("insmod", &[&file]),
                ("rmmod", &[&name]),
                ("rmmod", &[&path]),
                ("depmod", &["-b", &path]),
                ("depmod", &["-C", &file]),
                ("depmod", &["-n", &name]),
                ("depmod", &["-a", &path]),
                ("depmod", &[root.version(), &file]),
                ("depmod", &["-o", &path]),
                ("lsmod", &[&long]),
                ("kmod", &[&name]),
                ("kmod", &["check", &name]),
                ("kmod", &["check", &file]),
                ("kmod", &["status", &name]),
                ("kmod", &["params", &name]),
                ("kmod", &["params", &file]),
                ("kmod", &["blocked", &name]),
                ("kmod", &["graph", &name]),
                ("kmod", &["device", &name]),
                ("kmod", &["closure", &name]),
                ("kmod", &["static-nodes", "-o", &path]),
            ],
        );
    }
}

#[test]
fn a_file_or_directory_makes_no_second_message() {
    for end in ENDS {
        let root = little_kernel();
        let name = format!("x{end}forged");
        for directory in ["etc/modprobe.d", "etc/depmod.d", "etc/modutils.d"] {
            root.write(&format!("{directory}/{name}.conf"), format!("bad{end}forged\nalias a] b\n"));
            root.write(&format!("{directory}/y{name}.conf"), "\x7fELF");
            root.create_dir(&format!("{directory}/z{name}.conf"));
        }
        add_ordered(&root, &format!("kernel/{name}/in.ko"), &module("in"));
        root.write_module_file(&format!("kernel/{name}.ko"), "damaged");
        root.add_module("kernel/odd.ko", &module("odd").alias(&name).alias(format!("a[{name}")));
        let none: &[&str] = &[];
        runs(&root, &[("depmod", none), ("depmod", &["-w"]), ("depmod", &["-n"])]);
        root.ours("depmod", &[]);
        runs(
            &root,
            &[
                ("modprobe", &["-n", "top"]),
                ("modprobe", &["-c"]),
                ("modprobe", &["-D", "none"]),
                ("kmod", &["blocked"]),
            ],
        );
    }
}

/// The same for the results of our own commands, which scripts read line by line as well.
#[test]
fn a_value_of_a_module_makes_no_second_line_of_a_result() {
    let root = little_kernel();
    for end in ENDS {
        let forged = format!("x{end}forged");
        let odd = module("odd")
            .modinfo("firmware", &forged)
            .modinfo("parm", format!("p{end}forged:a{end}forged"))
            .modinfo("parmtype", format!("p{end}forged:int{end}forged"))
            .modinfo("vermagic", &forged)
            .modinfo("license", &forged)
            .alias("pci:v00001234*");
        add_ordered(&root, "kernel/odd.ko", &odd);
        root.ours("depmod", &[]);
        root.write(
            "etc/modprobe.d/d.conf",
            format!("install odd echo \x1b{}\r", forged.replace(end, "\x0b")),
        );
        let file = format!("/{}", root.module_path("kernel/odd.ko"));
        for args in [
            &["closure", "odd"][..],
            &["closure", "--why", "odd"],
            &["params", "odd"],
            &["params", &file],
            &["status", "odd"],
            &["check", &file],
            &["check", "--verbose", &file],
            &["blocked", "odd"],
            &["blocked"],
            &["device", "pci:v00001234d00000001sv00000000sd00000000bc00sc00i00"],
            &["graph", "odd"],
            &["graph", "--format=dot", "odd"],
        ] {
            let run = root.ours("kmod", args);
            assert!(!run.out().lines().any(|line| line.starts_with("forged")), "{args:?}: {run:?}");
            assert!(!run.out().contains(['\r', '\x1b', '\x0b']), "{args:?}: {run:?}");
        }
    }
}
