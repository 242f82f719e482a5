//! `kmod check` on the kernels of a distribution: no false alarm and nothing unknown, and of each
//! kind of fault that is planted, the reason.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use modutils_tests::{add_ordered, little_kernel, module};
use serde_json::Value;
use testkit::damage::{self, Rng};
use testkit::{
    Compression, Crc, Export, ExportTables, FakeKernel, ModuleBuilder, Run, Setter, Side, Signature, Start,
    TestRoot, cache, patch, surroundings,
};

/// A fault in a module that every tree has.
struct PlantedFault {
    module: &'static str,
    make: fn(Vec<u8>) -> Vec<u8>,
    reason: &'static str,
}

const FAULTS: [PlantedFault; 9] = [
    PlantedFault {
        module: "drivers/net/dummy",
        make: |module| patch::replaced(module, b" mod_unload ", b" mod_onload "),
        reason: "its vermagic has \"mod_onload\", this kernel's \"mod_unload\"",
    },
    PlantedFault {
        module: "fs/isofs/isofs",
        make: |module| patch::other_crc(module, "iput"),
        reason: "iput: CRC 0x",
    },
    PlantedFault {
        module: "fs/minix/minix",
        make: |module| patch::replaced(module, b"iget_locked\0", b"iget_lockee\0"),
        reason: "iget_lockee",
    },
    // EM_SPARC.
    PlantedFault {
        module: "fs/efs/efs",
        make: |module| patch::for_machine(module, 2),
        reason: "It is compiled for another machine.",
    },
    PlantedFault { module: "fs/bfs/bfs", make: patch::smaller_struct, reason: "its struct module has " },
    PlantedFault {
        module: "drivers/usb/storage/uas",
        make: |module| patch::replaced(module, b"import_ns=", b"import-ns="),
        reason: "the namespace USB_STORAGE without importing it",
    },
    PlantedFault {
        module: "fs/fat/vfat",
        make: |module| patch::replaced(module, b"license=GPL\0", b"license=XYZ\0"),
        reason: "that the module fat exports for GPL modules only",
    },
    PlantedFault {
        module: "fs/hpfs/hpfs",
        make: |module| module[..module.len() / 2].to_vec(),
        reason: "The file is damaged or no module: ",
    },
    PlantedFault {
        module: "fs/coda/coda",
        make: |module| [module, b"12 bytes of.~Module signature appended~\n".to_vec()].concat(),
        reason: "Its signature is malformed.",
    },
];

#[test]
fn amd64_by_the_kernels_image() {
    let run = sound_and_faulty("trixie-amd64-zst");
    assert!(run.out().contains(" by the kernel's own list"), "{run:?}");
}

#[test]
fn s390x_by_agreement() {
    if cache::tree_or_skip("trixie-s390x", "6.12").is_some() {
        sound_and_faulty("trixie-s390x");
    }
}

#[test]
fn armhf_by_agreement() {
    if cache::tree_or_skip("trixie-armhf", "6.12").is_some() {
        sound_and_faulty("trixie-armhf");
    }
}

#[test]
fn debian_12_cloud_raises_no_alarm() {
    raises_no_alarm("bookworm-cloud", "6.1");
}

#[test]
fn debian_13_cloud_raises_no_alarm() {
    raises_no_alarm("trixie-cloud", "6.12");
}

#[test]
fn arm64_raises_no_alarm() {
    raises_no_alarm("trixie-arm64", "6.12");
}

#[test]
fn amd64_without_crcs() {
    raises_no_alarm("sid-cloud", "7");
}

#[test]
fn the_large_amd64_tree_without_crcs() {
    raises_no_alarm("sid-amd64", "7");
}

/// Of a tree as it was packaged every module would load.
fn raises_no_alarm(tree: &str, series: &str) {
    if let Some(tree) = cache::tree_or_skip(tree, series) {
        let root = TestRoot::with_version(&tree.version);
        bring(&root, &tree);
        let run = root.ours("kmod", &["check", "--all", "-S", &tree.version]).succeeds();
        assert!(run.out().contains(" would load, 0 would not, 0 unknown\n"), "{}", run.out());
    }
}

