//! `kmod device`: devices, drivers, and modules.

use std::os::unix::fs::symlink;

use modutils_tests::little_kernel;
use testkit::{LoadedModule, Run, TestRoot};

use crate::json::document;

const TOP: &str = "pci:v00008086d0000100Esv1sd1bc01sc1i1";

/// The little kernel, a PCI device with a driver, one that a module matches, and one that none does.
fn with_devices() -> TestRoot {
    let root = little_kernel();
    root.ours("depmod", &[]).succeeds();
    let devices = [("0000:00:01.0", TOP), ("0000:00:02.0", TOP), ("0000:00:03.0", "pci:vFFFFdFFFF")];
    for (name, modalias) in devices {
        root.write(&format!("sys/devices/{name}/modalias"), format!("{modalias}\n"));
    }
    root.write("sys/devices/button/uevent", "");
    let sys = root.path().join("sys");
    for directory in ["bus/pci/devices", "bus/pci/drivers/e1000", "bus/platform/devices"] {
        std::fs::create_dir_all(sys.join(directory)).unwrap();
    }
    for (name, _) in devices {
        symlink(format!("../../../devices/{name}"), sys.join("bus/pci/devices").join(name)).unwrap();
    }
    symlink("../../../devices/button", sys.join("bus/platform/devices/button")).unwrap();
    symlink("../../bus/pci/drivers/e1000", sys.join("devices/0000:00:01.0/driver")).unwrap();
    symlink("../../../../module/top", sys.join("bus/pci/drivers/e1000/module")).unwrap();
    root.load(&LoadedModule::new("top"));
    root
}

fn device(root: &TestRoot, arguments: &[&str]) -> Run {
    root.ours("kmod", &[&["device"][..], arguments].concat())
}

#[test]
fn a_device_has_its_driver_and_the_modules_that_match() {
    let root = with_devices();
    assert_eq!(
        device(&root, &[]).succeeds().out(),
        "pci 0000:00:01.0: driver e1000\n  top: loaded\npci 0000:00:02.0: no driver\n  top: loaded\n\
         pci 0000:00:03.0: no driver\n"
    );
    assert_eq!(device(&root, &["-u"]).succeeds().out(), "pci 0000:00:02.0: no driver\n  top: loaded\n");
}

#[test]
fn arguments_are_paths_names_buses_and_modaliases() {
    let root = with_devices();
    let first = "pci 0000:00:01.0: driver e1000\n  top: loaded\n";
    for argument in ["0000:00:01.0", "/sys/devices/0000:00:01.0", "/sys/bus/pci/devices/0000:00:01.0"] {
        assert_eq!(device(&root, &[argument]).succeeds().out(), first, "{argument}");
    }
    let dash = "pci:v00008086d0000100Esv1sd1bc02sc1i1";
    let expected = format!("{dash}:\n  top: loaded\n  my_dash: can be loaded\n");
    let lines = |text: String| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(lines(device(&root, &[dash]).succeeds().out()), lines(expected));
    assert_eq!(device(&root, &["platform"]).fails().out(), "platform button: no driver\n");
}

#[test]
fn a_device_that_nothing_drives_is_a_failure_where_it_was_requested() {
    let root = with_devices();
    assert_eq!(device(&root, &["0000:00:03.0"]).fails().out(), "pci 0000:00:03.0: no driver\n");
    device(&root, &["pci"]).fails();
    assert!(device(&root, &["usb:v1"]).fails().err().contains("no module matches usb:v1"));
    assert!(device(&root, &["nothing"]).fails().err().contains("no device, bus or modalias: nothing"));
}

#[test]
fn a_block_is_shown_with_its_line() {
    let root = with_devices();
    root.write("etc/modutils.d/t.conf", "deny my_dash\n");
    let run = device(&root, &["pci:v00008086d0000100Esv1sd1bc02sc1i1"]).succeeds();
    assert!(
        run.out().contains("  my_dash: blocked\n") && run.out().contains("/etc/modutils.d/t.conf line 1"),
        "{run:?}"
    );
}

#[test]
fn the_document_has_the_same_facts() {
    let root = with_devices();
    let devices = document(&device(&root, &["--json", "0000:00:01.0"]).succeeds())["devices"].clone();
    let item = serde_json::json!([{
        "bus": "pci",
        "name": "0000:00:01.0",
        "path": "/sys/bus/pci/devices/0000:00:01.0",
        "driver": "e1000",
        "driver_module": "top",
        "modalias": TOP,
        "modules": [{ "name": "top", "status": "loaded", "blocks": [], "reason": null }],
    }]);
    assert_eq!(devices, item);
}
