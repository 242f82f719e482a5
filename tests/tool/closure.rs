//! `kmod closure`: everything that modules need.

use modutils_tests::{add_ordered, little_kernel, module};
use serde_json::json;
use testkit::{LoadedModule, Run, TestRoot};

use crate::json::document;

/// The little kernel, and a driver with firmware of every kind.
fn with_firmware() -> TestRoot {
    let root = little_kernel();
    let driver = module("driver")
        .modinfo("firmware", "vendor/a.bin")
        .modinfo("firmware", "vendor/board-*.txt")
        .modinfo("firmware", "vendor/none.bin")
        .needs("base_fn", 0x0b);
    add_ordered(&root, "kernel/net/driver.ko", &driver);
    root.ours("depmod", &[]).succeeds();
    for file in ["vendor/a.bin", "updates/vendor/a.bin.xz", "vendor/board-1.txt.zst", "vendor/board-2.txt"] {
        root.write(&format!("lib/firmware/{file}"), "firmware");
    }
    root
}

fn closure(root: &TestRoot, arguments: &[&str]) -> Run {
    root.ours("kmod", &[&["closure"][..], arguments].concat())
}

/// The lines that a run printed, without the module directory.
fn lines(root: &TestRoot, run: &Run) -> Vec<String> {
    let directory = format!("/lib/modules/{}/", root.version());
    run.out().lines().map(|line| line.replace(&directory, "")).collect()
}

#[test]
fn a_closure_lists_dependencies_and_soft_and_weak_ones() {
    let root = with_firmware();
    let run = closure(&root, &["top"]).succeeds();
    let expected = [
        "kernel/lib/base.ko",
        "kernel/drivers/extra.ko",
        "kernel/lib/helper.ko",
        "kernel/drivers/my-dash.ko",
        "kernel/drivers/top.ko",
    ];
    assert_eq!(lines(&root, &run), expected.map(|path| format!("module {path}")));
    let hard = closure(&root, &["--no-soft", "--no-weak", "-p", "top"]).succeeds();
    assert_eq!(lines(&root, &hard), ["kernel/lib/base.ko", "kernel/lib/helper.ko", "kernel/drivers/top.ko"]);
}

#[test]
fn the_reasons_follow_a_tab() {
    let root = with_firmware();
    let run = closure(&root, &["--why", "top", "fs-inside"]).succeeds();
    let expected = [
        "module kernel/lib/base.ko\thelper",
        "module kernel/drivers/extra.ko\ttop (softdep pre)",
        "module kernel/lib/helper.ko\ttop",
        "builtin inside\trequested",
        "module kernel/drivers/my-dash.ko\ttop (weakdep)",
        "module kernel/drivers/top.ko\trequested",
    ];
    assert_eq!(lines(&root, &run), expected);
}