/// In a kernel without CRCs the names of exports are known by their entries alone: namespaces stand among them.
#[test]
fn a_namespace_that_two_modules_share_is_no_symbol_of_both() {
    let root = TestRoot::new();
    // A kernel that shows its parameters, among them nothing about signatures.
    root.create_dir("sys/module/kernel/parameters");
    let sound = |name: &str| module(name).modinfo("vermagic", "1.0 SMP ").modinfo("license", "GPL");
    let export = |name: &str| Export::new(name).gpl().namespace("SHARED");
    for tables in [ExportTables::ByLicence, ExportTables::Flags] {
        let base = sound("base").export_tables(tables).export_as(export("base_fn"));
        root.add_module("kernel/base.ko", &base);
        let user = sound("user").export_tables(tables).export_as(export("user_fn"));
        let user = user.modinfo("import_ns", "SHARED").needs("base_fn", None);
        root.add_module("kernel/user.ko", &user);
        let run = root.ours("kmod", &["check", "--all"]);
        assert!(run.out().starts_with("2 modules for ") && run.out().contains(": 2 would load,"), "{run:?}");
        // What both export is one all the same.
        root.add_module("kernel/user.ko", &user.export_as(export("base_fn")));
        let run = root.ours("kmod", &["check", "--all"]);
        let expected = "  It exports symbols that the module base exports already:\n    base_fn\n";
        assert!(run.out().contains(expected), "{run:?}");
    }
}

/// A kernel's configuration decides what is refused; where it is unavailable, that is unknown.
#[test]
fn the_kernels_configuration_decides_what_it_takes() {
    const SIGNED_SO: [(&str, u8, u32); 3] = [("form", 3, 40), ("length", 2, u32::MAX), ("message", 2, 40)];
    let root = TestRoot::new();
    let sound = |name: &str| module(name).modinfo("license", "GPL");
    let vermagic = |name: &str| sound(name).modinfo("vermagic", "1.0 SMP mod_unload modversions ");
    root.add_module("kernel/base.ko", &vermagic("base").version("module_layout", 7));
    root.write("tmp/vermagic.ko", sound("vermagic").version("module_layout", 7).build());
    root.write("tmp/modinfo.ko", ModuleBuilder::new("modinfo").version("module_layout", 7).build());
    root.write("tmp/versions.ko", vermagic("versions").build());
    root.write("tmp/unsigned.ko", vermagic("unsigned").version("module_layout", 7).build());
    for (name, id_type, len) in SIGNED_SO {
        let signature =
            Signature { id_type, signature: vec![0x30; 40], claimed_len: Some(len), ..Signature::default() };
        let signed = vermagic(name).version("module_layout", 7).signature(signature);
        root.write(&format!("tmp/{name}.ko"), signed.build());
    }
    let config = format!("boot/config-{}", root.version());
    let verdict = |name: &str, options: &[&str]| {
        let on = |option: &&str| match option.strip_prefix('-') {
            Some(off) => format!("# CONFIG_{off} is not set\n"),
            None => format!("CONFIG_{option}=y\n"),
        };
        let text: String = options.iter().map(on).collect();
        root.write(&config, format!("CONFIG_MODULES=y\n{text}"));
        let run = root.ours("kmod", &["check", "--json", "-S", root.version(), &format!("/tmp/{name}.ko")]);
        let document: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let item = &document["modules"][0];
        let kinds = |list: &str| -> Vec<String> {
            let kind = |one: &Value| one["kind"].as_str().expect("a kind").to_owned();
            item[list].as_array().expect("a list").iter().map(kind).collect()
        };
        let all = [kinds("reasons"), kinds("unknowns"), kinds("notes")].concat();
        format!("{} {}", item["outcome"].as_str().expect("an outcome"), all.join(" "))
    };
    for (name, options, expected) in [
        ("vermagic", &["MODULE_FORCE_LOAD", "-MODULE_SIG"][..], "would_load taints"),
        ("vermagic", &["-MODULE_FORCE_LOAD", "-MODULE_SIG"], "would_not_load no_vermagic"),
        ("vermagic", &["-MODULE_SIG"], "cannot_tell force_load"),
        ("modinfo", &["MODULE_FORCE_LOAD", "-MODULE_SIG"], "would_load taints"),
        ("modinfo", &["-MODULE_FORCE_LOAD", "-MODULE_SIG"], "would_not_load no_vermagic"),
        ("versions", &["MODULE_FORCE_LOAD", "MODVERSIONS", "-MODULE_SIG"], "would_load taints"),
        ("versions", &["-MODULE_FORCE_LOAD", "MODVERSIONS", "-MODULE_SIG"], "would_not_load no_versions"),
        ("versions", &["-MODULE_FORCE_LOAD", "-MODVERSIONS", "-MODULE_SIG"], "would_load "),
        ("unsigned", &["MODULE_SIG", "-MODULE_SIG_FORCE"], "would_load "),
        ("unsigned", &["MODULE_SIG"], "cannot_tell signature_enforcement"),
        ("unsigned", &["MODULE_SIG", "MODULE_SIG_FORCE"], "would_not_load not_signed"),
        ("form", &["MODULE_SIG", "-MODULE_SIG_FORCE"], "would_load "),
        ("form", &["MODULE_SIG", "MODULE_SIG_FORCE"], "would_not_load signature_unsupported"),
        ("length", &["MODULE_SIG"], "would_not_load signature_unreadable"),
        ("length", &["-MODULE_SIG"], "would_load "),
        ("length", &[], "cannot_tell signature"),
        ("message", &["MODULE_SIG"], "cannot_tell signature"),
        ("message", &["-MODULE_SIG"], "would_load "),
    ] {
        assert_eq!(verdict(name, options), expected, "{name} {options:?}");
    }
}

