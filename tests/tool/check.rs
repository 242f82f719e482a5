//! `kmod check` on the kernels of a distribution: no false alarm and nothing that cannot be told, and of each
//! kind of fault that is planted, the reason.

use std::path::Path;
use std::process::Command;

use testkit::{Run, TestRoot, cache, patch};

/// A fault in a module that every tree has.
struct Fault {
    module: &'static str,
    make: fn(Vec<u8>) -> Vec<u8>,
    reason: &'static str,
}

const FAULTS: [Fault; 9] = [
    Fault {
        module: "drivers/net/dummy",
        make: |module| patch::replaced(module, b" mod_unload ", b" mod_onload "),
        reason: "its vermagic has \"mod_onload\", this kernel's \"mod_unload\"",
    },
    Fault {
        module: "fs/isofs/isofs",
        make: |module| patch::other_crc(module, "iput"),
        reason: "iput: CRC 0x",
    },
    Fault {
        module: "fs/minix/minix",
        make: |module| patch::replaced(module, b"iget_locked\0", b"iget_lockee\0"),
        reason: "iget_lockee",
    },
    // EM_SPARC.
    Fault {
        module: "fs/efs/efs",
        make: |module| patch::for_machine(module, 2),
        reason: "It is compiled for another machine.",
    },
    Fault { module: "fs/bfs/bfs", make: patch::smaller_struct, reason: "its struct module has " },
    Fault {
        module: "drivers/usb/storage/uas",
        make: |module| patch::replaced(module, b"import_ns=", b"import-ns="),
        reason: "the namespace USB_STORAGE without importing it",
    },
    Fault {
        module: "fs/fat/vfat",
        make: |module| patch::replaced(module, b"license=GPL\0", b"license=XYZ\0"),
        reason: "that the module fat exports for GPL modules only",
    },
    Fault {
        module: "fs/hpfs/hpfs",
        make: |module| module[..module.len() / 2].to_vec(),
        reason: "The file is damaged or no module: ",
    },
    Fault {
        module: "fs/coda/coda",
        make: |module| [module, b"12 bytes of.~Module signature appended~\n".to_vec()].concat(),
        reason: "Its signature makes no sense.",
    },
];

#[test]
fn amd64_by_the_kernels_image() {
    let run = sound_and_faulty("trixie-amd64-zst");
    assert!(run.out().contains(" by the kernel's own list"), "{run:?}");
}

#[test]
fn s390x_by_agreement() {
    sound_and_faulty("trixie-s390x");
}

#[test]
fn armhf_by_agreement() {
    sound_and_faulty("trixie-armhf");
}

/// Checks a tree, then the same with faults; returns the run on the sound one.
fn sound_and_faulty(tree: &str) -> Run {
    let tree = cache::tree(tree);
    let root = TestRoot::with_version(&tree.version);
    root.bring_tree(&tree, &|_| true);
    let image = format!("boot/vmlinuz-{}", tree.version);
    let cached = tree.modules.ancestors().nth(3).expect("lib/modules/VERSION in a root").join(&image);
    root.write(&image, std::fs::read(cached).expect("the kernel's image"));
    let check = || root.ours("kmod", &["check", "--all", "-S", &tree.version]);

    let sound = check().succeeds();
    assert!(sound.out().contains(" would load, 0 would not, 0 cannot be told\n"), "{}", sound.out());
    assert!(sound.out().contains(", 0 not\n"), "{}", sound.out());

    for fault in &FAULTS {
        plant(&root, fault);
    }
    let faulty = check();
    assert_eq!(faulty.code, Some(1));
    let verdicts = verdicts(&faulty.out());
    for fault in &FAULTS {
        let verdict = verdicts.iter().find(|verdict| verdict.starts_with(&listed(fault)));
        let verdict = verdict.unwrap_or_else(|| panic!("{} is not found: {verdicts:?}", fault.module));
        assert!(verdict.contains(": would not load\n"), "{verdict}");
        assert!(verdict.contains(fault.reason), "no {:?} in {verdict}", fault.reason);
    }
    // Whatever else would not load needs one of these.
    let is_planted = |verdict: &&String| FAULTS.iter().any(|fault| verdict.starts_with(&listed(fault)));
    for verdict in verdicts.iter().filter(|verdict| !is_planted(verdict)) {
        assert!(verdict.contains(", which would not load:"), "{verdict}");
    }
    sound
}

fn listed(fault: &Fault) -> String {
    format!("kernel/{}.ko:", fault.module)
}

/// Puts a faulty module in the place of the one in the tree.
fn plant(root: &TestRoot, fault: &Fault) {
    let path = |suffix: &str| root.module_path(&format!("kernel/{}.ko{suffix}", fault.module));
    let (suffix, program) = [(".xz", "xz"), (".zst", "zstd")]
        .into_iter()
        .find(|(suffix, _)| root.exists(&path(suffix)))
        .unwrap_or_else(|| panic!("the tree has no {}", fault.module));
    let packed = path(suffix);
    let plain = decompressed(program, &root.path().join(&packed));
    root.remove(&packed);
    root.write(&path(""), (fault.make)(patch::unsigned(plain)));
}

fn decompressed(program: &str, path: &Path) -> Vec<u8> {
    let output = Command::new(program).args(["-d", "-c"]).arg(path).output().expect("a decompressor");
    assert!(output.status.success(), "{program} {}", path.display());
    output.stdout
}

/// The modules that would not load or cannot be told, each with its indented lines.
fn verdicts(text: &str) -> Vec<String> {
    let mut verdicts: Vec<String> = Vec::new();
    for line in text.lines() {
        match verdicts.last_mut() {
            Some(verdict) if line.starts_with(' ') => verdict.push_str(&format!("{line}\n")),
            _ => verdicts.push(format!("{line}\n")),
        }
    }
    verdicts
        .retain(|verdict| verdict.contains(": would not load\n") || verdict.contains(": cannot be told\n"));
    verdicts
}