#[test]
fn missing_firmware_has_an_exit_code_of_its_own() {
    let root = with_firmware();
    let run = closure(&root, &["driver"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let expected = [
        "module kernel/lib/base.ko",
        "module kernel/net/driver.ko",
        "firmware /lib/firmware/vendor/a.bin",
        "firmware /lib/firmware/vendor/board-1.txt.zst",
        "firmware /lib/firmware/vendor/board-2.txt",
        "missing firmware vendor/none.bin",
    ];
    assert_eq!(lines(&root, &run), expected);
    root.write("lib/firmware/updates/vendor/none.bin", "");
    assert!(
        closure(&root, &["driver"])
            .succeeds()
            .out()
            .contains("firmware /lib/firmware/updates/vendor/none.bin\n")
    );
    assert!(!closure(&root, &["--no-firmware", "driver"]).succeeds().out().contains("firmware"));
    let elsewhere = closure(&root, &["--firmware", "/nowhere", "driver"]);
    assert_eq!((elsewhere.code, elsewhere.out().matches("missing firmware").count()), (Some(2), 3));
}

#[test]
fn a_missing_module_is_a_failure() {
    let root = with_firmware();
    std::fs::remove_file(root.path().join(root.module_path("kernel/lib/base.ko"))).unwrap();
    let run = closure(&root, &["top"]).fails();
    assert!(lines(&root, &run).contains(&"missing module base".to_owned()), "{run:?}");
    let run = closure(&root, &["nothing", "extra"]).fails();
    assert_eq!(lines(&root, &run), ["module kernel/drivers/extra.ko"]);
    assert!(run.err().contains("Module nothing not found."), "{run:?}");
    assert!(closure(&root, &[]).fails().err().contains("missing module name"));
}

#[test]
fn arguments_may_be_aliases_files_patterns_and_lists() {
    let root = with_firmware();
    let only = |arguments: &[&str]| {
        let run =
            closure(&root, &[&["-p", "--no-soft", "--no-weak", "--no-firmware"][..], arguments].concat())
                .succeeds();
        lines(&root, &run)
    };
    assert_eq!(only(&["char-major-10-200"]), ["kernel/drivers/extra.ko"]);
    assert_eq!(only(&["kernel/net/*"]), ["kernel/lib/base.ko", "kernel/net/driver.ko"]);
    assert_eq!(only(&["my-*"]), ["kernel/drivers/my-dash.ko"]);
    let file = format!("/lib/modules/{}/kernel/drivers/extra.ko", root.version());
    assert_eq!(only(&[&file]), ["kernel/drivers/extra.ko"]);
    root.write("list", "extra\n# no more\n\nmy-dash # really\n");
    assert_eq!(only(&["@/list"]), ["kernel/drivers/extra.ko", "kernel/drivers/my-dash.ko"]);
    assert!(closure(&root, &["@/nothing"]).fails().err().contains("/nothing: "));
    root.add_module("outside.ko", &module("outside").modinfo("depends", "helper"));
    std::fs::rename(root.path().join(root.module_path("outside.ko")), root.path().join("outside.ko"))
        .unwrap();
    assert_eq!(only(&["/outside.ko"]), ["kernel/lib/base.ko", "kernel/lib/helper.ko", "/outside.ko"]);
}

#[test]
fn the_running_machine_needs_what_is_loaded_and_what_its_devices_match() {
    let root = with_firmware();
    root.load(&LoadedModule::new("helper"));
    root.write("sys/devices/pci0/modalias", "pci:v00008086d0000100Esv1sd1bc02sc1i1\n");
    root.write("etc/modprobe.d/t.conf", "blacklist top\n");
    let run = closure(&root, &["--from-running", "-p"]).succeeds();
    let expected = ["kernel/lib/base.ko", "kernel/lib/helper.ko", "kernel/drivers/my-dash.ko"];
    assert_eq!(lines(&root, &run), expected);
}

#[test]
fn the_document_has_presence_reasons_and_firmware() {
    let root = with_firmware();
    let run = closure(&root, &["--json", "driver"]);
    let modules = document(&run)["modules"].clone();
    let size = std::fs::metadata(root.path().join(root.module_path("kernel/lib/base.ko"))).unwrap().len();
    let base = json!({
        "name": "base",
        "presence": "file",
        "filename": format!("/lib/modules/{}/kernel/lib/base.ko", root.version()),
        "size": size,
        "requested": false,
        "missing": false,
        "needed_by": [{ "name": "driver", "relation": "needs" }],
        "firmware": [],
    });
    assert_eq!(modules[0], base);
    let firmware = json!([
        { "name": "vendor/a.bin", "files": ["/lib/firmware/vendor/a.bin"] },
        {
            "name": "vendor/board-*.txt",
            "files": ["/lib/firmware/vendor/board-1.txt.zst", "/lib/firmware/vendor/board-2.txt"],
        },
        { "name": "vendor/none.bin", "files": [] },
    ]);
    assert_eq!(modules[1]["firmware"], firmware);
}

#[test]
fn a_copy_is_a_root_that_the_tools_work_in() {
    let root = with_firmware();
    root.write("etc/modprobe.d/t.conf", "options driver speed=1\n");
    let run = closure(&root, &["--copy", "/image", "--compress", "xz", "driver"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    for file in ["etc/modprobe.d/t.conf", "lib/firmware/vendor/a.bin", "lib/firmware/vendor/board-1.txt.zst"]
    {
        assert!(root.path().join("image").join(file).exists(), "{file}");
    }
    let plan = root.ours("modprobe", &["-d", "/image", "-D", "driver"]).succeeds().out();
    let directory = format!("/image/lib/modules/{}/kernel", root.version());
    assert_eq!(
        plan,
        format!("insmod {directory}/lib/base.ko.xz \ninsmod {directory}/net/driver.ko.xz speed=1 \n")
    );
    let again = closure(&root, &["--copy", "/image", "driver"]).fails();
    assert!(again.err().contains(&format!("/image/lib/modules/{}", root.version())), "{again:?}");
}

#[test]
fn an_incomplete_set_is_not_copied() {
    let root = with_firmware();
    std::fs::remove_file(root.path().join(root.module_path("kernel/lib/base.ko"))).unwrap();
    let run = closure(&root, &["--copy", "/image", "top"]).fails();
    assert!(run.err().contains("Module base is missing: needed by helper"), "{run:?}");
    let run = closure(&root, &["--copy", "/image", "--compress", "rar", "extra"]).fails();
    assert!(run.err().contains("unknown format 'rar': none, gz, xz or zst"), "{run:?}");
    assert!(!root.path().join("image").exists());
}

/// Lines are paths for a script: one that would be two of them is refused, unless they end with a byte that no path has.
#[test]
fn a_path_with_an_end_of_line_is_printed_only_with_null() {
    let root = with_firmware();
    let odd = module("odd").modinfo("firmware", "a\nfirmware b").modinfo("firmware", "none\nmodule c");
    add_ordered(&root, "kernel/odd.ko", &odd);
    root.ours("depmod", &[]).succeeds();
    root.write("lib/firmware/a\nfirmware b", "firmware");
    let run = closure(&root, &["odd"]).exits(1);
    assert_eq!(lines(&root, &run), ["module kernel/odd.ko", "missing firmware none\\nmodule c"]);
    let why = "kmod: ERROR: /lib/firmware/a\\nfirmware b: the path has an end of line in it, use --null\n";
    assert_eq!(run.err(), why);
    assert_eq!(closure(&root, &["-p", "odd"]).exits(1).err(), run.err());
    let null = closure(&root, &["--null", "-p", "odd"]);
    assert!(null.out().ends_with("odd.ko\0/lib/firmware/a\nfirmware b\0"), "{null:?}");
    assert_eq!(null.err(), "");
}