/// The kernel goes by its own table of parameters and not by what `.modinfo` describes.
#[test]
fn who_reads_a_parameter_decides_what_is_known_of_its_value() {
    let root = TestRoot::new();
    root.create_dir("sys/module/kernel/parameters");
    root.write(
        &format!("boot/config-{}", root.version()),
        "CONFIG_MODULES=y\n# CONFIG_MODULE_SIG is not set\n",
    );
    let sound =
        |name: &str| module(name).modinfo("vermagic", "1.0 SMP mod_unload ").modinfo("license", "GPL");
    root.add_module("kernel/base.ko", &sound("base"));
    let ops = ["param_ops_int", "param_ops_charp", "param_array_ops", "param_ops_string"];
    let exports = ops.iter().fold(sound("ops"), |module, name| module.export(*name, Crc::Section(1)));
    root.add_module("kernel/ops.ko", &exports);
    root.ours("depmod", &[]).succeeds();
    let reads = sound("reads")
        .modinfo("parmtype", "mode:int")
        .modinfo("parmtype", "ports:array of int")
        .parameter("hidden", Setter::Kernel("param_ops_int"))
        .parameter("mode", Setter::Own)
        .parameter("ports", Setter::Array("param_ops_int", 2))
        .parameter("label", Setter::Text(4));
    root.write("tmp/reads.ko", reads.build());
    let verdict = |parameter: &str| {
        let run = root.ours("kmod", &["check", "--json", "-S", root.version(), "/tmp/reads.ko", parameter]);
        let document: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let item = &document["modules"][0];
        let of_parameters = |list: &str| {
            let all = item[list].as_array().expect("a list").iter();
            let ours = all.filter(|one| one["subject"].is_string() && one["kind"] != "symbol_not_loaded");
            ours.map(|one| format!("{list} {} {}", one["kind"], one["subject"])).collect::<Vec<_>>()
        };
        [of_parameters("reasons"), of_parameters("unknowns"), of_parameters("notes")].concat().join(", ")
    };
    for (parameter, expected) in [
        ("hidden=3", ""),
        ("hidden=x", r#"reasons "parameter" "hidden""#),
        ("hiden=3", r#"notes "unknown_parameter" "hiden""#),
        ("mode=automatic", r#"unknowns "parameter" "mode""#),
        ("mode=3", r#"unknowns "parameter" "mode""#),
        ("ports=1,2", ""),
        ("ports=1,2,3", r#"reasons "parameter" "ports""#),
        ("ports=1,x", r#"reasons "parameter" "ports""#),
        ("label=abc", ""),
        ("label=abcd", r#"reasons "parameter" "label""#),
    ] {
        assert_eq!(verdict(parameter), expected, "{parameter}");
    }
}

/// The module `base`, and `user`, which needs it.
fn base_and_user() -> TestRoot {
    let root = TestRoot::new();
    root.create_dir("sys/module/kernel/parameters");
    let sound = |name: &str| module(name).modinfo("vermagic", "1.0 SMP ").modinfo("license", "GPL");
    add_ordered(&root, "kernel/base.ko", &sound("base").export("base_fn", Crc::Section(7)));
    add_ordered(&root, "kernel/user.ko", &sound("user").needs("base_fn", 7));
    root.ours("depmod", &[]).succeeds();
    root
}

/// A module whose dependency was removed from the disk: modprobe would not find it either.
#[test]
fn a_dependency_whose_file_is_gone_is_named() {
    let root = base_and_user();
    root.ours("kmod", &["check", "user"]).succeeds();
    let base = root.path().join(root.module_path("kernel/base.ko"));
    fs::remove_file(&base).expect("the dependency");
    let run = root.ours("kmod", &["check", "user"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let why = format!(
        "  It needs base, which would not load:\n    Its file is not there: /{}.\n",
        root.module_path("kernel/base.ko")
    );
    assert!(run.out().contains(&why) && !run.out().contains("base_fn"), "{run:?}");
}

/// The usual way to block a module is a command that loads nothing: that is no unknown command.
#[test]
fn a_module_whose_install_command_loads_nothing_would_not_load() {
    let root = base_and_user();
    let check = |name: &str, line: &str| {
        root.write("etc/modprobe.d/a.conf", format!("# why\n{line}\n"));
        let run = root.ours("kmod", &["check", name]);
        (run.code, run.out())
    };
    for (command, effect) in [("/bin/false", "fails"), ("exit 3", "fails"), ("/bin/true", "does nothing")] {
        let line = format!(
            "In the place of loading it modprobe runs a command that {effect}: {command} (/etc/modprobe.d/a.conf line 2).\n"
        );
        let (code, text) = check("base", &format!("install base {command}"));
        assert!(code == Some(1) && text.contains(&format!("  {line}")), "{text}");
        let (code, text) = check("user", &format!("install base {command}"));
        let why = format!("  It needs base, which would not load:\n    {line}");
        assert!(code == Some(1) && text.contains(&why), "{text}");
    }
    let (code, text) = check("base", "install base /sbin/modprobe -i base");
    assert!(code == Some(2) && text.contains("what it does is not known"), "{text}");
    // Insmod does not ask for it.
    root.write("etc/modprobe.d/a.conf", "install base /bin/false\n");
    let file = format!("/{}", root.module_path("kernel/base.ko"));
    root.ours("kmod", &["check", &file]).succeeds();
}

/// The kernel refuses symbols of proprietary modules to those that use symbols for GPL modules.
#[test]
fn a_proprietary_modules_symbols_are_not_for_users_of_gpl_only_ones() {
    let root = TestRoot::new();
    root.create_dir("sys/module/kernel/parameters");
    let sound =
        |name: &str, licence: &str| module(name).modinfo("vermagic", "1.0 SMP ").modinfo("license", licence);
    let crc = Crc::Section(7);
    add_ordered(&root, "kernel/closed.ko", &sound("closed", "Ours").export("closed_fn", crc));
    let open = sound("open", "GPL").export_as(Export::new("open_fn").crc(crc).gpl());
    add_ordered(&root, "kernel/open.ko", &open);
    let user = |name: &str, licence: &str| sound(name, licence).needs("closed_fn", 7);
    add_ordered(&root, "kernel/both.ko", &user("both", "GPL").needs("open_fn", 7));
    add_ordered(&root, "kernel/one.ko", &user("one", "GPL"));
    root.ours("depmod", &[]).succeeds();
    let run = root.ours("kmod", &["check", "--all"]);
    assert!(run.out().contains(": 3 would load, 1 would not, 0 unknown"), "{run:?}");
    let why = "It uses symbols for GPL modules, so the kernel does not let it use those of the proprietary module closed:";
    assert!(run.out().contains(why), "{run:?}");
}

/// The modules of Debian 12's kernel that Debian 13's does not have, in the tree of that one.
#[test]
fn exactly_the_modules_of_another_kernel_are_named() {
    let (old, new) = (cache::tree("bookworm-cloud"), cache::tree("trixie-cloud"));
    let root = TestRoot::with_version(&new.version);
    bring(&root, &new);
    let own: BTreeSet<String> = files_below(&new.modules).iter().map(|path| name(path)).collect();
    let mut planted = BTreeSet::new();
    for path in files_below(&old.modules).iter().filter(|path| !own.contains(&name(path))) {
        let listed = format!("updates/{}", path.file_name().expect("a name").to_string_lossy());
        root.write_module_file(&listed, fs::read(path).expect("a module"));
        planted.insert(listed);
    }
    assert!(planted.len() > 20, "{planted:?}");

    let run = root.ours("kmod", &["check", "--all", "-S", &new.version]);
    assert_eq!(run.code, Some(1));
    let verdicts = verdicts(&run.out());
    let named: BTreeSet<String> =
        verdicts.iter().filter_map(|verdict| verdict.split(':').next()).map(str::to_owned).collect();
    assert_eq!(named, planted);
    for verdict in &verdicts {
        let reasons = [
            ": would not load\n",
            "It was built for a kernel with another configuration: its struct module has ",
            "It was built against other versions of symbols of the kernel than this one's:\n",
            "    module_layout: CRC 0x",
        ];
        for reason in reasons.iter().filter(|reason| !verdict.contains(*reason)) {
            // The end of a long list is not printed.
            assert!(reason.contains("CRC") && verdict.contains("  … and "), "no {reason:?} in {verdict}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_called_damaged() {
    let root = little_kernel();
    let extra = root.path().join(root.module_path("kernel/drivers/extra.ko"));
    fs::set_permissions(&extra, fs::Permissions::from_mode(0o0)).expect("a file of our own");
    root.write_module_file("kernel/lib/base.ko", "no module");
    let (out, _) = check_all_as_nobody(&root);
    assert!(
        out.contains("kernel/lib/base.ko: would not load\n  The file is damaged or no module: "),
        "{out}"
    );
    let expected = "kernel/drivers/extra.ko: unknown\n  The file cannot be read:\n    Permission denied\n";
    assert!(out.contains(expected), "{out}");
}

#[test]
fn a_missing_tree_is_an_error() {
    let root = little_kernel();
    let run = root.ours("kmod", &["check", "/tmp/nothing.ko"]).fails();
    assert_eq!(run.err(), "kmod: ERROR: could not open /tmp/nothing.ko: No such file or directory\n");
}

#[test]
fn a_partly_unreadable_tree_does_not_pass() {
    let root = TestRoot::new();
    root.create_dir(&root.module_path("kernel"));
    let directory = root.path().join(root.module_path("kernel"));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o0)).expect("a directory of our own");
    let (out, code) = check_all_as_nobody(&root);
    assert_eq!(code, Some(2), "{out}");
}

#[test]
fn damaged_files_get_a_verdict() {
    let root = TestRoot::new();
    root.create_dir("sys/module/kernel/parameters");
    let sound = |name: &str| module(name).modinfo("vermagic", "1.0 SMP ").modinfo("license", "GPL");
    add_ordered(&root, "kernel/base.ko", &sound("base").export("base_fn", Crc::Section(7)));
    let top = sound("top").modinfo("parmtype", "depth:int").needs("base_fn", 7);
    add_ordered(&root, "kernel/top.ko", &top);
    root.ours("depmod", &[]).succeeds();
    let image = root.read(&root.module_path("kernel/top.ko"));
    let mut codes = BTreeSet::new();
    for seed in 0..300 {
        let rng = &mut Rng::with_seed(seed);
        let (bytes, damage) = damage::module(&image, Compression::Plain, rng);
        root.write("tmp/top.ko", bytes);
        let run = root.ours("kmod", &["check", "--json", "/tmp/top.ko", "depth=1"]);
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(matches!(run.code, Some(0..=2)) && stderr.is_empty(), "{seed}: {damage:?}: {run:?}");
        let document: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let item = &document["modules"][0];
        let outcome = match run.code {
            Some(0) => "would_load",
            Some(1) => "would_not_load",
            _ => "cannot_tell",
        };
        assert_eq!(item["outcome"], outcome, "{seed}: {item}");
        let reasons = item["reasons"].as_array().expect("a list");
        assert_eq!(reasons.is_empty(), run.code != Some(1), "{seed}: {item}");
        codes.insert(run.code);
    }
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(1)), "{codes:?}");
}

/// Its output and its exit code.
fn check_all_as_nobody(root: &TestRoot) -> (String, Option<i32>) {
    // Installs the binary in the root.
    let _ = root.invoke(Side::Ours, "kmod");
    let start = Start::new("/ours/kmod").arg("check").arg("--all").user(65534);
    let run = FakeKernel::new(root.path(), root.version()).run(&start);
    (String::from_utf8(run.stdout).expect("UTF-8"), run.status.code())
}

/// Adds a kernel's whole tree, its image and its configuration.
fn bring(root: &TestRoot, tree: &cache::ModuleTree) {
    root.add_tree(tree, &|_| true);
    for kind in ["vmlinuz", "config"] {
        let file = format!("boot/{kind}-{}", tree.version);
        let cached = tree.modules.ancestors().nth(3).expect("lib/modules/VERSION in a root").join(&file);
        root.write(&file, fs::read(cached).expect("the kernel's image and configuration"));
    }
}

/// The module files of a tree.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(directory).into_iter().flatten().map(walkdir::DirEntry::into_path);
    files.filter(|path| path.to_string_lossy().contains(".ko") && path.is_file()).collect()
}

/// The kernel's name for the module of a file.
fn name(path: &Path) -> String {
    let name = path.file_name().expect("a name").to_string_lossy();
    name.split('.').next().expect("a part").replace('-', "_")
}

/// Checks a tree, then the same with faults; returns the run on the undamaged one.
fn sound_and_faulty(tree: &str) -> Run {
    let tree = cache::tree(tree);
    let root = TestRoot::with_version(&tree.version);
    bring(&root, &tree);
    let check = || root.ours("kmod", &["check", "--all", "-S", &tree.version]);

    let sound = check().succeeds();
    assert!(sound.out().contains(" would load, 0 would not, 0 unknown\n"), "{}", sound.out());
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
    // All other modules that would not load need one of these.
    let is_planted = |verdict: &&String| FAULTS.iter().any(|fault| verdict.starts_with(&listed(fault)));
    for verdict in verdicts.iter().filter(|verdict| !is_planted(verdict)) {
        assert!(verdict.contains(", which would not load:"), "{verdict}");
    }
    sound
}

fn listed(fault: &PlantedFault) -> String {
    format!("kernel/{}.ko:", fault.module)
}

/// Replaces a module of the tree by a faulty one.
fn plant(root: &TestRoot, fault: &PlantedFault) {
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
    let output =
        surroundings::program(program).args(["-d", "-c"]).arg(path).output().expect("a decompressor");
    assert!(output.status.success(), "{program} {}", path.display());
    output.stdout
}

/// The modules that would not load or are unknown, each with its indented lines.
fn verdicts(text: &str) -> Vec<String> {
    let mut verdicts: Vec<String> = Vec::new();
    for line in text.lines() {
        match verdicts.last_mut() {
            Some(verdict) if line.starts_with(' ') => verdict.push_str(&format!("{line}\n")),
            _ => verdicts.push(format!("{line}\n")),
        }
    }
    verdicts.retain(|verdict| verdict.contains(": would not load\n") || verdict.contains(": unknown\n"));
    verdicts
}
